"""Arithmetic as people write it, checked: ``y[0,1] = 2*3 + 1 = 7``."""

import math
from collections.abc import Mapping

import numpy as np

FUNCTIONS: dict[str, object] = {
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "max": max,
    "sign": np.sign,
}


def sides(line: str, names: Mapping[str, object]) -> list[float]:
    """Return the values of the terms between the equals signs of a line.

    ``^`` is a power and ``'`` may end a name, as in ``W0'``; such a name stands in ``names`` with
    ``_new`` in its place.
    """
    written = line.replace("^", "**").replace("'", "_new")
    known = {"__builtins__": {}, **FUNCTIONS, **names}
    return [float(eval(side, known)) for side in written.split(" = ")]


def unit(line: str) -> float:
    """Return the worth of the last digit that a line ends in."""
    digits, _, power = line.rpartition(" = ")[2].partition("e")
    return 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))
