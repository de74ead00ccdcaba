"""The source of the encoder of a table's raw rows: the encoding of a model's columns, as code."""

from handloom.data.cells import MISSING_TEXTS
from handloom.data.column_encoding import ColumnEncoding
from handloom.data.columns import Columns
from handloom.interop.source import table_encoding
from handloom.interop.source.functions import functions_of, source_of, with_called
from handloom.interop.source.text import call, literal, sequence

IMPORT = "import warnings"
"""The line at the beginning of a file that holds the source."""


def encoder_source(columns: Columns) -> str:
    """Return source text in plain Python that defines ``encode(table)``, for a file with `IMPORT`.

    ``encode`` takes raw rows, as a dict of columns (lists) or a list of dicts such as
    ``csv.DictReader`` reads, and returns flat rows: a list of lists of floats, to be converted to
    float32. The text also defines ``COLUMNS``, the names of the input columns, and the functions
    that ``encode`` calls. It ends without a line break.
    """
    functions = functions_of(table_encoding)
    commas = _decimal_commas(columns)
    first = ["read_table", *["with_decimal_points"] * bool(commas)]
    used = with_called([*first, *map(_function, columns.inputs)], functions)
    categories = {each.name: each.categories for each in columns.inputs if each.categories}
    entries = [sequence(categories[name], f"{literal(name)}: ", 4, ",") for name in categories]
    constants = [
        sequence((each.name for each in columns.inputs), "COLUMNS = "),
        *(["CATEGORIES = {", *entries, "}"] if entries else []),
        *([sequence(commas, "DECIMAL_COMMAS = ")] if commas else []),
        sequence(sorted(MISSING_TEXTS), "MISSING_TEXTS = "),
    ]
    sources = [source_of(functions[name]) for name in used]
    return "\n\n\n".join(["\n".join(constants), _encode(columns), *sources])


def _decimal_commas(columns: Columns) -> tuple[str, ...]:
    """Return the columns whose texts are read with decimal commas, as in the training rows."""
    mark = columns.decimal_mark
    return tuple(each.name for each in columns.inputs if mark and mark.is_comma(each.name))


def _encode(columns: Columns) -> str:
    commas = _decimal_commas(columns)
    style = (
        "    Texts of DECIMAL_COMMAS hold numbers as the training rows, 1.458,28 or 1458,28."
        if commas
        else "    Texts hold numbers as float() reads them, such as 1458.28."
    )
    return "\n".join(
        [
            "def encode(table):",
            f'    """Return raw rows as flat rows, of {len(columns.names):,} numbers each.',
            "",
            "    A table is a dict of columns (lists), or a list of dicts, as csv.DictReader reads",
            '    of a file that is opened with encoding="utf-8-sig" and newline="".',
            style,
            '    """',
            "    table = read_table(table, COLUMNS)",
            *["    table = with_decimal_points(table, DECIMAL_COMMAS)"] * bool(commas),
            "    columns = []",
            *map(_step, columns.inputs),
            "    return [list(row) for row in zip(*columns)]",
        ]
    )


def _step(encoding: ColumnEncoding) -> str:
    """Return the line that adds the flat columns of one column."""
    arguments = ["table", literal(encoding.name)]
    if encoding.kind != "category":
        arguments += [f"mean={literal(encoding.mean)}", f"scale={literal(encoding.scale)}"]
    else:
        arguments += [f"CATEGORIES[{literal(encoding.name)}]"]
    arguments += ["missing=True"] * bool(encoding.missing)
    return call(f"columns += {_function(encoding)}", arguments, indent=4)


def _function(encoding: ColumnEncoding) -> str:
    if encoding.kind != "category":
        return table_encoding.encode_numbers.__name__
    each = table_encoding.encode_indices if encoding.embedded else table_encoding.encode_categories
    return each.__name__
