"""Equations of the forward and backward pass of layers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from handloom.layers import LAYERS, Layer
from handloom.walkthroughs.equations import (
    Equation,
    Named,
    Part,
    dot_product,
    number,
    solved,
    sum_of,
)


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


FORMULAS: dict[str, tuple[str, str]] = {
    "leaky_relu": ("{y} = {x} where {x} > 0, else slope {x}", "{dx} = {dy} (1 or slope)"),
    "elu": (
        "{y} = {x} where {x} > 0, else alpha (exp({x}) - 1)",
        "{dx} = {dy} where {x} > 0, else {dy} ({y} + alpha)",
    ),
    "tanh": ("{y} = tanh({x})", "{dx} = {dy} (1 - {y}^2)"),
    "sigmoid": ("{y} = 1 / (1 + exp(-{x}))", "{dx} = {dy} {y} (1 - {y})"),
    "silu": ("{y} = {x} sigmoid({x})", "{dx} = {dy} (s + {x} s (1 - s)), s = sigmoid({x})"),
    "gelu": (
        "{y} = {x} (1 + tanh(sqrt(2/pi) ({x} + 0.044715 {x}^3))) / 2",
        "{dx} = {dy} times the derivative of {y}",
    ),
    "softmax": (
        "{y} = exp({x}) / the sum of its row of exp({x})",
        "{dx} = {y} ({dy} - the sum of its row of {dy} {y})",
    ),
    "dropout": (
        "{y} = {x} mask / (1 - rate), with a mask of 0 and 1 drawn for each entry",
        "{dx} = {dy} mask / (1 - rate)",
    ),
    "conv2d": (
        "{y}[f] = each window of {x} times the kernel {W}[:,:,:,f], summed, plus its bias",
        "d{W} = the sum over rows and windows of the window of {x} times {dy}; "
        "the gradient of a bias = the sum of its {dy}; "
        "{dx} = {dy} times the kernels, added up where windows overlap",
    ),
    "max_pool2d": (
        "{y} = the largest entry of each window of {x}",
        "{dx} = {dy} where {x} is the largest of its window, else 0",
    ),
    "average_pool2d": (
        "{y} = the mean of each window of {x}",
        "{dx} = {dy} shared equally by the pixels of each window",
    ),
    "global_average_pool2d": (
        "{y} = the mean of each channel of {x}",
        "{dx} = {dy} shared equally by all pixels of its channel",
    ),
    "flatten": ("{y} = {x}, each row flattened", "{dx} = {dy} in the shape of {x}"),
    "reshape": ("{y} = {x} in the new shape", "{dx} = {dy} in the shape of {x}"),
    "residual": ("{y} = {x} + block({x})", "{dx} = {dy} + block's own dx"),
    "batch_norm": (
        "{y} = scale ({x} - mean) / sqrt(variance + epsilon) + shift, over the rows",
        "dscale = the sum over rows of {dy} times the normalized {x}; dshift = that of {dy}; "
        "{dx}: also through mean and variance",
    ),
    "layer_norm": (
        "{y} = scale ({x} - mean) / sqrt(variance + epsilon) + shift, over each row",
        "dscale = the sum over rows of {dy} times the normalized {x}; dshift = that of {dy}; "
        "{dx}: also through mean and variance",
    ),
    "embedding": (
        "{y} = the vectors of the indices in {x}, then its other columns",
        "the gradient of a vector = the sum of {dy} over the rows that looked it up",
    ),
}
"""The forward and the backward pass of other layers in a line; ``{x}`` stands for an array."""


def forward_part(layer: Layer, p: ForwardPass) -> Part:
    """Return the forward pass of a layer, also of the user's own."""
    kind = _kind(layer)
    if kind in FORWARD:
        return FORWARD[kind](p)
    formula, _ = FORMULAS.get(kind, ("{y} = forward({x})", ""))
    equation = Equation(formula.format(**_names(p)), "")
    return Part(f"Forward: {p.layer}", (equation,), (p.x, *p.weights.values(), p.y))


def backward_part(layer: Layer, p: ForwardPass, back: BackwardPass) -> Part:
    """Return the backward pass of a layer, also of the user's own."""
    kind = _kind(layer)
    if kind in BACKWARD:
        return BACKWARD[kind](p, back)
    _, formula = FORMULAS.get(kind, ("", "gradients and {dx} = backward({dy})"))
    names = {**_names(p), "dy": back.dy.name, "dx": f"d{p.x.name}"}
    steps = [each for each in formula.split("; ") if back.dx is not None or "{dx}" not in each]
    equations = tuple(Equation(each.format(**names), "") for each in steps)
    last = () if back.dx is None else (back.dx,)
    return Part(f"Backward: {p.layer}", equations, (back.dy, *back.gradients.values(), *last))


def _kind(layer: Layer) -> str:
    """Return the kind of a layer of the library, and ``""`` for one of the user's own.

    A class of the user's own may have the name, and with it the kind, of another.
    """
    return layer.kind if LAYERS.get(layer.kind) is type(layer) else ""


def _names(p: ForwardPass) -> dict[str, str]:
    weights = p.weights.get("weights")
    return {"x": p.x.name, "y": p.y.name, "W": "W" if weights is None else weights.name}


FORWARD: dict[str, Callable[[ForwardPass], Part]] = {"dense": dense_forward, "relu": relu_forward}
BACKWARD: dict[str, Callable[[ForwardPass, BackwardPass], Part]] = {
    "dense": dense_backward,
    "relu": relu_backward,
}
"""The equations of the backward pass for each kind of layer."""
