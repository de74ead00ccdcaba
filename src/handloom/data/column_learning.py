"""Learning the input columns of a table from the statistics of its training rows."""

from collections.abc import Callable, Mapping, Sequence

from handloom.data.column_encoding import ColumnEncoding
from handloom.data.column_statistics import ColumnStatistics
from handloom.data.notes import Tell
from handloom.errors import DataError
from handloom.text import listed


def learn_inputs(
    statistics: Mapping[str, ColumnStatistics],
    embeds: Callable[[str, str], bool],
    *,
    where: str = "",
    tell: Tell,
) -> tuple[tuple[ColumnEncoding, ...], tuple[str, ...]]:
    """Return the encodings of input columns, and the names of columns without values that differ.

    Parameters
    ----------
    statistics : mapping of str to ColumnStatistics
        The statistics of the training rows, in the order of the columns.
    embeds : callable
        Whether a column of some name and kind, such as ``"category"``, becomes indices.
    where : str
        The beginning of error messages; see `Table`.
    tell : callable
        Called with each note, such as of constant columns.

    Raises
    ------
    DataError
        If a column cannot be used, or all are constant.
    """
    encodings = {
        name: each.encoding(embedded=embeds(name, each.kind), tell=tell)
        for name, each in statistics.items()
    }
    left_out = tuple(name for name, each in encodings.items() if each is None)
    by_reason = dict[str, list[str]]()
    for name in left_out:
        by_reason.setdefault(statistics[name].constancy, []).append(name)
    for reason, names in by_reason.items():
        tell(f"{where}left out, as {reason}: {listed(map(repr, names))}")
    inputs = tuple(each for each in encodings.values() if each is not None)
    if not inputs:
        raise DataError(f"{where}the table must have a column whose values differ, got none")
    _refuse_clashes(inputs, where)
    return inputs, left_out


def _refuse_clashes(inputs: Sequence[ColumnEncoding], where: str) -> None:
    """Refuse two columns that would make flat columns of one name, such as ``a is missing``."""
    owners = dict[str, str]()
    for each in inputs:
        for name in each.names:
            if (other := owners.setdefault(name, each.name)) != each.name:
                raise DataError(
                    f"{where}the columns {other!r} and {each.name!r} would both become a column "
                    f"{name!r} of flat rows: rename one"
                )
