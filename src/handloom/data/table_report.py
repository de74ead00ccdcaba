"""TableReport: the columns of a table as they are read, and the problems with them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from handloom.data.column_statistics import MAX_DISTINCT, ColumnStatistics
from handloom.data.notes import Tell
from handloom.data.table import Table, require_columns
from handloom.data.table_options import TableOptions
from handloom.data.table_target import learn_task
from handloom.errors import DataError, did_you_mean
from handloom.text import listed

FEW_ROWS = 5
"""The number of rows below which a category is rare."""


@dataclass(frozen=True)
class ColumnReport:
    """A column: its kind, its missing and different values, and its range or categories."""

    name: str
    kind: str
    missing: int
    distinct: str
    values: str


@dataclass
class TableReport:
    """The report on a table.

    Attributes
    ----------
    rows : int
    columns : list of ColumnReport
    notes, problems : list of str
        Each names its column. A table with problems cannot be trained on as it is.
    """

    rows: int = 0
    columns: list[ColumnReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def report_on_table(table: Table, options: TableOptions | None = None) -> TableReport:
    """Read a table completely and report on its columns.

    Raises
    ------
    DataError
        If the file itself cannot be read.
    """
    report = TableReport()
    drop = () if options is None else options.drop
    categorical = () if options is None else options.categorical
    classes = options.target if options is not None and options.task == "classification" else None
    embed = () if options is None or isinstance(options.embed, bool) else options.embed
    report.problems += _unknown(table, {"drop": drop, "categorical": categorical, "embed": embed})
    learned = {
        name: ColumnStatistics(name, categorical=name in categorical or name == classes)
        for name in table.names
        if name not in drop
    }
    refused: dict[str, str] = {}
    for chunk in table.chunks():
        report.rows += len(chunk)
        for name, statistics in learned.items():
            if name not in refused:
                try:
                    statistics.add(chunk)
                except DataError as error:
                    refused[name] = str(error)
    target = None if options is None else options.target
    if target is not None and target not in table.names:
        near = did_you_mean(target, table.names)
        report.problems.append(f"the table has no column {target!r}, the target.{near}")
    for name, statistics in learned.items():
        kind = "target" if name == target else statistics.kind
        if name not in refused:
            try:
                if name == target and options is not None:
                    kind += f", {learn_task(statistics, options.task, tell=report.notes.append)}"
                    if statistics.missing and not options.drop_missing_targets:
                        report.problems.append(
                            f"the target has no value in {statistics.missing:,} rows: fill it in, "
                            "or leave such rows out with --drop-missing-targets"
                        )
                else:
                    kind = _kind(statistics, options, tell=report.notes.append)
            except DataError as error:
                refused[name] = str(error)
        if name in refused:
            report.problems.append(refused[name])
            kind = "refused"
        report.columns.append(_described(statistics, kind))
    used = [each for name, each in learned.items() if name not in refused]
    report.notes += chain(*(_doubtful_categories(each) for each in used))
    return report


def _kind(statistics: ColumnStatistics, options: TableOptions | None, *, tell: Tell) -> str:
    """Return the kind of an input column, and whether it is embedded.

    Raises
    ------
    DataError
        If it cannot be used.
    """
    embedded = options is not None and options.embeds(statistics.name, statistics.kind)
    if statistics.encoding(embedded=embedded, tell=tell) is None:
        return "constant"
    return f"{statistics.kind}, embedded" if embedded else statistics.kind


def _doubtful_categories(statistics: ColumnStatistics) -> Iterator[str]:
    """Yield notes about categories that may be one, written in two ways, and about rare ones."""
    if statistics.kind != "category":
        return
    column, spelled = f"column {statistics.name!r}", dict[str, list[str]]()
    for name in statistics.counts:
        spelled.setdefault("".join(name.casefold().split()), []).append(name)
    for same in spelled.values():
        if len(same) > 1:
            yield f"{column}: {listed(map(repr, same), 5)} differ in case or spaces only"
    rare = [name for name, rows in statistics.counts.items() if rows < FEW_ROWS]
    if rare:
        several = "ies have" if len(rare) > 1 else "y has"
        yield (
            f"{column}: {len(rare):,} categor{several} fewer than {FEW_ROWS} rows, such as "
            f"{min(rare)!r:.40}: too few to learn from"
        )


def _unknown(table: Table, named: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the problems with arguments that name columns which a table lacks."""
    for argument, names in named.items():
        try:
            require_columns(names, table.names, argument, "")
        except DataError as error:
            yield str(error)


def _described(statistics: ColumnStatistics, kind: str) -> ColumnReport:
    distinct = len(statistics.counts)
    shown = f"more than {MAX_DISTINCT:,}" if distinct > MAX_DISTINCT else f"{distinct:,}"
    if statistics.low > statistics.high and not statistics.counts:  # refused before any value
        values = shown = ""
    elif statistics.kind in ("number", "boolean"):
        values = f"{statistics.low:g} to {statistics.high:g}, mean {statistics.mean:g}"
    else:
        most = [f"{name!r:.40}" for name, _ in statistics.counts.most_common(3)]
        values = ", ".join(most) + (", ..." if distinct > 3 else "")
    return ColumnReport(statistics.name, kind, statistics.missing, shown, values)
