"""The reference study: its steps, its learning rates, and its notion of divergence."""

from pathlib import Path

import numpy as np
import pytest

from handloom import Trainer, open_folder, silhouettes
from handloom.data import write_image_folders
from handloom.studies import reference
from handloom.training import EpochRecord, History, StopReason


def history(*losses: float, reason: StopReason | None = None) -> History:
    made = History()
    made.records = [
        EpochRecord(epoch, loss + 0.1, loss, 0.1, 0.5, 1.0, 0.1)
        for epoch, loss in enumerate(losses)
    ]
    made.stop_reason = reason
    made.stopped_in = len(losses) if reason else None
    return made


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (history(2.3, 1.0, 0.9), None),
        (history(2.31, 2.4, 3.0), None),  # never learned, so never lost it
        (history(2.3, 1.1, 2.2, 2.31, 2.4), 3),
        (history(2.3, 1.2, 2.4), None),  # not below half of ln 10 before
        (history(2.3, 1.0, reason=StopReason.NON_FINITE_LOSS), 2),
        (history(2.3, 1.0, reason=StopReason.INTERRUPTED), None),
    ],
)
def test_divergence_is_as_the_reference_defines_it(record: History, expected: int | None) -> None:
    assert reference.diverged_in(record) == expected


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam"])
def test_rates_agree_with_the_references_logs_to_the_last_digit(name: str) -> None:
    # the last row of each log, and one in its middle
    logged = {
        "sgd": {500: "0.1669449081803005", 1090: "0.08410428931875526"},
        "momentum": {500: "0.1669449081803005", 1090: "0.08410428931875526"},
        "adam": {260: "0.04873769373233258", 520: "0.047533035459644456"},
    }
    schedule = reference.MODELS[name].schedule
    for epoch, rate in logged[name].items():
        assert repr(schedule(epoch - 1)) == rate


@pytest.mark.parametrize(
    ("rows", "fraction", "steps", "batch_size", "expected"),
    [
        (100, 0.0, 7, 0, [0, 1, 2, 3, 4, 5, 6]),
        (100, 0.0, 20, 10, [9, 19]),
        (100, 0.1, 20, 10, [8, 17]),  # nine batches an epoch: 18 steps are nearest to 20
        (100, 0.0, 1, 10, [9]),  # at least one epoch
        (100, 0.0, 4, 60, [1, 3]),  # batches of 60 and 40 rows
    ],
)
def test_steps_are_rounded_to_whole_epochs(
    rows: int, fraction: float, steps: int, batch_size: int, expected: list[int]
) -> None:
    run = reference.run(
        "momentum",
        silhouettes(rows=rows, test_rows=20),
        steps=steps,
        batch_size=batch_size,
        validation_fraction=fraction,
    )
    assert run.steps == expected


def test_the_held_out_rows_are_those_of_the_trainer() -> None:
    splits = silhouettes(rows=100, test_rows=20)
    run = reference.run("sgd", splits, steps=4, batch_size=30, validation_fraction=0.2)
    settings = reference.MODELS["sgd"]
    train = reference.prepare(splits, 0).train
    network = reference.network(settings.units).build((784,), seed=0)
    trainer = Trainer(
        network, settings.optimizer(), settings.schedule, epochs=len(run.steps), batch_size=30
    )
    history = trainer.fit(train, validation=0.2)
    assert np.array_equal(history["validation_loss"], run.history["validation_loss"])
    assert np.array_equal(network.parameters.vector, run.model.network.parameters.vector)


def test_the_source_of_the_same_images_does_not_matter(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    splits = silhouettes(rows=60, test_rows=20)
    write_image_folders(splits, tmp_path / "images")
    of_arrays, of_files = (
        reference.run("momentum", source, steps=5).model.network.parameters.vector
        for source in (splits, open_folder(tmp_path / "images"))
    )
    assert np.array_equal(of_arrays, of_files)
