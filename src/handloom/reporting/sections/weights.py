"""Weights: those of the first layer as images, where each unit or filter sees an image."""

import numpy as np
import numpy.typing as npt

from handloom.data.pictures import png
from handloom.layers import Conv2D, Dense, Flatten, Layer, Reshape
from handloom.markup import element
from handloom.model import Model
from handloom.parameters import Array
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section

TITLE = "First-layer weights: what it looks for"

SHOWN = 64
"""The largest number of units or filters that are drawn."""

SHADES = 61
"""The number of colors from the most negative to the most positive weight."""

NEGATIVE, ZERO, POSITIVE = (33, 102, 172), (247, 247, 247), (178, 60, 10)

Bytes = npt.NDArray[np.uint8]


def weights(run: ReportedRun) -> Section | Omission | None:
    """Return the weights of the first layer, if they are images."""
    if run.model is None:
        return Omission(TITLE, run.why_missing("model"))
    images = first_layer(run.model)
    if images is None:
        return None
    name, stack, described = images
    norms = np.sqrt((stack.astype(np.float64) ** 2).sum(axis=(1, 2)))
    if not np.isfinite(norms).all():
        return Omission(TITLE, "some of its weights are not finite.")
    shown = np.argsort(-norms, kind="stable")[:SHOWN]
    items = [
        element(
            "li",
            element(
                "img",
                src=png(shades(stack[index]), palette()),
                alt="",
                title=f"{described} {index}",
                width=stack.shape[2],
                height=stack.shape[1],
            ),
        )
        for index in shown.tolist()
    ]
    few = f"All {len(stack)}"
    if len(shown) < len(stack):
        few = f"The {len(shown)} of {len(stack)} with the largest weights"
    ramp = np.arange(SHADES, dtype=np.uint8)[None]
    return Section(
        "weights",
        TITLE,
        [
            element(
                "p",
                f"The weights of {name}, an image for each {described}: where it is orange, a "
                f"bright pixel raises the output; where it is blue, it lowers it. {few} are shown; "
                "each image is scaled to its own largest weight.",
            ),
            element(
                "p",
                "negative",
                element("img", src=png(ramp, palette()), alt="", width=SHADES, height=1),
                "positive",
                class_="key",
            ),
            element("ul", items, class_="filters", aria_hidden="true"),
        ],
        styles=("images",),
    )


def first_layer(model: Model) -> tuple[str, Array, str] | None:
    """Return the name of the first layer with weights, an image for each unit, and their name."""
    shape = model.row_shape
    for name, layer in model.network.named_layers():
        if isinstance(layer, Reshape | Flatten):
            continue
        if isinstance(layer, Dense) and len(shape) in (2, 3):
            gray = shape if len(shape) == 2 else shape[1:]
            stack = layer.weights["weights"].T.reshape(-1, *shape[: len(shape) - 2], *gray)
            return name, stack.sum(axis=1) if stack.ndim == 4 else stack, "unit"
        if isinstance(layer, Conv2D):
            return name, _filters(layer), "filter"
        return None
    return None


def _filters(layer: Layer) -> Array:
    """Return the filters of a convolution, shape (f, k, k), summed over input channels."""
    filters: Array = np.moveaxis(layer.weights["weights"].sum(axis=2), -1, 0)
    return filters


def palette() -> Bytes:
    """Return the colors from the most negative to the most positive weight, shape (n, 3)."""
    t = np.linspace(-1, 1, SHADES)[:, None]
    ends = np.where(t < 0, np.array(NEGATIVE), np.array(POSITIVE))
    colors: Bytes = np.rint(np.array(ZERO) + np.abs(t) * (ends - np.array(ZERO))).astype(np.uint8)
    return colors


def shades(values: Array) -> Bytes:
    """Return the index of the color of each weight of an image."""
    largest = float(np.abs(values).max()) or 1.0
    scaled = (values.astype(np.float64) / largest + 1) / 2 * (SHADES - 1)
    return np.rint(scaled).astype(np.uint8)
