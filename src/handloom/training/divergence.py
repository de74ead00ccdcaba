"""Divergence: the first array that is not finite, by running the step again layer by layer."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from handloom.data.batches import Shard
from handloom.data.transforms import Transform, given_rows
from handloom.errors import ModelError
from handloom.losses import Loss, RowLoss
from handloom.network import Sequential
from handloom.operations import Arrays
from handloom.parameters import Array
from handloom.text import printable

LARGE = 100.0
"""The size of inputs or targets above which they are the likely cause. Initial weights are made for
inputs of about unit size; see LeCun, Bottou, Orr, Müller, "Efficient BackProp", in "Neural
Networks: Tricks of the Trade", Springer, 1998, section 4.3."""

INPUT = "the input"
"""The name of the network's input."""

SEARCHED = 1 << 24
"""The number of values in which the largest input is searched; of more, a part of the rows is."""

SMALLER_RATE = (
    "A smaller learning rate usually helps; if not, smaller initial weights, or clip_norm"
)
"""The remedy where neither inputs nor targets are large."""

LOGITS, GRADIENT, WEIGHTS = "the gradient of the logits", "the gradient of ", "the weights "
"""The name of an array, and the beginnings of the names of others."""


@dataclass(frozen=True)
class Divergence:
    """The first array of a training that was not finite, and the update before it.

    Attributes
    ----------
    array : str
        The name of the array, such as ``"the output of 2.dense"``.
    epoch, step : int
        Epoch and step of the array, counted from 0; steps from the beginning of the training.
    learning_rate : float
        The rate of the last update before it, or of the first step itself.
    gradient_norm : float or None
        The Euclidean norm of the gradient at that update; None at the first step.
    largest_input, largest_target : float
        The largest absolute values of the transformed inputs and of continuous targets; of inputs
        that overflow, that before the transform.
    dtype : str
        The dtype of the network.
    """

    array: str
    epoch: int
    step: int
    learning_rate: float
    gradient_norm: float | None
    largest_input: float = 0.0
    largest_target: float = 0.0
    dtype: str = "float32"

    def __str__(self) -> str:
        return self.explained(SMALLER_RATE)

    def explained(self, smaller_rate: str) -> str:
        """Return the cause, with a remedy: ``smaller_rate`` in place of `SMALLER_RATE`."""
        advice = self._advice(smaller_rate)
        if self.before_training:
            return printable(f"{self.array} were not finite before the first step. {advice}")
        before = "it was the first step"
        if self.gradient_norm is not None:
            before = (
                f"the update before it had a gradient norm of {self.gradient_norm:.3g}, and the "
                f"learning rate was {self.learning_rate:.3g} at that step"
            )
        return printable(
            f"{self.array} was the first array that was not finite, in epoch {self.epoch + 1} at "
            f"step {self.step + 1}; {before}. {advice}"
        )

    @property
    def before_training(self) -> bool:
        """Whether weights were not finite before the first step."""
        return self.array.startswith(WEIGHTS) and self.gradient_norm is None

    def _advice(self, smaller_rate: str) -> str:
        """Return the most likely cause, with a remedy."""
        if self.before_training:
            return "Build the network again, or set weights that are finite"
        parts = {"targets": self.largest_target, "inputs": self.largest_input}
        large = {name: size for name, size in parts.items() if not size <= LARGE}
        if self.array == INPUT and (not large or math.isinf(self.largest_input)):
            return (
                "Rows of the inputs are NaN or infinite. A Dataset checks its rows when it is "
                "made, so they have changed since, or an augmentation or a transform makes such "
                "values: numpy.isfinite(train.inputs) shows which rows"
            )
        if not large:
            return smaller_rate
        sizes = " and ".join(f"{name} are as large as {size:.3g}" for name, size in large.items())
        reason = "which no learning rate is made for"
        if max(large.values()) > float(np.finfo(self.dtype).max):
            reason = f"which overflows {self.dtype}"
        return (
            f"The {sizes}, {reason}: scale the {' and '.join(large)} to about unit size, for "
            f"instance to mean 0 and standard deviation 1"
        )


def largest_values(
    arrays: Arrays, transform: Transform, network: Sequential
) -> tuple[float, float]:
    """Return the largest absolute values of inputs and of continuous targets; see `Divergence`.

    Parameters
    ----------
    arrays : Arrays
        The training rows, before the transform.
    transform : Transform
    network : Sequential
        Its dtype and the shape of its input are those of the transformed rows.
    """
    size = max(1, SEARCHED // max(1, network.largest_activation))
    every = -(-len(arrays.inputs) // size)
    largest, at_once = 0.0, 1024
    prepared = np.empty((at_once, *network.input_shape), network.parameters.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(arrays.inputs), at_once * every):
            rows = arrays.inputs[start : start + at_once * every : every]
            transform(given_rows(transform, rows), prepared[: len(rows)].reshape(len(rows), -1))
            values = prepared[: len(rows)]
            if not np.isfinite(values).all():  # they overflow
                values = rows
            largest = max(largest, float(np.abs(values).max()))
    continuous = np.issubdtype(arrays.targets.dtype, np.floating)
    return largest, float(np.abs(arrays.targets).max()) if continuous else 0.0


def first_bad_array(
    network: Sequential, loss: Loss, shards: Iterable[Shard], total_weight: float
) -> str:
    """Run a step again and return the name of the first array that is not finite.

    Parameters
    ----------
    network : Sequential
        The network with the weights before the step. Its gradients are overwritten.
    loss : Loss
    shards : iterable of Shard
        The rows of the step, in order.
    total_weight : float
        The sum of the rows' weights.

    Returns
    -------
    str
        Such as ``"the output of 2.dense"``.

    Raises
    ------
    ModelError
        If all arrays are finite, but a layer or the loss does not overwrite one of its gradients.
    """
    if bad := first_bad_weights(network):
        return bad
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for shard in shards:
            for name, array in _arrays(network, loss, shard, total_weight, fill=0.0):
                if not np.isfinite(array).all():
                    return name
            # finite in memory of zeros; entries not finite in memory of NaN are not overwritten
            for name, array in _arrays(network, loss, shard, total_weight, fill=np.nan):
                if not np.isfinite(array).all():
                    raise ModelError(_not_overwritten(name, loss))
    return "a sum over the shards, or the penalty,"


def _not_overwritten(name: str, loss: Loss) -> str:
    """Return the message that a gradient is not overwritten."""
    if name == LOGITS:
        kind = getattr(loss, "__name__", type(loss).__name__)
        array = "gradient" if isinstance(loss, RowLoss) else "out"
        return (
            f"the loss {kind} must overwrite its gradient, as {array}[...] = ...; it leaves "
            f"entries as they are, adds to them, or writes into another array"
        )
    layer, _, own = name.removeprefix(GRADIENT).rpartition(".")
    return (
        f"layer {layer}: backward must overwrite its gradient, as self.gradients[{own!r}][...] = "
        f"...; it leaves entries as they are, adds to them, or writes into another array"
    )


def first_bad_weights(network: Sequential) -> str | None:
    """Return the first of a network's weight arrays that is not finite, or None."""
    for name, weights in network.parameters.weights.items():
        if not np.isfinite(weights).all():
            return f"{WEIGHTS}{name}"
    return None


def _arrays(
    network: Sequential, loss: Loss, shard: Shard, total_weight: float, fill: float
) -> Iterator[tuple[str, Array]]:
    """Yield every array of one shard's passes, in the order of computation.

    ``fill`` is the value of gradients before they are written.
    """
    gradients = network.parameters.gradients
    network.parameters.gradient.fill(fill)
    x = shard.x
    yield INPUT, x
    named = network.named_layers()
    for index, (name, layer) in enumerate(named):
        stream = shard.stream if layer.stochastic else None
        rng = None if stream is None else stream.at(index).generator()
        x = layer.forward(x, training=True, rng=rng)
        yield f"the output of {name}", x
    dy = np.full_like(x, fill)
    value, _ = loss(x, shard.targets, shard.weights, total_weight=total_weight, out=dy)
    yield "the loss", np.array(value)
    yield LOGITS, dy
    for name, layer in reversed(named):
        dx = layer.backward(dy)
        for own, gradient in gradients.items():  # those of the layer may be other arrays
            if own.startswith(f"{name}."):
                yield f"{GRADIENT}{own}", gradient
        if dx is None:
            return
        dy = dx
        yield f"the gradient of the input of {name}", dy
