"""The section about networks of one or two inputs, as it is without scripts."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from handloom import (
    Adam,
    ConfigurationError,
    Dataset,
    Dense,
    GridPredictions,
    History,
    MeanSquaredError,
    Model,
    ModelError,
    Sequential,
    Splits,
    Tanh,
    Trainer,
    moons,
    report,
    silhouettes,
    sine,
)
from handloom.markup import render
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.sections.boundary import boundary
from handloom.training.grid_frames import GridFrames

HOSTILE = "<script>alert(1)</script>"


def trained(splits: Splits, **options: Any) -> tuple[Model, History, GridPredictions]:
    data, grid = splits.train, GridPredictions(splits.train)
    outputs = len(data.class_names)
    network = Sequential([Dense(4), Tanh(), Dense(outputs)]).build(data.input_shape, seed=0)
    made = Trainer(network, Adam(), 1e-2, epochs=9, batch_size=20, callbacks=[grid], **options)
    history = made.fit(data)
    return made.model(), history, grid


def named(splits: Splits) -> Splits:
    return Splits(
        *(
            Dataset(part.inputs, part.targets, (HOSTILE, "lower"), "moons", (HOSTILE, "x2"))
            for part in (splits.train, splits.test)
        )
    )


MOONS = named(moons(rows=60, test_rows=20))


def run_of(splits: Splits, *, recorded: bool = True, **options: Any) -> ReportedRun:
    model, history, grid = trained(splits, **options)
    frames = grid.frames if recorded else None
    return ReportedRun(
        "run", model, history=history, test=splits.test, train=splits.train, frames=frames
    )


def section(run: ReportedRun) -> Section:
    made = boundary(run)
    assert isinstance(made, Section)
    return made


def test_every_epoch_has_a_picture_and_some_are_shown_without_scripts() -> None:
    made = section(run_of(MOONS))
    html = render(made.body)
    pictures = re.findall(r'<image id="boundary-frame-(\d+)"', html)
    assert pictures == [str(index) for index in range(9)]  # 0, 1, 2, 3, 4, 5, 6, 8, 9
    assert made.data is not None
    assert made.data["names"][0] == "before training"
    assert re.fullmatch(r"epoch 9: training loss [\d.]+", made.data["names"][-1])
    assert html.count("<figcaption>") == 6
    assert re.search(r'id="boundary-tools"[^>]* hidden', html)
    for used in re.findall(r'<use href="#([^"]+)"', html):
        assert f'id="{used}"' in html


def test_names_are_escaped() -> None:
    html = render(section(run_of(MOONS)).body)
    assert HOSTILE not in html
    assert html.count("&lt;script&gt;") == 2  # an axis and a class


def test_without_a_recording_the_boundary_of_the_model_is_shown() -> None:
    made = section(run_of(MOONS, recorded=False))
    html = render(made.body)
    assert made.scripts == ()
    assert html.count("<image") == 1
    assert "The epochs were not recorded: the callback <code>GridPredictions</code>" in html


def test_a_model_with_the_weights_of_another_epoch_is_shown_last() -> None:
    run = run_of(MOONS)
    assert run.model is not None
    run.model.network.parameters.values[...] *= 0.1
    kept = ReportedRun(
        "run", run.model, test=run.test, frames=run.frames, results={"kept_epoch": 3}
    )
    made = section(kept)
    assert made.data is not None
    assert made.data["names"][-1] == "the trained model, with the weights of epoch 4"


def test_a_single_input_has_a_curve() -> None:
    splits = sine(rows=40, test_rows=10)
    made = section(run_of(splits, loss=MeanSquaredError()))
    html = render(made.body)
    assert made.title == "The predictions over the epochs"
    assert html.count('<g id="boundary-frame-') == 9
    assert "<image" not in html


def test_values_over_two_inputs_are_in_the_units_of_their_table() -> None:
    pd: Any = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"income": rng.uniform(1e4, 9e4, 60), "age": rng.uniform(0, 80, 60)})
    frame["price"] = 3 * frame["income"] - 100 * frame["age"]
    data = Dataset.from_frame(frame, "price")
    html = render(section(run_of(Splits(data, data), loss=MeanSquaredError())).body)
    assert ">80000</text>" in html
    assert ">income</text>" in html
    assert html.count("<image") == 9


@pytest.mark.parametrize("shape", [(3,), (8, 8)])
def test_other_inputs_have_no_such_section(shape: tuple[int, ...]) -> None:
    splits = silhouettes(rows=10, test_rows=5)
    network = Sequential([Dense(2)]).build((int(np.prod(shape)),))
    from_rows = Model(network, splits_transform(), ("a", "b"), shape, "float32")
    assert boundary(ReportedRun("run", from_rows, test=splits.test)) is None


def splits_transform() -> Any:
    return trained(MOONS)[0].transform


def test_columns_of_categories_are_no_plane() -> None:
    pd: Any = pytest.importorskip("pandas")
    frame = pd.DataFrame({"port": ["a", "b"] * 10, "fate": ["yes", "no"] * 10})
    data = Dataset.from_frame(frame, "fate")
    assert data.input_shape == (2,)
    model = replace(
        trained(MOONS)[0],
        columns=data.columns,
        column_names=data.column_names,
        class_names=data.class_names,
    )
    assert boundary(ReportedRun("run", model, test=data)) is None
    with pytest.raises(ConfigurationError, match="no categories or missing values"):
        GridPredictions(data)


def test_without_rows_it_is_omitted() -> None:
    made = boundary(
        ReportedRun("run", trained(MOONS)[0], missing={"test": "the dataset was not found."})
    )
    assert made == Omission("The decision boundary over the epochs", "the dataset was not found.")


def test_a_report_takes_the_callback() -> None:
    model, history, grid = trained(MOONS)
    html = report(model, MOONS, history, grid=grid).html
    assert html.count('<image id="boundary-frame-') == 9
    assert "boundary-tools" in html


def test_frames_whose_shapes_do_not_fit_are_refused() -> None:
    axes = (np.zeros(3), np.zeros(2))
    with pytest.raises(ModelError, match=r"must have shape \(1, 2, 3\) and the outputs"):
        GridFrames(np.array([0]), axes, np.zeros((1, 3, 2, 1)))
