"""What every layer promises."""

from __future__ import annotations  # numpy.random is loaded when it is used

import copy
import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from handloom.data.transforms import transform_for
from handloom.errors import HandloomError
from handloom.gradcheck import GradientReport, check_gradients
from handloom.layers import Layer
from handloom.model import Model
from handloom.network import Sequential, build
from handloom.parameters import Array, Parameters
from handloom.randomness import Purpose, Stream
from handloom.testing.contract import ROUNDING, distance, hold, same, two_rows

Reference = Callable[[Array, Mapping[str, Array]], npt.ArrayLike]


def check_layer(
    layer: Layer,
    x: npt.ArrayLike,
    reference: Reference | None = None,
    *,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> GradientReport:
    """Put a layer through the contract that every layer keeps.

    It computes what a reference says; its shapes are those that it announces and its dtype is that
    of its input; it never writes to what it is given; its gradients are right (see
    `handloom.check_gradients`) with and without ``need_dx``; inference leaves it untouched; the
    same seed gives the same bits; rows do not depend on each other; it is made again from its
    configuration, saved and loaded; it works as first layer, in a replica, on arrays of any memory
    order, and on one row or none.

    A layer that draws random numbers says so by ``stochastic = True``. One whose training pass
    lets rows depend on each other says so by ``couples_rows = True``; it may refuse to train on
    one row or none. For these two, training and inference may differ.

    Parameters
    ----------
    layer : Layer
        With its options, built or not. Only copies of it are run, with weights of their own.
    x : array, shape (n, ...)
        At least two rows that the layer is made for.
    reference : callable, optional
        ``reference(x, weights)`` returns what the layer computes in a training pass or, if it is
        stochastic, in inference; ``weights`` holds its arrays by name. In float64.
    tolerance : float
        The largest error of a gradient that is right.
    seed : int
        Where weights and random numbers come from.

    Returns
    -------
    GradientReport
        The table of its gradients.

    Raises
    ------
    CheckError
        Naming every promise that is broken, and how.
    ConfigurationError
        If there are not two rows.
    """
    case = _Case(layer, two_rows("x", x), reference, tolerance, seed)
    hold(f"the layer {layer.kind!r}", PROMISES, case)
    return case.report


@dataclass(frozen=True)
class _Pass:
    """What one training pass gave."""

    y: Array
    dx: Array | None
    gradient: Array


@dataclass(frozen=True)
class _Case:
    """A layer, its rows, and fresh copies of it."""

    layer: Layer
    x: Array
    reference: Reference | None
    tolerance: float
    seed: int

    @cached_property
    def report(self) -> GradientReport:
        return check_gradients(self.layer, self.x, tolerance=self.tolerance, seed=self.seed)

    @property
    def stream(self) -> Stream:
        return Stream(self.seed).at(Purpose.LAYER)

    @property
    def couples_rows(self) -> bool:
        return bool(getattr(self.layer, "couples_rows", False))

    @property
    def steady(self) -> bool:
        """Whether training and inference compute the same, row by row."""
        return not self.layer.stochastic and not self.couples_rows

    def copy(self) -> Layer:
        return copy.deepcopy(self.layer)

    def settle(self, parameters: Parameters) -> None:
        """Move weights from where they start, which may be all zeros or ones."""
        noise = Stream(self.seed).at(Purpose.GENERATE).generator()
        parameters.vector += (0.1 * noise.standard_normal(len(parameters))).astype(parameters.dtype)

    def fresh(self, dtype: npt.DTypeLike = np.float64) -> tuple[Layer, Parameters]:
        """Return a copy with weights of its own, the same every time."""
        layer = self.copy()
        parameters = build([layer], self.x.shape[1:], seed=self.seed, dtype=dtype)
        self.settle(parameters)
        return layer, parameters

    def network(self, dtype: npt.DTypeLike = np.float64) -> Sequential:
        """Return a network of a copy alone, with the same weights."""
        network = Sequential([self.copy()]).build(self.x.shape[1:], seed=self.seed, dtype=dtype)
        self.settle(network.parameters)
        return network

    def forward(self, layer: Layer, x: Array, stream: Stream | None = None) -> Array:
        """Run a training pass forward, drawing the same numbers every time."""
        rng = (stream or self.stream).at(0).generator() if layer.stochastic else None
        return layer.forward(x, training=True, rng=rng)

    def dy(self, y: Array) -> Array:
        generator = Stream(self.seed).at(Purpose.GENERATE, 0).generator()
        return generator.standard_normal(y.shape).astype(y.dtype)

    def run(self, layer: Layer, parameters: Parameters, x: Array, dy: Array | None = None) -> _Pass:
        """Run a training pass there and back, and keep a copy of what it gave."""
        y = self.forward(layer, x)
        kept = y.copy()
        dx = layer.backward(self.dy(y) if dy is None else dy)
        return _Pass(kept, None if dx is None else dx.copy(), parameters.gradient.copy())


def _values(case: _Case) -> Iterator[str]:
    if case.reference is None:
        return
    for dtype, tolerance in ROUNDING.items():
        layer, _ = case.fresh(dtype)
        weights = {name: view.astype(np.float64) for name, view in layer.weights.items()}
        x = case.x.astype(dtype)
        y = layer.forward(x) if layer.stochastic else case.forward(layer, x)
        expected = np.asarray(case.reference(x.astype(np.float64), weights))
        if expected.shape != y.shape:
            yield f"the reference has shape {expected.shape}, the output {y.shape}"
        elif (error := distance(y, expected)) > tolerance:
            yield f"in {dtype} the output is {error:.1e} away from the reference"


def _shapes_and_dtypes(case: _Case) -> Iterator[str]:
    for dtype in ROUNDING:
        layer, parameters = case.fresh(dtype)
        x = case.x.astype(dtype)
        expected = (len(x), *layer.output_shape(x.shape[1:]))
        inferred, found = layer.forward(x), case.run(layer, parameters, x)
        for what, array, shape in (
            ("the output of inference", inferred, expected),
            ("the output of training", found.y, expected),
            ("dx", found.dx, x.shape),
        ):
            if array is None:
                yield f"{what} is missing"
            elif array.shape != shape or array.dtype != dtype:
                yield (
                    f"{what} is {array.dtype} of shape {array.shape}, "
                    f"expected {dtype} of shape {shape}"
                )


def _nothing_is_overwritten(case: _Case) -> Iterator[str]:
    layer, parameters = case.fresh()
    x, weights = case.x.copy(), parameters.vector.copy()
    layer.forward(x)
    y = case.forward(layer, x)
    kept, dy = y.copy(), case.dy(y)
    layer.backward(dy)
    for what, now, before in (
        ("x", x, case.x),
        ("dy", dy, case.dy(y)),
        ("its own weights", parameters.vector, weights),
    ):
        if not same(now, before):
            yield f"it writes to {what}"
    layer.forward(case.x[::-1].copy())
    if not same(y, kept):
        yield "the output of one pass is overwritten by the next, outside of a replica"


def _gradients(case: _Case) -> Iterator[str]:
    if not case.report.ok:
        yield f"{case.report}".replace("\n", "\n    ")


def _need_dx(case: _Case) -> Iterator[str]:
    layer, parameters = case.fresh()
    expected = case.run(layer, parameters, case.x)
    layer, parameters = case.fresh()
    if layer.backward(case.dy(case.forward(layer, case.x)), need_dx=False) is not None:
        yield "backward(dy, need_dx=False) must return None"
    if not same(parameters.gradient, expected.gradient):
        yield "with need_dx=False the gradients of its arrays differ"


def _inference(case: _Case) -> Iterator[str]:
    layer, parameters = case.fresh()
    expected = case.run(layer, parameters, case.x)
    other = case.x[::-1][:1].copy()
    before = layer.forward(other).copy()
    if not same(layer.forward(other), before):
        yield "two passes of inference differ"
    y = case.forward(layer, case.x)
    layer.forward(other)
    dx = layer.backward(case.dy(y))
    if not same(dx, expected.dx) or not same(parameters.gradient, expected.gradient):
        yield "inference between forward and backward of a training pass changes its gradients"
    if case.steady and not same(layer.forward(case.x), expected.y):
        yield "training and inference differ, and it is neither stochastic nor couples_rows"


def _repeatable(case: _Case) -> Iterator[str]:
    layer, parameters = case.fresh()
    first, second = (case.run(layer, parameters, case.x) for _ in range(2))
    third = case.run(*case.fresh(), case.x)
    if not _alike(first, second):
        yield "the same pass twice gives different bits"
    if not _alike(first, third):
        yield "the same pass of two equal layers gives different bits"
    if layer.stochastic and all(
        same(case.forward(layer, case.x, case.stream.at(place)), first.y) for place in range(1, 9)
    ):
        yield "it is stochastic, yet nine seeds give the same output"


def _rows(case: _Case) -> Iterator[str]:
    tolerance = ROUNDING[np.dtype(np.float64)]
    layer, parameters = case.fresh()
    alone = np.concatenate([layer.forward(row[None]).copy() for row in case.x])
    if distance(layer.forward(case.x), alone) > tolerance:
        yield "in inference a row's output depends on the rows beside it"
    if not case.steady:
        return
    whole = case.run(layer, parameters, case.x)
    dy = case.dy(whole.y)
    parts = [case.run(layer, parameters, case.x[s], dy[s]) for s in (slice(1), slice(1, None))]
    if distance(whole.y, np.concatenate([part.y for part in parts])) > tolerance:
        yield "in training rows depend on each other, and it does not say couples_rows"
    elif distance(whole.gradient, sum(part.gradient for part in parts)) > tolerance:
        yield "the gradients of two parts of a batch do not add up to that of the batch"


def _configuration(case: _Case) -> Iterator[str]:
    network = case.network()
    config = network.config()
    read: dict[str, object] = json.loads(json.dumps(config, allow_nan=False))
    again = Sequential.from_config(read, {case.layer.kind: type(case.layer)})
    if again.config() != config:
        yield f"made again from {case.layer.config()} it has another configuration"
    again.parameters.load(network.parameters.weights)
    if not same(again.logits(case.x), network.logits(case.x)):
        yield "made again from its configuration it computes something else"


def _save_and_load(case: _Case) -> Iterator[str]:
    x = case.x.astype(np.float32)
    network = Sequential([case.copy(), _Flat()]).build(x.shape[1:], seed=case.seed)
    case.settle(network.parameters)
    network.logits(x, training=True, stream=case.stream)  # what training leaves behind is saved too
    classes = tuple(str(place) for place in range(network.output_shape[0]))
    model = Model(network, transform_for(x), classes, x.shape[1:], str(x.dtype))
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder)
        known: dict[str, type[Layer]] = {case.layer.kind: type(case.layer), _Flat.kind: _Flat}
        loaded = Model.load(folder, layers=known)
    if not same(loaded.network.logits(x), network.logits(x)):
        yield "saved and loaded it computes something else"


class _Flat(Layer):
    """Makes whatever a layer returns the logits of a model; not trained through."""

    kind = "flat_for_the_check"

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (math.prod(input_shape),)

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        return x.reshape(len(x), -1)

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        raise NotImplementedError


def _first_layer(case: _Case) -> Iterator[str]:
    expected = case.run(*case.fresh(), case.x)
    network = case.network()
    y = network.logits(case.x, training=True, stream=case.stream)
    if not same(y, expected.y):
        yield "in a network its output differs"
    network.backward(case.dy(y))
    if not same(network.parameters.gradient, expected.gradient):
        yield "in a network its gradients differ"


def _replica(case: _Case) -> Iterator[str]:
    network = case.network()
    replica = network.replica()
    own, twin = (network.layers[0], network.parameters), (replica.layers[0], replica.parameters)
    # what couples rows may refuse fewer
    shorter = case.x[::-1].copy() if case.couples_rows else case.x[: len(case.x) // 2]
    for x in (case.x, shorter, case.x):
        if not _alike(case.run(*twin, x), case.run(*own, x)):
            yield f"a replica gives other bits on {len(x)} rows, after others before"
            return
    expected = case.run(*own, case.x)
    y = case.forward(own[0], case.x)
    case.run(*twin, case.x[::-1].copy())
    dx = own[0].backward(case.dy(y))
    if not same(dx, expected.dx) or not same(own[1].gradient, expected.gradient):
        yield "a pass of a replica disturbs that of the original"


def _memory_order(case: _Case) -> Iterator[str]:
    layer, parameters = case.fresh()
    expected = case.run(layer, parameters, case.x)
    dy = case.dy(expected.y)
    found = {
        "columns first": case.run(
            layer, parameters, np.asfortranarray(case.x), np.asfortranarray(dy)
        ),
        "with gaps": case.run(layer, parameters, _with_gaps(case.x), _with_gaps(dy)),
    }
    for what, stored in found.items():
        for part in ("y", "dx", "gradient"):
            if distance(getattr(stored, part), getattr(expected, part)) > 1e-10:
                yield f"with x and dy stored {what}, {part} differs"


def _with_gaps(array: Array) -> Array:
    """Return the same numbers, with a row of NaN in memory after each row."""
    spaced = np.full((2 * len(array), *array.shape[1:]), np.nan)
    spaced[::2] = array
    return spaced[::2]


def _few_rows(case: _Case) -> Iterator[str]:
    for n in (0, 1):
        layer, parameters = case.fresh()
        x = case.x[:n].copy()
        expected = (n, *layer.output_shape(x.shape[1:]))
        if (shape := layer.forward(x).shape) != expected:
            yield f"inference on {n} rows gives shape {shape}, expected {expected}"
        try:
            found = case.run(layer, parameters, x)
        except HandloomError:
            if not case.couples_rows:  # only these may refuse
                raise
            continue
        if found.y.shape != expected:
            yield f"training on {n} rows gives shape {found.y.shape}, expected {expected}"
        if found.dx is None or found.dx.shape != x.shape:
            yield f"training on {n} rows gives no dx of shape {x.shape}"
        if not np.isfinite(found.gradient).all() or (n == 0 and found.gradient.any()):
            yield f"training on {n} rows gives gradients that are not those of {n} rows"


PROMISES: Mapping[str, Callable[[_Case], Iterator[str]]] = {
    "values": _values,
    "shapes and dtypes": _shapes_and_dtypes,
    "nothing is overwritten": _nothing_is_overwritten,
    "gradients": _gradients,
    "need_dx": _need_dx,
    "inference": _inference,
    "repeatable": _repeatable,
    "rows": _rows,
    "configuration": _configuration,
    "save and load": _save_and_load,
    "first layer": _first_layer,
    "replica": _replica,
    "memory order": _memory_order,
    "few rows": _few_rows,
}


def _alike(a: _Pass, b: _Pass) -> bool:
    return same(a.y, b.y) and same(a.dx, b.dx) and same(a.gradient, b.gradient)
