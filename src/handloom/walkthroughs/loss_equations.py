"""Equations of the loss and of the penalty."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handloom.parameters import ParameterSpec
from handloom.walkthroughs.equations import (
    Equation,
    Named,
    Part,
    exponentials,
    number,
    solved,
    sum_of,
)


def cross_entropy(z: Named, t: Named, p: Named, losses: Named, loss: float, dz: Named) -> Part:
    """Write softmax with cross-entropy: probabilities, losses of the rows, mean and gradient.

    Parameters
    ----------
    z : Named
        Logits, shape (n, k).
    t : Named
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
    n = len(t.values)
    i, j = p.largest()
    *row, total = exponentials(z.values[i])
    (worst,) = losses.largest()
    missed = number(p.values[worst, t.values[worst]])
    u, v = dz.largest()
    hit = int(t.values[u] == v)
    equations = (
        solved(
            f"{p.name} = exp({z.name}) / the sum of its row of exp({z.name})",
            p,
            (i, j),
            f"{row[j]}/({total})",
        ),
        solved(
            f"{losses.name} = -log {p.name} at the class {t.name}",
            losses,
            (worst,),
            f"-log({missed})",
        ),
        Equation(
            f"loss = the mean of {losses.name}",
            f"loss = ({sum_of(losses.values)})/{n} = {number(loss)}",
        ),
        solved(
            f"{dz.name} = ({p.name} - onehot({t.name})) / n",
            dz,
            (u, v),
            f"({number(p.values[u, v])} - {hit})/{n}",
        ),
    )
    return Part("Loss: softmax and cross-entropy in one", equations, (z, t, p, losses, dz))


def row_loss(kind: str, z: Named, t: Named, losses: Named, loss: float, dz: Named) -> Part:
    """Write the mean of any loss of rows, and its gradient.

    Parameters
    ----------
    kind : str
        The loss, for the title.
    z, t : Named
        Outputs of the network and targets.
    losses : Named
        Each row's loss, shape (n,).
    loss : float
        Their mean.
    dz : Named
        Its gradient, in the shape of ``z``.
    """
    n = len(losses.values)
    mean = f"loss = ({sum_of(losses.values)})/{n} = {number(loss)}"
    equations = (
        Equation(f"{losses.name} = the loss of each row of {z.name} and {t.name}", ""),
        Equation(f"loss = the mean of {losses.name}", mean),
        Equation(f"{dz.name} = the gradient of the loss with respect to {z.name}", ""),
    )
    return Part(f"Loss: {kind}", equations, (z, t, losses, dz))


@dataclass(frozen=True)
class Penalized:
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


def penalty(penalized: Sequence[Penalized], loss: float, total: float) -> Part:
    """Write the penalty, the total loss and the gradients with the penalty.

    Parameters
    ----------
    penalized : sequence of Penalized
    loss : float
        The loss of the data.
    total : float
        The penalty of all arrays.
    """
    terms, work = [], []
    for one in penalized:
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
        *(_penalized(one) for one in penalized),
    ]
    arrays = [array for one in penalized for array in (one.w, one.dw, one.g)]
    return Part("Penalty", tuple(equations), tuple(arrays))


def _penalized(one: Penalized) -> Equation:
    l1, l2, index = number(one.spec.l1), number(one.spec.l2), one.g.largest()
    value = number(one.w.values[index])
    text, work = f"{one.g.name} = {one.dw.name}", number(one.dw.values[index])
    if one.spec.l1:
        text, work = f"{text} + {l1} sign({one.w.name})", f"{work} + {l1}*sign({value})"
    if one.spec.l2:
        text, work = f"{text} + 2*{l2} {one.w.name}", f"{work} + 2*{l2}*{value}"
    return solved(text, one.g, index, work)
