"""Equations of one step of each optimizer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from handloom.optimizers import OPTIMIZERS, SGD, Adagrad, Adam, Muon, Optimizer, RMSprop
from handloom.optimizers.muon import orthogonalize, spectral_scale
from handloom.walkthroughs.equations import Equation, Named, Part, number, solved


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
    decays : bool
        Whether it is a matrix or a kernel, to which weight decay applies.
    """

    name: str
    w: Named
    g: Named
    state: Mapping[str, Named]
    new_state: Mapping[str, Named]
    new_w: Named
    decays: bool


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
    equations = [Equation(f"{made.new_w.name} = the update of {made.w.name}", "")]
    if _is_derived(optimizer, made):
        equations = OPTIMIZER_STEPS[optimizer.kind](optimizer, rate, made)
    arrays = (made.w, made.g, *made.state.values(), *made.new_state.values(), made.new_w)
    return Part(f"Update: {made.name}", tuple(equations), arrays)


def _is_derived(optimizer: Optimizer, made: Update) -> bool:
    """Return whether the equations below are those of an array.

    They are for vectors, which do not decay, and matrices, which do; a kernel decays too. The
    proximal step is in none of them.
    """
    if OPTIMIZERS.get(optimizer.kind) is not type(optimizer):
        return False  # an optimizer of the user's own
    if optimizer.proximal_l1 and made.decays:
        return False
    if isinstance(optimizer, Muon):
        return made.w.values.ndim == 1 or (made.decays and made.w.values.ndim == 2)
    return made.decays or made.w.values.ndim == 1 or not optimizer.weight_decay


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
        return [solved(text, new, index, f"{w_at} - {r}*{g_at}")]
    m, u, new_u = number(optimizer.momentum), made.state["velocity"], made.new_state["velocity"]
    u_at, new_u_at = number(u.values[index]), number(new_u.values[index])
    velocity = solved(
        f"{new_u.name} = mu {u.name} - r {g.name}", new_u, index, f"{m}*{u_at} - {r}*{g_at}"
    )
    if optimizer.nesterov:
        text = f"{new.name} = {w} + mu {new_u.name} - r {g.name}"
        return [velocity, solved(text, new, index, f"{w_at} + {m}*{new_u_at} - {r}*{g_at}")]
    text = f"{new.name} = {w} + {new_u.name}"
    return [velocity, solved(text, new, index, f"{w_at} + {new_u_at}")]


def _moment(made: Update, name: str, decay: float, power: str = "") -> Equation:
    """Write the update of the moving average of gradients, or of their squares."""
    index, b = made.g.largest(), number(decay)
    old, now = made.state[name], made.new_state[name]
    return solved(
        f"{now.name} = {b} {old.name} + (1 - {b}) {made.g.name}{power}",
        now,
        index,
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
    beta1, beta2 = number(optimizer.beta1), number(optimizer.beta2)
    epsilon = number(optimizer.epsilon)
    step = solved(
        f"{new.name} = {w} - {of_rate}r ({first.name}/(1 - {beta1}^step))"
        f" / (sqrt({second.name}/(1 - {beta2}^step)) + {epsilon})",
        new,
        index,
        f"{w_at} - {number(share * rate)}*({corrected[0]})/(sqrt({corrected[1]}) + {epsilon})",
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
    return solved(
        f"{made.new_w.name} = {w} - r {made.g.name} / (sqrt({squares.name}) + {epsilon})",
        made.new_w,
        index,
        f"{w_at} - {number(rate)}*{number(made.g.values[index])}"
        f"/(sqrt({number(squares.values[index])}) + {epsilon})",
    )


def _rmsprop(optimizer: RMSprop, rate: float, made: Update) -> list[Equation]:
    mean = _moment(made, "second_moment", optimizer.rho, "^2")
    return [mean, _scaled(optimizer, rate, made, made.new_state["second_moment"])]


def _adagrad(optimizer: Adagrad, rate: float, made: Update) -> list[Equation]:
    index, old, now = made.g.largest(), made.state["squares"], made.new_state["squares"]
    total = solved(
        f"{now.name} = {old.name} + {made.g.name}^2",
        now,
        index,
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
    step = solved(
        f"{made.new_w.name} = {w} - r {scale} orthogonal({text})",
        made.new_w,
        index,
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
