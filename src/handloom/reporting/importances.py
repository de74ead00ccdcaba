"""The importance of the columns of a table, with a bounded amount of computing."""

from handloom.data.dataset import Dataset
from handloom.model import Model
from handloom.training.permutation import PermutationImportance, permutation_importance
from handloom.training.table_outputs import columns_of_table

SHOWN = 30
"""The largest number of columns that are measured several times."""

REPEATS, FEWEST_REPEATS = 20, 5
"""The number of random orders of each of them; where that would leave too few rows, fewer."""

LOOKED_AT = 1_000
"""Of more columns than `SHOWN`, the number of the first ones that are looked at, with one order of
a few rows, to choose the most important ones."""

MULTIPLICATIONS = 1e10
"""The work of either, from which fewer rows are predicted: some seconds."""

LEAST, FEW, MOST = 50, 300, 2_000
"""The smallest number of rows; the largest one of a first look; the largest one."""


def measured_importance(model: Model, data: Dataset) -> PermutationImportance:
    """Return the importance of all columns of a table, or of the most important ones.

    Raises
    ------
    DataError, ModelError
        As `permutation_importance`.
    """
    names = [each.name for each in columns_of_table(model, data)]
    if len(names) > SHOWN:
        looked_at = names[:LOOKED_AT]
        rows = _rows(model, len(looked_at), FEW)
        first = permutation_importance(model, data, looked_at, repeats=1, max_rows=rows, seed=1)
        names = [first.columns[index] for index in first.order[:SHOWN]]
    wanted = min(len(data), MOST)
    affordable = MULTIPLICATIONS / (wanted * len(names) * len(model.network.parameters))
    repeats = int(min(REPEATS, max(FEWEST_REPEATS, affordable)))
    rows = _rows(model, repeats * len(names), MOST)
    return permutation_importance(model, data, names, repeats=repeats, max_rows=rows)


def _rows(model: Model, repetitions: int, most: int) -> int:
    """Return the number of rows that each of the repetitions may predict."""
    affordable = MULTIPLICATIONS / (repetitions * len(model.network.parameters))
    return int(min(most, max(LEAST, affordable)))
