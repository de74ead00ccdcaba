"""The gradient check: analytic gradients of ``backward`` against central differences.

The directional derivative of a function ``f`` along ``v`` is nearly the central difference::

    (f(x + h v) - f(x - h v)) / 2h

and should equal ``g . v`` for the gradient ``g`` that is checked. Everything is computed in float64
on a copy, whose values are first perturbed, so that none of them lies on a kink.
"""

from __future__ import annotations  # numpy.random is loaded when it is used

from math import nan

import numpy as np
import numpy.typing as npt

from handloom.errors import DataError, require_number
from handloom.gradcheck.differences import Probe, compare
from handloom.gradcheck.replicas import Float64Replica, float64_replica_of
from handloom.gradcheck.report import NOT_FINITE, NOT_WRITTEN, ArrayCheck, GradientReport
from handloom.layers import Layer
from handloom.losses import Loss
from handloom.network import Sequential
from handloom.parameters import Array
from handloom.randomness import Purpose, Stream

CLEARANCE = 0.01
"""The minimum distance of every value from zero, relative to the array's size: above every step."""

RESOLUTION = 1e-9
"""The smallest change that is distinguishable from rounding, relative to the function's value."""


def check_gradients(
    subject: Layer | Sequential | Loss,
    x: npt.ArrayLike,
    targets: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    *,
    loss: Loss | str | None = None,
    thorough: bool = False,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> GradientReport:
    """Compare the gradients of a layer, a loss or a network with central differences.

    The subject is not changed: the check runs a float64 replica. Every value of the replica is
    perturbed by about 1 %, values near zero away from it, so that none lies on a kink (of a ReLU, a
    tie in pooling, an L1 penalty) and no wrong formula hides behind a bias of 0 or a scale of 1.
    If a difference still meets a kink, shorter steps are tried; a difference that meets one at
    every step is left out, and the table reports it. Kinks are detected by comparing differences
    over two steps on both sides, which needs forward only, and so works for every layer.

    Index columns (see `handloom.Layer.index_columns`) stay as they are: only the other columns of
    the input are differentiated.

    A layer is checked through the sum of its outputs, each times a random number, without its
    penalty. A network is checked through its loss plus its penalty, as in training. Stochastic
    layers draw the same random numbers in every pass.

    Parameters
    ----------
    subject : Layer, Sequential or Loss
        Built or not; if not, the weights of its copy are drawn with ``seed``.
    x : array, shape (n, ...)
        A few rows of input; for a loss, predictions.
    targets : array, shape (n,) or (n, k)
        For a loss and a network: class indices, or other targets of the loss.
    weights : array, shape (n,), optional
        For a loss and a network: the sample weights.
    loss : Loss or str, optional
        For a network; by default `SoftmaxCrossEntropy`, for classes; for continuous targets it must
        be set.
    thorough : bool
        Whether to check every entry. Otherwise a gradient is projected on a few random directions,
        which takes a constant number of evaluations for arrays of any size, and finds the same
        mistakes.
    tolerance : float
        The largest relative error of an array, ``|a - n| / max(|a|, |n|, floor)``, that passes.
    seed : int
        The seed of directions, of initial weights and of stochastic layers.

    Returns
    -------
    GradientReport
        With ``ok``, ``rows``, ``findings``, and a table as its ``str()``.

    Raises
    ------
    ConfigurationError
        If an argument is invalid or would be ignored, or targets are continuous and there is no
        loss.
    DataError
        If ``x`` has no rows or is not finite.
    ModelError
        If the subject cannot take rows of this shape, or has no gradients to check.
    """
    require_number("tolerance", tolerance, minimum=0.0, exclusive=True)
    checked = float64_replica_of(subject, _rows(x), targets, weights, loss, Stream(seed))
    generator = Stream(seed).at(Purpose.GENERATE).generator()
    rows: list[ArrayCheck] = []
    with np.errstate(all="ignore"):  # an overflow shows in the result
        _run_on_reversed_data(checked)
        unperturbed = checked.gradients()
        scales = {name: checked.scale(name) for name in checked.arrays}
        for name, array in checked.arrays.items():
            _perturb(array, scales[name], generator)
        analytic = checked.gradients()
        if analytic:
            center = _central_value(checked)
            resolution = RESOLUTION * checked.magnitude()
        for name, gradient in analytic.items():
            if not np.isfinite(gradient).all():
                rows.append(_not_finite(name, gradient, checked))
                continue
            if not np.isfinite(unperturbed.get(name, gradient)).all():
                checked.note(f"at the unperturbed values, the gradient of {name} is not finite")
            flat = checked.arrays[name].reshape(-1)
            probe = Probe(checked.value, center, flat, scales[name], resolution, tolerance)
            rows.append(compare(name, gradient, probe, thorough, generator))
    return GradientReport(checked.name, tuple(rows), tuple(checked.findings), thorough, tolerance)


def _run_on_reversed_data(checked: Float64Replica) -> None:
    """Run once on the data in reverse order, to expose state kept from an earlier pass."""
    checked.reverse_data()
    checked.gradients()
    checked.reverse_data()


def _central_value(checked: Float64Replica) -> float:
    """Return the value between the differences; note if it is not finite or not repeatable."""
    value = checked.value()
    if not np.isfinite(value):
        checked.note(f"the value must be finite for differences, got {value}")
    elif value != checked.value():
        checked.note(
            "two passes over the same values differ: it draws random numbers that do not come "
            "from rng, or depends on state of an earlier pass"
        )
    return value


def _not_finite(name: str, gradient: Array, checked: Float64Replica) -> ArrayCheck:
    """Distinguish a gradient that is not finite from one that backward did not overwrite."""
    finite = np.isfinite(checked.gradients(fill=0.0)[name]).all()
    verdict = NOT_WRITTEN if finite else NOT_FINITE
    return ArrayCheck(name, gradient.shape, nan, nan, nan, None, 0, 0, 0, verdict)


def _perturb(array: Array, scale: float, generator: np.random.Generator) -> None:
    """Perturb every value by about 1 %, and keep it at least `CLEARANCE` from zero."""
    noise = generator.standard_normal(array.shape)
    array *= 1.0 + 0.01 * noise
    signs = np.where(array == 0.0, np.sign(noise), np.sign(array))
    away = signs * (CLEARANCE * scale) * (1.0 + np.abs(noise))
    np.copyto(array, away, where=np.abs(array) < CLEARANCE * scale)


def _rows(x: npt.ArrayLike) -> Array:
    """Return a contiguous float64 copy of the rows."""
    try:
        rows: Array = np.array(x, np.float64, order="C")
    except (TypeError, ValueError):
        raise DataError(
            f"x must be an array of rows of numbers, shape (n, ...), got {type(x).__name__}: of a "
            f"dataset and a network of flat rows, write check_gradients(network, "
            f"data.inputs[:20].reshape(20, -1) / 255, data.targets[:20])"
        ) from None
    if rows.ndim < 2 or not rows.size:
        raise DataError(f"x must hold at least one row, shape (n, ...), got shape {rows.shape}")
    if not np.isfinite(rows).all():
        raise DataError("x must be finite, got NaN or infinity")
    return rows
