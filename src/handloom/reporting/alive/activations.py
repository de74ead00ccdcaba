"""The activations of a network for one row, and still pictures of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handloom.data.transforms import given_rows
from handloom.layers import Layer, Residual
from handloom.model import Model
from handloom.parameters import Array

POSITIVE, NEGATIVE = (224, 94, 0), (30, 128, 220)
"""The colors of positive and negative values, as in `scripts/alive/canvases.js`."""

EMPHASIS = 0.7
"""The power of a value's share of the largest one that is its opacity; small values are seen."""

ENTRIES_ONLY = frozenset({"dropout", "flatten", "reshape"})
"""Layers whose output has the same entries as their input; no picture shows them."""

STARTS_BLOCK = frozenset({"dense", "conv2d", "residual"})
"""Layers with which a block of layers starts; the last one of a block says most."""

PALE = 0.14
"""The opacity of the gray under every unit."""

SHEET = 560
"""The width of a still picture, in pixels."""


@dataclass(frozen=True)
class ShownLayer:
    """A layer whose activations are shown.

    Attributes
    ----------
    name : str
    layer : Layer
    shape : tuple of int
        Of its output: units, or channels, height and width.
    between : bool
        Whether another layer of the same block follows.
    """

    name: str
    layer: Layer
    shape: tuple[int, ...]
    between: bool

    @property
    def is_image(self) -> bool:
        """Whether its units are channels of an image."""
        return len(self.shape) == 3


def shown_layers(
    layers: Sequence[Layer], shape: tuple[int, ...], prefix: str = ""
) -> list[ShownLayer]:
    """Return the layers that a page shows, those inside of residual blocks included."""
    named, shapes = [], [shape]
    for index, layer in enumerate(layers):
        named.append((f"{prefix}{index}.{layer.kind}", layer))
        shapes.append(layer.output_shape(shapes[-1]))
    last = {
        max(index for index in range(start, end) if layers[index].kind not in ENTRIES_ONLY)
        for start, end in _blocks(layers)
    }
    shown = []
    for index, (name, layer) in enumerate(named):
        if type(layer) is Residual:
            for branch, chain in (("block", layer.block), ("shortcut", layer.shortcut)):
                for each in shown_layers(chain.layers, shapes[index], f"{name}.{branch}."):
                    shown.append(ShownLayer(each.name, each.layer, each.shape, between=True))
        output = shapes[index + 1]
        if layer.kind not in ENTRIES_ONLY and len(output) in (1, 3):
            shown.append(ShownLayer(name, layer, output, between=index not in last))
    return shown


def _blocks(layers: Sequence[Layer]) -> list[tuple[int, int]]:
    """Return the start and the end of each block with a layer that is shown."""
    starts = [index for index, layer in enumerate(layers) if layer.kind in STARTS_BLOCK]
    starts = sorted({0, *starts})
    pairs = zip(starts, [*starts[1:], len(layers)], strict=True)
    return [
        (start, end)
        for start, end in pairs
        if any(layer.kind not in ENTRIES_ONLY for layer in layers[start:end])
    ]


def activations(model: Model, row: npt.NDArray[np.generic]) -> dict[str, Array]:
    """Return the output of each layer of a model's network for one stored row, by name.

    Layers inside of residual blocks are not among them.
    """
    network = model.before_loss
    flat: Array = np.empty((1, row.size), network.parameters.dtype)
    model.transform(given_rows(model.transform, row[None]), flat)
    x, outputs = flat.reshape(1, *network.input_shape), {}
    with np.errstate(over="ignore", invalid="ignore"):
        for name, layer in network.named_layers():
            x = layer.forward(x)
            outputs[name] = x[0]
    return outputs


def still_picture(values: Array) -> npt.NDArray[np.uint8]:
    """Return activations as an image (y, x, 4): a tile for each unit, as the canvases show them.

    It is orange above zero and blue below. The tiles are as transparent as their values are small,
    so they fit a light page, a dark one, and paper.
    """
    tiles = values.reshape(len(values), *(values.shape[1:] if values.ndim == 3 else (1, 1)))
    largest = float(np.abs(np.nan_to_num(tiles)).max()) or 1.0
    units, height, width = tiles.shape
    gap = 2 if width > 1 else 1
    scale = max(1, (28 if width > 1 else 14) // max(height, width))
    down, across = scale * height + gap, scale * width + gap
    columns = max(1, min(units, SHEET // across))
    sheet = np.zeros((-(-units // columns) * down, columns * across, 4))
    for unit, tile in enumerate(tiles):
        top, left = (unit // columns) * down, (unit % columns) * across
        large = np.nan_to_num(tile).repeat(scale, axis=0).repeat(scale, axis=1)
        sheet[top : top + down - gap, left : left + across - gap] = _colors(large / largest)
    return np.round(255 * sheet).astype(np.uint8)


def _colors(shares: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return the colors (y, x, 4), from 0 to 1, of values from -1 to 1, over a pale gray."""
    opacity = (np.abs(shares) ** EMPHASIS)[..., None]
    color = np.where(shares[..., None] < 0, NEGATIVE, POSITIVE) / 255
    both = opacity + PALE * (1 - opacity)
    mixed = (opacity * color + PALE * (1 - opacity) * 0.5) / both
    return np.concatenate([mixed, both], axis=-1)
