"""Test rows of a table as a person knows them: with the cells of the raw table."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from handloom.markup import Element, Node
from handloom.reporting.row_labels import NOTE, lines_of
from handloom.reporting.run import ReportedRun
from handloom.reporting.sections.tables import scrolling_table
from handloom.training.table_outputs import columns_of_table

MOST_COLUMNS = 8
"""The largest number of columns of a table of rows."""

LONGEST = 40
"""The largest number of characters of a cell."""


def raw_rows(
    run: ReportedRun,
    rows: npt.NDArray[np.intp],
    told: Sequence[tuple[str, Sequence[Node]]],
    caption: str,
    *,
    label: str,
) -> Element:
    """Return some test rows as a table, with their cells and more.

    Parameters
    ----------
    run : ReportedRun
        With a model and flat test rows.
    rows : array of int, shape (m,)
        Their indices.
    told : sequence of (str, sequence of Node)
        Columns in front of the cells, such as the prediction: heads, and ``m`` cells each.
    caption, label : str
        See `handloom.reporting.sections.tables.scrolling_table`.
    """
    assert run.model is not None
    assert run.test is not None
    columns = {each.name: each for each in columns_of_table(run.model, run.test)}
    names = list(columns if run.importance is None else _by_importance(run, list(columns)))
    flat = run.test.take(rows).inputs[:]
    shown = names[:MOST_COLUMNS]
    cells = [[_short(text) for text in columns[name].texts_of(flat)] for name in shown]
    if len(names) > len(shown):
        caption += f" Shown are {len(shown)} of {len(names)} columns, the most important ones."
    lines = lines_of(run.test, rows)
    first = "test row" if lines is None else "line"
    caption += "" if lines is None else NOTE
    labels = rows.tolist() if lines is None else lines
    body = zip(labels, *(each for _, each in told), *cells, strict=True)
    heads = (first, *(head for head, _ in told), *shown)
    return scrolling_table(caption, heads, [list(row) for row in body], label=label)


def _by_importance(run: ReportedRun, names: list[str]) -> list[str]:
    """Return the names of columns, the most important ones first."""
    assert run.importance is not None
    if len(names) <= MOST_COLUMNS:
        return names
    ordered = [run.importance.columns[index] for index in run.importance.order]
    return list(dict.fromkeys([*ordered, *names]))


def _short(text: str) -> str:
    if not text:
        return "-"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
