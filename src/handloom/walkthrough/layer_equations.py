"""Equations of the forward and backward pass of layers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from handloom.walkthrough.equations import Named, Part, dot_product, number, solved, sum_of


@dataclass(frozen=True)
class ForwardPass:
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
class BackwardPass:
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


def dense_forward(p: ForwardPass) -> Part:
    """Write ``y = x W + b``."""
    x, y, w, b = p.x, p.y, p.weights["weights"], p.weights["biases"]
    i, u = y.largest()
    work = f"{dot_product(x.values[i], w.values[:, u])} + {number(b.values[u])}"
    equation = solved(f"{y.name} = {x.name} {w.name} + {b.name}", y, (i, u), work)
    return Part(f"Forward: {p.layer}", (equation,), (x, w, b, y))


def dense_backward(p: ForwardPass, back: BackwardPass) -> Part:
    """Write ``dW = x^T dy``, ``db`` and, unless ``dx`` is None, ``dx = dy W^T``."""
    x, w, dy, dx = p.x, p.weights["weights"], back.dy, back.dx
    dw, db = back.gradients["weights"], back.gradients["biases"]
    (j, u), (v,) = dw.largest(), db.largest()
    work = dot_product(x.values[:, j], dy.values[:, u])
    equations = [
        solved(f"{dw.name} = {x.name}^T {dy.name}", dw, (j, u), work),
        solved(f"{db.name} = the sum of {dy.name}'s rows", db, (v,), sum_of(dy.values[:, v])),
    ]
    if dx is None:
        return Part(f"Backward: {p.layer}", tuple(equations), (x, dy, dw, db))
    i, j = dx.largest()
    work = dot_product(dy.values[i], w.values[j])
    equations.append(solved(f"{dx.name} = {dy.name} {w.name}^T", dx, (i, j), work))
    return Part(f"Backward: {p.layer}", tuple(equations), (x, dy, w, dw, db, dx))


def relu_forward(p: ForwardPass) -> Part:
    """Write ``y = max(x, 0)``."""
    x, y, index = p.x, p.y, p.y.largest()
    work = f"max({number(x.values[index])}, 0)"
    equation = solved(f"{y.name} = max({x.name}, 0)", y, index, work)
    return Part(f"Forward: {p.layer}", (equation,), (x, y))


def relu_backward(p: ForwardPass, back: BackwardPass) -> Part:
    """Write ``dx = dy where y > 0, else 0``."""
    y, dy, dx = p.y, back.dy, back.dx
    if dx is None:
        return Part(f"Backward: {p.layer}", (), (y, dy))
    index = dx.largest()
    work = f"{number(dy.values[index])}*({number(y.values[index])} > 0)"
    equation = solved(f"{dx.name} = {dy.name} where {y.name} > 0, else 0", dx, index, work)
    return Part(f"Backward: {p.layer}", (equation,), (y, dy, dx))


FORWARD: dict[str, Callable[[ForwardPass], Part]] = {"dense": dense_forward, "relu": relu_forward}
BACKWARD: dict[str, Callable[[ForwardPass, BackwardPass], Part]] = {
    "dense": dense_backward,
    "relu": relu_backward,
}
"""The equations of the backward pass for each kind of layer."""
