"""Options of tables: JSON and back; wrong ones are refused by name."""

import pytest

from handloom import ConfigurationError
from handloom.data import ImageOptions
from handloom.data.table_options import TableOptions, data_options_from_json


def test_options_are_the_same_from_json() -> None:
    options = TableOptions(
        "y",
        task="regression",
        drop=("a",),
        categorical=["b"],
        embed=True,
        drop_missing_targets=True,
        test=0.3,
        seed=5,
    )
    assert options.to_json() == {
        **{"target": "y", "task": "regression", "drop": ["a"], "categorical": ["b"]},
        **{"embed": True, "drop_missing_targets": True, "test": 0.3, "seed": 5},
    }
    scaled = TableOptions("y", target_scaling="log", positive="yes")
    assert scaled.to_json() == {"target": "y", "target_scaling": "log", "positive": "yes"}
    for each in (options, scaled, TableOptions("y"), TableOptions("y", image_shape=(3, 4))):
        assert data_options_from_json(each.to_json()) == each
    assert data_options_from_json({"size": 8}) == ImageOptions(size=8)


def test_columns_to_drop_and_categories_cannot_be_swapped_by_their_order() -> None:
    with pytest.raises(TypeError, match="positional"):
        TableOptions("y", "regression", ["a"], ["b"])  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "change",
    [
        {"target": ""},
        {"target": 5},
        {"task": "guess"},
        {"task": ["regression"]},
        {"drop": "a"},
        {"drop": 5},
        {"drop": [5]},
        {"drop": ["y"]},
        {"embed": "a"},
        {"embed": 1},
        {"categorical": None},
        {"drop_missing_targets": 1},
        {"test": 0},
        {"test": 1.0},
        {"test": True},
        {"seed": -1},
        {"image_shape": 5},
        {"image_shape": [3]},
        {"image_shape": [0, 3]},
        {"image_shape": [3, 5000]},
        {"image_shape": [3, 3], "embed": True},
        {"image_shape": [3, 3], "drop_missing_targets": True},
        {"image_shape": [3, 3], "task": "regression"},
        {"target_scaling": "logarithm"},
        {"target_scaling": "log", "task": "classification"},
        {"target_scaling": "log", "image_shape": [3, 3]},
        {"positive": 1},
        {"size": 8},
    ],
    ids=str,
)
def test_wrong_options_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        data_options_from_json({"target": "y", **change})
