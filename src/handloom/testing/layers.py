"""The check of a layer against the contract of every layer."""

import numpy.typing as npt

from handloom.gradcheck import GradientReport
from handloom.layers import Layer
from handloom.testing.contract import hold, two_rows
from handloom.testing.layer_case import LayerCase, Reference
from handloom.testing.layer_promises import PROMISES


def check_layer(
    layer: Layer,
    x: npt.ArrayLike,
    reference: Reference | None = None,
    *,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> GradientReport:
    """Check a layer against the contract of every layer.

    It equals a reference; its shapes are those that it announces and its dtype is that of its
    input; it never writes to its arguments; its gradients are correct (see
    `handloom.check_gradients`) with and without ``need_dx``; inference does not change it; the
    same seed gives the same bits; rows do not depend on each other; it is restored from its
    configuration, saved and loaded; it works as first layer, in a replica, on arrays of any memory
    order, and on one row or none.

    A layer that draws random numbers sets ``stochastic = True``. A layer whose training pass lets
    rows depend on each other sets ``couples_rows = True``; it may refuse to train on one row or
    none. For these two, training and inference may differ.

    Parameters
    ----------
    layer : Layer
        With its options, built or not. Only copies of it are run, with their own weights.
    x : array, shape (n, ...)
        At least two valid input rows.
    reference : callable, optional
        ``reference(x, weights)`` returns the expected output of a training pass or, if the layer is
        stochastic, of inference; ``weights`` holds its arrays by name. In float64.
    tolerance : float
        The largest relative error of a correct gradient.
    seed : int
        The seed of weights and random numbers.

    Returns
    -------
    GradientReport
        The table of its gradients.

    Raises
    ------
    CheckError
        If promises are broken; the message names each of them.
    ConfigurationError
        If ``x`` has fewer than two rows.
    """
    case = LayerCase(layer, two_rows("x", x), reference, tolerance, seed)
    hold(f"the layer {layer.kind!r}", PROMISES, case)
    return case.report
