"""One training step of a tiny network, array by array.

The library's own layers, loss and optimizer run; this file copies the arrays, and
the files of `handloom.walkthroughs` write the equations between them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.errors import ModelError, require_count
from handloom.layers import Layer, softmax
from handloom.layers.building import build
from handloom.losses import Loss, SoftmaxCrossEntropy
from handloom.optimizers import Optimizer
from handloom.parameters import Array, Parameters
from handloom.randomness import Purpose, Stream
from handloom.recipes.settings import Settings
from handloom.walkthroughs.equations import Equation, Named, Part, number
from handloom.walkthroughs.layer_equations import (
    BackwardPass,
    ForwardPass,
    backward_part,
    forward_part,
)
from handloom.walkthroughs.loss_equations import Penalized, cross_entropy, penalty, row_loss
from handloom.walkthroughs.optimizer_equations import Update, update

ROWS, INPUTS, HIDDEN, CLASSES = 2, 3, 3, 2

LETTERS = {
    "weights": "W",
    "biases": "b",
    "velocity": "u",
    "first_moment": "m",
    "second_moment": "v",
    "squares": "v",
}
"""The letters of the equations for the names in the library."""


@dataclass(frozen=True)
class Example:
    """A network with one batch, by default one of `tiny_settings`.

    Attributes
    ----------
    layers : tuple of Layer
        The layers without the final activation that is part of the loss in training.
    parameters : Parameters
        In float64; the initial weights of the tiny network are multiples of a quarter.
    x : array, shape (n, ...)
        The rows; those of the tiny network are multiples of a half.
    targets : array, shape (n,) or (n, k)
        The classes of the rows, or continuous targets.
    loss : Loss
    stream : Stream or None
        The random stream of stochastic layers.
    """

    layers: tuple[Layer, ...]
    parameters: Parameters
    x: Array
    targets: npt.NDArray[Any]
    loss: Loss = field(default_factory=SoftmaxCrossEntropy)
    stream: Stream | None = None

    @property
    def shows_classes(self) -> bool:
        """Whether the loss is that of classes, whose equations are written in full."""
        unsmoothed = type(self.loss) is SoftmaxCrossEntropy and not self.loss.label_smoothing
        return unsmoothed and self.targets.ndim == 1

    @property
    def differs_in_prediction(self) -> bool:
        """Whether a layer draws or mixes rows in training, so that the loss there is another."""
        return any(layer.stochastic or layer.couples_rows for layer in self.layers)


def tiny_settings(**changes: Any) -> Settings:
    """Return the settings of the tiny network; the learning rate is that of the optimizer.

    Parameters
    ----------
    **changes
        Fields of `Settings` in place of the defaults here.

    Raises
    ------
    ConfigurationError
        If a value is invalid, or would be ignored.
    """
    tiny = Settings((HIDDEN,), optimizer="sgd", schedule="constant", l2=0.01)
    return replace(tiny, **changes)


def example(settings: Settings) -> Example:
    """Return the network of the settings and a batch, in numbers of few digits.

    Quarters and halves are exact in binary, so that the first sums are exact.
    """
    layers = settings.network(CLASSES).layers[:-1]
    parameters = build(layers, (INPUTS,), seed=settings.seed, dtype=np.float64)
    parameters.vector[...] = (4.0 * parameters.vector).round() / 4.0
    generator = Stream(settings.seed).at(Purpose.GENERATE).generator()
    x = (2.0 * generator.uniform(-2.0, 2.0, (ROWS, INPUTS))).round() / 2.0
    return Example(layers, parameters, x, np.arange(ROWS) % CLASSES)


def walk(settings: Settings, steps: int = 1) -> Iterator[list[Part]]:
    """Train the tiny network on its batch and return the parts of each step, one step at a time.

    Parameters
    ----------
    settings : Settings
        See `tiny_settings`.
    steps : int
        The number of steps.

    Raises
    ------
    ConfigurationError
        If ``steps`` is less than one.
    """
    require_count("steps", steps)
    tiny, rate = example(settings), settings.rate(steps)
    optimizer = settings.new_optimizer().bind(tiny.parameters)
    return (step(tiny, optimizer, rate(count)) for count in range(steps))


@np.errstate(over="ignore", invalid="ignore")  # checked before the update
def step(tiny: Example, optimizer: Optimizer, rate: float) -> list[Part]:
    """Make one training step and return its parts in order.

    Parameters
    ----------
    tiny : Example
        The network and its batch; the weights are updated.
    optimizer : Optimizer
        The optimizer, bound to the parameters of the network.
    rate : float
        The learning rate.

    Raises
    ------
    ModelError
        If loss or gradient is not finite; training would stop there too.
    """
    parameters = tiny.parameters
    kind = "class" if tiny.shows_classes else "target"
    x, t = Named("x", tiny.x.copy()), Named("t", tiny.targets.copy())
    passes = _forward(tiny, x)
    loss, dz, measured = _loss(tiny, passes[-1].y if passes else x, t)
    parts = [
        Part(f"The batch: rows x and the {kind} t of each", (), (x, t)),
        *(forward_part(layer, p) for layer, p in zip(tiny.layers, passes, strict=True)),
        measured,
        *_backward(tiny.layers, passes, dz),
    ]
    before = parameters.penalty()
    if any(spec.l1 or spec.l2 for spec in parameters.specs.values()):
        parts.append(_penalty(parameters, loss))
    if not np.isfinite([loss + before, parameters.gradient.sum()]).all():
        raise ModelError("loss and gradient must be finite; try a smaller learning rate")
    compared = f"before the step: {number(loss + before)}"
    if tiny.differs_in_prediction:
        _, predicted = _predicted(tiny)
        compared = f"before the step, as in prediction: {number(predicted + before)}"
    return [*parts, *_updated(parameters, optimizer, rate), _afterwards(tiny, t, compared)]


def _forward(tiny: Example, x: Named) -> list[ForwardPass]:
    """Run the layers and return the arrays of each; the output of the last is ``z``."""
    passes = []
    for index, layer in enumerate(tiny.layers):
        name = "z" if index == len(tiny.layers) - 1 else f"y{index}"
        draws = tiny.stream is not None and layer.stochastic
        rng = tiny.stream.at(index).generator() if tiny.stream is not None and draws else None
        y = Named(name, layer.forward(x.values, training=True, rng=rng).copy())
        passes.append(ForwardPass(f"{index}.{layer.kind}", x, y, _named(layer.weights, "", index)))
        x = y
    return passes


def _backward(layers: Sequence[Layer], passes: Sequence[ForwardPass], dy: Named) -> list[Part]:
    """Run the layers backward and return the part of each, the last layer first."""
    parts = []
    for index in reversed(range(len(layers))):
        layer, forward = layers[index], passes[index]
        values = layer.backward(dy.values, need_dx=index > 0)
        dx = None if values is None else Named(f"d{forward.x.name}", values.copy())
        back = BackwardPass(dy, _named(layer.gradients, "d", index), dx)
        parts.append(backward_part(layer, forward, back))
        dy = dx or dy
    return parts


def _letter(name: str) -> str:
    """Return ``"W0"`` for ``"0.dense.weights"``; arrays inside of a block keep their name."""
    index, _, own = name.split(".", 2)
    return name if "." in own else f"{LETTERS.get(own, own)}{index}"


def _named(arrays: Mapping[str, Array], prefix: str, index: int) -> dict[str, Named]:
    """Return copies of a layer's arrays with their names in the equations."""
    return {
        name: Named.weights(f"{prefix}{LETTERS.get(name, name)}{index}", values)
        for name, values in arrays.items()
    }


def _loss(tiny: Example, z: Named, t: Named) -> tuple[float, Named, Part]:
    """Compute the loss of each row and their mean; return its value, gradient and part."""
    measure = tiny.loss
    loss, gradient = measure(z.values, t.values)
    rows = [slice(row, row + 1) for row in range(len(t.values))]
    losses = np.array([measure(z.values[row], t.values[row])[0] for row in rows])
    dz, each = Named("dz", gradient), Named("l", losses)
    if not tiny.shows_classes:
        kind = getattr(measure, "__name__", type(measure).__name__)
        return loss, dz, row_loss(kind, z, t, each, loss, dz)
    p = Named("p", softmax(z.values))
    return loss, dz, cross_entropy(z, t, p, each, loss, dz)


def _penalty(parameters: Parameters, loss: float) -> Part:
    """Add the penalty's gradient and return the part of the penalty."""
    before = {name: gradient.copy() for name, gradient in parameters.gradients.items()}
    parameters.add_penalty_gradient()
    penalized = [
        Penalized(
            spec,
            Named.weights(_letter(name), parameters.weights[name]),
            Named.weights(f"d{_letter(name)}", before[name]),
            Named.weights(f"g{_letter(name)}", parameters.gradients[name]),
        )
        for name, spec in parameters.specs.items()
        if spec.l1 or spec.l2
    ]
    return penalty(penalized, loss, parameters.penalty())


def _updated(parameters: Parameters, optimizer: Optimizer, rate: float) -> list[Part]:
    """Step and return the part of each array; the optimizer updates them as one vector."""
    weights = {name: w.copy() for name, w in parameters.weights.items()}
    state = {moment: parameters.views(vector.copy()) for moment, vector in optimizer.state.items()}
    optimizer.step(rate)
    parts = []
    for name in parameters.gradients:
        letter, spec = _letter(name), parameters.specs[name]
        gradient = f"{'g' if spec.l1 or spec.l2 else 'd'}{letter}"
        moments = {moment: f"{LETTERS.get(moment, moment)}{letter}" for moment in optimizer.state}
        made = Update(
            name,
            Named.weights(letter, weights[name]),
            Named.weights(gradient, parameters.gradients[name]),
            {m: Named.weights(short, state[m][name]) for m, short in moments.items()},
            {
                m: Named.weights(f"{short}'", parameters.views(optimizer.state[m])[name])
                for m, short in moments.items()
            },
            Named.weights(f"{letter}'", parameters.weights[name]),
            spec.is_matrix,
        )
        parts.append(update(optimizer, rate, made))
    return parts


def _predicted(tiny: Example) -> tuple[Array, float]:
    """Return the output of the last layer and the loss of the batch, as in prediction."""
    z = tiny.x
    for layer in tiny.layers:
        z = layer.forward(z)
    return z, tiny.loss(z, tiny.targets)[0]


def _afterwards(tiny: Example, t: Named, compared: str) -> Part:
    """Return the part of the loss of the batch with the new weights."""
    z, loss = _predicted(tiny)
    total = tiny.parameters.penalty()
    equation = Equation(
        f"total' = loss' + penalty'   ({compared})",
        f"total' = {number(loss)} + {number(total)} = {number(loss + total)}",
    )
    title = "After the step: the same batch with the new weights"
    if tiny.differs_in_prediction:
        title += ", as in prediction"
    if not np.isfinite(loss + total):
        title += ". Its loss is not finite: try a smaller learning rate"
    return Part(title, (equation,), (Named("z'", z), t))
