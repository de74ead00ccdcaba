"""``handloom data verify`` of a table: the kinds of its columns, notes and problems."""

from handloom.cli.console import say, show_table
from handloom.cli.datasets import refuse_options
from handloom.data.formats.tables import open_file
from handloom.data.table_options import DataOptions, TableOptions
from handloom.data.table_report import report_on_table


def verify_table(path: str, options: DataOptions) -> bool:
    """Print the report on a table, and return whether there are problems.

    Raises
    ------
    DataError
        If the file itself cannot be read.
    ConfigurationError
        If there are options for folders of images.
    """
    notes: list[str] = []
    chosen = options if isinstance(options, TableOptions) else None
    if chosen is None:
        refuse_options(options, path)
    table = open_file(path, tell=notes.append)
    report = report_on_table(table, chosen)
    show_table(
        f"{path}: a table of {report.rows:,} rows and {len(table.names):,} columns",
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
