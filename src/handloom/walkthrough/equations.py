"""The equations of a training step, between named arrays, with one entry of each in numbers.

Nothing here is used by training. Each function takes the arrays that layers, loss and optimizer
computed, and writes the equations by which they were computed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.optimizers import SGD, Adagrad, Adam, Muon, Optimizer, RMSprop
from handloom.optimizers.muon import orthogonalize, spectral_scale
from handloom.parameters import ParameterSpec

Values = npt.NDArray[Any]
Index = tuple[int, ...]


@dataclass(frozen=True)
class Named:
    """An array with its name in the equations."""

    name: str
    values: Values

    def at(self, index: Index) -> str:
        """Return the name of one entry, ``"W0[1,2]"``."""
        return f"{self.name}[{','.join(map(str, index))}]"

    def largest(self) -> Index:
        """Return the index of the entry of the largest magnitude, which is shown in numbers."""
        flat = int(np.abs(self.values).argmax())
        return tuple(int(i) for i in np.unravel_index(flat, self.values.shape))


@dataclass(frozen=True)
class Equation:
    """An equation between arrays.

    Attributes
    ----------
    text : str
        ``"y0 = x W0 + b0"``.
    entry : str
        One entry of it in numbers: ``"y0[0,1] = -1*-0.8 + 1.4*-0.1 + 0 = 0.66"``.
    """

    text: str
    entry: str


@dataclass(frozen=True)
class Part:
    """One part of a training step.

    Attributes
    ----------
    title : str
    equations : tuple of Equation
        The computation.
    arrays : tuple of Named
        Its inputs, then its results.
    """

    title: str
    equations: tuple[Equation, ...]
    arrays: tuple[Named, ...]


@dataclass(frozen=True)
class Passage:
    """The arrays of a layer's forward pass.

    Attributes
    ----------
    layer : str
        The layer's name in its network, ``"0.dense"``.
    x, y : Named
        Its input and its output.
    weights : mapping of str to Named
        The arrays of its weights, by their names in the layer.
    """

    layer: str
    x: Named
    y: Named
    weights: Mapping[str, Named]


@dataclass(frozen=True)
class Return:
    """The arrays of a layer's backward pass.

    Attributes
    ----------
    dy : Named
        The gradient of the layer's output.
    gradients : mapping of str to Named
        The gradients of its weights, by their names in the layer.
    dx : Named or None
        The gradient of its input; None in the first layer, where it is not needed.
    """

    dy: Named
    gradients: Mapping[str, Named]
    dx: Named | None


def number(value: float | np.generic) -> str:
    """Return a number as text with at most four significant digits."""
    return f"{float(value) + 0.0:.4g}"  # the sum removes the sign of -0.0


def dense_forward(p: Passage) -> Part:
    """Write ``y = x W + b``."""
    x, y, w, b = p.x, p.y, p.weights["weights"], p.weights["biases"]
    i, u = y.largest()
    work = f"{_dot(x.values[i], w.values[:, u])} + {number(b.values[u])}"
    equation = _solved(f"{y.name} = {x.name} {w.name} + {b.name}", y, (i, u), work)
    return Part(f"Forward: {p.layer}", (equation,), (x, w, b, y))


def dense_backward(p: Passage, back: Return) -> Part:
    """Write ``dW = x^T dy``, ``db`` and, unless ``dx`` is None, ``dx = dy W^T``."""
    x, w, dy, dx = p.x, p.weights["weights"], back.dy, back.dx
    dw, db = back.gradients["weights"], back.gradients["biases"]
    (j, u), (v,) = dw.largest(), db.largest()
    work = _dot(x.values[:, j], dy.values[:, u])
    equations = [
        _solved(f"{dw.name} = {x.name}^T {dy.name}", dw, (j, u), work),
        _solved(f"{db.name} = the sum of {dy.name}'s rows", db, (v,), _sum(dy.values[:, v])),
    ]
    if dx is None:
        return Part(f"Backward: {p.layer}", tuple(equations), (x, dy, dw, db))
    i, j = dx.largest()
    work = _dot(dy.values[i], w.values[j])
    equations.append(_solved(f"{dx.name} = {dy.name} {w.name}^T", dx, (i, j), work))
    return Part(f"Backward: {p.layer}", tuple(equations), (x, dy, w, dw, db, dx))


def relu_forward(p: Passage) -> Part:
    """Write ``y = max(x, 0)``."""
    x, y, index = p.x, p.y, p.y.largest()
    work = f"max({number(x.values[index])}, 0)"
    equation = _solved(f"{y.name} = max({x.name}, 0)", y, index, work)
    return Part(f"Forward: {p.layer}", (equation,), (x, y))


def relu_backward(p: Passage, back: Return) -> Part:
    """Write ``dx = dy where y > 0, else 0``."""
    y, dy, dx = p.y, back.dy, back.dx
    if dx is None:
        return Part(f"Backward: {p.layer}", (), (y, dy))
    index = dx.largest()
    work = f"{number(dy.values[index])}*({number(y.values[index])} > 0)"
    equation = _solved(f"{dx.name} = {dy.name} where {y.name} > 0, else 0", dx, index, work)
    return Part(f"Backward: {p.layer}", (equation,), (y, dy, dx))


FORWARD: dict[str, Callable[[Passage], Part]] = {"dense": dense_forward, "relu": relu_forward}
BACKWARD: dict[str, Callable[[Passage, Return], Part]] = {
    "dense": dense_backward,
    "relu": relu_backward,
}
"""The equations of the backward pass for each kind of layer."""


def cross_entropy(z: Named, c: Named, p: Named, losses: Named, loss: float, dz: Named) -> Part:
    """Write softmax with cross-entropy: probabilities, losses of the rows, mean and gradient.

    Parameters
    ----------
    z : Named
        Logits, shape (n, k).
    c : Named
        Each row's class, shape (n,).
    p : Named
        Probabilities, shape (n, k).
    losses : Named
        Each row's loss, shape (n,).
    loss : float
        Their mean.
    dz : Named
        Its gradient, shape (n, k).
    """
    n = len(c.values)
    i, j = p.largest()
    row = [f"exp({number(value)})" for value in z.values[i]]
    (worst,) = losses.largest()
    missed = number(p.values[worst, c.values[worst]])
    u, v = dz.largest()
    hit = int(c.values[u] == v)
    equations = (
        _solved(
            f"{p.name} = exp({z.name}) / the sum of its row of exp({z.name})",
            *(p, (i, j), f"{row[j]}/({' + '.join(row)})"),
        ),
        _solved(
            f"{losses.name} = -log {p.name} at the class {c.name}",
            *(losses, (worst,), f"-log({missed})"),
        ),
        Equation(
            f"loss = the mean of {losses.name}",
            f"loss = ({_sum(losses.values)})/{n} = {number(loss)}",
        ),
        _solved(
            f"{dz.name} = ({p.name} - onehot({c.name})) / n",
            *(dz, (u, v), f"({number(p.values[u, v])} - {hit})/{n}"),
        ),
    )
    return Part("Loss: softmax and cross-entropy in one", equations, (z, c, p, losses, dz))


@dataclass(frozen=True)
class Weighed:
    """An array with a penalty.

    Attributes
    ----------
    spec : ParameterSpec
        The specification with the L1 and L2 strengths.
    w : Named
    dw : Named
        The gradient of the loss alone.
    g : Named
        The gradient of loss and penalty.
    """

    spec: ParameterSpec
    w: Named
    dw: Named
    g: Named


def penalty(weighed: Sequence[Weighed], loss: float, total: float) -> Part:
    """Write the penalty, the total loss and the gradients with the penalty.

    Parameters
    ----------
    weighed : sequence of Weighed
    loss : float
        The loss of the data.
    total : float
        The penalty of all arrays.
    """
    terms, work = [], []
    for one in weighed:
        l1, l2, w = one.spec.l1, one.spec.l2, one.w
        if l1:
            terms.append(f"{number(l1)} sum|{w.name}|")
            work.append(f"{number(l1)}*{number(np.abs(w.values).sum())}")
        if l2:
            terms.append(f"{number(l2)} sum({w.name}^2)")
            work.append(f"{number(l2)}*{number(np.square(w.values).sum())}")
    equations = [
        Equation(
            f"penalty = {' + '.join(terms)}", f"penalty = {' + '.join(work)} = {number(total)}"
        ),
        Equation(
            "total = loss + penalty",
            f"total = {number(loss)} + {number(total)} = {number(loss + total)}",
        ),
        *(_penalized(one) for one in weighed),
    ]
    arrays = [array for one in weighed for array in (one.w, one.dw, one.g)]
    return Part("Penalty", tuple(equations), tuple(arrays))


def _penalized(one: Weighed) -> Equation:
    l1, l2, index = number(one.spec.l1), number(one.spec.l2), one.g.largest()
    value = number(one.w.values[index])
    text, work = f"{one.g.name} = {one.dw.name}", number(one.dw.values[index])
    if one.spec.l1:
        text, work = f"{text} + {l1} sign({one.w.name})", f"{work} + {l1}*sign({value})"
    if one.spec.l2:
        text, work = f"{text} + 2*{l2} {one.w.name}", f"{work} + 2*{l2}*{value}"
    return _solved(text, one.g, index, work)


@dataclass(frozen=True)
class Update:
    """An array before and after an optimizer's step.

    Attributes
    ----------
    name : str
        The name of the array in the network, ``"0.dense.weights"``.
    w, g : Named
        The array before the step, and its gradient.
    state : mapping of str to Named
        The optimizer's state for it before the step, by the optimizer's names.
    new_state : mapping of str to Named
        The state after the step.
    new_w : Named
        The array after the step.
    """

    name: str
    w: Named
    g: Named
    state: Mapping[str, Named]
    new_state: Mapping[str, Named]
    new_w: Named


def update(optimizer: Optimizer, rate: float, made: Update) -> Part:
    """Write the update of one array by an optimizer.

    Parameters
    ----------
    optimizer : Optimizer
        The optimizer after the step.
    rate : float
        The learning rate of the step.
    made : Update
    """
    equations = OPTIMIZER_STEPS[optimizer.kind](optimizer, rate, made)
    arrays = (made.w, made.g, *made.state.values(), *made.new_state.values(), made.new_w)
    return Part(f"Update: {made.name}", tuple(equations), arrays)


def _shrunk(optimizer: Optimizer, rate: float, made: Update) -> tuple[str, str]:
    """Return an array and its shown entry after weight decay, as text."""
    value = number(made.w.values[made.g.largest()])
    if not optimizer.weight_decay or made.w.values.ndim == 1:
        return made.w.name, value
    decay = number(optimizer.weight_decay)
    return f"(1 - r {decay}) {made.w.name}", f"(1 - {number(rate)}*{decay})*{value}"


def _sgd(optimizer: SGD, rate: float, made: Update) -> list[Equation]:
    index, r = made.g.largest(), number(rate)
    g, new = made.g, made.new_w
    w, w_at = _shrunk(optimizer, rate, made)
    g_at = number(g.values[index])
    if not optimizer.momentum:
        text = f"{new.name} = {w} - r {g.name}"
        return [_solved(text, new, index, f"{w_at} - {r}*{g_at}")]
    m, u, new_u = number(optimizer.momentum), made.state["velocity"], made.new_state["velocity"]
    u_at, new_u_at = number(u.values[index]), number(new_u.values[index])
    velocity = _solved(
        f"{new_u.name} = m {u.name} - r {g.name}", new_u, index, f"{m}*{u_at} - {r}*{g_at}"
    )
    if optimizer.nesterov:
        text = f"{new.name} = {w} + m {new_u.name} - r {g.name}"
        return [velocity, _solved(text, new, index, f"{w_at} + {m}*{new_u_at} - {r}*{g_at}")]
    text = f"{new.name} = {w} + {new_u.name}"
    return [velocity, _solved(text, new, index, f"{w_at} + {new_u_at}")]


def _moment(made: Update, name: str, decay: float, power: str = "") -> Equation:
    """Write the update of the moving average of gradients, or of their squares."""
    index, b = made.g.largest(), number(decay)
    old, now = made.state[name], made.new_state[name]
    return _solved(
        f"{now.name} = {b} {old.name} + (1 - {b}) {made.g.name}{power}",
        *(now, index),
        f"{b}*{number(old.values[index])} + (1 - {b})*({number(made.g.values[index])}){power}",
    )


def _adam(optimizer: Adam | Muon, rate: float, made: Update, share: float = 1.0) -> list[Equation]:
    """Write Adam's step, with a share of the learning rate."""
    index, new, t = made.g.largest(), made.new_w, optimizer.steps
    first, second = made.new_state["first_moment"], made.new_state["second_moment"]
    w, w_at = _shrunk(optimizer, rate, made)
    of_rate = "" if share == 1.0 else f"{number(share)} "
    corrected = [
        f"{number(now.values[index])}/(1 - {number(beta)}^{t})"
        for now, beta in ((first, optimizer.beta1), (second, optimizer.beta2))
    ]
    step = _solved(
        f"{new.name} = {w} - {of_rate}r ({first.name}/(1 - {number(optimizer.beta1)}^t))"
        f" / (sqrt({second.name}/(1 - {number(optimizer.beta2)}^t)) + {number(optimizer.epsilon)})",
        *(new, index),
        f"{w_at} - {number(share * rate)}*({corrected[0]})"
        f"/(sqrt({corrected[1]}) + {number(optimizer.epsilon)})",
    )
    return [
        _moment(made, "first_moment", optimizer.beta1),
        _moment(made, "second_moment", optimizer.beta2, "^2"),
        step,
    ]


def _scaled(optimizer: RMSprop | Adagrad, rate: float, made: Update, squares: Named) -> Equation:
    """Write a step along the gradient divided by the root of its accumulated squares."""
    index, epsilon = made.g.largest(), number(optimizer.epsilon)
    w, w_at = _shrunk(optimizer, rate, made)
    return _solved(
        f"{made.new_w.name} = {w} - r {made.g.name} / (sqrt({squares.name}) + {epsilon})",
        *(made.new_w, index),
        f"{w_at} - {number(rate)}*{number(made.g.values[index])}"
        f"/(sqrt({number(squares.values[index])}) + {epsilon})",
    )


def _rmsprop(optimizer: RMSprop, rate: float, made: Update) -> list[Equation]:
    mean = _moment(made, "second_moment", optimizer.rho, "^2")
    return [mean, _scaled(optimizer, rate, made, made.new_state["second_moment"])]


def _adagrad(optimizer: Adagrad, rate: float, made: Update) -> list[Equation]:
    index, old, now = made.g.largest(), made.state["squares"], made.new_state["squares"]
    total = _solved(
        f"{now.name} = {old.name} + {made.g.name}^2",
        *(now, index),
        f"{number(old.values[index])} + ({number(made.g.values[index])})^2",
    )
    return [total, _scaled(optimizer, rate, made, now)]


def _muon(optimizer: Muon, rate: float, made: Update) -> list[Equation]:
    if made.w.values.ndim == 1:
        return _adam(optimizer, rate, made, optimizer.adam_rate)
    index, g, mean, m = made.g.largest(), made.g, made.new_state["first_moment"], optimizer.momentum
    w, w_at = _shrunk(optimizer, rate, made)
    ahead, text = mean.values, mean.name
    if optimizer.nesterov:
        ahead = m * mean.values + (1.0 - m) * g.values
        text = f"{number(m)} {mean.name} + (1 - {number(m)}) {g.name}"
    direction, scale = (
        orthogonalize(ahead, optimizer.iterations),
        number(spectral_scale(*g.values.shape)),
    )
    step = _solved(
        f"{made.new_w.name} = {w} - r {scale} orthogonal({text})",
        *(made.new_w, index),
        f"{w_at} - {number(rate)}*{scale}*{number(direction[index])}",
    )
    return [_moment(made, "first_moment", m), step]


OPTIMIZER_STEPS: dict[str, Callable[[Any, float, Update], list[Equation]]] = {
    "sgd": _sgd,
    "adagrad": _adagrad,
    "rmsprop": _rmsprop,
    "adam": _adam,
    "adamw": _adam,
    "muon": _muon,
}
"""The equations of the update for each kind of optimizer."""


def _solved(text: str, result: Named, index: Index, work: str) -> Equation:
    """Return an equation with one entry of its result in numbers."""
    return Equation(text, f"{result.at(index)} = {work} = {number(result.values[index])}")


def _dot(a: Values, b: Values) -> str:
    return " + ".join(f"{number(p)}*{number(q)}" for p, q in zip(a, b, strict=True))


def _sum(values: Values) -> str:
    return " + ".join(number(value) for value in values)
