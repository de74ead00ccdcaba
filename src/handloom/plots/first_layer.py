"""A plot of a first layer's weights: the patterns that its units or filters respond to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from handloom.data.pictures import GRAYSCALE, RGB, RGBA, Sheet, channels_of
from handloom.errors import ModelError, require_count, require_instance
from handloom.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten, Layer, LayerNorm, Reshape
from handloom.model import Model
from handloom.network import Sequential
from handloom.plots.figure import (
    GRAY,
    MEDIUM,
    SMALL,
    bare,
    class_labels,
    drawing,
    headline,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Weights = npt.NDArray[np.floating]
Values = npt.NDArray[np.float64]

BEFORE = (BatchNorm, Dropout, Flatten, LayerNorm, Reshape)
"""Layers after which an entry of a row still belongs to one pixel."""

INCHES = 1.15
"""The longer side of a cell."""


@dataclass(frozen=True)
class _FirstLayer:
    """A first layer: its units and their weights as images, shape (units, c, y, x)."""

    name: str
    kind: str
    unit_names: Sequence[str]
    images: Weights

    def largest(self, count: int) -> tuple[npt.NDArray[np.int64], Values, float]:
        """Return the units of the largest norm, their weights, and the scale of the colors."""
        most = float(np.abs(self.images).max())
        if not np.isfinite(most):
            raise ModelError(f"the weights of {self.name} must be finite to be drawn")
        relative = self.images.reshape(len(self.images), -1) / (most or 1.0)
        order = np.argsort(-np.linalg.norm(relative, axis=1), kind="stable")[:count]
        chosen = self.images[order].astype(np.float64)
        # of the largest weight, all others would be pale
        scale = float(np.quantile(np.abs(chosen), 0.995))
        return order, chosen, scale or most or 1.0


def weights(
    model: Model | Sequential,
    *,
    title: str = "weights of the first layer",
    dataset: str | None = None,
    count: int = 40,
) -> "Figure":
    """Plot the weights of the first layer as images, those of the largest norm first.

    The image of a unit of a dense layer has the shape of the network's input, that of a filter of a
    convolution the shape of its window. All have one scale, symmetric around 0: red is above 0 and
    blue below; weights of color images are colors themselves, with 0 in mid-gray.

    Parameters
    ----------
    model : Model or Sequential
        A model of gray, RGB or RGBA images. A network alone must have input of the shape of an
        image; flat input has no shape.
    title : str
        The title, such as the name of the model.
    dataset : str, optional
        The dataset's name, in front of the title; by default that of a model's training rows.
    count : int
        The largest number of units or filters to plot.

    Returns
    -------
    Figure

    Raises
    ------
    ModelError
        If the input is no image, the network is not built, the first layer with weights is neither
        `Dense` nor `Conv2D`, or a weight is not finite.
    ConfigurationError
        If ``count`` is not a whole number of at least 1.
    """
    count = require_count("count", count)
    layer = _first_layer(model)
    order, chosen, scale = layer.largest(count)
    units, channels = layer.images.shape[:2]
    tiles = chosen[:, 0] if channels == GRAYSCALE else _colors(chosen, scale)
    columns = 5 if len(order) <= 20 else 8
    rows = -(-len(order) // columns)
    cells = {divmod(index, columns): tile for index, tile in enumerate(tiles)}
    sheet = Sheet(cells, rows, columns, captions=True)
    height, width = INCHES * sheet.pitch / sheet.unit
    names = model.class_names if isinstance(model, Model) else ()
    if dataset is None:
        dataset = model.trained_on if isinstance(model, Model) else ""
    with drawing(title, dataset, *names):
        size = max(width * columns + 1.6, 6), height * rows + 1.6
        figure = new_figure(*size, headline(dataset, title))
        panel = figure.subplots()
        shown = f"{len(order)} of {units}" if len(order) < units else f"{units}"
        subtitle = f"{layer.name}: {shown} {layer.kind}, by norm"
        panel.set_title(subtitle, fontsize=MEDIUM, color=GRAY)
        drawn = panel.imshow(
            sheet.pixels, cmap="RdBu_r", vmin=-scale, vmax=scale, interpolation="nearest"
        )
        bare(panel)
        unit_names = [layer.unit_names[unit] for unit in order]
        captions = class_labels(unit_names, longest=14, indices=order)
        for cell, caption in zip(cells, captions, strict=True):
            x, y = sheet.caption_at(*cell)
            panel.text(x, y, caption, ha="center", va="center", fontsize=SMALL)
        if channels == GRAYSCALE:
            figure.colorbar(drawn, ax=panel, shrink=0.7, label="weight", extend="both")
        else:
            alpha = "; the weights of alpha are not shown" if channels == RGBA else ""
            panel.set_xlabel(f"mid-gray is 0, full color ±{scale:.2g}{alpha}", fontsize=SMALL)
    return figure


def _colors(images: Values, scale: float) -> npt.NDArray[np.uint8]:
    """Return weights of RGB or RGBA as colors, shape (units, y, x, 3), with 0 in mid-gray."""
    colors = 127.5 * (1.0 + np.clip(images[:, :RGB] / scale, -1.0, 1.0))
    return np.moveaxis(np.rint(colors).astype(np.uint8), 1, -1)


def _first_layer(model: Model | Sequential) -> _FirstLayer:
    """Return the first layer of a network with its weights as images."""
    if not isinstance(model, Model):
        require_instance("model", model, Sequential)
    known = isinstance(model, Model)
    network = model.network if isinstance(model, Model) else model
    arrays = network.parameters.weights  # refuses a network that is not built
    shape = model.row_shape if isinstance(model, Model) else network.input_shape
    channels = channels_of(shape)
    if channels is None:
        raise ModelError(
            "weights are drawn for images of shape (y, x), or (c, y, x) with 1, 3 or 4 channels, "
            f"got rows of shape {shape}" + ("" if known else ": pass a Model, which has row_shape")
        )
    name, layer = _with_weights(network)
    w = arrays[f"{name}.weights"]
    if isinstance(layer, Conv2D):  # (k, k, c, f)
        if w.shape[2] != channels:
            raise ModelError(
                f"{name} must take the {channels} channels of the images, got {w.shape[2]}"
            )
        images, kind = np.moveaxis(w, (3, 2), (0, 1)), "filters"
    else:  # (d, h)
        images, kind = w.T.reshape(-1, channels, *shape[-2:]), "units"
    is_output = len(arrays) == 2 and network.output_shape == (len(images),)
    if isinstance(model, Model) and is_output:
        return _FirstLayer(name, kind, model.class_names, images)
    return _FirstLayer(name, kind, [str(index) for index in range(len(images))], images)


def _with_weights(network: Sequential) -> tuple[str, Layer]:
    """Return the first layer after those that leave pixels apart."""
    for name, layer in network.named_layers():
        if isinstance(layer, Dense | Conv2D):
            return name, layer
        if not isinstance(layer, BEFORE):
            break
    raise ModelError(
        "the first layer with weights must be Dense or Conv2D to be drawn, got "
        f"{', '.join(each for each, _ in network.named_layers())}"
    )
