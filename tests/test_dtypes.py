"""Dates, times, complex numbers, text, records and objects are refused as numbers, by name."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from handloom import (
    Adam,
    DataError,
    Dataset,
    Dense,
    MLPClassifier,
    MLPRegressor,
    Sequential,
    Trainer,
)
from handloom.losses import LOSSES, RowLoss

ROWS = 20
CLASSES = np.arange(ROWS) % 2
X = np.random.default_rng(0).standard_normal((ROWS, 3))

Values = npt.NDArray[np.generic]

TIMES: dict[str, Values] = {
    "datetime64[D]": CLASSES.astype("M8[D]"),
    "timedelta64[s]": CLASSES.astype("m8[s]"),
    "|V8": CLASSES.astype(np.int64).view("V8"),
    "[('a', '<i8')]": np.zeros(ROWS, [("a", np.int64)]),
}
NOT_NUMBERS: dict[str, Values] = {
    **TIMES,
    "complex128": CLASSES.astype(complex),
    "object": CLASSES.astype(object),
    "<U21": CLASSES.astype(str),
}

not_numbers = pytest.mark.parametrize(("dtype", "values"), NOT_NUMBERS.items(), ids=NOT_NUMBERS)
times = pytest.mark.parametrize(("dtype", "values"), TIMES.items(), ids=TIMES)
every_loss = pytest.mark.parametrize("kind", LOSSES.values(), ids=LOSSES)


def refused(dtype: str) -> Any:
    return pytest.raises(DataError, match=rf"got (dtype )?{re.escape(dtype)}")


@not_numbers
def test_a_dataset_refuses_them_as_targets_and_as_inputs(dtype: str, values: Values) -> None:
    makers: list[Callable[[], Dataset]] = [
        lambda: Dataset(X, values, ("a", "b")),
        lambda: Dataset(X, values[:, None], ("a",)),
        lambda: Dataset(values[:, None], CLASSES, ("a", "b")),
    ]
    for make in makers:
        with refused(dtype):
            make()


@not_numbers
@every_loss
def test_a_loss_refuses_them_as_targets_predictions_and_weights(
    kind: type[RowLoss], dtype: str, values: Values
) -> None:
    z, t = np.full((ROWS, 2), 0.5), np.stack([CLASSES, CLASSES], axis=1)
    with refused(dtype):
        kind()(z, np.stack([values, values], axis=1))  # type: ignore[arg-type]
    with refused(dtype):
        kind()(z[:, :1], values)  # type: ignore[arg-type]
    with refused(dtype):
        kind()(np.stack([values, values], axis=1), t)
    with refused(dtype):
        kind()(z, t, values)  # type: ignore[arg-type]


@not_numbers
def test_a_training_refuses_them_as_sample_weights(dtype: str, values: Values) -> None:
    network = Sequential([Dense(2)]).build((3,))
    before = network.parameters.vector.copy()
    with refused(dtype):
        Trainer(network, Adam(), 0.1, epochs=1).fit(
            Dataset(X, CLASSES, ("a", "b")),
            sample_weights=values,  # type: ignore[arg-type]
        )
    assert np.array_equal(network.parameters.vector, before)


@times
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_an_estimator_refuses_dates_times_and_records(
    kind: type[MLPClassifier] | type[MLPRegressor], dtype: str, values: Values
) -> None:
    estimator = kind(max_iter=1)
    with refused(dtype):
        estimator.fit(X, values)
    with refused(dtype):
        estimator.fit(np.stack([values, values], axis=1), CLASSES)
    with refused(dtype):
        estimator.fit(X, CLASSES, sample_weight=values)


def test_a_data_frame_with_a_column_of_dates_is_refused() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"size": X[:, 0], "day": TIMES["datetime64[D]"]})
    with pytest.raises(DataError, match=r"^X must not hold dates, .* got dtype datetime64"):
        MLPRegressor(max_iter=1).fit(frame, CLASSES)


def test_text_is_a_class_and_no_continuous_target() -> None:
    names = np.array(["no", "yes"])[CLASSES]
    assert set(MLPClassifier(max_iter=1000, tol=1e3).fit(X, names).predict(X)) <= {"no", "yes"}
    with refused("<U3"):
        MLPRegressor(max_iter=1).fit(X, names)
