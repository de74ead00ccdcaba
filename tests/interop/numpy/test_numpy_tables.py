"""Files of models of tables take raw rows, and predict in the units of the target."""

import csv
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import handloom
from handloom import Dense, Embedding, Model, ReLU, Sequential
from handloom.data.column_encoding import ColumnEncoding
from handloom.data.columns import Columns
from handloom.data.decimal_mark import DecimalMark
from handloom.data.formats.tables import open_file
from handloom.data.table_target import Scaling, TableTarget
from handloom.data.transforms import AsFloat

INPUTS = (
    ColumnEncoding("age", "number", missing=3, mean=38.5, scale=13.25),
    ColumnEncoding("work", "category", missing=2, categories=("private", "state's", "None at all")),
    ColumnEncoding("floor", "category", categories=("1", "2", "3.5")),
    ColumnEncoding("member", "boolean", mean=0.25, scale=0.4),
    ColumnEncoding("city", "category", categories=("Bern", "Genève", '"""'), embedded=True),
    ColumnEncoding("only missing", "number", missing=5, mean=2.0),
)

PEOPLE = """age,work,floor,member,city,only missing,further
40,private,1,true,Bern,2,x
,state's,2.0,FALSE,Genève,NA,
 1e1 ,?,3.50,True, Bern ,,y
-3,elsewhere,4,,Basel,2.5,z
"""


def table_model(target: TableTarget, activation: str, **options: Any) -> Model:
    columns = Columns(INPUTS, ("further",), target)
    outputs = options.pop("class_names", target.class_names)
    layers = [Embedding(columns.embedded), Dense(6), ReLU(), Dense(len(outputs))]
    network = Sequential(layers).build((len(columns.names),), seed=0)
    return Model(
        *(network, AsFloat(), outputs, (len(columns.names),), "float32"),
        trained_on="people",
        output_activation=activation,
        columns=columns,
        **options,
    )


def loaded(path: Path) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    return names


LAST_OF_EXAMPLE = "names = people.classify(rows)  # the most probable class of each row"

CLASSES = TableTarget("income", "classification", ("low", "high"))
PRICE = TableTarget("price", "regression", mean=3.0, scale=0.5)


def test_a_file_of_rows_is_predicted_as_the_model_does(tmp_path: Path) -> None:
    model = table_model(CLASSES, "softmax")
    exported = handloom.to_numpy(model, tmp_path / "people.py")
    assert exported.largest_difference == 0.0
    assert exported.compared_rows == 64
    (tmp_path / "people.csv").write_text(PEOPLE, encoding="utf-8")
    table, told = open_file(tmp_path / "people.csv", tell=lambda _: None), list[str]()
    ((_, expected),) = model.predict_chunks(table, tell=told.append)
    with (tmp_path / "people.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = loaded(tmp_path / "people.py")
    with pytest.warns(UserWarning, match="column ") as warned:
        np.testing.assert_array_equal(names["predict"](rows), expected)
    assert {str(each.message) for each in warned} == {t for t in told if "the training rows" in t}
    assert {each.filename for each in warned} == {__file__}
    by_column = {name: [row[name] for row in rows] for name in rows[0]}
    with pytest.warns(UserWarning, match="column "):
        np.testing.assert_array_equal(names["predict"](by_column), expected)
    with pytest.warns(UserWarning, match="column "):
        classes = names["classify"](rows)
    assert classes == [("low", "high")[each] for each in expected.argmax(axis=1)]


def test_the_example_reads_a_file_like_that_of_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = table_model(CLASSES, "softmax")
    assert model.columns is not None
    columns = replace(model.columns, decimal_mark=DecimalMark(","))
    model = replace(model, columns=columns)
    handloom.to_numpy(model, tmp_path / "people.py")
    names = "age; work ;floor;member;city;only missing"
    rows = f"{names}\n40,5;private;1;true;Bern;2,5\n1.000;private;3,5;true;Bern;2\n"
    (tmp_path / "rows.csv").write_text(rows, encoding="utf-8-sig")
    table = open_file(tmp_path / "rows.csv", decimal_mark=columns.decimal_mark, tell=print)
    ((_, expected),) = model.predict_chunks(table, tell=print)
    lines = (tmp_path / "people.py").read_text().splitlines()
    first, last = (lines.index(f"    {each}") for each in ("import csv", LAST_OF_EXAMPLE))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    used: dict[str, Any] = {}
    exec("\n".join(line[4:] for line in lines[first : last + 1]), used)
    monkeypatch.delitem(sys.modules, "people")
    np.testing.assert_array_equal(used["probabilities"], expected)


@pytest.mark.parametrize("scaling", ["standardize", "log", "divide"])
def test_a_regression_is_in_the_units_of_its_target(tmp_path: Path, scaling: Scaling) -> None:
    mean = 0.0 if scaling == "divide" else 3.0
    target = TableTarget("price", "regression", mean=mean, scale=0.5, scaling=scaling)
    activation = "exp" if scaling == "divide" else "identity"
    exported = handloom.to_numpy(table_model(target, activation), tmp_path / "price.py")
    assert exported.largest_difference == 0.0


def test_quantiles_are_sorted_and_in_the_units_of_the_target(tmp_path: Path) -> None:
    outputs = ("price, quantile 0.1", "price, quantile 0.9")
    model = table_model(PRICE, "sort", class_names=outputs, quantiles=(0.1, 0.9))
    assert handloom.to_numpy(model, tmp_path / "price.py").largest_difference == 0.0


def test_rows_of_a_frame_are_compared(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "age": [30.0, None, 50.0],
            "work": ["private", None, "unknown"],
            "floor": [1, 2, 3.5],
            "member": [True, False, True],
            "city": pandas.Categorical(["Bern", "Genève", "Bern"]),
            "only missing": [None, 1.0, 2.0],
        }
    )
    model = table_model(CLASSES, "softmax")
    exported = handloom.to_numpy(model, tmp_path / "people.py", rows=frame)
    assert (exported.compared_rows, exported.largest_difference) == (3, 0.0)
    predict = loaded(tmp_path / "people.py")["predict"]
    with pytest.warns(UserWarning, match="column 'work': 1 row with 1 category"):
        np.testing.assert_array_equal(predict(frame.to_dict("list")), predict(frame))
