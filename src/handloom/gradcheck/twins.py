"""What is checked, copied into float64: a value, its gradients, and the numbers they depend on."""

from __future__ import annotations  # numpy.random is loaded when it is used

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from math import nan

import numpy as np
import numpy.typing as npt

from handloom.errors import ConfigurationError, ModelError
from handloom.layers import Layer
from handloom.losses import Loss, SoftmaxCrossEntropy, Targets
from handloom.network import Sequential, build
from handloom.parameters import Array, Parameters
from handloom.randomness import Purpose, Stream


def twin_of(
    subject: Layer | Sequential | Loss,
    x: Array,
    targets: npt.ArrayLike | None,
    weights: npt.ArrayLike | None,
    loss: Loss | None,
    stream: Stream,
) -> Twin:
    """Return the copy to check; refuse arguments that it has no use for."""
    if isinstance(subject, Layer):
        given = {"targets": targets, "weights": weights, "loss": loss}
        if unused := [name for name, value in given.items() if value is not None]:
            raise ConfigurationError(f"a layer is checked without {', '.join(unused)}")
        return _LayerTwin(subject, x, stream)
    if not isinstance(subject, Sequential) and (isinstance(subject, type) or not callable(subject)):
        raise ConfigurationError(
            f"what to check must be a layer, a loss or a network, got {subject!r}"
        )
    if targets is None:
        raise ConfigurationError("a loss and a network are checked with targets")
    goals = np.array(targets)
    row_weights = None if weights is None else np.array(weights, np.float64)
    if isinstance(subject, Sequential):
        rule = SoftmaxCrossEntropy() if loss is None else loss
        return _NetworkTwin(subject, x, goals, row_weights, rule, stream)
    if loss is not None:
        raise ConfigurationError("a loss is checked by itself, without another loss")
    return _LossTwin(subject, x, goals, row_weights)


class Twin(ABC):
    """A float64 copy of what is checked: a value, its gradients, and the numbers it depends on.

    Attributes
    ----------
    name : str
        What it is a copy of.
    data : str
        Which of the arrays holds the rows that it was given.
    arrays : dict of str to array
        The numbers that the value depends on, all of them contiguous; to be moved in place.
    findings : list of str
        What is wrong with shapes, dtypes and values.
    """

    name: str
    data: str = "input"
    arrays: dict[str, Array]

    def __init__(self) -> None:
        self.findings: list[str] = []

    @abstractmethod
    def value(self) -> float:
        """Return the function's value at the numbers as they are now."""

    @abstractmethod
    def gradients(self, fill: float = nan) -> dict[str, Array]:
        """Return the gradients to check, by name, and note what is wrong with shapes and dtypes.

        Gradients that backward has to write hold ``fill`` before. None at all means that it could
        not run.
        """

    @abstractmethod
    def magnitude(self) -> float:
        """Return the size of the numbers whose rounding the value carries."""

    def scale(self, name: str) -> float:
        """Return the size of an array's numbers: its root mean square.

        Weights and biases act on inputs beside them, so that tiny ones do not ask for tiny steps.
        """
        size = _size(self.arrays[name])
        return (size or 1.0) if name == self.data else max(size, 0.1)

    def note(self, finding: str) -> None:
        """Keep a finding, once."""
        if finding not in self.findings:
            self.findings.append(finding)

    def expect(self, what: str, found: object, shape: tuple[int, ...]) -> bool:
        """Note what is not a float64 array of a shape; return whether it has at least the shape."""
        if not isinstance(found, np.ndarray):
            self.note(f"{what} must be an array, got {type(found).__name__}")
            return False
        if found.dtype != np.float64:
            self.note(f"{what} is {found.dtype} where what went in was float64")
        if found.shape != shape:
            self.note(f"{what} must have shape {shape}, got {found.shape}")
        return bool(found.shape == shape)


class _LayerTwin(Twin):
    """A layer, through ``sum(y * dy)`` for a fixed random ``dy``."""

    def __init__(self, layer: Layer, x: Array, stream: Stream) -> None:
        super().__init__()
        self.name = f"{layer.kind}, {len(x)} rows"
        self.layer = copy.deepcopy(layer)
        self.x, self._stream = x, stream.at(Purpose.LAYER)
        self.parameters = build([self.layer], x.shape[1:], seed=stream.seed, dtype=np.float64)
        prefix = f"0.{layer.kind}."
        if layer.weights:
            _load(self.parameters, {prefix + name: view for name, view in layer.weights.items()})
        self._names = {name: name.removeprefix(prefix) for name in self.parameters.specs}
        self.arrays = {"input": x}
        for name in self.parameters.gradients:
            self.arrays[self._names[name]] = self.parameters.weights[name]
        shape = (len(x), *self.layer.output_shape(x.shape[1:]))
        self.dy: Array = stream.at(Purpose.GENERATE, 0).generator().standard_normal(shape)

    def _forward(self) -> Array:
        rng = self._stream.generator() if self.layer.stochastic else None
        return self.layer.forward(self.x.copy(), training=True, rng=rng)

    def value(self) -> float:
        return float(np.vdot(self._forward(), self.dy))

    def magnitude(self) -> float:
        return float(np.linalg.norm(self._forward() * self.dy))

    def gradients(self, fill: float = nan) -> dict[str, Array]:
        self.parameters.gradient[...] = fill
        if not self.expect("the output", self._forward(), self.dy.shape):
            return {}  # there is no way back from here
        dx = self.layer.backward(self.dy.copy())
        found: dict[str, Array] = {}
        if self.expect("the gradient of the input", dx, self.x.shape):
            found["input"] = np.array(dx, np.float64)
        for name, gradient in self.parameters.gradients.items():
            found[self._names[name]] = gradient.copy()
        return found


class _LossTwin(Twin):
    """A loss, through its value."""

    data = "predictions"

    def __init__(self, loss: Loss, x: Array, targets: Targets, weights: Array | None) -> None:
        super().__init__()
        self.name = f"{getattr(loss, '__name__', type(loss).__name__)}, {len(x)} rows"
        self.loss, self.x, self.targets, self.weights = loss, x, targets, weights
        self.arrays = {"predictions": x}

    def value(self) -> float:
        return float(self.loss(self.x.copy(), self.targets, self.weights)[0])

    def magnitude(self) -> float:
        return max(abs(self.value()), _size(self.x))

    def gradients(self, fill: float = nan) -> dict[str, Array]:
        _, gradient = self.loss(self.x.copy(), self.targets, self.weights)
        if not self.expect("the gradient", gradient, self.x.shape):
            return {}
        return {"predictions": np.array(gradient, np.float64)}


class _NetworkTwin(Twin):
    """A network, through its loss plus its penalty."""

    def __init__(
        self,
        network: Sequential,
        x: Array,
        targets: Targets,
        weights: Array | None,
        loss: Loss,
        stream: Stream,
    ) -> None:
        super().__init__()
        self.name = f"a network of {len(network.layers)} layers with its penalty, {len(x)} rows"
        built = bool(network.input_shape)
        if built and network.input_shape != x.shape[1:]:
            raise ModelError(
                f"the network was built for rows of shape {network.input_shape}, "
                f"got rows of shape {x.shape[1:]}"
            )
        self.network = copy.deepcopy(network)
        self.network.build(x.shape[1:], seed=stream.seed, dtype=np.float64)
        self.parameters = self.network.parameters
        if built:
            _load(self.parameters, network.parameters.weights)
        if not len(self.parameters):
            raise ModelError("the network has no weights, so it has no gradients to check")
        self.x, self.targets, self.weights, self.loss = x, targets, weights, loss
        self._stream = stream.at(Purpose.LAYER)
        trained = {name: self.parameters.weights[name] for name in self.parameters.gradients}
        self.arrays = {"input": x, **trained}

    def _loss(self) -> tuple[float, Array, Array]:
        logits = self.network.logits(self.x.copy(), training=True, stream=self._stream)
        value, dlogits = self.loss(logits, self.targets, self.weights)
        return float(value) + self.parameters.penalty(), logits, dlogits

    def value(self) -> float:
        return self._loss()[0]

    def magnitude(self) -> float:
        value, logits, _ = self._loss()
        return max(abs(value), _size(logits))  # a small loss is the difference of large logits

    def gradients(self, fill: float = nan) -> dict[str, Array]:
        self.parameters.gradient[...] = fill
        _, logits, dlogits = self._loss()
        self.expect("the output", logits, (len(self.x), *self.network.output_shape))
        self.expect("the gradient of the loss", dlogits, logits.shape)
        self.network.backward(dlogits)
        self.parameters.add_penalty_gradient()
        return {name: array.copy() for name, array in self.parameters.gradients.items()}


def _size(array: Array) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(np.square(array))))


def _load(parameters: Parameters, arrays: Mapping[str, Array]) -> None:
    parameters.load({name: np.asarray(array, np.float64) for name, array in arrays.items()})
