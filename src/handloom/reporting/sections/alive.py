"""The network, alive: an image to change, every layer's activations, units to switch off."""

import numpy as np
import numpy.typing as npt

from handloom.data.pictures import png
from handloom.errors import ModelError
from handloom.markup import Element, Node, element
from handloom.model import Model
from handloom.network import Sequential
from handloom.predictions import both_classes
from handloom.reporting.alive.activations import (
    ShownLayer,
    activations,
    shown_layers,
    still_picture,
)
from handloom.reporting.alive.network_export import encode_array, export_network, predictions
from handloom.reporting.alive.rows import ShownRow, rows_to_show
from handloom.reporting.alive.stage import stage
from handloom.reporting.assets import ALIVE_SCRIPTS
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.thumbnails import resized
from handloom.reporting.wording import number, percent

TITLE = "The network, alive"

CHECKED_ROWS = 256
"""The number of test rows whose predictions decide about the precision of the weights."""


def alive(run: ReportedRun) -> Section | Omission:
    """Return the section in which the reader runs the network on an image."""
    model = run.model
    if model is None:
        return Omission(TITLE, run.why_missing("model"))
    if type(model.network) is not Sequential:
        own = type(model.network).__name__
        return Omission(TITLE, f"the network is a {own}, a class of its own, expected Sequential.")
    image_shape = _image_shape(model.row_shape)
    if image_shape[0] not in (1, 3):
        return Omission(TITLE, f"its images have {image_shape[0]} channels, expected 1 or 3.")
    rows = rows_to_show(model, run.test, run.predicted)
    layers = shown_layers(model.before_loss.layers, model.network.input_shape)
    try:
        network = export_network(model, _checked_rows(run, rows))
    except ModelError as error:
        sentence = f"This page cannot run the network: {error}. It shows pictures instead."
        still = _still(run, model, layers, rows[0])
        return Section("alive", TITLE, [element("p", sentence), still], styles=("alive",))
    data = {
        "network": network,
        "shape": image_shape,
        "levels": [0, 255],
        "class_names": list(run.class_names),
        "images": [encode_array(each.row, "uint8") for each in rows],
    }
    invitation = element(
        "span",
        " With scripts, the image can be changed here, and the network runs on it.",
        class_="on-screen",
    )
    body = [_still(run, model, layers, rows[0], invitation), stage(run, layers, rows)]
    return Section("alive", TITLE, body, data, ALIVE_SCRIPTS, ("alive", "predictions"))


def _image_shape(row_shape: tuple[int, ...]) -> list[int]:
    return [1, *row_shape] if len(row_shape) == 2 else list(row_shape)


def _checked_rows(run: ReportedRun, rows: list[ShownRow]) -> npt.NDArray[np.generic]:
    """Return the rows on which weights in float16 must predict the same."""
    if run.test is not None and len(run.test):
        return np.asarray(run.test.inputs[:CHECKED_ROWS])
    noise = np.random.default_rng(0).integers(0, 256, (64, *rows[0].row.shape), np.uint8)
    return np.concatenate([rows[0].row[None], noise])


def _still(
    run: ReportedRun,
    model: Model,
    layers: list[ShownLayer],
    shown: ShownRow,
    invitation: Node = None,
) -> Element:
    """Return pictures of one row's activations, for a page without scripts."""
    outputs = activations(model, shown.row)
    y, x = model.row_shape[-2:]
    (probabilities,) = both_classes(predictions(model, shown.row[None], model.before_loss))
    order = np.argsort(-probabilities, kind="stable")[:3]
    best = ", ".join(f"{run.class_names[index]} {percent(probabilities[index])}" for index in order)
    return element(
        "div",
        element(
            "p",
            "The picture shows the activations of each block's last layer for one image, "
            f"{shown.description}: orange above zero, blue below. The network predicts: "
            f"{best}.",
            invitation,
        ),
        element(
            "figure",
            _picture(png(resized(shown.row, (y, x))), 112, 112, "the image"),
            element("figcaption", "The image"),
        ),
        [_still_layer(each, outputs) for each in layers if not each.between],
        class_="alive-still",
    )


def _still_layer(shown: ShownLayer, outputs: dict[str, npt.NDArray[np.floating]]) -> Node:
    if shown.name not in outputs:
        return None
    values = outputs[shown.name]
    picture = still_picture(values)
    height, width = picture.shape[:2]
    least, largest = number(float(values.min()), 3), number(float(values.max()), 3)
    return element(
        "figure",
        element("figcaption", element("b", shown.name), f" {least} to {largest}"),
        _picture(png(picture), width, height, f"the activations of {shown.name}"),
    )


def _picture(source: str, width: int, height: int, alt: str) -> Element:
    return element("img", src=source, width=width, height=height, alt=alt, class_="alive-pixels")
