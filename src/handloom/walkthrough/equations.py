"""How a training step is written down: equations between named arrays, and entries worked out.

Nothing is computed here that training uses. Each function takes what layers, loss and optimizer
have made and writes by which equations they made it, in numbers that a pencil can check.
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
Place = tuple[int, ...]


@dataclass(frozen=True)
class Named:
    """An array and the name by which the equations know it."""

    name: str
    values: Values

    def at(self, place: Place) -> str:
        """Return the name of one entry, ``"W0[1,2]"``."""
        return f"{self.name}[{','.join(str(index) for index in place)}]"

    def largest(self) -> Place:
        """Return the place of the entry farthest from zero: the one that is worked out."""
        flat = int(np.abs(self.values).argmax())
        return tuple(int(index) for index in np.unravel_index(flat, self.values.shape))


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
    """One move of a training step.

    Attributes
    ----------
    title : str
    equations : tuple of Equation
        What is computed.
    arrays : tuple of Named
        From what, and then what came out.
    """

    title: str
    equations: tuple[Equation, ...]
    arrays: tuple[Named, ...]


@dataclass(frozen=True)
class Passage:
    """What goes through a layer.

    Attributes
    ----------
    layer : str
        The layer's name in its network, ``"0.dense"``.
    x, y : Named
        Its input and its output.
    weights : mapping of str to Named
        Its arrays, by their names in the layer.
    """

    layer: str
    x: Named
    y: Named
    weights: Mapping[str, Named]


@dataclass(frozen=True)
class Return:
    """What comes back through a layer.

    Attributes
    ----------
    dy : Named
        The gradient of its output.
    gradients : mapping of str to Named
        Those of its arrays, by their names in the layer.
    dx : Named or None
        That of its input; None in the first layer, where nobody needs it.
    """

    dy: Named
    gradients: Mapping[str, Named]
    dx: Named | None


def number(value: float | np.generic) -> str:
    """Write a number with four significant digits, fewer where they say it all."""
    return f"{float(value) + 0.0:.4g}"  # the sum takes the sign off a zero


def dense_forward(p: Passage) -> Part:
    """Write ``y = x W + b``."""
    x, y, w, b = p.x, p.y, p.weights["weights"], p.weights["biases"]
    i, u = y.largest()
    work = f"{_dot(x.values[i], w.values[:, u])} + {number(b.values[u])}"
    equation = _solved(f"{y.name} = {x.name} {w.name} + {b.name}", y, (i, u), work)
    return Part(f"Forward: {p.layer}", (equation,), (x, w, b, y))


def dense_backward(p: Passage, back: Return) -> Part:
    """Write ``dW = x^T dy``, ``db`` and, where it is needed, ``dx = dy W^T``."""
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
    x, y, place = p.x, p.y, p.y.largest()
    work = f"max({number(x.values[place])}, 0)"
    equation = _solved(f"{y.name} = max({x.name}, 0)", y, place, work)
    return Part(f"Forward: {p.layer}", (equation,), (x, y))


def relu_backward(p: Passage, back: Return) -> Part:
    """Write ``dx = dy where y > 0, else 0``."""
    y, dy, dx = p.y, back.dy, back.dx
    if dx is None:
        return Part(f"Backward: {p.layer}", (), (y, dy))
    place = dx.largest()
    work = f"{number(dy.values[place])}*({number(y.values[place])} > 0)"
    equation = _solved(f"{dx.name} = {dy.name} where {y.name} > 0, else 0", dx, place, work)
    return Part(f"Backward: {p.layer}", (equation,), (y, dy, dx))


FORWARD: dict[str, Callable[[Passage], Part]] = {"dense": dense_forward, "relu": relu_forward}
BACKWARD: dict[str, Callable[[Passage, Return], Part]] = {
    "dense": dense_backward,
    "relu": relu_backward,
}
"""The words for each kind of layer."""


def cross_entropy(z: Named, c: Named, p: Named, losses: Named, loss: float, dz: Named) -> Part:
    """Write softmax and cross-entropy joined: probabilities, rows' losses, mean and gradient.

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
    """An array that a penalty weighs on.

    Attributes
    ----------
    spec : ParameterSpec
        With the strengths.
    w : Named
    dw : Named
        The gradient of the loss alone.
    g : Named
        The gradient with that of the penalty.
    """

    spec: ParameterSpec
    w: Named
    dw: Named
    g: Named


def penalty(weighed: Sequence[Weighed], loss: float, total: float) -> Part:
    """Write the penalty, what it adds to the loss and to the gradients.

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
    l1, l2, place = number(one.spec.l1), number(one.spec.l2), one.g.largest()
    value = number(one.w.values[place])
    text, work = f"{one.g.name} = {one.dw.name}", number(one.dw.values[place])
    if one.spec.l1:
        text, work = f"{text} + {l1} sign({one.w.name})", f"{work} + {l1}*sign({value})"
    if one.spec.l2:
        text, work = f"{text} + 2*{l2} {one.w.name}", f"{work} + 2*{l2}*{value}"
    return _solved(text, one.g, place, work)


@dataclass(frozen=True)
class Update:
    """An array before and after an optimizer's step.

    Attributes
    ----------
    name : str
        Its name in the network, ``"0.dense.weights"``.
    w, g : Named
        Itself before the step, and its gradient.
    state : mapping of str to Named
        What the optimizer remembered of it before the step, by the optimizer's names.
    new_state : mapping of str to Named
        What it remembers now.
    new_w : Named
    """

    name: str
    w: Named
    g: Named
    state: Mapping[str, Named]
    new_state: Mapping[str, Named]
    new_w: Named


def update(rule: Optimizer, rate: float, made: Update) -> Part:
    """Write the step of an optimizer for one array.

    Parameters
    ----------
    rule : Optimizer
        After the step.
    rate : float
        The learning rate of the step.
    made : Update
    """
    equations = RULES[rule.kind](rule, rate, made)
    arrays = (made.w, made.g, *made.state.values(), *made.new_state.values(), made.new_w)
    return Part(f"Update: {made.name}", tuple(equations), arrays)


def _shrunk(rule: Optimizer, rate: float, made: Update) -> tuple[str, str]:
    """Return an array, and its entry that is worked out, as weight decay leaves them."""
    value = number(made.w.values[made.g.largest()])
    if not rule.weight_decay or made.w.values.ndim == 1:
        return made.w.name, value
    decay = number(rule.weight_decay)
    return f"(1 - r {decay}) {made.w.name}", f"(1 - {number(rate)}*{decay})*{value}"


def _sgd(rule: SGD, rate: float, made: Update) -> list[Equation]:
    place, r = made.g.largest(), number(rate)
    g, new = made.g, made.new_w
    w, w_at = _shrunk(rule, rate, made)
    g_at = number(g.values[place])
    if not rule.momentum:
        text = f"{new.name} = {w} - r {g.name}"
        return [_solved(text, new, place, f"{w_at} - {r}*{g_at}")]
    m, u, new_u = number(rule.momentum), made.state["velocity"], made.new_state["velocity"]
    u_at, new_u_at = number(u.values[place]), number(new_u.values[place])
    velocity = _solved(
        f"{new_u.name} = m {u.name} - r {g.name}", new_u, place, f"{m}*{u_at} - {r}*{g_at}"
    )
    if rule.nesterov:
        text = f"{new.name} = {w} + m {new_u.name} - r {g.name}"
        return [velocity, _solved(text, new, place, f"{w_at} + {m}*{new_u_at} - {r}*{g_at}")]
    text = f"{new.name} = {w} + {new_u.name}"
    return [velocity, _solved(text, new, place, f"{w_at} + {new_u_at}")]


def _moment(made: Update, name: str, kept: float, power: str = "") -> Equation:
    """Write how the running mean of gradients, or of their squares, moves."""
    place, b = made.g.largest(), number(kept)
    old, now = made.state[name], made.new_state[name]
    return _solved(
        f"{now.name} = {b} {old.name} + (1 - {b}) {made.g.name}{power}",
        *(now, place),
        f"{b}*{number(old.values[place])} + (1 - {b})*({number(made.g.values[place])}){power}",
    )


def _adam(rule: Adam | Muon, rate: float, made: Update, share: float = 1.0) -> list[Equation]:
    """Write Adam's step, at a share of the rate."""
    place, new, t = made.g.largest(), made.new_w, rule.steps
    first, second = made.new_state["first_moment"], made.new_state["second_moment"]
    w, w_at = _shrunk(rule, rate, made)
    of_rate = "" if share == 1.0 else f"{number(share)} "
    corrected = [
        f"{number(now.values[place])}/(1 - {number(beta)}^{t})"
        for now, beta in ((first, rule.beta1), (second, rule.beta2))
    ]
    step = _solved(
        f"{new.name} = {w} - {of_rate}r ({first.name}/(1 - {number(rule.beta1)}^t))"
        f" / (sqrt({second.name}/(1 - {number(rule.beta2)}^t)) + {number(rule.epsilon)})",
        *(new, place),
        f"{w_at} - {number(share * rate)}*({corrected[0]})"
        f"/(sqrt({corrected[1]}) + {number(rule.epsilon)})",
    )
    return [
        _moment(made, "first_moment", rule.beta1),
        _moment(made, "second_moment", rule.beta2, "^2"),
        step,
    ]


def _scaled(rule: RMSprop | Adagrad, rate: float, made: Update, squares: Named) -> Equation:
    """Write a step of the gradient over the root of what is remembered of its squares."""
    place, epsilon = made.g.largest(), number(rule.epsilon)
    w, w_at = _shrunk(rule, rate, made)
    return _solved(
        f"{made.new_w.name} = {w} - r {made.g.name} / (sqrt({squares.name}) + {epsilon})",
        *(made.new_w, place),
        f"{w_at} - {number(rate)}*{number(made.g.values[place])}"
        f"/(sqrt({number(squares.values[place])}) + {epsilon})",
    )


def _rmsprop(rule: RMSprop, rate: float, made: Update) -> list[Equation]:
    mean = _moment(made, "second_moment", rule.rho, "^2")
    return [mean, _scaled(rule, rate, made, made.new_state["second_moment"])]


def _adagrad(rule: Adagrad, rate: float, made: Update) -> list[Equation]:
    place, old, now = made.g.largest(), made.state["squares"], made.new_state["squares"]
    total = _solved(
        f"{now.name} = {old.name} + {made.g.name}^2",
        *(now, place),
        f"{number(old.values[place])} + ({number(made.g.values[place])})^2",
    )
    return [total, _scaled(rule, rate, made, now)]


def _muon(rule: Muon, rate: float, made: Update) -> list[Equation]:
    if made.w.values.ndim == 1:
        return _adam(rule, rate, made, rule.adam_rate)
    place, g, mean, m = made.g.largest(), made.g, made.new_state["first_moment"], rule.momentum
    w, w_at = _shrunk(rule, rate, made)
    ahead, text = mean.values, mean.name
    if rule.nesterov:
        ahead = m * mean.values + (1.0 - m) * g.values
        text = f"{number(m)} {mean.name} + (1 - {number(m)}) {g.name}"
    direction, scale = (
        orthogonalize(ahead, rule.iterations),
        number(spectral_scale(*g.values.shape)),
    )
    step = _solved(
        f"{made.new_w.name} = {w} - r {scale} orthogonal({text})",
        *(made.new_w, place),
        f"{w_at} - {number(rate)}*{scale}*{number(direction[place])}",
    )
    return [_moment(made, "first_moment", m), step]


RULES: dict[str, Callable[[Any, float, Update], list[Equation]]] = {
    "sgd": _sgd,
    "adagrad": _adagrad,
    "rmsprop": _rmsprop,
    "adam": _adam,
    "adamw": _adam,
    "muon": _muon,
}
"""The words for each kind of optimizer."""


def _solved(text: str, result: Named, place: Place, work: str) -> Equation:
    """Return an equation with one entry of its result worked out."""
    return Equation(text, f"{result.at(place)} = {work} = {number(result.values[place])}")


def _dot(a: Values, b: Values) -> str:
    return " + ".join(f"{number(p)}*{number(q)}" for p, q in zip(a, b, strict=True))


def _sum(values: Values) -> str:
    return " + ".join(number(value) for value in values)
