"""Example tables hold each category, values that are missing or unseen, and usual numbers."""

import numpy as np

from handloom.data import Columns
from handloom.data.cells import cells_of
from handloom.data.column_encoding import ColumnEncoding
from handloom.interop.example_table import MOST_ROWS, example_table

WORDS = tuple(f"word {index}" for index in range(100))
COLUMNS = Columns(
    (
        ColumnEncoding("age", "number", 0, 40.0, 10.0),
        ColumnEncoding("old", "boolean", 2, 0.5, 0.5),
        ColumnEncoding("job", "category", categories=("nurse", "pilot")),
        ColumnEncoding("word", "category", categories=WORDS, embedded=True),
    )
)


def test_rows_hold_each_category_and_missing_and_unseen_ones() -> None:
    table = example_table(COLUMNS)
    cells = {name: cells_of(column) for name, column in table.chunk.columns.items()}
    for each in COLUMNS.inputs[2:]:
        indices = each.indices(cells[each.name])
        assert set(indices.tolist()) == set(range(len(each.categories) + 2))
    assert cells["age"].missing.any()
    assert 30.0 < np.nanmean(cells["age"].values) < 50.0
    assert set(np.unique(cells["old"].values[~cells["old"].missing])) == {0.0, 1.0}


def test_rows_are_those_of_their_seed() -> None:
    first, again, other = (example_table(COLUMNS, seed).chunk for seed in (0, 0, 1))
    age = [chunk.columns["age"].values.tolist() for chunk in (first, again, other)]
    assert age[0] == age[1] != age[2]


def test_many_categories_make_no_endless_table() -> None:
    many = ColumnEncoding("id", "category", categories=tuple(map(str, range(5000))), embedded=True)
    assert len(example_table(Columns((many,))).chunk) == MOST_ROWS
