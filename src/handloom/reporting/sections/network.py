"""The network as a diagram: layers with shapes, parameters and arithmetic."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from handloom.layers import Layer, Residual
from handloom.layers.chain import Chain
from handloom.markup import Element, Node, element
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.wording import counted

TITLE = "Architecture: the network"

MANY = 10
"""The number of layers from which a wide screen has two columns of them."""

Shape = tuple[int, ...]

WORDS = {
    "dense": "every unit sees every input",
    "conv2d": "filters slide over the image",
    "max_pool2d": "keeps the largest of each window",
    "average_pool2d": "averages each window",
    "global_average_pool2d": "averages each channel over the whole image",
    "batch_norm": "mean 0 and deviation 1 over the batch, then a learned scale and shift",
    "layer_norm": "mean 0 and deviation 1 over the row, then a learned scale and shift",
    "relu": "negative values become 0",
    "leaky_relu": "negative values become small",
    "sigmoid": "squeezes values between 0 and 1",
    "tanh": "squeezes values between -1 and 1",
    "dropout": "in training, switches units off at random",
    "flatten": "the image becomes one row of values",
    "reshape": "the same values in another shape",
    "softmax": "values become probabilities that sum to 1",
    "embedding": "categories become learned vectors, other columns pass through",
    "residual": "adds its input to the output of its block",
}
"""Descriptions of layers by kind."""


@dataclass(frozen=True)
class Box:
    """A layer of the diagram."""

    name: str
    kind: str
    shape: Shape
    parameters: int
    multiplications: int
    inner: tuple[tuple[str, tuple["Box", ...]], ...] = ()


def network(run: ReportedRun) -> Section | Omission:
    """Return the network as a diagram."""
    model = run.model
    if model is None:
        return Omission(TITLE, run.why_missing("model"))
    own = model.network
    boxes = _boxes(own.named_layers(), own.input_shape)
    largest = max(math.prod(box.shape) for box in (_input(own.input_shape), *boxes))
    parameters, multiplications = len(own.parameters), own.multiplications
    row, outputs = shape_text(model.row_shape), math.prod(own.output_shape)
    return Section(
        "network",
        TITLE,
        [
            element(
                "p",
                f"A row of the shape {row} enters at the top, and {counted(outputs, 'value')} "
                f"{'leaves' if outputs == 1 else 'leave'} at the bottom. {parameters:,} "
                "parameters were learned; one row takes "
                f"about {multiplications:,} multiplications. A bar shows how many values a layer "
                "passes on, on a logarithmic scale.",
            ),
            element(
                "ol",
                [_item(box, largest) for box in (_input(own.input_shape), *boxes)],
                class_="layers long" if len(boxes) > MANY else "layers",
            ),
        ],
        styles=("network",),
    )


def shape_text(shape: Shape) -> str:
    """Return a shape as people write it."""
    return " \u00d7 ".join(map(str, shape))


def _input(shape: Shape) -> Box:
    return Box("input", "input", shape, 0, 0)


def _boxes(named: Iterable[tuple[str, Layer]], shape: Shape) -> tuple[Box, ...]:
    boxes = []
    for name, layer in named:
        after = layer.output_shape(shape)
        boxes.append(_box(name, layer, shape, after))
        shape = after
    return tuple(boxes)


def _box(name: str, layer: Layer, before: Shape, after: Shape) -> Box:
    own = sum(array.size for array in layer.gradients.values()) if layer.trainable else 0
    inner = tuple((label, _boxes(chain.named, before)) for label, chain in _branches(layer))
    return Box(name, layer.kind, after, own, layer.multiplications(before), inner)


def _branches(layer: Layer) -> list[tuple[str, Chain]]:
    if not isinstance(layer, Residual):
        return []
    branches = [("block", layer.block)]
    return [*branches, ("shortcut", layer.shortcut)] if len(layer.shortcut) else branches


def _item(box: Box, largest: int) -> Element:
    size = math.prod(box.shape)
    width = 100 * math.log1p(size) / math.log1p(largest)
    details = [
        element("span", shape_text(box.shape), class_="shape"),
        element("span", f"{box.parameters:,} parameters") if box.parameters else None,
        element("span", f"{box.multiplications:,} multiplications")
        if box.multiplications
        else None,
    ]
    inner: Node = [
        element(
            "div",
            element("span", label, class_="soft"),
            element("ol", [_item(each, largest) for each in boxes], class_="layers inner"),
            class_="branch",
        )
        for label, boxes in box.inner
    ]
    return element(
        "li",
        element(
            "div",
            element("b", box.name),
            element("span", WORDS.get(box.kind, ""), class_="does"),
            class_="layer-name",
        ),
        element(
            "svg",
            element("rect", x=50 - width / 2, y=0, width=width, height=6, rx=1),
            viewBox="0 0 100 6",
            preserveAspectRatio="none",
            class_="size",
            aria_hidden="true",
        ),
        element("div", details, class_="layer-details"),
        inner,
        class_=f"layer {'learns' if box.parameters else ''}".strip(),
    )
