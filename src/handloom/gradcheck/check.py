"""Gradients checked in public: what ``backward`` says beside what differences measure.

The check knows one formula only. Along a direction ``v`` the slope of a function ``f`` is nearly::

    (f(x + h v) - f(x - h v)) / 2h

and the gradient ``g`` that is being checked claims that it is ``g . v``. Everything is computed in
float64 on a copy, whose numbers are first moved a little, so that none of them sits on a kink.
"""

from __future__ import annotations  # numpy.random is loaded when it is used

from math import nan

import numpy as np
import numpy.typing as npt

from handloom.errors import DataError, require_number
from handloom.gradcheck.differences import Probe, compare
from handloom.gradcheck.report import NOT_FINITE, NOT_WRITTEN, ArrayCheck, GradientReport
from handloom.gradcheck.twins import Twin, twin_of
from handloom.layers import Layer
from handloom.losses import Loss
from handloom.network import Sequential
from handloom.parameters import Array
from handloom.randomness import Purpose, Stream

CLEARANCE = 0.01
"""How far from zero every number is moved, relative to the size of its array: far beyond a step."""

RESOLUTION = 1e-9
"""The smallest change that differences can tell from rounding, relative to the function's value."""


def check_gradients(
    subject: Layer | Sequential | Loss,
    x: npt.ArrayLike,
    targets: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    *,
    loss: Loss | None = None,
    thorough: bool = False,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> GradientReport:
    """Compare the gradients of a layer, a loss or a network with central differences.

    The subject is left as it is: the check runs a float64 copy. Every number of the copy is moved
    by about a hundredth and away from zero, so that none sits on a kink (of a ReLU, of a tie in
    pooling, of an L1 penalty) and no wrong formula hides behind a bias of 0 or a scale of 1. Where
    a difference still meets a kink, shorter steps are tried; what meets one at every step is left
    out, and the table says so. A kink is noticed by comparing differences over two steps on both
    sides, which needs nothing but forward, and so works for layers of any kind.

    A layer is checked through the sum of its outputs, each times a random number; its penalty is
    not part of it. A network is checked through its loss plus its penalty, as it is trained.
    Stochastic layers draw the same numbers every time.

    Parameters
    ----------
    subject : Layer, Sequential or Loss
        Built or not; if not, its copy starts from the seed.
    x : array, shape (n, ...)
        A few rows of input; for a loss, predictions.
    targets : array, shape (n,) or (n, k)
        For a loss and a network: class indices, or whatever the loss takes.
    weights : array, shape (n,), optional
        For a loss and a network: a weight a row.
    loss : Loss, optional
        For a network; by default `SoftmaxCrossEntropy`.
    thorough : bool
        Look at every entry. Otherwise a gradient is projected on a few random directions, which
        takes a constant number of evaluations, however large the array, and finds the same
        mistakes.
    tolerance : float
        The largest error of a whole array, ``|a - n| / max(|a|, |n|, floor)``, that is right.
    seed : int
        Where directions, a fresh copy's weights and a stochastic layer's numbers come from.

    Returns
    -------
    GradientReport
        With ``ok``, ``rows``, ``findings``, and a table as its ``str()``.

    Raises
    ------
    ConfigurationError
        If an argument means nothing or would be ignored.
    DataError
        If ``x`` has no rows or is not finite.
    ModelError
        If the subject cannot take such rows, or has nothing to check.
    """
    require_number("tolerance", tolerance, minimum=0.0, exclusive=True)
    twin = twin_of(subject, _rows(x), targets, weights, loss, Stream(seed))
    generator = Stream(seed).at(Purpose.GENERATE).generator()
    rows: list[ArrayCheck] = []
    with np.errstate(all="ignore"):  # what overflows is found in the result
        _pass_backwards(twin)
        given = twin.gradients()
        scales = {name: twin.scale(name) for name in twin.arrays}
        for name, array in twin.arrays.items():
            _move(array, scales[name], generator)
        analytic = twin.gradients()
        if analytic:
            rest = _value_at_rest(twin)
            resolution = RESOLUTION * twin.magnitude()
        for name, gradient in analytic.items():
            if not np.isfinite(gradient).all():
                rows.append(_broken(name, gradient, twin))
                continue
            if not np.isfinite(given.get(name, gradient)).all():
                twin.note(f"at the numbers given, the gradient of {name} is not finite")
            flat = twin.arrays[name].reshape(-1)
            probe = Probe(twin.value, rest, flat, scales[name], resolution, tolerance)
            rows.append(compare(name, gradient, probe, thorough, generator))
    return GradientReport(twin.name, tuple(rows), tuple(twin.findings), thorough, tolerance)


def _pass_backwards(twin: Twin) -> None:
    """Run once on the data in reverse, so that what is wrongly kept for later passes is seen."""
    x = twin.arrays[twin.data]
    kept = x.copy()
    x[...] = x.reshape(-1)[::-1].reshape(x.shape)
    twin.gradients()
    x[...] = kept


def _value_at_rest(twin: Twin) -> float:
    """Return the value to take differences from, and note what makes them meaningless."""
    value = twin.value()
    if not np.isfinite(value):
        twin.note(f"the value is {value}, so there is nothing to take differences of")
    elif value != twin.value():
        twin.note(
            "two passes over the same numbers differ: it draws random numbers that do not come "
            "from rng, or depends on what an earlier pass left behind"
        )
    return value


def _broken(name: str, gradient: Array, twin: Twin) -> ArrayCheck:
    """Tell a gradient that is not finite from one that was not written over what was there."""
    finite = np.isfinite(twin.gradients(fill=0.0)[name]).all()
    verdict = NOT_WRITTEN if finite else NOT_FINITE
    return ArrayCheck(name, gradient.shape, nan, nan, nan, None, 0, 0, 0, verdict)


def _move(array: Array, scale: float, generator: np.random.Generator) -> None:
    """Move every number by about a hundredth, and none closer to zero than `CLEARANCE`."""
    noise = generator.standard_normal(array.shape)
    array *= 1.0 + 0.01 * noise
    signs = np.where(array == 0.0, np.sign(noise), np.sign(array))
    away = signs * (CLEARANCE * scale) * (1.0 + np.abs(noise))
    np.copyto(array, away, where=np.abs(array) < CLEARANCE * scale)


def _rows(x: npt.ArrayLike) -> Array:
    """Return a contiguous float64 copy of the rows."""
    rows: Array = np.array(x, np.float64, order="C")
    if rows.ndim < 2 or not rows.size:
        raise DataError(f"x must hold at least one row, shape (n, ...), got shape {rows.shape}")
    if not np.isfinite(rows).all():
        raise DataError("x holds NaN or infinity")
    return rows
