"""The decision boundary, or the curve of a single input, over the epochs."""

from collections.abc import Sequence

import numpy as np

from handloom.markup import Element, Node, element
from handloom.model import Model
from handloom.reporting.alive.network_export import predictions
from handloom.reporting.boundary.plane import (
    BELOW,
    HEIGHT,
    LEFT,
    MARGIN,
    MOST_POINTS,
    WIDTH,
    Plane,
    class_of,
    marker,
)
from handloom.reporting.boundary.shades import MOST_CLASSES, Floats, band_fills
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.wording import number
from handloom.training.boundary import grid_axes, grid_rows, has_grid
from handloom.training.grid_frames import GridFrames
from handloom.training.history import History

TITLE = "The decision boundary over the epochs"
TITLE_OF_VALUES = "The predictions over the epochs"
PANELS = 6
"""The largest number of small pictures."""

VALUES = 5
"""The number of values in the legend."""

SAME = 0.01
"""The largest difference of predictions, relative to their range, that is not seen."""


def boundary(run: ReportedRun) -> Section | Omission | None:
    """Return the section about a network of one or two inputs; None for others."""
    model = run.model
    if model is None or not _suits(model, classes=run.classifies):
        return None
    title = TITLE if run.classifies else TITLE_OF_VALUES
    rows = run.train if run.test is None else run.test
    if rows is None:
        return Omission(title, run.why_missing("test"))
    if run.frames is None:
        around = rows if run.train is None else run.train
        axes = grid_axes(np.asarray(around.inputs[:]))
        frames, names = [], list[str]()
    else:
        axes = run.frames.axes
        frames = [run.frames.values(index) for index in range(len(run.frames.epochs))]
        names = _names(run.frames, run.history)
    last = _of_model(model, axes)
    if not frames or np.abs(frames[-1] - last).max() > SAME * max(1e-12, float(np.ptp(last))):
        frames, names = [*frames, last], [*names, _name_of_model(run)]
    if not all(np.isfinite(each).all() for each in frames):
        return Omission(title, "some predictions are not finite.")
    plane = Plane(model, run.classifies, tuple(np.asarray(axis, np.float64) for axis in axes), rows)
    data = {"names": names}
    scripts = ("boundary",) if len(frames) > 1 else ()
    return Section(
        "boundary", title, _body(plane, frames, names), data, scripts, ("charts", "boundary")
    )


def _suits(model: Model, *, classes: bool) -> bool:
    """Return whether a network has one or two numbers as inputs, and outputs to draw."""
    if not has_grid(model.row_shape, model.row_dtype, model.columns):
        return False
    if model.row_shape == (1,):
        return not classes
    outputs = len(model.class_names)
    return outputs <= MOST_CLASSES if classes else outputs == 1


def _of_model(model: Model, axes: tuple[np.ndarray, ...]) -> Floats:
    predicted = predictions(model, grid_rows(axes), model.before_loss)
    shape = [len(axis) for axis in reversed(axes)]
    return np.asarray(predicted.reshape(*shape, -1), np.float64)


def _names(frames: GridFrames, history: History | None) -> list[str]:
    """Return the epoch of each frame, with its losses."""
    records = {} if history is None else {each.epoch + 1: each for each in history.records}
    names = []
    for epoch in frames.epochs.tolist():
        name = f"epoch {epoch}" if epoch else "before training"
        if record := records.get(epoch):
            name += f": training loss {number(record.loss, 3)}"
            if record.validation_loss is not None:
                name += f", validation loss {number(record.validation_loss, 3)}"
        names.append(name)
    return names


def _name_of_model(run: ReportedRun) -> str:
    kept = run.results.get("kept_epoch")
    of_epoch = f", with the weights of epoch {kept + 1}" if isinstance(kept, int) else ""
    return f"the trained model{of_epoch}"


def _body(plane: Plane, frames: Sequence[Floats], names: Sequence[str]) -> list[Node]:
    last = len(frames) - 1
    return [
        element("p", _explained(plane, recorded=len(frames) > 1)),
        element(
            "svg",
            element("defs", plane.pictures(frames), plane.markers(frames)),
            class_="definitions",
            aria_hidden="true",
            width=0,
            height=0,
        ),
        element(
            "figure",
            _controls(last) if last else None,
            element("figcaption", names[last], id="boundary-name", class_="boundary-name"),
            element(
                "svg",
                element("svg", _drawn(plane, last), x=LEFT, y=MARGIN, width=WIDTH, height=HEIGHT),
                plane.axes_drawn(frames),
                viewBox=f"0 0 {LEFT + WIDTH + MARGIN} {MARGIN + HEIGHT + BELOW}",
                role="img",
                aria_labelledby="boundary-name",
                class_="boundary-plane",
            ),
            _legend(plane, frames),
            class_="boundary-stage plot",
        ),
        _panels(plane, names) if last else None,
    ]


def _drawn(plane: Plane, frame: int) -> list[Node]:
    """Return a frame and the points, which are elsewhere in the page; a curve is over them."""
    picture = element("use", href=f"#boundary-frame-{frame}", class_="boundary-picture")
    points = element("use", href="#boundary-points")
    return [picture, points] if len(plane.axes) == 2 else [points, picture]


def _explained(plane: Plane, *, recorded: bool) -> list[Node]:
    rows = f"{min(len(plane.rows), MOST_POINTS):,} rows of the data"
    if len(plane.axes) == 1:
        text = f"The line is the prediction of the network, points are {rows}."
    elif plane.classes:
        text = (
            "The color is the class that the network predicts at each point of the plane, deeper "
            "where its probability is higher; a gray line separates the classes. Points are "
            f"{rows}."
        )
    else:
        text = f"The color is the prediction, blue low and orange high; points are {rows}."
    if recorded:
        return [text]
    code = element("code", "GridPredictions")
    return [text, " The epochs were not recorded: the callback ", code, " does it."]


def _controls(last: int) -> Element:
    slider = element(
        "input",
        type="range",
        id="boundary-slider",
        min=0,
        max=last,
        step=1,
        value=last,
    )
    return element(
        "div",
        element("button", "Play", type="button", id="boundary-play"),
        element("label", "Epoch ", slider, class_="boundary-slider"),
        id="boundary-tools",
        class_="tools",
        hidden=True,
    )


def _legend(plane: Plane, frames: Sequence[Floats]) -> Node:
    """Return a sample of each class, or of some values."""
    if plane.classes:
        names = plane.model.classes
        samples = [_sample(name, label, class_=class_of(label)) for label, name in enumerate(names)]
    elif len(plane.axes) == 2:
        ends = plane.value_range(frames)
        fills = band_fills()
        bands = np.linspace(0, len(fills) - 1, VALUES).astype(int).tolist()
        values = np.linspace(*ends, VALUES).tolist()
        samples = [
            _sample(f"{float(f'{value:.3g}'):,.10g}", 1, fill=fills[band])
            for value, band in zip(values, bands, strict=True)
        ]
    else:
        return None
    return element("ul", samples, class_="legend")


def _sample(name: str, shape: int, **attributes: str) -> Element:
    drawing = element(
        "svg",
        element("path", d=marker(shape, 6, 6), **attributes),
        viewBox="0 0 12 12",
        class_="boundary-sample",
        aria_hidden="true",
    )
    return element("li", drawing, name)


def _panels(plane: Plane, names: Sequence[str]) -> Element:
    """Return small pictures: the first frame, some, and the last one."""
    shown = np.unique(np.linspace(0, len(names) - 1, min(PANELS, len(names))).round().astype(int))
    return element(
        "div",
        [
            element(
                "figure",
                element("figcaption", names[index].partition(":")[0]),
                element(
                    "svg",
                    _drawn(plane, index),
                    viewBox=f"0 0 {WIDTH} {HEIGHT}",
                    role="img",
                    aria_label=names[index],
                ),
            )
            for index in shown.tolist()
        ],
        class_="boundary-panels",
    )
