"""A plot of activations: the output of each layer of a network for one row."""

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from handloom.data.conversion import convert_inputs
from handloom.data.pictures import Sheet, channels_of, picture
from handloom.data.transforms import given_rows
from handloom.errors import DataError, require_instance
from handloom.model import Model
from handloom.network import Sequential
from handloom.plots.figure import (
    BLUE,
    EDGE,
    GRAY,
    LIGHT,
    MEDIUM,
    SMALL,
    add_panel,
    bare,
    class_labels,
    drawing,
    headline,
    new_figure,
    show,
)
from handloom.plots.fonts import fitted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = npt.NDArray[np.float64]

MOST_LAYERS = 24
"""The largest number of layers that are drawn; of a deeper network the first and last ones."""

MOST_MAPS, MAPS_IN_A_LINE = 24, 12
MOST_UNITS, UNITS_IN_A_LINE = 512, 128
MOST_CLASSES = 10
"""The largest numbers of feature maps, of units and of classes that are drawn of a layer."""

LABEL, STRIP, RANGE = 2.3, 8.4, 2.4
"""The widths of the name of a layer, of its picture and of its range in inches."""

LINE, MAP, BAR, GAP = 0.22, 0.7, 0.26, 0.3
"""The heights of a line of units, of maps, of a class and of the gap between layers in inches."""

A_NETWORK = (
    "; a network takes transformed rows: pass a Model, such as trainer.model(), to draw a row of "
    "the dataset"
)
"""The rest of the error about a row, where the model is a network."""

LARGEST = 240
"""The largest side of the picture of the row in pixels."""


def activations(
    model: Model | Sequential, x: npt.ArrayLike, *, title: str = "activations"
) -> "Figure":
    """Plot the output of each layer for one row, from the input to the prediction.

    An output of shape (c, y, x) is drawn as feature maps, any other as a strip with a cell for each
    unit, in lines of 128. Red is above 0 and blue below; each layer has its own scale, beside it.
    Of a layer, at most 24 maps or 512 units are drawn, and at most 24 layers.

    Parameters
    ----------
    model : Model or Sequential
        A built network. A model transforms the row, and its prediction is drawn too.
    x : array, shape (...) or (1, ...)
        One row as in the training data; for a network, one row of its input.
    title : str
        The title.

    Returns
    -------
    Figure

    Raises
    ------
    DataError
        If ``x`` is not one row.
    ModelError
        If the row does not fit the network, or it is not built.
    """
    if not isinstance(model, Model):
        require_instance("model", model, Sequential)
    network = model.before_loss if isinstance(model, Model) else model
    shape = model.row_shape if isinstance(model, Model) else network.input_shape
    _ = network.parameters  # refuses a network that is not built
    row = _single_row(x, shape, "" if isinstance(model, Model) else A_NETWORK)
    if isinstance(model, Model):
        model.check_rows(row)
    outputs = _outputs(model, network, row)
    layers = [_Layer(name, values) for name, values in _fewer(outputs)]
    prediction = model.predict(row)[0] if isinstance(model, Model) else None
    names = model.class_names if isinstance(model, Model) else ()
    dataset = model.trained_on if isinstance(model, Model) else ""
    heights = [_height_of_row(row), *(layer.height for layer in layers)]
    if prediction is not None:
        heights.append(BAR * min(len(prediction), MOST_CLASSES))
    with drawing(title, dataset, *names):
        top = 0.75
        high = top + sum(heights) + GAP * len(heights)
        figure = new_figure(LABEL + STRIP + RANGE, high, headline(dataset, title), placed=True)
        for index, height in enumerate(heights):
            panel = add_panel(figure, LABEL, top, STRIP, height)
            if index == 0:
                _draw_row(panel, row)
            elif index <= len(layers):
                layers[index - 1].draw(panel)
            elif isinstance(model, Model) and prediction is not None:
                _draw_prediction(panel, model, prediction)
            top += height + GAP
    return figure


def _single_row(
    x: npt.ArrayLike, shape: tuple[int, ...], remedy: str = ""
) -> npt.NDArray[np.generic]:
    """Return one row, shape (1, ...)."""
    values = np.asarray(x)
    rows = convert_inputs(values[None] if values.shape == shape else values).rows[:]
    if rows.shape != (1, *shape):
        raise DataError(
            f"x must be one row of shape {shape}, got shape {values.shape}: pass one of the rows, "
            f"such as data.inputs[0]{remedy}"
        )
    return rows


def _outputs(
    model: Model | Sequential, network: Sequential, row: npt.NDArray[np.generic]
) -> list[tuple[str, Values]]:
    """Return the output of each layer by its name."""
    y = np.empty((1, prod(network.input_shape)), network.parameters.dtype)
    if isinstance(model, Model):
        model.transform(given_rows(model.transform, row), y)
    else:
        y[...] = row.reshape(1, -1)
    y = y.reshape(1, *network.input_shape)
    outputs = []
    with np.errstate(over="ignore", invalid="ignore"):
        for name, layer in network.named_layers():
            y = layer.forward(y)
            outputs.append((name, y[0].astype(np.float64)))
    return outputs


def _fewer(outputs: list[tuple[str, Values]]) -> list[tuple[str, Values]]:
    """Return at most `MOST_LAYERS` outputs, the first and the last ones."""
    if len(outputs) <= MOST_LAYERS:
        return outputs
    half = MOST_LAYERS // 2
    return [*outputs[:half], *outputs[-half:]]


@dataclass(frozen=True)
class _Layer:
    """The output of a layer for one row."""

    name: str
    values: Values

    @property
    def has_maps(self) -> bool:
        """Whether it is drawn as feature maps."""
        return self.values.ndim in (2, 3)

    @property
    def maps(self) -> Values:
        """The feature maps, shape (c, y, x)."""
        return self.values if self.values.ndim == 3 else self.values[None]

    @property
    def height(self) -> float:
        """The height of the picture in inches."""
        if self.has_maps:
            return MAP * -(-min(len(self.maps), MOST_MAPS) // MAPS_IN_A_LINE)
        return LINE * -(-min(self.values.size, MOST_UNITS) // UNITS_IN_A_LINE)

    def draw(self, panel: "Axes") -> None:
        """Draw the picture, the name and the shape to the left, the range to the right."""
        pixels = self._sheet() if self.has_maps else self._strip()
        finite = np.abs(self.values[np.isfinite(self.values)])
        scale = float(finite.max(initial=0.0)) or 1.0
        panel.imshow(
            pixels,
            cmap="RdBu_r",
            vmin=-scale,
            vmax=scale,
            interpolation="nearest",
            aspect="equal" if self.has_maps else "auto",
        )
        panel.set_anchor("W")
        bare(panel)
        _label(panel, self.name, self._shape())
        low, high = (f"{end:.3g}" for end in (self.values.min(), self.values.max()))
        _beside(panel, low if low == high else f"{low} to {high}")

    def _shape(self) -> str:
        total, most = (
            (len(self.maps), MOST_MAPS) if self.has_maps else (self.values.size, MOST_UNITS)
        )
        shape = " x ".join(map(str, self.values.shape))
        return f"{shape}, first {most}" if total > most else shape

    def _sheet(self) -> Values:
        maps = self.maps[:MOST_MAPS]
        columns = MAPS_IN_A_LINE
        cells = {divmod(index, columns): each for index, each in enumerate(maps)}
        pixels: Values = Sheet(cells, -(-len(maps) // columns), columns).pixels
        return pixels

    def _strip(self) -> Values:
        values = self.values.reshape(-1)[:MOST_UNITS]
        lines = -(-values.size // UNITS_IN_A_LINE)
        strip = np.full(lines * min(values.size, UNITS_IN_A_LINE), np.nan)
        strip[: values.size] = values
        return strip.reshape(lines, -1)


def _height_of_row(row: npt.NDArray[np.generic]) -> float:
    return 2 * MAP if _is_picture(row) else LINE * -(-min(row.size, MOST_UNITS) // UNITS_IN_A_LINE)


def _is_picture(row: npt.NDArray[np.generic]) -> bool:
    return row.dtype == np.uint8 and channels_of(row.shape[1:]) is not None


def _draw_row(panel: "Axes", row: npt.NDArray[np.generic]) -> None:
    """Draw the input: an image as it is, features as the output of a layer."""
    if not _is_picture(row):
        _Layer("input", row[0].astype(np.float64).reshape(-1)).draw(panel)
        return
    show(panel, picture(row[0], LARGEST))
    panel.set_anchor("W")
    _label(panel, "input", " x ".join(map(str, row.shape[1:])))


def _draw_prediction(panel: "Axes", model: Model, predicted: npt.NDArray[np.floating]) -> None:
    """Draw the outputs of a model as bars, the largest ones first."""
    names = model.class_names
    order = np.argsort(-predicted, kind="stable")[:MOST_CLASSES]
    labels = class_labels([names[k] for k in order], LABEL - 0.3, SMALL, indices=order)
    bars = panel.barh(range(len(order)), predicted[order], color=BLUE, height=0.75)
    likely = model.output_activation in ("softmax", "sigmoid")
    written = [f"{100 * v:.1f} %" if likely else f"{v:.4g}" for v in predicted[order]]
    panel.bar_label(bars, written, fontsize=SMALL, padding=3)
    panel.set_yticks(range(len(order)), labels)
    panel.invert_yaxis()
    panel.spines[:].set_visible(False)
    panel.axvline(0.0, color=LIGHT)
    panel.set_xticks([])
    panel.tick_params(length=0, labelsize=SMALL)
    panel.margins(x=0.15)
    if likely:
        panel.set_xlim(0.0, 1.15)


def _label(panel: "Axes", name: str, shape: str) -> None:
    """Write a name and a shape to the left of a panel."""
    high = panel.figure.bbox.height / panel.figure.dpi
    box = panel.get_position()
    left, middle = EDGE / (LABEL + STRIP + RANGE), (box.y0 + box.y1) / 2
    half = 0.09 / high
    write = panel.figure.text
    write(left, middle + half, fitted(name, LABEL - 0.3, MEDIUM), fontsize=MEDIUM, va="center")
    write(left, middle - 1.2 * half, shape, fontsize=SMALL, color=GRAY, va="center")


def _beside(panel: "Axes", text: str) -> None:
    """Write a text to the right of a panel."""
    box = panel.get_position()
    x = (LABEL + STRIP + EDGE) / (LABEL + STRIP + RANGE)
    panel.figure.text(x, (box.y0 + box.y1) / 2, text, fontsize=SMALL, color=GRAY, va="center")
