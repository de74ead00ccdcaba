"""Trainer: the rows of an epoch, learning, and metrics."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.helpers.training import DATA, HELD_OUT, ROWS, continuous_targets, features, network
from tests.training.helpers import figures, trainer

from handloom import (
    EMA,
    SGD,
    Adam,
    BestWeights,
    Callback,
    ConfigurationError,
    Dataset,
    Dense,
    EarlyStopping,
    MeanSquaredError,
    ModelError,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    StopReason,
    Trainer,
)
from handloom.data.transforms import AsFloat
from handloom.parameters import Array
from handloom.training import EpochRecord, TrainingState


def test_mini_batches_take_every_row_once_an_epoch_in_a_new_order() -> None:
    data = features(rows=10)
    seen: list[list[int]] = []

    class Spy(AsFloat):
        def __call__(self, inputs: npt.NDArray[np.generic], out: Array) -> Array:
            seen.append([int((data.inputs == row).all(axis=1).argmax()) for row in inputs])
            return super().__call__(inputs, out)

    options: dict[str, Any] = {"epochs": 2, "batch_size": 4, "diagnose": False}
    Trainer(network(data), SGD(), 0.1, transform=Spy(), **options).fit(data)
    assert [len(rows) for rows in seen] == [4, 4, 2, 4, 4, 2]
    first, second = sum(seen[:3], []), sum(seen[3:], [])
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_rows_that_are_not_shuffled_come_in_order() -> None:
    class Seen(AsFloat):
        def __call__(self, inputs: npt.NDArray[np.generic], out: Array) -> Array:
            seen.append(inputs[:, 0].tolist())
            return super().__call__(inputs, out)

    data, seen = features(100), []  # type: ignore[var-annotated]
    options: dict[str, Any] = {"epochs": 2, "batch_size": 40, "shuffle": False, "diagnose": False}
    Trainer(network(data), SGD(), 0.1, transform=Seen(), **options).fit(data)
    column = data.inputs[:, 0].tolist()
    assert seen == [column[:40], column[40:80], column[80:]] * 2


def test_training_learns_and_the_history_says_so() -> None:
    data, held_out = features(), features(seed=1)
    made = network(data)
    history = Trainer(made, Adam(), 0.01, epochs=20, batch_size=32).fit(data, held_out)
    assert history.stop_reason is StopReason.MAX_EPOCHS
    assert len(history) == 20
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert history["validation_accuracy"][-1] > 0.8
    assert (history["seconds"] > 0).all()
    header, *lines = history.to_csv().splitlines()
    assert header.startswith("epoch,loss,data_loss,penalty,accuracy,learning_rate,seconds")
    assert len(lines) == 20


def test_a_full_batch_record_is_measured_before_its_update() -> None:
    data = features()
    made = network(data, l2=0.1)
    before = made.replica()
    before.parameters.vector = made.parameters.vector.copy()
    untouched = Sequential.from_config(made.config())
    untouched.parameters.load(made.parameters.weights)
    logits = untouched.without_activation("softmax").predict(data.inputs)
    value, _ = SoftmaxCrossEntropy()(logits, data.targets)

    record = Trainer(made, SGD(), 0.1, epochs=1).fit(data).records[0]
    assert record.data_loss == pytest.approx(value, rel=1e-6)
    assert record.penalty == pytest.approx(untouched.parameters.penalty(), rel=1e-6)
    assert record.loss == record.data_loss + record.penalty
    assert record.learning_rate == 0.1


def test_networks_with_and_without_softmax_train_to_the_same_weights() -> None:
    data = features()
    with_softmax = network(data)
    without = Sequential([Dense(16), ReLU(), Dense(3)]).build((5,))
    for made in (with_softmax, without):
        Trainer(made, Adam(), 0.01, epochs=3, batch_size=50).fit(data)
    assert np.array_equal(with_softmax.parameters.vector, without.parameters.vector)


def test_a_weight_of_two_is_the_row_twice_and_of_zero_its_absence() -> None:
    data = features(rows=60)
    weights = np.arange(60) % 3.0
    repeated = data.take(np.repeat(np.arange(60), weights.astype(int)))
    by_weight, by_rows = network(data, dtype=np.float64), network(data, dtype=np.float64)
    weighted = Trainer(by_weight, SGD(momentum=0.9), 0.1, epochs=10).fit(
        data, sample_weights=weights
    )
    copied = Trainer(by_rows, SGD(momentum=0.9), 0.1, epochs=10).fit(repeated)
    np.testing.assert_allclose(by_weight.parameters.vector, by_rows.parameters.vector, rtol=1e-9)
    np.testing.assert_allclose(weighted["loss"], copied["loss"], rtol=1e-12)


def test_what_is_not_counted_is_not_told_and_changes_no_bit() -> None:
    results = []
    for count in (True, False):
        made = network(DATA.train)
        trainer = Trainer(made, Adam(), 0.01, epochs=2, batch_size=64, count_correct=count)
        record = trainer.fit(DATA.train, 0.2).records[-1]
        assert (record.accuracy is not None) == (record.validation_accuracy is not None) == count
        results.append((made.parameters.vector.tobytes(), record.loss, record.validation_loss))
    assert results[0] == results[1]
    with pytest.raises(ConfigurationError, match="count_correct is False"):
        Trainer(made, Adam(), 0.01, count_correct=False, callbacks=[BestWeights("accuracy")]).fit(
            DATA.train
        )


def test_continuous_targets_are_learned_and_have_no_accuracy() -> None:
    made = Sequential([Dense(2)]).build((4,), dtype=np.float64)
    trainer = Trainer(made, SGD(), 0.3, epochs=200, loss=MeanSquaredError())
    history = trainer.fit(continuous_targets(), 0.2)
    assert history.records[-1].loss < 1e-12
    assert history.records[-1].accuracy is None
    assert history.records[-1].validation_accuracy is None
    assert history.records[-1].validation_loss < 1e-12  # type: ignore[operator]
    with pytest.raises(ConfigurationError, match="MeanSquaredError is not a ClassificationLoss"):
        Trainer(made, SGD(), 0.1, loss=MeanSquaredError(), callbacks=[BestWeights("accuracy")]).fit(
            continuous_targets()
        )


def test_a_custom_loss_is_the_object_that_was_passed() -> None:
    class Counts(MeanSquaredError):  # noqa: N818 - an error of predictions
        calls = 0

        def row_losses(self, predictions: Array, targets: Any, gradient: Array) -> Array:
            self.calls += 1
            return super().row_losses(predictions, targets, gradient)

    loss, made = Counts(), Sequential([Dense(2)]).build((4,))
    Trainer(made, SGD(), 0.01, epochs=2, batch_size=50, loss=loss).fit(continuous_targets())
    assert loss.calls >= 2


def test_a_schedule_that_gives_no_number_is_refused_by_step() -> None:
    trainer = Trainer(network(features()), SGD(), lambda step: float("nan") if step == 3 else 0.1)
    with pytest.raises(ConfigurationError, match=r"at step 3 must be a finite .*, got nan"):
        trainer.fit(features())


def test_a_trainer_has_no_model_before_it_was_fitted() -> None:
    with pytest.raises(ModelError, match="fit the trainer first"):
        Trainer(network(features()), SGD(), 0.1).model()


def test_training_works_outside_the_main_thread() -> None:
    data, lengths = features(), []
    trainer = Trainer(network(data), SGD(), 0.1, epochs=2)
    thread = threading.Thread(target=lambda: lengths.append(len(trainer.fit(data))))
    thread.start()
    thread.join()
    assert lengths == [2]


def test_fit_starts_from_the_present_weights_and_leaves_blas_as_it_was() -> None:
    from threadpoolctl import threadpool_info

    data = features()
    made = network(data)
    before = [pool["num_threads"] for pool in threadpool_info()]
    first = Trainer(made, SGD(), 0.1, epochs=5).fit(data)
    second = Trainer(made, SGD(), 0.1, epochs=5).fit(data)
    assert second["loss"][0] < first["loss"][-1]
    assert [pool["num_threads"] for pool in threadpool_info()] == before


class Differences(AsFloat):
    """Each feature less the one before it, written while later ones are still read."""

    def __call__(self, inputs: npt.NDArray[np.generic], out: Array) -> Array:
        flat = inputs.reshape(out.shape).view(out.dtype)
        for column in range(out.shape[1] - 1, -1, -1):
            out[:, column] = flat[:, column]
        for column in range(1, out.shape[1]):
            out[:, column] -= flat[:, column - 1]
        return out


def test_a_transform_never_reads_what_it_writes() -> None:
    losses = []
    for shuffle in (False, True):
        made = Sequential([Dense(2)]).build((4,), seed=3)
        data = continuous_targets()
        data = Dataset(data.inputs.astype(np.float32), data.targets, data.class_names, data.name)
        trainer = Trainer(
            *(made, SGD(), 1e-9),
            epochs=1,
            batch_size=50,
            shuffle=shuffle,
            loss=MeanSquaredError(),
            transform=Differences(),
        )
        losses.append(trainer.fit(data)["loss"][0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


class HalvesInPlace(AsFloat):
    """A transform that writes to the rows which it is given."""

    def __call__(self, inputs: npt.NDArray[Any], out: Array) -> Array:
        inputs /= 2
        return super().__call__(inputs, out)


def test_an_option_of_the_default_loss_that_a_callback_sets_stays_in_its_training() -> None:
    class Smooths(Callback):
        def on_epoch_begin(self, *, state: TrainingState) -> None:
            state.loss.label_smoothing = 0.5  # type: ignore[attr-defined]

    data, histories = features(40), []
    for callbacks in ([], [Smooths()], []):
        made = Trainer(network(data), SGD(), 0.1, epochs=2, batch_size=10, callbacks=callbacks)
        histories.append(made.fit(data)["loss"].tolist())
    assert histories[0] == histories[2] != histories[1]


@pytest.mark.parametrize("batch_size", [10, 40])
def test_a_transform_in_place_leaves_the_dataset_as_it_is(batch_size: int) -> None:
    data, other = features(40), features(20, seed=1)
    before = data.inputs.copy(), other.inputs.copy()
    options: dict[str, Any] = {"epochs": 2, "batch_size": batch_size}
    trainer = Trainer(network(data), SGD(), 0.1, transform=HalvesInPlace(), **options)
    trainer.fit(data, validation=other)
    trainer.model().predict(data.inputs)
    trainer.network.activations(data.inputs, trainer.model().transform)
    assert np.array_equal(data.inputs, before[0])
    assert np.array_equal(other.inputs, before[1])


def test_a_training_is_run_once_by_the_trainer_that_prepared_it(tmp_path: Path) -> None:
    first, second = trainer(tmp_path, average=EMA(0.9)), trainer(None)
    prepared = first.prepare(ROWS)
    with pytest.raises(ModelError, match="another one prepared"):
        second.run(prepared)
    first.run(prepared)
    with pytest.raises(ModelError, match="this training has ended"):
        first.run(prepared)
    longer = trainer(tmp_path, average=EMA(0.9), epochs=5)
    longer.fit(ROWS, resume=True)
    whole = trainer(None, average=EMA(0.9), epochs=5)
    whole.fit(ROWS)
    assert np.array_equal(longer.network.parameters.values, whole.network.parameters.values)


class FailsOnce(Callback):
    """Raises after an epoch, once."""

    changes_results = False

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        if record.epoch == self.epoch:
            self.epoch = -1
            raise RuntimeError("mine")


@pytest.mark.parametrize("average", [None, 0.5])
@pytest.mark.parametrize("watch", [BestWeights, partial(EarlyStopping, patience=4)])
def test_a_run_after_an_error_goes_on_as_if_there_had_been_none(
    watch: Callable[[], BestWeights], average: float | None
) -> None:
    runs = []
    for error in ([], [FailsOnce(4)]):
        best = watch()
        options: dict[str, Any] = {"epochs": 9, "optimizer": Adam(), "learning_rate": 3.0}
        options["average"] = None if average is None else EMA(average)
        made = trainer(None, best, *error, **options)
        prepared = made.prepare(ROWS, HELD_OUT)
        if error:
            with pytest.raises(RuntimeError, match="mine"):
                made.run(prepared)
            assert best.weights is not None
            assert np.array_equal(made.network.parameters.values, best.weights)
        history = made.run(prepared)
        weights = made.network.parameters.values
        runs.append((figures(history), history.stop_reason, best.epoch, weights.tobytes()))
    assert runs[0] == runs[1]
    assert best.epoch == 2  # so that the error came after it


def test_a_run_is_refused_if_a_callback_could_not_be_kept_at_an_error() -> None:
    class Broken(BestWeights):
        def state_dict(self) -> dict[str, Any]:
            raise LookupError("another")

    made = trainer(None, Broken("loss"), FailsOnce(1))
    prepared = made.prepare(ROWS)
    with pytest.raises(RuntimeError, match="mine") as caught:
        made.run(prepared)
    assert any("another" in note for note in caught.value.__notes__)
    with pytest.raises(ModelError, match="prepare another, or resume"):
        made.run(prepared)


def test_an_epoch_after_the_last_one_changes_nothing() -> None:
    begun: list[int] = []

    class Begins(Callback):
        def on_epoch_begin(self, *, state: TrainingState) -> None:
            begun.append(state.progress.epoch)

    made = trainer(None, Begins(), epochs=2)
    prepared = made.prepare(ROWS)
    with prepared.threads:
        for _ in range(3):
            made.run_epoch(prepared)
    assert begun == [0, 1]
    assert made.history.stopped_in is None
    assert not made.state.progress.begun
