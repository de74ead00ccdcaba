"""Float64 replicas of the checked layer, loss or network: value, gradients and arrays."""

from __future__ import annotations  # numpy.random is loaded when it is used

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from math import nan
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.elsewhere import AdvisesOnNames
from handloom.errors import ConfigurationError, ModelError, refuse_class
from handloom.layers import Layer
from handloom.layers.building import build
from handloom.losses import (
    Loss,
    SoftmaxCrossEntropy,
    Targets,
    loss as loss_named,
    output_activation_of,
)
from handloom.network import Sequential
from handloom.parameters import Array, Parameters
from handloom.randomness import Purpose, Stream


def float64_replica_of(
    subject: Layer | Sequential | Loss,
    x: Array,
    targets: npt.ArrayLike | None,
    weights: npt.ArrayLike | None,
    loss: Loss | str | None,
    stream: Stream,
) -> Float64Replica:
    """Return the replica to check; refuse arguments that would be ignored."""
    if isinstance(subject, Layer):
        arguments = {"targets": targets, "weights": weights, "loss": loss}
        if unused := [name for name, value in arguments.items() if value is not None]:
            names = ", ".join(unused)
            raise ConfigurationError(f"{names} must be None for a layer, which is checked without")
        return _LayerReplica(subject, x, stream)
    # a model, whose call is refused, is callable for Python
    is_loss = callable(subject) and not isinstance(subject, type | AdvisesOnNames)
    if not isinstance(subject, Sequential) and not is_loss:
        network = ": pass its network" if hasattr(subject, "network") else ""
        raise ConfigurationError(
            f"the subject must be a layer, a loss or a network, got {subject!r}{network}"
        )
    if targets is None:
        raise ConfigurationError("targets must be given for a loss or a network, got None")
    target_rows = np.array(targets)
    row_weights = None if weights is None else np.array(weights, np.float64)
    if isinstance(subject, Sequential):
        objective = _objective(loss, target_rows)
        return _NetworkReplica(subject, x, target_rows, row_weights, objective, stream)
    if loss is not None:
        raise ConfigurationError(f"loss must be None if the subject is a loss, got {loss!r}")
    return _LossReplica(subject, x, target_rows, row_weights)


def _objective(loss: Loss | str | None, targets: npt.NDArray[np.generic]) -> Loss:
    """Return the loss of a network, or the one of a name; by default that of classes."""
    if isinstance(loss, str):
        return loss_named(loss)
    refuse_class("loss", loss)
    if loss is None and not _are_classes(targets):
        raise ConfigurationError(
            "continuous targets need a loss: pass loss=..., such as MeanSquaredError(); classes "
            "are integers"
        )
    if loss is not None and not callable(loss):
        raise ConfigurationError(
            f"loss must be a loss such as SoftmaxCrossEntropy(), or a name, got {loss!r}"
        )
    return SoftmaxCrossEntropy() if loss is None else loss


def _are_classes(targets: npt.NDArray[Any]) -> bool:
    """Return whether targets are not continuous: class indices, or probabilities of classes."""
    if targets.dtype.kind != "f":
        return True
    return targets.ndim == 2 and np.allclose(targets.sum(axis=1), 1.0)


class _Input:
    """The input rows of a layer or a network, whose index columns are not differentiated.

    Attributes
    ----------
    arrays : dict of str to array
        The entries that are differentiated, as ``"input"``: all columns but index columns. It is
        empty if there are no others.
    """

    def __init__(self, x: Array, index_columns: tuple[int, ...]) -> None:
        self._x, self._columns = x, index_columns
        differentiated = self.differentiated(x)
        self.arrays = {"input": differentiated} if differentiated.size else {}

    def differentiated(self, array: Array) -> Array:
        """Return the entries of an array of the shape of the rows that are differentiated."""
        if not self._columns:
            return array
        return np.ascontiguousarray(np.delete(array, self._columns, axis=1))

    def rows(self) -> Array:
        """Return a copy of the rows, with the current entries."""
        rows = self._x.copy()
        if self._columns and self.arrays:
            rows[:, np.delete(np.arange(rows.shape[1]), self._columns)] = self.arrays["input"]
        return rows

    def reverse(self) -> None:
        """Reverse the order of the entries, and that of the rows of index columns."""
        if self._columns:
            self._x[...] = self._x[::-1].copy()
        for array in self.arrays.values():
            _reverse(array)


def _reverse(array: Array) -> None:
    array[...] = array.reshape(-1)[::-1].reshape(array.shape).copy()


class Float64Replica(ABC):
    """A float64 replica of the checked subject: a value, its gradients, and its arrays.

    Attributes
    ----------
    name : str
        The subject's name.
    data : str
        The name of the array that holds the input rows.
    arrays : dict of str to array
        The arrays that the value depends on, all contiguous; changed in place.
    findings : list of str
        Errors in shapes, dtypes and values.
    """

    name: str
    data: str = "input"
    arrays: dict[str, Array]

    def __init__(self) -> None:
        self.findings: list[str] = []

    @abstractmethod
    def value(self) -> float:
        """Return the function's value at the current arrays."""

    @abstractmethod
    def gradients(self, fill: float = nan) -> dict[str, Array]:
        """Return the gradients to check, by name, and note wrong shapes and dtypes.

        Gradients that backward has to write are filled with ``fill`` before. The result is empty if
        backward could not run.
        """

    def reverse_data(self) -> None:
        """Reverse the input rows; a second time restores them."""
        _reverse(self.arrays[self.data])

    @abstractmethod
    def magnitude(self) -> float:
        """Return the size of the terms whose rounding errors the value contains."""

    def scale(self, name: str) -> float:
        """Return the size of an array's values: their root mean square.

        Weights and biases have at least 0.1: they act on inputs, so that tiny ones need no tiny
        steps.
        """
        size = _size(self.arrays[name])
        return (size or 1.0) if name == self.data else max(size, 0.1)

    def note(self, finding: str) -> None:
        """Add a finding, unless it is there already."""
        if finding not in self.findings:
            self.findings.append(finding)

    def expect(self, name: str, array: object, shape: tuple[int, ...]) -> bool:
        """Note a wrong type, dtype or shape of an array; return whether the shape is right."""
        if not isinstance(array, np.ndarray):
            self.note(f"{name} must be an array, got {type(array).__name__}")
            return False
        if array.dtype != np.float64:
            self.note(f"{name} must be float64, like the input, got {array.dtype}")
        if array.shape != shape:
            self.note(f"{name} must have shape {shape}, got {array.shape}")
        return bool(array.shape == shape)


class _LayerReplica(Float64Replica):
    """A layer, through ``sum(y * dy)`` for a fixed random ``dy``."""

    def __init__(self, layer: Layer, x: Array, stream: Stream) -> None:
        super().__init__()
        self.name = f"{layer.kind}, {len(x)} rows"
        self.layer = copy.deepcopy(layer)
        self._input, self._stream = _Input(x, layer.index_columns), stream.at(Purpose.LAYER)
        self.parameters = build([self.layer], x.shape[1:], seed=stream.seed, dtype=np.float64)
        prefix = f"0.{layer.kind}."
        if layer.weights:
            _load(self.parameters, {prefix + name: view for name, view in layer.weights.items()})
        self._names = {name: name.removeprefix(prefix) for name in self.parameters.specs}
        self.arrays = dict(self._input.arrays)
        for name in self.parameters.gradients:
            self.arrays[self._names[name]] = self.parameters.weights[name]
        self._shape = x.shape
        shape = (len(x), *self.layer.output_shape(x.shape[1:]))
        self.dy: Array = stream.at(Purpose.GENERATE, 0).generator().standard_normal(shape)

    def _forward(self) -> Array:
        rng = self._stream.generator() if self.layer.stochastic else None
        return self.layer.forward(self._input.rows(), training=True, rng=rng)

    def reverse_data(self) -> None:
        self._input.reverse()

    def value(self) -> float:
        return float(np.vdot(self._forward(), self.dy))

    def magnitude(self) -> float:
        return float(np.linalg.norm(self._forward() * self.dy))

    def gradients(self, fill: float = nan) -> dict[str, Array]:
        self.parameters.gradient[...] = fill
        if not self.expect("the output", self._forward(), self.dy.shape):
            return {}  # backward cannot run
        dx = self.layer.backward(self.dy.copy())
        gradients: dict[str, Array] = {}
        if self.expect("the gradient of the input", dx, self._shape) and self._input.arrays:
            gradients["input"] = np.array(self._input.differentiated(dx), np.float64)  # type: ignore[arg-type]
        for name, gradient in self.parameters.gradients.items():
            gradients[self._names[name]] = gradient.copy()
        return gradients


class _LossReplica(Float64Replica):
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


class _NetworkReplica(Float64Replica):
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
                f"x must have rows of shape {network.input_shape}, which the network was built "
                f"for, got {x.shape[1:]}"
            )
        self.network = copy.deepcopy(network)
        self.network.build(x.shape[1:], seed=stream.seed, dtype=np.float64)
        self.parameters = self.network.parameters
        if built:
            _load(self.parameters, network.parameters.weights)
        if not len(self.parameters):
            raise ModelError("the network must have weights to check gradients of, got no weights")
        self._input, self._rows = _Input(x, network.index_columns), len(x)
        self.targets, self.weights, self.loss = targets, weights, loss
        activation = output_activation_of(loss, network.output_activation)
        self.network = self.network.without_activation(activation)
        self._stream = stream.at(Purpose.LAYER)
        trained = {name: self.parameters.weights[name] for name in self.parameters.gradients}
        self.arrays = {**self._input.arrays, **trained}

    def _loss(self) -> tuple[float, Array, Array]:
        logits = self.network.forward(self._input.rows(), training=True, stream=self._stream)
        value, dlogits = self.loss(logits, self.targets, self.weights)
        return float(value) + self.parameters.penalty(), logits, dlogits

    def reverse_data(self) -> None:
        self._input.reverse()

    def value(self) -> float:
        return self._loss()[0]

    def magnitude(self) -> float:
        value, logits, _ = self._loss()
        return max(abs(value), _size(logits))  # a small loss is the difference of large logits

    def gradients(self, fill: float = nan) -> dict[str, Array]:
        self.parameters.gradient[...] = fill
        _, logits, dlogits = self._loss()
        self.expect("the output", logits, (self._rows, *self.network.output_shape))
        self.expect("the gradient of the loss", dlogits, logits.shape)
        self.network.backward(dlogits)
        self.parameters.add_penalty_gradient()
        return {name: array.copy() for name, array in self.parameters.gradients.items()}


def _size(array: Array) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(np.square(array))))


def _load(parameters: Parameters, arrays: Mapping[str, Array]) -> None:
    parameters.load({name: np.asarray(array, np.float64) for name, array in arrays.items()})
