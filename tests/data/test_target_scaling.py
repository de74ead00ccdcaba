"""The scaling of continuous targets, the positive class, and the numbers of rows of a table."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.test_columns import passengers

from handloom import ConfigurationError, DataError, Dataset, DataWarning, open_table, split_frame
from handloom.data import Columns
from handloom.randomness import Stream

pd: Any = pytest.importorskip("pandas")

SKEWED = np.exp(np.random.default_rng(1).normal(5.0, 1.5, 60))


def scaled(scaling: str, targets: object = SKEWED) -> Dataset:
    return Dataset.from_frame(passengers(fare=targets), "fare", target_scaling=scaling)  # type: ignore[arg-type]


def test_the_logarithm_of_a_target_is_standardized_and_comes_back_in_its_units() -> None:
    data = scaled("log")
    logarithms = np.log(SKEWED)
    expected = (logarithms - logarithms.mean()) / logarithms.std()
    np.testing.assert_allclose(data.targets[:, 0], expected, atol=1e-5)
    assert data.columns is not None
    target = Columns.from_json(data.columns.to_json()).target
    assert target is not None
    np.testing.assert_allclose(target.restore(data.targets)[:, 0], SKEWED, rtol=1e-5)
    assert target.constant == pytest.approx(SKEWED.mean())


def test_a_divided_target_has_the_mean_1_and_stays_positive() -> None:
    counts = np.arange(60.0) % 30
    data = scaled("divide", counts)
    np.testing.assert_allclose(data.targets[:, 0], counts / counts.mean(), rtol=1e-6)
    assert data.columns is not None
    assert data.columns.target is not None
    np.testing.assert_allclose(data.columns.target.restore(data.targets)[:, 0], counts, atol=1e-4)


@pytest.mark.parametrize(("scaling", "low"), [("log", 0.0), ("log", -1.0), ("divide", -1.0)])
def test_a_target_that_a_scaling_does_not_take_is_refused(scaling: str, low: float) -> None:
    targets = np.r_[low, SKEWED[1:]]
    with pytest.raises(DataError, match=rf"'fare' must be .*\(--target-scaling {scaling}\), got"):
        scaled(scaling, targets)
    train = scaled(scaling)
    other = passengers(fare=targets)
    with pytest.raises(DataError, match=r"'fare' must be .* in row 0"):
        Dataset.from_frame(other, "fare", columns=train.columns)
    with pytest.raises(ConfigurationError, match="target_scaling would be ignored"):
        Dataset.from_frame(other, "fare", columns=train.columns, target_scaling="log")


def test_classes_have_no_scaling() -> None:
    with pytest.raises(ConfigurationError, match="is for a regression, but the target 'sex'"):
        Dataset.from_frame(passengers(), "sex", target_scaling="log")


def test_columns_of_before_there_were_scalings_are_read() -> None:
    columns = scaled("standardize", np.arange(60.0)).columns
    assert columns is not None
    described = columns.to_json()
    del described["target"]["scaling"], described["target"]["average"]
    target = Columns.from_json(described).target
    assert target is not None
    assert (target.scaling, target.constant) == ("standardize", target.mean)


def test_a_very_skewed_target_is_told_once() -> None:
    with pytest.warns(DataWarning, match=r"very skewed .*\(--target-scaling log") as caught:
        split_frame(passengers(fare=SKEWED), "fare")
    assert len(caught) == 1
    split_frame(passengers(fare=SKEWED), "fare", target_scaling="log")  # a warning is an error


def test_the_positive_class_is_the_second() -> None:
    frame = passengers()
    for positive, other in [("female", "male"), ("male", "female")]:
        data = Dataset.from_frame(frame, "sex", positive=positive)
        assert data.class_names == (other, positive)
        assert (data.targets == (frame["sex"] == positive)).all()
    with pytest.raises(DataError, match=r"positive must be a class .* Did you mean 'female'"):
        Dataset.from_frame(frame, "sex", positive="femal")
    with pytest.raises(ConfigurationError, match="positive is for two classes"):
        Dataset.from_frame(frame, "fare", positive="a")
    frame["deck"] = np.resize(["A", "B", "C"], 60)
    with pytest.raises(DataError, match="positive is for two classes, but the target 'deck' has 3"):
        Dataset.from_frame(frame, "deck", positive="A")


def test_rows_know_their_number_in_the_table(tmp_path: Path) -> None:
    lines = [f"{n % 11},{n * n % 7},{n}.5" for n in range(40)]
    lines[5] = "5,4,"
    path = tmp_path / "table.csv"
    path.write_text("a,b,y\n" + "\n".join([*lines[:3], "", *lines[3:]]))
    with pytest.warns(DataWarning, match="1 row without a target left out"):
        splits = open_table(path, "y", drop_missing_targets=True)
    numbers = []
    for part in (splits.train, splits.test):
        assert part.row_numbers is not None
        assert part.columns is not None
        assert part.columns.target is not None
        targets = part.columns.target.restore(part.targets)[:, 0]
        np.testing.assert_allclose(targets, part.row_numbers + 0.5, atol=1e-4)
        numbers += part.row_numbers.tolist()
    assert sorted(numbers) == [n for n in range(40) if n != 5]
    rest, held_out = splits.train.split(0.2, Stream(0))
    assert rest.row_numbers is not None
    assert held_out.row_numbers is not None
    kept = {*rest.row_numbers.tolist(), *held_out.row_numbers.tolist()}
    assert splits.train.row_numbers is not None
    assert kept == set(splits.train.row_numbers.tolist())
    frame = passengers()
    data = Dataset.from_frame(frame, "fare")
    assert data.row_numbers is not None
    assert data.take(slice(3, 6)).row_numbers.tolist() == [3, 4, 5]  # type: ignore[union-attr]
    with pytest.raises(DataError, match="row_numbers must hold an integer"):
        Dataset(np.ones((2, 1)), [0.0, 1.0], row_numbers=[1])
