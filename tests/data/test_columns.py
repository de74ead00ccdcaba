"""Columns: the encoding learned from a table's training rows, and its use on other rows."""

import datetime
import json
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handloom import ConfigurationError, DataError, Dataset, DataWarning, open_table, split_frame
from handloom.data import Columns
from handloom.data.column_statistics import MAX_ONE_HOT
from handloom.data.columns import Remarks
from handloom.data.formats.tables import open_file
from handloom.data.sources.open_table import read_whole
from handloom.data.table import table_of
from handloom.data.table_options import TableOptions

pd: Any = pytest.importorskip("pandas")

ROWS = 60


def passengers(**others: object) -> Any:
    """Return a table with missing values, categories and a number that may be a class."""
    generator = np.random.default_rng(0)
    age = generator.normal(40.0, 12.0, ROWS)
    age[[3, 7]] = np.nan
    frame = pd.DataFrame(
        {
            "age": age,
            "sex": generator.choice(["male", "female"], ROWS),
            "deck": generator.choice(np.array(["A", "B", None]), ROWS),
            "alone": generator.random(ROWS) > 0.5,
            "fare": generator.exponential(30.0, ROWS),
        }
    )
    return frame.assign(**others)


def learned(target: str = "fare", **others: object) -> Columns:
    columns = Dataset.from_frame(passengers(**others), target).columns
    assert columns is not None
    return columns


def told(call: Callable[[], object]) -> list[str]:
    """Return the notes of a call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert all(each.category is DataWarning for each in caught)
    assert all(each.filename == __file__ for each in caught)
    return [str(each.message) for each in caught]


def test_numbers_are_standardized_categories_are_columns_and_missing_values_have_one() -> None:
    frame = passengers()
    data = Dataset.from_frame(frame, "fare")
    assert data.column_names == (
        *("age", "age is missing", "sex=female", "sex=male"),
        *("deck=A", "deck=B", "deck is missing", "alone"),
    )
    by_name = dict(zip(data.column_names, data.inputs.T, strict=True))
    expected = (frame["age"] - frame["age"].mean()) / frame["age"].std(ddof=0)
    np.testing.assert_allclose(by_name["age"], expected.fillna(0.0), atol=1e-6)
    assert np.flatnonzero(by_name["age is missing"]).tolist() == [3, 7]
    assert (by_name["sex=male"] == (frame["sex"] == "male")).all()
    assert (by_name["deck is missing"] == frame["deck"].isna()).all()
    assert not by_name["deck=A"][frame["deck"].isna()].any()


def test_continuous_targets_are_standardized_and_restored() -> None:
    frame = passengers()
    data = Dataset.from_frame(frame, "fare")
    assert data.columns is not None
    assert data.columns.target is not None
    assert data.class_names == ("fare",)
    np.testing.assert_allclose([data.targets.mean(), data.targets.std()], [0.0, 1.0], atol=1e-6)
    restored = data.columns.target.restore(data.targets)[:, 0]
    np.testing.assert_allclose(restored, frame["fare"], rtol=1e-5)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["b", "a"] * 30, ("a", "b")),
        ([True, False] * 30, ("False", "True")),
        ([10, 9] * 30, ("9", "10")),
        (pd.Categorical(["low", "high"] * 30, ["low", "high", "never"]), ("low", "high")),
    ],
)
def test_texts_booleans_and_few_integers_are_classes(values: Any, names: tuple[str, ...]) -> None:
    data = Dataset.from_frame(passengers(target=values), "target")
    assert data.class_names == names
    assert [names[label] for label in data.targets] == list(map(str, values))


def test_several_integers_are_told_to_be_classes_and_many_to_be_continuous() -> None:
    few, many = passengers(stars=np.arange(ROWS) % 5), passengers(stars=np.arange(ROWS) * 3)
    (note,) = told(lambda: Dataset.from_frame(few, "stars"))
    assert note.startswith("the target 'stars' holds 5 different integers, which are read as class")
    (note,) = told(lambda: Dataset.from_frame(many, "stars"))
    assert "60 different integers, which are read as continuous" in note
    assert not told(lambda: Dataset.from_frame(few, "stars", task="regression"))
    with pytest.raises(DataError, match="'sex' must hold numbers for a regression, got 'female'"):
        Dataset.from_frame(passengers(), "sex", task="regression")
    with pytest.raises(DataError, match="holds 60 different values in 60 rows, too many for class"):
        Dataset.from_frame(passengers(), "fare", task="classification")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pd.date_range("2020-01-01", periods=ROWS), "holds dates or times, such as '2020-01-01"),
        ([datetime.date(2020, 1, 2)] * ROWS, "holds dates or times, such as '2020-01-02'"),
        (["5.1.2020", "6.1.2020"] * 30, "holds dates or times, such as '5.1.2020'"),
        (["10:30", "11:45"] * 30, "holds dates or times"),
        ([f"a remark {n}" for n in range(ROWS)], "holds free text or an identifier: 60 different"),
        ([f"{n}.5" for n in range(ROWS)], "holds numbers as texts, such as '0.5'"),
        ([f"c{n % 55}" for n in range(ROWS)], "free text"),
        ([np.inf] + [1.0] * (ROWS - 1), r"must hold finite numbers, got inf in row 0 \(rows count"),
        ([1e300, -1e300] * 30, "too large to be standardized, up to 1e"),
        ([[1]] * ROWS, "must hold numbers, booleans or texts, got list"),
        ([*range(ROWS - 1), "a"], "holds numbers and texts, the first is 'a' in row 59"),
        ([*range(ROWS - 1), "7"], "holds numbers as texts, such as '0'"),
    ],
)
def test_a_column_that_cannot_be_used_is_refused_by_name(values: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        Dataset.from_frame(passengers(extra=values), "fare")
    assert "column 'extra'" in str(error.value)
    assert Dataset.from_frame(passengers(extra=values), "fare", drop=["extra"]).columns == Columns(
        learned().inputs, ("extra",), learned().target, ROWS
    )


def test_constant_columns_are_left_out_and_identifiers_told() -> None:
    frame = passengers(one=1, empty=None, key=np.arange(ROWS))
    identifier, constant, empty = told(lambda: Dataset.from_frame(frame, "fare"))
    assert constant.endswith("all training rows have the same value: 'one'")
    assert empty.endswith("left out, as no training row has a value: 'empty'")
    assert identifier.startswith("column 'key' may be an identifier: all its 60 integers differ")
    assert learned().transform(passengers()).shape == (ROWS, 8)


def test_many_categories_need_an_embedding() -> None:
    count = MAX_ONE_HOT + 1
    frame = pd.concat([passengers(), passengers(), passengers()], ignore_index=True)
    frame["town"] = [f"town {n % count}" for n in range(len(frame))]
    frame.loc[0, "town"] = None
    with pytest.raises(DataError, match=r"51 categories, more than the 50 .*embed=\['town'\]"):
        Dataset.from_frame(frame, "fare")
    data = Dataset.from_frame(frame, "fare", embed=["town"])
    assert data.columns is not None
    assert data.columns.embedded == {8: count}
    town = data.inputs[:, 8]
    assert town[0] == 0
    assert sorted(set(town[1:])) == list(range(2, count + 2))
    rows = data.columns.transform(frame.assign(town="Atlantis"), tell=lambda _: None)
    assert (rows[:, 8] == 1).all()


def test_embed_of_all_categories_and_numbers_as_categories() -> None:
    frame = passengers(room=np.arange(ROWS) % 4)
    data = Dataset.from_frame(frame, "fare", embed=True, categorical=["room"])
    assert data.column_names == ("age", "age is missing", "sex", "deck", "alone", "room")
    assert data.columns is not None
    assert data.columns.embedded == {2: 2, 3: 2, 5: 4}
    with pytest.raises(DataError, match="embed names the column 'age', which holds numbers"):
        Dataset.from_frame(frame, "fare", embed=["age"])


def test_other_rows_are_matched_by_name_in_any_order_and_their_differences_told() -> None:
    columns, frame = learned(), passengers()
    rows = columns.transform(frame)
    assert (columns.transform(frame[["sex", "fare", "alone", "deck", "age"]]) == rows).all()
    assert (columns.transform(frame.drop(columns="fare")) == rows).all()
    strange = frame.assign(color=1, sex=["robot"] * 2 + ["male"] * 58, alone=None)
    assert told(lambda: columns.transform(strange)) == [
        "1 column that the training rows lack is ignored: 'color'",
        "column 'sex': 2 rows with 1 category that the training rows lack, such as 'robot'; "
        "treated as unseen",
        "column 'alone': 60 rows without a value, of which the training rows had none; treated as "
        "an average row",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        changed = columns.transform(strange)
    assert not changed[:2, 2:4].any()
    assert not changed[:, -1].any()


def test_numbers_far_outside_the_training_range_are_told() -> None:
    rare = (np.arange(ROWS) == 5).astype(float)  # one row of sixty, 8 standard deviations away
    columns, frame = learned(rare=rare, size=np.arange(ROWS) * 1.0), passengers(rare=rare)
    assert told(lambda: columns.transform(frame.assign(size=59.0))) == []
    assert told(lambda: columns.transform(frame.assign(size=118.0, rare=2.0, alone=True))) == []
    strange = frame.assign(size=[300.0, -4000.0, np.nan] + [59.0] * 57, rare=3.0)
    assert told(lambda: columns.transform(strange))[:2] == [
        "column 'rare': 60 rows with numbers far outside the range of the training rows, 0 to 1; "
        "the farthest is 3",
        "column 'size': 2 rows with numbers far outside the range of the training rows, 0 to 59; "
        "the farthest is -4000",
    ]
    (note,) = told(lambda: columns.transform(frame.iloc[:1].assign(size=59000)))
    assert note == (
        "column 'size': 1 row with a number far outside the range of the training rows, 0 to 59; "
        "59000"
    )


def test_numbers_of_several_chunks_are_counted_together_and_old_columns_have_no_range() -> None:
    columns = learned()
    far = passengers(age=[5000.0, 1000.0] + [40.0] * 58)
    tables = [table_of(far.iloc[:1]), table_of(far.iloc[1:])]
    remarks, notes = Remarks(columns), list[str]()
    for table in tables:
        for chunk in table.chunks():
            columns.encode(chunk, remarks)
    remarks.tell(notes.append)
    assert len(notes) == 1
    assert notes[0].startswith("column 'age': 2 rows")
    assert notes[0].endswith("the farthest is 5000")
    saved = columns.to_json()
    for each in saved["inputs"]:
        del each["low"], each["high"]
    assert told(lambda: Columns.from_json(saved).transform(far)) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"age": "old"}, "column 'age' must hold numbers, as in the training rows, got 'old' in "),
        ({"age": np.inf}, "column 'age' must hold finite numbers, got inf in row 0"),
        ({"age": 1e300}, "column 'age' must hold numbers like the training rows, whose mean is "),
        ({"alone": "perhaps"}, "column 'alone' must hold numbers"),
    ],
)
def test_other_rows_of_another_kind_are_refused_by_name(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        learned().transform(passengers(**change))


def test_a_missing_column_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(DataError, match=r"'age' of the training rows is missing. Did .* 'Age'\?"):
        learned().transform(passengers().rename(columns={"age": "Age"}))
    with pytest.raises(DataError, match=r"target names the column 'far'.* Did you mean 'fare'\?"):
        Dataset.from_frame(passengers(), "far")
    with pytest.raises(DataError, match=r"drop names the column 'agee'.* Did you mean 'age'\?"):
        Dataset.from_frame(passengers(), "fare", drop=["agee"])
    with pytest.raises(DataError, match="two columns are named 'age'"):
        learned().transform(pd.concat([passengers(), passengers()[["age"]]], axis=1))


def test_rows_without_a_target_are_refused_or_left_out() -> None:
    frame = passengers()
    frame.loc[[5, 6], "fare"] = np.nan
    with pytest.raises(DataError, match=r"the target 'fare' has no value in row 5 .*drop_missing"):
        Dataset.from_frame(frame, "fare")
    (note,) = told(lambda: Dataset.from_frame(frame, "fare", drop_missing_targets=True))
    assert note == "2 rows without a target left out"


def test_test_rows_by_the_columns_of_the_training_rows() -> None:
    frame = passengers()
    train = Dataset.from_frame(frame[:40], "sex")
    test = Dataset.from_frame(frame[40:], "sex", columns=train.columns)
    assert test.column_names == train.column_names
    assert (test.inputs == train.columns.transform(frame[40:])).all()  # type: ignore[union-attr]
    unknown = frame[40:].assign(sex="robot")
    with pytest.raises(DataError, match="the target 'sex' is 'robot' in row 0"):
        Dataset.from_frame(unknown, "sex", columns=train.columns)
    with pytest.raises(ConfigurationError, match="drop would be ignored beside columns="):
        Dataset.from_frame(frame, "sex", columns=train.columns, drop=["age"])
    with pytest.raises(ConfigurationError, match="the columns have the target 'sex'"):
        Dataset.from_frame(frame, "fare", columns=train.columns)


def test_a_split_learns_from_the_training_rows_alone() -> None:
    frame = passengers(row=np.arange(ROWS) * 7.5)
    splits = split_frame(frame, "sex", test=0.25, seed=1)
    assert (len(splits.train), len(splits.test)) == (45, 15)
    sizes = frame["sex"].value_counts().sort_index().to_numpy()
    assert (splits.test.rows_per_class == np.rint(0.25 * sizes)).all()
    columns = splits.train.columns
    assert columns is splits.test.columns
    assert columns is not None
    assert columns.rows == 45
    last = columns.inputs[-1]
    inputs = np.asarray(splits.train.inputs, np.float64)
    rows = np.rint((inputs[:, -1] * last.scale + last.mean) / 7.5).astype(int)
    again = Dataset.from_frame(frame.iloc[rows], "sex")
    assert again.columns == columns
    assert (again.inputs == splits.train.inputs).all()
    changed = frame.copy()
    changed.loc[~changed.index.isin(rows), "age"] = 1e6  # of test rows: nothing learned changes
    with pytest.warns(DataWarning, match="'age': 15 rows with numbers far outside the range of "):
        assert split_frame(changed, "sex", test=0.25, seed=1).train.columns == columns


def test_columns_are_the_same_from_json_and_other_json_is_refused() -> None:
    columns = learned(room=[str(n % 3) for n in range(ROWS)])
    described = json.loads(json.dumps(columns.to_json()))
    assert Columns.from_json(described) == columns
    changes: list[dict[str, object]] = [
        {"version": 2},
        {"rows": 0},
        {"inputs": []},
        {"inputs": [1]},
        {"left_out": "age"},
        {"left_out": ["age"]},
        {"target": {}},
        {"other": 1},
    ]
    for change in changes:
        with pytest.raises(ConfigurationError):
            Columns.from_json({**described, **change})
    first = described["inputs"][0]
    changes = [
        {"scale": -1.0},
        {"scale": float("nan")},
        {"mean": "0"},
        {"kind": "date"},
        {"kind": "category"},
        {"categories": ["a"]},
        {"embedded": 1},
        {"missing": -1},
        {"name": ""},
        {"name": 5},
    ]
    for change in changes:
        with pytest.raises(ConfigurationError):
            Columns.from_json({**described, "inputs": [{**first, **change}]})


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_frames_of_every_library_give_the_same_rows(library: str) -> None:
    module, frame = pytest.importorskip(library), passengers()
    own = module.from_pandas(frame) if library == "polars" else module.Table.from_pandas(frame)
    expected, other = Dataset.from_frame(frame, "fare"), Dataset.from_frame(own, "fare")
    assert other.columns == expected.columns
    assert (other.inputs == expected.inputs).all()


def test_a_target_far_from_the_training_rows_is_refused_by_row() -> None:
    columns = learned()
    with pytest.raises(DataError, match=r"the target .fare. must be like .*, got 1e.300 in row 0"):
        Dataset.from_frame(passengers(fare=1e300), "fare", columns=columns)


def test_a_few_texts_among_numbers_are_categories_and_among_many_numbers_an_error() -> None:
    children = ["0", "1", "2", "3+"] * 15
    names = learned(children=children).names
    assert names[-4:] == tuple(f"children={name}" for name in ("0", "1", "2", "3+"))
    rooms = [f"{n % 30}" for n in range(59)] + ["12b"]
    with pytest.raises(DataError, match="column 'room' holds numbers as texts"):
        Dataset.from_frame(passengers(room=rooms), "fare")
    data = Dataset.from_frame(passengers(room=rooms), "fare", categorical=["room"])
    assert len(data.column_names or ()) == 8 + 31


def test_numbers_that_are_categories_are_matched_by_value() -> None:
    frame = passengers(room=np.arange(ROWS) % 3)
    columns = Dataset.from_frame(frame, "fare", categorical=["room"]).columns
    assert columns is not None
    expected = columns.transform(frame)
    for same in (frame["room"].astype(float), frame["room"].astype(str)):
        assert (columns.transform(frame.assign(room=same)) == expected).all()


IDS = [2**53, 2**53 + 1, 2**53 + 2, 2**53 + 3]


@pytest.mark.parametrize(
    "values",
    [
        np.array(IDS * 15),
        pd.Series(IDS * 15, dtype="category"),
        pd.Series(IDS * 15, dtype="object"),
        pd.Series([*IDS * 14, *IDS[:3], None], dtype="Int64"),
        pd.Categorical.from_codes([0, 1, 2, 3] * 14 + [0, 1, 2, -1], IDS),
    ],
)
def test_large_integers_are_categories_and_classes_with_all_their_digits(values: Any) -> None:
    frame = passengers(key=values)
    columns = Dataset.from_frame(frame, "fare", categorical=["key"]).columns
    assert columns is not None
    assert columns.inputs[-1].categories == tuple(map(str, IDS))
    whole = frame.dropna(subset=["key"])
    assert Dataset.from_frame(whole, "key", task="classification").class_names == (*map(str, IDS),)


@pytest.mark.parametrize(("known", "other"), [(IDS[0], IDS[1]), ("12000", "12e3")])
def test_an_unseen_identifier_is_not_taken_for_one_of_nearly_the_same_number(
    known: object, other: object
) -> None:
    columns = learned(key=pd.Series([known, "x"] * 30, dtype="category"))
    (note,) = told(lambda: columns.transform(passengers(key=[other] * ROWS)))
    assert f"'{other}'; treated as unseen" in note


def test_identifiers_that_are_one_number_are_not_called_the_same_value() -> None:
    frame = passengers(key=[12345678901234567890, 12345678901234567891] * 30, one=[2**60] * ROWS)
    merged, same = told(lambda: Dataset.from_frame(frame, "fare"))
    assert "differ only in digits that are lost from 2^53 on; if they are identifiers" in merged
    assert merged.endswith("categorical=['key'] (--categorical key): 'key'")
    assert same == "left out, as all training rows have the same value: 'one'"


def test_of_a_constant_column_only_the_missing_values_remain() -> None:
    frame = passengers(rate=[0.1] * (ROWS - 7) + [None] * 7)
    columns = Dataset.from_frame(frame, "fare").columns
    assert columns is not None
    assert columns.names[-1] == "rate is missing"
    assert "rate" not in columns.names
    rows = columns.transform(frame.assign(rate=5.0))
    assert not rows[:, -1].any()
    (note,) = told(lambda: Dataset.from_frame(passengers(rate=[1e-200, 2e-200] * 30), "fare"))
    assert note == "left out, as the numbers of the training rows hardly differ: 'rate'"


@pytest.mark.parametrize("values", [[" a", "b", "c"], [1.0, 2.5, 4.0]])
def test_declared_categories_are_those_of_the_cells(values: list[Any]) -> None:
    column = pd.Categorical(values * (ROWS // 3), categories=values)
    names = [name for name in learned(kind=column).names if name.startswith("kind=")]
    assert len(names) == 3
    data = Dataset.from_frame(passengers(kind=column), "fare")
    assert data.column_names is not None
    own = [data.column_names.index(name) for name in names]
    assert (data.inputs[:, own].sum(axis=1) == 1.0).all()


def test_a_constant_continuous_target_is_refused() -> None:
    with pytest.raises(DataError, match="fare"):
        Dataset.from_frame(passengers(fare=0.1), "fare")


def test_integers_with_missing_targets_are_classes() -> None:
    survived = pd.array([0, 1, None] * (ROWS // 3), dtype="Int64")
    frame = passengers(survived=survived)
    with pytest.warns(DataWarning, match="20 rows without a target left out"):
        data = Dataset.from_frame(frame, "survived", drop_missing_targets=True)
    assert data.has_classes
    assert len(data) == 2 * ROWS // 3


def test_booleans_are_the_same_classes_and_categories_in_any_case(tmp_path: Path) -> None:
    cells = ["true", "False", "TRUE", "false"] * 15
    path = tmp_path / "table.csv"
    path.write_text("x,flag,y\n" + "".join(f"{n},{c},{c}\n" for n, c in enumerate(cells)))
    train = open_table(path, "y", categorical=["flag"], drop=["x"]).train
    assert train.class_names == ("False", "true")
    assert train.column_names == ("flag=False", "flag=true")
    frame = pd.DataFrame({"flag": [False, True], "y": [True, False]})
    assert not told(lambda: Dataset.from_frame(frame, "y", columns=train.columns))
    rows = Dataset.from_frame(frame, "y", columns=train.columns)
    assert rows.inputs.tolist() == [[1, 0], [0, 1]]
    assert rows.targets.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["12%", "7.5%", "-3%"], True),
        (["$1,100", "$200", "-$3"], True),
        (["10\u00a0234,5", "1\u00a0000,0", "-9\u00a0999,5"], True),
        (["5 kg", "12 kg", "1.5 kg"], True),
        (["Q1", "Q2", "Q3"], False),
        (["1st", "2nd", "3rd"], False),
        (["4th", "5th", "7th"], False),
        (["75 001", "69 003", "13 100"], False),
        (["030 123 456", "030 654 321", "040 1"], False),
        (["3G", "4G", "5G"], False),
        (["#1", "#2", "12-B"], False),
        (["0", "1", "2+"], False),
        (["1.2.3", "1.2.4", "1.3.0"], False),
        (["a", "b", "5%"], False),
    ],
)
def test_numbers_with_signs_that_are_read_as_categories_are_told(
    texts: list[str], *, numbers: bool
) -> None:
    notes = told(lambda: learned(rate=texts * 20))
    assert any("column 'rate' holds numbers such as" in note for note in notes) == numbers


def test_a_few_whole_floating_point_targets_are_told_to_be_continuous(tmp_path: Path) -> None:
    frame = passengers(survived=[0.0, 1.0] * 29 + [np.nan] * 2)
    notes = told(lambda: Dataset.from_frame(frame, "survived", drop_missing_targets=True))
    note = next(note for note in notes if "classification" in note)
    assert note.startswith("the target 'survived' holds 2 different floating-point numbers, all")
    assert note.endswith("for classes pass task='classification' (--task classification)")
    frame.dropna(subset=["survived"]).to_csv(tmp_path / "table.csv", index=False)
    with pytest.warns(DataWarning, match="holds 2 different floating-point numbers, all whole"):
        open_table(tmp_path / "table.csv", "survived")
    for rate in ([0.5, 1.0], [1e4, 1.1e4]):
        assert not told(partial(learned, "rate", rate=rate * 30))


def test_a_column_that_is_left_out_twice_is_left_out() -> None:
    once = Dataset.from_frame(passengers(), "fare", drop=["age"])
    twice = Dataset.from_frame(passengers(), "fare", drop=["age", "age"])
    assert once.column_names == twice.column_names


def test_numbers_and_texts_of_a_frame_are_read_as_in_a_file() -> None:
    mixed = [1, 2.0, "3+", None] * 15
    columns = learned(children=mixed)
    assert columns.names[-4:] == ("children=1", "children=2", "children=3+", "children is missing")
    rows = columns.transform(passengers(children=["1", "2", "3+", None] * 15))
    assert (rows == columns.transform(passengers(children=mixed))).all()
    with pytest.raises(DataError, match=r"'age' must hold numbers, .* got 'old' in row 1"):
        columns.transform(passengers(children=mixed, age=[20, "old"] * 30))


def test_a_category_of_a_frame_that_a_file_writes_like_a_missing_value_is_known_in_files(
    tmp_path: Path,
) -> None:
    garage = np.array(["none", "one", "two", "NA", None], object)[np.arange(ROWS) % 5]
    frame = pd.DataFrame({"garage": garage, "sold": np.arange(ROWS) % 7 > 3})
    train = Dataset.from_frame(frame, "sold")
    assert train.columns is not None
    path = tmp_path / "table.csv"
    frame.fillna("").assign(size=1.0).to_csv(path, index=False)
    table = open_file(path, tell=lambda _: None)
    (rows,) = train.columns.encoded(table, tell=lambda _: None)
    np.testing.assert_array_equal(rows, train.inputs)
    path.write_text(path.read_text().replace("two", "None"))  # no category, but a missing value
    (others,) = train.columns.encoded(open_file(path, tell=lambda _: None), tell=lambda _: None)
    assert others[frame["garage"] == "two", -1].all()


def test_a_class_of_a_frame_that_a_file_writes_like_a_missing_value_is_known_in_files(
    tmp_path: Path,
) -> None:
    frame = pd.DataFrame(
        {"size": np.arange(ROWS) / 7, "garage": np.array(["none", "one"])[np.arange(ROWS) % 2]}
    )
    train = Dataset.from_frame(frame, "garage")
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    options = TableOptions("garage")
    assert train.columns is not None
    whole = read_whole(path, train.columns, options)
    np.testing.assert_array_equal(whole.targets, train.targets)
    path.write_text(path.read_text().replace("one", "None"))  # no class, but a missing value
    with pytest.raises(DataError, match="'garage' has no value in line 3"):
        read_whole(path, train.columns, options)


def test_categories_of_another_type_are_written_as_texts() -> None:
    bins = pd.cut(np.arange(ROWS), [-1, 20, 40, 100])
    columns = learned(size=bins)
    assert columns.names[-3:] == ("size=(-1, 20]", "size=(20, 40]", "size=(40, 100]")
    rows = columns.transform(passengers(size=bins))
    other = Columns.from_json(columns.to_json()).transform(passengers(size=bins.astype(str)))
    assert (rows == other).all()
    assert (rows[:, -3:].sum(axis=0) == [21, 20, 19]).all()
