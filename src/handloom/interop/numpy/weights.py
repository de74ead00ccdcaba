"""The weights of a network as text in a Python file, and the function that decodes them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from handloom.interop.numpy import file_functions
from handloom.interop.numpy.forward import Arrays
from handloom.interop.source.functions import source_of
from handloom.interop.source.text import LINE, literal

DIGITS = 96
"""The hexadecimal digits on a line of weights."""


def weights_source(arrays: Mapping[str, Arrays], dtype: np.dtype[Any]) -> list[str]:
    """Return the function that decodes the weights, and the weights as text.

    Parameters
    ----------
    arrays : mapping of str to dict of str to array
        The arrays of each layer that has some.
    dtype : float32 or float64
        The dtype of all of them.
    """
    if not arrays:
        return ["# This network has none."]
    size, code = dtype.itemsize, f"<f{dtype.itemsize}"
    digits = f"{2 * size} hexadecimal digits"
    one = np.ones(1, code).tobytes().hex()
    whole = b"".join(
        np.ascontiguousarray(array, code).tobytes()
        for own in arrays.values()
        for array in own.values()
    ).hex()
    lines = [whole[start : start + DIGITS] for start in range(0, len(whole), DIGITS)]
    return [
        source_of(file_functions.decode),
        "\n".join(
            [
                f"# {digits} are the {size} bytes of a {dtype}, the lowest first:",
                f"# {one} is 1. Arrays follow one another in the order of SHAPES.",
                _shapes(arrays),
                'TEXT = """',
                *lines,
                '"""',
                f'WEIGHTS = decode(TEXT, SHAPES, "{code}")',
            ]
        ),
    ]


def _shapes(arrays: Mapping[str, Arrays]) -> str:
    """Return the shapes of the arrays of each layer, as a dict."""
    lines = ["SHAPES = {"]
    for layer, own in arrays.items():
        entries = [f"{literal(name)}: {literal(array.shape)}" for name, array in own.items()]
        line = f"    {literal(layer)}: {{{', '.join(entries)}}},"
        if len(line) <= LINE:
            lines.append(line)
        else:
            inner = [f"        {entry}," for entry in entries]
            lines += [f"    {literal(layer)}: {{", *inner, "    },"]
    return "\n".join([*lines, "}"])
