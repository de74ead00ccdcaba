"""The promises of every layer, each a function that yields the ways in which a layer breaks it."""

from __future__ import annotations  # numpy.random is loaded when it is used

import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from handloom.data.transforms import transform_for
from handloom.errors import ConfigurationError, HandloomError
from handloom.layers import Layer
from handloom.model import Model
from handloom.network import Sequential
from handloom.parameters import Array
from handloom.testing.contract import ROUNDING, distance, same
from handloom.testing.layer_case import LayerCase, same_passes


def _values(case: LayerCase) -> Iterator[str]:
    if case.reference is None:
        return
    for dtype, tolerance in ROUNDING.items():
        layer, _ = case.fresh(dtype)
        weights = {name: view.astype(np.float64) for name, view in layer.weights.items()}
        x = case.x.astype(dtype)
        y = layer.forward(x) if layer.stochastic else case.forward(layer, x)
        expected = np.asarray(case.reference(x.astype(np.float64), weights))
        if expected.shape != y.shape:
            yield f"the output must have shape {expected.shape} of the reference, got {y.shape}"
        elif (error := distance(y, expected)) > tolerance:
            yield f"in {dtype} the output is {error:.1e} away from the reference"


def _shapes_and_dtypes(case: LayerCase) -> Iterator[str]:
    for dtype in ROUNDING:
        layer, parameters = case.fresh(dtype)
        x = case.x.astype(dtype)
        expected = (len(x), *layer.output_shape(x.shape[1:]))
        inferred, trained = layer.forward(x), case.run(layer, parameters, x)
        for name, array, shape in (
            ("the output of inference", inferred, expected),
            ("the output of training", trained.y, expected),
            ("dx", trained.dx, x.shape),
        ):
            if array is None:
                yield f"{name} must be an array, got None"
            elif array.shape != shape or array.dtype != dtype:
                yield (
                    f"{name} must be {dtype} of shape {shape}, "
                    f"got {array.dtype} of shape {array.shape}"
                )


def _nothing_is_overwritten(case: LayerCase) -> Iterator[str]:
    layer, parameters = case.fresh()
    x, weights = case.x.copy(), parameters.vector.copy()
    layer.forward(x)
    y = case.forward(layer, x)
    y_before, dy = y.copy(), case.dy(y)
    layer.backward(dy)
    for name, now, before in (
        ("x", x, case.x),
        ("dy", dy, case.dy(y)),
        ("its own weights", parameters.vector, weights),
    ):
        if not same(now, before):
            yield f"it writes to {name}"
    layer.forward(case.x[::-1].copy())
    if not same(y, y_before):
        yield "the output of one pass is overwritten by the next, outside of a replica"


def _gradients(case: LayerCase) -> Iterator[str]:
    if not case.report.ok:
        yield f"{case.report}".replace("\n", "\n    ")


def _need_dx(case: LayerCase) -> Iterator[str]:
    layer, parameters = case.fresh()
    expected = case.run(layer, parameters, case.x)
    layer, parameters = case.fresh()
    if layer.backward(case.dy(case.forward(layer, case.x)), need_dx=False) is not None:
        yield "backward(dy, need_dx=False) must return None"
    if not same(parameters.gradient, expected.gradient):
        yield "with need_dx=False the gradients of its arrays differ"


def _inference(case: LayerCase) -> Iterator[str]:
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
    if case.deterministic and not same(layer.forward(case.x), expected.y):
        yield "training and inference differ, and it is neither stochastic nor couples_rows"


def _repeatable(case: LayerCase) -> Iterator[str]:
    layer, parameters = case.fresh()
    first, second = (case.run(layer, parameters, case.x) for _ in range(2))
    third = case.run(*case.fresh(), case.x)
    if not same_passes(first, second):
        yield "the same pass twice gives different bits"
    if not same_passes(first, third):
        yield "the same pass of two equal layers gives different bits"
    if layer.stochastic and all(
        same(case.forward(layer, case.x, case.stream.at(index)), first.y) for index in range(1, 9)
    ):
        yield "it is stochastic, yet nine seeds give the same output"


def _rows(case: LayerCase) -> Iterator[str]:
    tolerance = ROUNDING[np.dtype(np.float64)]
    layer, parameters = case.fresh()
    alone = np.concatenate([layer.forward(row[None]).copy() for row in case.x])
    if distance(layer.forward(case.x), alone) > tolerance:
        yield "in inference a row's output depends on the rows beside it"
    if not case.deterministic:
        return
    whole = case.run(layer, parameters, case.x)
    dy = case.dy(whole.y)
    parts = [case.run(layer, parameters, case.x[s], dy[s]) for s in (slice(1), slice(1, None))]
    if distance(whole.y, np.concatenate([part.y for part in parts])) > tolerance:
        yield "in training rows depend on each other, and it does not set couples_rows"
    elif distance(whole.gradient, sum(part.gradient for part in parts)) > tolerance:
        yield "the gradients of two parts of a batch do not add up to that of the batch"


def _configuration(case: LayerCase) -> Iterator[str]:
    network = case.network()
    config = network.config()
    read: dict[str, object] = json.loads(json.dumps(config, allow_nan=False))
    again = Sequential.from_config(read, {case.layer.kind: type(case.layer)})
    if again.config() != config:
        yield f"restored from {case.layer.config()} it has another configuration"
    again.parameters.load(network.parameters.weights)
    if not same(again.forward(case.x), network.forward(case.x)):
        yield "restored from its configuration it computes another output"


def _save_and_load(case: LayerCase) -> Iterator[str]:
    x = case.x.astype(np.float32)
    network = Sequential([case.copy(), _Flat()]).build(x.shape[1:], seed=case.seed)
    case.perturb(network.parameters)
    network.forward(x, training=True, stream=case.stream)  # state of training is saved too
    classes = tuple(str(index) for index in range(network.output_shape[0]))
    model = Model(network, transform_for(x), classes, x.shape[1:], str(x.dtype))
    try:
        model.check_savable()
    except ConfigurationError as error:
        yield f"saved and loaded it computes something else, so saving is refused: {error}"
        return
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "saved")
        known: dict[str, type[Layer]] = {case.layer.kind: type(case.layer), _Flat.kind: _Flat}
        loaded = Model.load(Path(folder) / "saved", layers=known)
    if not same(loaded.network.forward(x), network.forward(x)):
        yield "saved and loaded it computes another output"


class _Flat(Layer):
    """Flattens the output of a layer to the logits of a model; has no backward."""

    kind = "flat_for_the_check"

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (math.prod(input_shape),)

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        return x.reshape(len(x), -1)

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        raise NotImplementedError


def _first_layer(case: LayerCase) -> Iterator[str]:
    expected = case.run(*case.fresh(), case.x)
    network = case.network()
    y = network.forward(case.x, training=True, stream=case.stream)
    if not same(y, expected.y):
        yield "in a network its output differs"
    network.backward(case.dy(y))
    if not same(network.parameters.gradient, expected.gradient):
        yield "in a network its gradients differ"


def _replica(case: LayerCase) -> Iterator[str]:
    network = case.network()
    replica = network.replica()
    own, other = (network.layers[0], network.parameters), (replica.layers[0], replica.parameters)
    # a layer that couples rows may refuse fewer
    shorter = case.x[::-1].copy() if case.couples_rows else case.x[: len(case.x) // 2]
    for x in (case.x, shorter, case.x):
        if not same_passes(case.run(*other, x), case.run(*own, x)):
            yield f"a replica gives other bits on {len(x)} rows, after others before"
            return
    expected = case.run(*own, case.x)
    y = case.forward(own[0], case.x)
    case.run(*other, case.x[::-1].copy())
    dx = own[0].backward(case.dy(y))
    if not same(dx, expected.dx) or not same(own[1].gradient, expected.gradient):
        yield "a pass of a replica changes that of the original"


def _memory_order(case: LayerCase) -> Iterator[str]:
    layer, parameters = case.fresh()
    expected = case.run(layer, parameters, case.x)
    dy = case.dy(expected.y)
    passes = {
        "columns first": case.run(
            layer, parameters, np.asfortranarray(case.x), np.asfortranarray(dy)
        ),
        "with gaps": case.run(layer, parameters, _with_gaps(case.x), _with_gaps(dy)),
    }
    for order, result in passes.items():
        for part in ("y", "dx", "gradient"):
            if distance(getattr(result, part), getattr(expected, part)) > 1e-10:
                yield f"with x and dy stored {order}, {part} differs"


def _with_gaps(array: Array) -> Array:
    """Return the same values, with a row of NaN in memory after each row."""
    spaced = np.full((2 * len(array), *array.shape[1:]), np.nan)
    spaced[::2] = array
    return spaced[::2]


def _few_rows(case: LayerCase) -> Iterator[str]:
    for n in (0, 1):
        layer, parameters = case.fresh()
        x = case.x[:n].copy()
        expected = (n, *layer.output_shape(x.shape[1:]))
        if (shape := layer.forward(x).shape) != expected:
            yield f"the output of inference on {n} rows must have shape {expected}, got {shape}"
        try:
            trained = case.run(layer, parameters, x)
        except HandloomError:
            if not case.couples_rows:  # only these may refuse
                raise
            continue
        if trained.y.shape != expected:
            shape = trained.y.shape
            yield f"the output of training on {n} rows must have shape {expected}, got {shape}"
        if trained.dx is None or trained.dx.shape != x.shape:
            received = None if trained.dx is None else trained.dx.shape
            yield f"dx of training on {n} rows must have shape {x.shape}, got {received}"
        if not np.isfinite(trained.gradient).all() or (n == 0 and trained.gradient.any()):
            yield f"gradients of training on {n} rows must be finite, and zero without rows"


PROMISES: Mapping[str, Callable[[LayerCase], Iterator[str]]] = {
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
