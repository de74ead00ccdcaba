"""One training step of a tiny network, array by array, for a reader with a pencil.

The library's own layers, loss and optimizer run; this file takes copies of what passes by, and
`handloom.walkthrough.equations` says how it came about.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.errors import ModelError, require_count
from handloom.layers import Layer, softmax
from handloom.losses import SoftmaxCrossEntropy
from handloom.network import build
from handloom.optimizers import Optimizer
from handloom.parameters import Array, Parameters
from handloom.randomness import Purpose, Stream
from handloom.recipes.settings import Settings
from handloom.walkthrough.equations import (
    BACKWARD,
    FORWARD,
    Equation,
    Named,
    Part,
    Passage,
    Return,
    Update,
    Weighed,
    cross_entropy,
    number,
    penalty,
    update,
)

ROWS, INPUTS, HIDDEN, CLASSES = 2, 3, 3, 2

LETTERS = {
    "weights": "W",
    "biases": "b",
    "velocity": "u",
    "first_moment": "m",
    "second_moment": "v",
    "squares": "s",
}
"""The field's letters for what the library gives a longer name."""


@dataclass(frozen=True)
class Example:
    """A tiny network with a batch to learn.

    Attributes
    ----------
    layers : tuple of Layer
        Without the final softmax, which training leaves to the loss.
    parameters : Parameters
        In float64; the weights start as multiples of a quarter.
    x : array, shape (n, d)
        The rows, multiples of a half.
    classes : integer array, shape (n,)
        Their classes.
    """

    layers: tuple[Layer, ...]
    parameters: Parameters
    x: Array
    classes: npt.NDArray[np.int64]


def tiny_settings(**changes: Any) -> Settings:
    """Return the settings of the tiny network: a training's, with defaults for reading.

    Parameters
    ----------
    **changes
        Other values of `Settings`.

    Raises
    ------
    ConfigurationError
        If one of them is invalid, or would be ignored.
    """
    tiny = Settings((HIDDEN,), optimizer="sgd", learning_rate=0.1, schedule="constant", l2=0.01)
    return replace(tiny, **changes)


def example(settings: Settings) -> Example:
    """Return the network that the settings describe and a batch, in numbers that are short.

    Quarters and halves are exact in binary, so that the first sums are those of the pencil.
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
        How many steps to make.

    Raises
    ------
    ConfigurationError
        If that is less than one.
    """
    require_count("steps", steps)
    tiny, rate = example(settings), settings.rate(steps)
    rule = settings.rule().bind(tiny.parameters)
    return (step(tiny, rule, rate(count)) for count in range(steps))


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is refused before the update
def step(tiny: Example, rule: Optimizer, rate: float) -> list[Part]:
    """Make one training step and return its parts in order.

    Parameters
    ----------
    tiny : Example
        Its weights are updated.
    rule : Optimizer
        Bound to its parameters.
    rate : float
        The learning rate.

    Raises
    ------
    ModelError
        If loss or gradient is not finite, where training would stop too.
    """
    parameters = tiny.parameters
    x, c = Named("x", tiny.x.copy()), Named("c", tiny.classes.copy())
    passages = _forward(tiny.layers, x)
    loss, dz, measured = _loss(passages[-1].y, c)
    parts = [
        Part("The batch: rows x and the class c of each", (), (x, c)),
        *(FORWARD[layer.kind](p) for layer, p in zip(tiny.layers, passages, strict=True)),
        measured,
        *_backward(tiny.layers, passages, dz),
    ]
    before = parameters.penalty()
    if any(spec.l1 or spec.l2 for spec in parameters.specs.values()):
        parts.append(_penalty(parameters, loss))
    if not np.isfinite([loss + before, parameters.gradient.sum()]).all():
        raise ModelError("loss or gradient is not finite any more; try a smaller learning rate")
    return [*parts, *_updates(parameters, rule, rate), _afterwards(tiny, c, loss + before)]


def _forward(layers: Sequence[Layer], x: Named) -> list[Passage]:
    """Run the layers and note what went through each; what the last returns is ``z``."""
    passages = []
    for place, layer in enumerate(layers):
        name = "z" if place == len(layers) - 1 else f"y{place}"
        y = Named(name, layer.forward(x.values, training=True).copy())
        passages.append(Passage(f"{place}.{layer.kind}", x, y, _named(layer.weights, "", place)))
        x = y
    return passages


def _backward(layers: Sequence[Layer], passages: Sequence[Passage], dy: Named) -> list[Part]:
    """Run the layers backward and say what came of each, the last layer first."""
    parts = []
    for place in reversed(range(len(layers))):
        layer, passage = layers[place], passages[place]
        values = layer.backward(dy.values, need_dx=place > 0)
        dx = None if values is None else Named(f"d{passage.x.name}", values.copy())
        back = Return(dy, _named(layer.gradients, "d", place), dx)
        parts.append(BACKWARD[layer.kind](passage, back))
        dy = dx or dy
    return parts


def _letter(name: str) -> str:
    """Return ``"W0"`` for ``"0.dense.weights"``."""
    place, _, own = name.split(".", 2)
    return f"{LETTERS.get(own, own)}{place}"


def _named(arrays: Mapping[str, Array], prefix: str, place: int) -> dict[str, Named]:
    """Return copies of a layer's arrays with the names that equations use."""
    return {
        name: Named(f"{prefix}{LETTERS.get(name, name)}{place}", values.copy())
        for name, values in arrays.items()
    }


def _loss(z: Named, c: Named) -> tuple[float, Named, Part]:
    """Measure the loss, of each row and of all; return its value, gradient and part."""
    measure = SoftmaxCrossEntropy()
    loss, gradient = measure(z.values, c.values)
    rows = [slice(row, row + 1) for row in range(len(c.values))]
    losses = np.array([measure(z.values[row], c.values[row])[0] for row in rows])
    dz, p, each = Named("dz", gradient), Named("p", softmax(z.values)), Named("l", losses)
    return loss, dz, cross_entropy(z, c, p, each, loss, dz)


def _penalty(parameters: Parameters, loss: float) -> Part:
    """Add the penalty's gradient and say what it did."""
    before = {name: gradient.copy() for name, gradient in parameters.gradients.items()}
    parameters.add_penalty_gradient()
    weighed = [
        Weighed(
            spec,
            Named(_letter(name), parameters.weights[name].copy()),
            Named(f"d{_letter(name)}", before[name]),
            Named(f"g{_letter(name)}", parameters.gradients[name].copy()),
        )
        for name, spec in parameters.specs.items()
        if spec.l1 or spec.l2
    ]
    return penalty(weighed, loss, parameters.penalty())


def _updates(parameters: Parameters, rule: Optimizer, rate: float) -> list[Part]:
    """Step, and say what it did to each array; the optimizer itself sees one long vector."""
    weights = {name: w.copy() for name, w in parameters.weights.items()}
    state = {moment: parameters.named(vector.copy()) for moment, vector in rule.state.items()}
    rule.step(rate)
    parts = []
    for name, spec in parameters.specs.items():
        letter = _letter(name)
        gradient = f"{'g' if spec.l1 or spec.l2 else 'd'}{letter}"
        moments = {moment: f"{LETTERS.get(moment, moment)}{letter}" for moment in rule.state}
        made = Update(
            name,
            Named(letter, weights[name]),
            Named(gradient, parameters.gradients[name].copy()),
            {moment: Named(short, state[moment][name]) for moment, short in moments.items()},
            {
                moment: Named(f"{short}'", parameters.named(rule.state[moment])[name].copy())
                for moment, short in moments.items()
            },
            Named(f"{letter}'", parameters.weights[name].copy()),
        )
        parts.append(update(rule, rate, made))
    return parts


def _afterwards(tiny: Example, c: Named, before: float) -> Part:
    """Run the batch through the new weights."""
    z = tiny.x
    for layer in tiny.layers:
        z = layer.forward(z)
    loss, _ = SoftmaxCrossEntropy()(z, tiny.classes)
    total = tiny.parameters.penalty()
    equation = Equation(
        f"total' = loss' + penalty'   (before the step: {number(before)})",
        f"total' = {number(loss)} + {number(total)} = {number(loss + total)}",
    )
    return Part("Afterwards: the same batch with the new weights", (equation,), (Named("z'", z), c))
