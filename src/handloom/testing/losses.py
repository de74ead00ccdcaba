"""The contract of every loss, and its check."""

from __future__ import annotations  # numpy.random is loaded when it is used

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handloom.errors import unknown_name
from handloom.gradcheck import GradientReport, check_gradients
from handloom.losses import Loss, Targets
from handloom.parameters import Array
from handloom.predictions import OUTPUT_ACTIVATIONS
from handloom.randomness import Purpose, Stream
from handloom.testing.contract import ROUNDING, distance, hold, same, two_rows

Reference = Callable[[Array, Targets], npt.ArrayLike]


def check_loss(
    loss: Loss,
    predictions: npt.ArrayLike,
    targets: npt.ArrayLike,
    reference: Reference | None = None,
    *,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> GradientReport:
    """Check a loss against the contract of every loss.

    It returns the weighted mean of a reference's loss of each row; its gradient is correct, has the
    predictions' shape and dtype, and is written to ``out`` if it is passed; it never writes to its
    other arguments; a row of weight two counts as the row twice, and one of weight zero not at all;
    with the ``total_weight`` of a batch, the values and gradients of its parts add up. If it
    declares an ``output_activation``, that is one of a model.

    Parameters
    ----------
    loss : Loss
    predictions : array, shape (n, k)
        At least two rows.
    targets : array, shape (n,) or (n, k)
        Class indices, or other targets of the loss.
    reference : callable, optional
        ``reference(predictions, targets)`` returns the loss of each row, shape (n,). In float64.
    tolerance : float
        The largest relative error of a correct gradient.
    seed : int
        The seed of the sample weights.

    Returns
    -------
    GradientReport
        The table of its gradient, with weights.

    Raises
    ------
    CheckError
        If promises are broken; the message names each of them.
    ConfigurationError
        If there are fewer than two rows.
    """
    rows = two_rows("predictions", predictions)
    case = _Case(loss, rows, np.array(targets), reference, tolerance, seed)
    hold(f"the loss {getattr(loss, '__name__', type(loss).__name__)!r}", PROMISES, case)
    return case.report(case.weights)


@dataclass(frozen=True)
class _Case:
    """A loss, its rows, and their sample weights."""

    loss: Loss
    x: Array
    targets: Targets
    reference: Reference | None
    tolerance: float
    seed: int

    @property
    def weights(self) -> Array:
        """Positive weights, shape (n,), none of them 1."""
        return 1.5 + Stream(self.seed).at(Purpose.GENERATE).generator().random(len(self.x))

    def report(self, weights: Array | None) -> GradientReport:
        return check_gradients(
            self.loss, self.x, self.targets, weights, tolerance=self.tolerance, seed=self.seed
        )


def _values(case: _Case) -> Iterator[str]:
    if case.reference is None:
        return
    losses = np.asarray(case.reference(case.x.copy(), case.targets.copy()))
    for mode, weights in (("without", None), ("with", case.weights)):
        value, expected = (
            case.loss(case.x, case.targets, weights)[0],
            np.average(losses, 0, weights),
        )
        if distance(value, expected) > 1e-10:
            yield f"{mode} weights the value is {value:.6g}, the reference's mean {expected:.6g}"


def _shapes_and_dtypes(case: _Case) -> Iterator[str]:
    for dtype in ROUNDING:
        x = case.x.astype(dtype)
        value, gradient = case.loss(x, case.targets)
        if type(value) is not float:
            yield f"the value must be a float, got {type(value).__name__}"
        if gradient.shape != x.shape or gradient.dtype != dtype:
            yield (
                f"the gradient must be {dtype} of shape {x.shape}, "
                f"got {gradient.dtype} of shape {gradient.shape}"
            )
        out = np.full_like(x, np.nan)
        if case.loss(x, case.targets, out=out)[1] is not out or not same(out, gradient):
            yield "with out=, the gradient must be written there, and that array returned"


def _overwrites_nothing(case: _Case) -> Iterator[str]:
    x, targets, weights = case.x.copy(), case.targets.copy(), case.weights
    case.loss(x, targets, weights)
    for name, now, before in (
        ("predictions", x, case.x),
        ("targets", targets, case.targets),
        ("weights", weights, case.weights),
    ):
        if not same(now, before):
            yield f"it writes to {name}"


def _gradients(case: _Case) -> Iterator[str]:
    for weights in (None, case.weights):
        report = case.report(weights)
        if not report.ok:
            with_weights = "" if weights is None else "with weights, "
            yield f"{with_weights}{report}".replace("\n", "\n    ")


def _weights(case: _Case) -> Iterator[str]:
    weights = np.ones(len(case.x))
    weights[:2] = (2.0, 0.0)
    rows = np.delete(np.arange(len(case.x)), 1)
    rows = np.concatenate([rows[:1], rows])  # the first row twice, the second not at all
    value, gradient = case.loss(case.x, case.targets, weights)
    repeated, by_row = case.loss(case.x[rows], case.targets[rows])
    if distance(value, repeated) > 1e-10:
        yield f"with weights 2 and 0 the value is {value:.6g}, with the row twice {repeated:.6g}"
    merged = np.concatenate([by_row[:1] + by_row[1:2], np.zeros_like(by_row[:1]), by_row[2:]])
    if distance(gradient, merged) > 1e-10:
        yield "a weight of 2 must count as the row twice, and one of 0 as no row, in the gradient"
    value, gradient = case.loss(case.x, case.targets, np.zeros(len(case.x)))
    if value != 0.0 or gradient.any():
        yield "if all weights are zero, value and gradient must be zero"


def _parts(case: _Case) -> Iterator[str]:
    weights = case.weights
    value, gradient = case.loss(case.x, case.targets, weights)
    parts = [
        case.loss(case.x[s], case.targets[s], weights[s], total_weight=float(weights.sum()))
        for s in (slice(0), slice(1), slice(1, None))  # no row, one, the others
    ]
    if distance(value, sum(part[0] for part in parts)) > 1e-10:
        yield "with total_weight, the values of parts do not add up to that of the batch"
    if distance(gradient, np.concatenate([part[1] for part in parts])) > 1e-10:
        yield "with total_weight, the gradients of parts are not those of the batch"


def _output_activation(case: _Case) -> Iterator[str]:
    name = getattr(case.loss, "output_activation", None)
    if name is not None and name not in OUTPUT_ACTIVATIONS:
        yield unknown_name("output_activation", name, OUTPUT_ACTIVATIONS)


PROMISES: Mapping[str, Callable[[_Case], Iterator[str]]] = {
    "values": _values,
    "shapes and dtypes": _shapes_and_dtypes,
    "nothing is overwritten": _overwrites_nothing,
    "gradients": _gradients,
    "weights of rows": _weights,
    "parts of a batch": _parts,
    "output activation": _output_activation,
}
