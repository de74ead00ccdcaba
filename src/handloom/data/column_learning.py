"""Learning the input columns of a table from the statistics of its training rows."""

from collections.abc import Mapping, Sequence

from handloom.data.column_encoding import ColumnEncoding
from handloom.data.column_statistics import ColumnStatistics
from handloom.data.notes import Tell
from handloom.errors import DataError


def learn_inputs(
    statistics: Mapping[str, ColumnStatistics],
    embed: bool | Sequence[str],
    *,
    where: str = "",
    tell: Tell,
) -> tuple[tuple[ColumnEncoding, ...], tuple[str, ...]]:
    """Return the encodings of input columns, and the names of constant columns, which have none.

    Parameters
    ----------
    statistics : mapping of str to ColumnStatistics
        The statistics of the training rows, in the order of the columns.
    embed : bool or sequence of str
        The columns of categories, all or those that are named, that become indices.
    where : str
        The beginning of error messages; see `Table`.
    tell : callable
        Called with each note, such as of constant columns.

    Raises
    ------
    DataError
        If a column cannot be used, or all are constant.
    """
    embedded = () if isinstance(embed, bool) else embed
    encodings = {
        name: each.encoding(
            embedded=name in embedded or (embed is True and each.kind == "category"), tell=tell
        )
        for name, each in statistics.items()
    }
    constant = tuple(name for name, each in encodings.items() if each is None)
    if constant:
        tell(
            f"{where}left out, as all training rows have the same value: "
            f"{', '.join(map(repr, constant[:12]))}{', ...' if len(constant) > 12 else ''}"
        )
    inputs = tuple(each for each in encodings.values() if each is not None)
    if not inputs:
        raise DataError(f"{where}the table must have a column whose values differ, got none")
    return inputs, constant
