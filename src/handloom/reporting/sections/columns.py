"""Columns: the encoding of each column of the training table."""

from handloom.data.column_encoding import ColumnEncoding
from handloom.data.columns import Columns
from handloom.markup import Node, element
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Section
from handloom.reporting.sections.tables import scrolling_table
from handloom.reporting.wording import amount, counted
from handloom.text import listed

TITLE = "Columns of the table"

MOST_COLUMNS = 200
"""The largest number of columns that are shown."""

MOST_CATEGORIES = 6
"""The largest number of categories of a column that are named."""


def columns(run: ReportedRun) -> Section | None:
    """Return the columns of a run on a table; None if nothing was learned of any."""
    learned = None if run.model is None else run.model.columns
    if learned is None:
        return None
    rows = [_row(each, learned.rows) for each in learned.inputs[:MOST_COLUMNS]]
    caption = f"What was learned from {learned.rows:,} training rows."
    if len(rows) < len(learned.inputs):
        caption += f" Shown are the first {len(rows)} of {len(learned.inputs):,} columns."
    heads = ("column", "kind", "values", "missing")
    shown = scrolling_table(caption, heads, rows, label=TITLE)
    return Section("columns", TITLE, [shown, element("p", *_others(learned), class_="soft")])


def _row(encoding: ColumnEncoding, rows: int) -> list[Node]:
    missing = f"{encoding.missing:,} ({encoding.missing / rows:.0%})" if encoding.missing else ""
    return [encoding.name, _kind(encoding), _values(encoding), missing]


def _kind(encoding: ColumnEncoding) -> str:
    if encoding.kind != "category":
        return encoding.kind
    encoded = "embedded" if encoding.embedded else "one-hot"
    return f"{counted(len(encoding.categories), 'category', 'categories')}, {encoded}"


def _values(encoding: ColumnEncoding) -> str:
    """Return the first categories, the share of true values, or mean and standard deviation."""
    if encoding.kind == "category":
        return listed(encoding.categories, MOST_CATEGORIES)
    if encoding.kind == "boolean":
        return f"{encoding.mean:.0%} true"
    return f"{amount(encoding.mean)} ± {amount(encoding.scale)}"


def _others(learned: Columns) -> list[Node]:
    """Return sentences about the target, and the columns that are no inputs."""
    said = ["Numbers are shown as mean ± standard deviation."]
    if learned.target is not None:
        said.append(f"The target is {learned.target.name}.")
    if learned.left_out:
        said.append(f"Left out: {listed(learned.left_out)}.")
    return [" ".join(said)]
