"""From the columns of a table to nodes of a graph: the encoding of raw columns, and targets.

A graph of a table has one input for each raw column, shape (n, 1), named like the column. Numbers
and booleans are float64, NaN where they are missing; categories are texts, empty where they are
missing, or one of the texts that are missing values in a file, such as NA.
`handloom.interop.onnx.feeds` makes such arrays of a frame.
"""

from itertools import count

import numpy as np

from handloom.data.cells import BOOLEANS, MISSING_TEXTS
from handloom.data.column_encoding import FIRST_CATEGORY, MISSING, UNSEEN, ColumnEncoding
from handloom.data.columns import Columns
from handloom.data.table_target import TableTarget
from handloom.data.text_index import category_number
from handloom.interop.onnx.graph import ML, Graph


def add_columns(graph: Graph, columns: Columns) -> str:
    """Add the inputs and the encoding of raw columns, as `handloom.data.columns.Columns.encode`.

    It must come first in its graph, so that inputs have the names of their columns.

    Parameters
    ----------
    graph : Graph
    columns : Columns

    Returns
    -------
    str
        The name of the flat rows, shape (n, columns), of the dtype of the graph. They are rounded
        to float32 in any case, as a model's are.
    """
    inputs = [
        graph.input(each.name, "string" if each.kind == "category" else np.float64, (1,))
        for each in columns.inputs
    ]
    parts = [
        part
        for each, x in zip(columns.inputs, inputs, strict=True)
        for part in (_category if each.kind == "category" else _number)(graph, each, x)
    ]
    rows = graph.add("Concat", *parts, name="encoded", axis=1)
    return rows if graph.dtype == np.float32 else graph.cast(rows, graph.dtype, name="encoded")


def _number(graph: Graph, encoding: ColumnEncoding, x: str) -> list[str]:
    """Add the standardized numbers, and 1 for each missing one, where the encoding has them."""
    parts = []
    missing = graph.add("IsNaN", x, name=f"{encoding.name} is NaN")
    if encoding.scale:
        mean = graph.constant(f"{encoding.name} mean", encoding.mean, np.float64)
        scale = graph.constant(f"{encoding.name} scale", encoding.scale, np.float64)
        zero = graph.constant(f"{encoding.name} zero", 0.0, np.float64)
        centered = graph.add("Sub", x, mean, name=f"{encoding.name} centered")
        scaled = graph.add("Div", centered, scale, name=f"{encoding.name} scaled")
        whole = graph.add("Where", missing, zero, scaled, name=f"{encoding.name} filled")
        parts.append(graph.cast(whole, np.float32, name=f"{encoding.name} standardized"))
    if encoding.missing:
        parts.append(graph.cast(missing, np.float32, name=f"{encoding.name} is missing"))
    return parts


def _category(graph: Graph, encoding: ColumnEncoding, x: str) -> list[str]:
    """Add the index of each category, or a column of 0 and 1 for each category."""
    labels = indices_by_text(encoding)
    texts, indices = list(labels), list(labels.values())
    if encoding.embedded:
        return [
            graph.add(
                "LabelEncoder",
                x,
                name=f"{encoding.name} index",
                domain=ML,
                keys_strings=texts,
                values_floats=[float(index) for index in indices],
                default_float=float(UNSEEN),
            )
        ]
    index = graph.add(
        "LabelEncoder",
        x,
        name=f"{encoding.name} index",
        domain=ML,
        keys_strings=texts,
        values_int64s=indices,
        default_int64=UNSEEN,
    )
    columns = [
        *range(FIRST_CATEGORY, FIRST_CATEGORY + len(encoding.categories)),
        *[MISSING] * bool(encoding.missing),
    ]
    known = graph.constant(f"{encoding.name} indices", [columns], np.int64)
    equal = graph.add("Equal", index, known, name=f"{encoding.name} equal")
    return [graph.cast(equal, np.float32, name=f"{encoding.name} one-hot")]


def indices_by_text(encoding: ColumnEncoding) -> dict[str, int]:
    """Return the index of each text of a category; every other text is unseen.

    The empty text and the texts that are missing values in a file are missing, unless they name a
    category: onnxruntime takes None as ``"None"`` and NaN as ``"nan"``. A category that is a number
    may be written in two ways, as in 3 and 3.0, if the other one is no category of its own, and a
    boolean as ``"true"``, ``"True"`` and ``"TRUE"``;
    `handloom.interop.onnx.feeds` knows all others.
    """
    labels = dict(zip(encoding.categories, count(FIRST_CATEGORY), strict=False))
    for category, index in [*labels.items()]:
        for spelling in _spellings(category):
            labels.setdefault(spelling, index)
    return dict.fromkeys(sorted(MISSING_TEXTS), MISSING) | {"": MISSING} | labels


def _spellings(category: str) -> tuple[str, ...]:
    """Return how a category that is a number or a boolean may be written."""
    if category.lower() in BOOLEANS:
        return (category.lower(), category.capitalize(), category.upper())
    value = category_number(category)
    if value is None:
        return ()
    return (repr(value), str(int(value))) if value.is_integer() else (repr(value),)


def add_restored_target(graph: Graph, target: TableTarget, outputs: str) -> str:
    """Add the way from scaled targets to their own units, as `TableTarget.restore`.

    Parameters
    ----------
    graph : Graph
    target : TableTarget
        Of a regression.
    outputs : str
        The name of the outputs, shape (n, k), of the dtype of the graph.

    Returns
    -------
    str
        The name of the restored outputs, computed in float64, of the dtype of the graph.
    """
    scale, mean = (
        graph.constant(f"target {name}", value, np.float64)
        for name, value in (("scale", target.scale), ("mean", target.mean))
    )
    x = graph.cast(outputs, np.float64, name="scaled target")
    x = graph.add("Add", graph.add("Mul", x, scale), mean)
    if target.scaling == "log":
        x = graph.add("Exp", x)
    return graph.cast(x, graph.dtype, name="target")
