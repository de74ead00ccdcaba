"""``handloom data verify`` of a table: the kinds of its columns, notes and problems."""

from pathlib import Path

from handloom.cli.console import say, show_table
from handloom.cli.datasets import refuse_options
from handloom.cli.table_options import load_table, quiet
from handloom.data.formats.tables import open_file
from handloom.data.sources.published import RESERVED
from handloom.data.table_options import DataOptions, TableOptions
from handloom.data.table_report import report_on_table
from handloom.errors import ConfigurationError, DataError
from handloom.recipes.experiment import split_rows
from handloom.recipes.settings import Settings


def verify_table(path: str, options: DataOptions) -> bool:
    """Print the report on a table, and return whether there are problems.

    Raises
    ------
    DataError
        If the file itself cannot be read.
    ConfigurationError
        If there are options for folders of images, or those of tables for no table.
    """
    if Path(path).is_dir() or path in RESERVED:
        refuse_options(options, path)
    notes: list[str] = []
    chosen = options if isinstance(options, TableOptions) else None
    if chosen is None:
        refuse_options(options, path)
    table = open_file(path, tell=notes.append)
    report = report_on_table(table, chosen)
    if chosen is not None and not report.problems:
        report.problems += _problems_of_dataset(path, chosen)
    show_table(
        f"{path}: a table of {_counted(report.rows, 'row')} and "
        f"{_counted(len(table.names), 'column')}",
        ("column", "kind", "values", "different", "missing"),
        [
            (each.name, each.kind, each.values, each.distinct, f"{each.missing:,}")
            for each in report.columns
        ],
        left=3,
    )
    for text in (*notes, *report.notes):
        say(f"note: {text}")
    for problem in report.problems:
        say(f"problem: {problem}")
    return bool(report.problems)


def _problems_of_dataset(path: str, options: TableOptions) -> list[str]:
    """Return the error of ``handloom train`` with the same table and options, in a list."""
    try:
        split_rows(Settings(), load_table(path, options, tell=quiet))
    except (DataError, ConfigurationError) as error:
        return [str(error).removeprefix(f"{path}: ")]
    return []


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
