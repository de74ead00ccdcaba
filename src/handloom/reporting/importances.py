"""The importance of the columns of a table, with a bounded amount of computing."""

from handloom.data.dataset import Dataset
from handloom.model import Model
from handloom.training.permutation import PermutationImportance, permutation_importance
from handloom.training.table_outputs import columns_of_table

SHOWN = 30
"""The largest number of columns that are measured several times."""

REPEATS, ROWS = 5, 2_000
"""The random orders of each of them, and the largest number of test rows."""

LOOKED_AT, FEW_ROWS = 1_000, 300
"""Of more columns, the number of the first ones that are looked at, with one order of a few rows,
to choose the `SHOWN` most important ones."""


def measured_importance(model: Model, data: Dataset) -> PermutationImportance:
    """Return the importance of all columns of a table, or of the most important ones.

    Raises
    ------
    DataError, ModelError
        As `permutation_importance`.
    """
    names = [each.name for each in columns_of_table(model, data)]
    if len(names) > SHOWN:
        first = permutation_importance(
            model, data, names[:LOOKED_AT], repeats=1, max_rows=FEW_ROWS, seed=1
        )
        names = [first.columns[index] for index in first.order[:SHOWN]]
    return permutation_importance(model, data, names, repeats=REPEATS, max_rows=ROWS)
