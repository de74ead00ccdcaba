"""A warning is at the line that called the library, so that filters and once per line work."""

import warnings
from types import FunctionType
from typing import Any

import numpy as np
import pytest

from handloom import (
    SGD,
    Dataset,
    Dense,
    Flatten,
    Model,
    Sequential,
    Trainer,
)
from handloom.secondary import Secondary

ROWS = Dataset(np.eye(6, dtype=np.float32), np.arange(6) % 2)
IMAGES = Dataset(np.arange(6 * 16, dtype=np.uint8).reshape(6, 4, 4), np.arange(6) % 2)
BYTES = np.full((2, 6), 255, np.uint8)


def trainer(data: Dataset = ROWS) -> Trainer:
    network = Sequential([Flatten(), Dense(2)]).build(data.input_shape, seed=0)
    return Trainer(network, SGD(), 0.1, epochs=1, batch_size=6)


def model_of_huge_weights(data: Dataset) -> Model:
    made = trainer(data)
    made.fit(data)
    made.network.parameters.values[...] = 3e38
    return made.model()


def predict_frame() -> None:
    pd: Any = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": np.arange(1.0, 7.0) ** 2, "b": np.arange(6) % 2})
    model_of_huge_weights(Dataset.from_frame(frame, "b")).predict(frame * 1000.0)


def predict_image() -> None:
    pytest.importorskip("PIL")
    model_of_huge_weights(IMAGES).predict_image(IMAGES.inputs[5], as_is=True)


def secondary_work_fails() -> None:
    with Secondary("the picture is not drawn"):
        raise OSError("the disk is full")


@pytest.mark.parametrize(
    "call",
    [
        predict_frame,
        predict_image,
        lambda: model_of_huge_weights(ROWS).predict(ROWS.inputs),
        lambda: trainer().prepare(ROWS, ROWS),
        lambda: trainer().fit(ROWS, ROWS),
        lambda: trainer().network.as_rows(BYTES),
        lambda: trainer().network.activations(BYTES),
        secondary_work_fails,
    ],
)
def test_a_warning_is_at_the_line_that_called_the_library(call: FunctionType) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    lines = {line for *_, line in call.__code__.co_lines()}
    assert caught
    assert {each.filename for each in caught} == {__file__}
    assert {each.lineno for each in caught} <= lines


def test_a_warning_is_ignored_by_the_module_of_its_line_and_given_once_there() -> None:
    network = trainer().network
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", module=__name__)
        network.as_rows(BYTES)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            network.as_rows(BYTES)
        network.as_rows(BYTES)
    assert len(caught) == 2


def test_code_without_a_module_gets_warnings_too() -> None:
    with pytest.warns(UserWarning, match="x has bytes"):
        exec("network.as_rows(rows)", {"network": trainer().network, "rows": BYTES})
