"""The plane of a boundary or a curve: scales, axes, data points, and a picture of each frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handloom.charts.scales import Scale, tick_text
from handloom.data.dataset import Dataset
from handloom.markup import Element, Node, element
from handloom.model import Model
from handloom.reporting.boundary.shades import (
    COLORS,
    Floats,
    band_fills,
    band_of,
    class_picture,
    probabilities_of,
    value_picture,
)
from handloom.reporting.form.fields import inputs_of
from handloom.reporting.form.rows import restored

WIDTH, HEIGHT = 440, 330
"""The size of the plane."""

LEFT, BELOW, MARGIN = 70, 48, 8
"""The room for the axes, and that at the other sides."""

MOST_POINTS = 400
"""The largest number of rows that are drawn."""

SIZE = 3.4
"""The radius of a point."""


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane over one or two inputs.

    Attributes
    ----------
    model : Model
    classes : bool
        Whether predictions are probabilities of classes.
    axes : tuple of array
        The points of the grid, as the network takes them.
    rows : Dataset
        The rows that are drawn.
    """

    model: Model
    classes: bool
    axes: tuple[Floats, ...]
    rows: Dataset

    @property
    def names(self) -> tuple[str, str]:
        """The names of the axes."""
        inputs = [each.name for each in inputs_of(self.model)]
        output = self.model.class_names[0] if len(self.model.class_names) == 1 else "output"
        return inputs[0], inputs[1] if len(inputs) == 2 else output

    def raw(self, values: Floats, column: int) -> Floats:
        """Return values of an input in the units of its table."""
        encoding = inputs_of(self.model)[column]
        return np.asarray(encoding.mean + encoding.scale * values)

    def points(self) -> tuple[Floats, Floats]:
        """Return the rows that are drawn, shape (n, inputs), and their targets, shape (n, k)."""
        few = self.rows.take(slice(MOST_POINTS))
        inputs = np.asarray(few.inputs[:], np.float64)
        raw = [self.raw(inputs[:, column], column) for column in range(inputs.shape[1])]
        targets = few.targets if self.classes else restored(self.model, few.targets)
        return np.stack(raw, axis=1), np.asarray(targets, np.float64)

    def value_range(self, frames: Sequence[Floats]) -> tuple[float, float]:
        """Return the range of the targets and of the last predictions."""
        shown = [self.points()[1].ravel(), restored(self.model, frames[-1]).ravel()]
        values = np.concatenate(shown)
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        margin = 0.08 * (high - low) or 1.0
        return low - margin, high + margin

    def scales(self, frames: Sequence[Floats]) -> tuple[Scale, Scale]:
        """Return the scales of both axes."""
        ends = [self.raw(axis[[0, -1]], column) for column, axis in enumerate(self.axes)]
        up = ends[1].tolist() if len(ends) == 2 else self.value_range(frames)
        low, high = ends[0].tolist()
        return Scale(low, high, 0, WIDTH), Scale(up[0], up[1], HEIGHT, 0)

    def pictures(self, frames: Sequence[Floats]) -> list[Element]:
        """Return the picture of each frame, which is drawn by its id, ``boundary-frame-0``."""
        if len(self.axes) == 1:
            return [self._curves(index, each, frames) for index, each in enumerate(frames)]
        if self.classes:
            sources = [class_picture(probabilities_of(each)) for each in frames]
        else:
            low, high = self.value_range(frames)
            values = [restored(self.model, each)[..., 0] for each in frames]
            sources = [value_picture(np.asarray(each), low, high) for each in values]
        return [
            element(
                "image",
                id=f"boundary-frame-{index}",
                href=source,
                width=WIDTH,
                height=HEIGHT,
                preserveAspectRatio="none",
            )
            for index, source in enumerate(sources)
        ]

    def _curves(self, index: int, frame: Floats, frames: Sequence[Floats]) -> Element:
        """Return the curve of each output over the only input."""
        across, up = self.scales(frames)
        x = [across(value) for value in self.raw(self.axes[0], 0).tolist()]
        outputs = np.asarray(restored(self.model, frame)).T.tolist()
        return element(
            "g",
            [
                element(
                    "path",
                    d="M" + "L".join(f"{a:.1f} {up(b):.1f}" for a, b in zip(x, y, strict=True)),
                    class_=f"line series-{(output + 1) % 8}",
                )
                for output, y in enumerate(outputs)
            ],
            id=f"boundary-frame-{index}",
        )

    def markers(self, frames: Sequence[Floats]) -> Element:
        """Return the rows as points with the color and the shape of their class."""
        across, up = self.scales(frames)
        points, targets = self.points()
        fills = list[str]()  # of continuous targets
        heights = points[:, 1] if len(self.axes) == 2 else targets[:, 0]
        if self.classes:
            groups = targets.astype(np.intp)
        elif len(self.axes) == 2:
            groups = band_of(targets[:, 0], *self.value_range(frames))
            fills = band_fills()
        else:
            groups = np.zeros(len(points), np.intp)
        return element(
            "g",
            [
                element(
                    "path",
                    d="".join(
                        marker(label if self.classes else 0, across(x), up(y))
                        for x, y in zip(
                            points[groups == label, 0].tolist(),
                            heights[groups == label].tolist(),
                            strict=True,
                        )
                    ),
                    fill=fills[label] if fills else None,
                    class_=class_of(label) if self.classes else None,
                )
                for label in np.unique(groups).tolist()
            ],
            id="boundary-points",
            class_=f"boundary-points {'' if self.classes else 'of-values'}".strip(),
        )

    def axes_drawn(self, frames: Sequence[Floats]) -> list[Node]:
        """Return the ticks and the names of both axes."""
        across, up = self.scales(frames)
        bottom = MARGIN + HEIGHT
        first, second = self.names
        return [
            element("rect", x=LEFT, y=MARGIN, width=WIDTH, height=HEIGHT, class_="boundary-frame"),
            [
                element("text", tick_text(each), x=LEFT + across(each), y=bottom + 18, class_="x")
                for each in across.ticks()
            ],
            [
                element("text", tick_text(each), x=LEFT - 8, y=MARGIN + up(each) + 4, class_="y")
                for each in up.ticks()
            ],
            element("text", first, x=LEFT + WIDTH / 2, y=bottom + 40, class_="x name"),
            element(
                "text",
                second,
                x=0,
                y=0,
                transform=f"translate(18 {MARGIN + HEIGHT / 2:g}) rotate(-90)",
                class_="x name",
            ),
        ]


def class_of(label: int) -> str:
    """Return the style of the points of a class."""
    return f"dot series-{label % len(COLORS)}"


def marker(label: int, x: float, y: float) -> str:
    """Return a path that marks a point: a disk, a square, a triangle or a diamond."""
    r = SIZE
    shape = label % 4
    if shape == 0:
        return f"M{x - r:.1f} {y:.1f}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0z"
    if shape == 1:
        return f"M{x - r:.1f} {y - r:.1f}h{2 * r}v{2 * r}h{-2 * r}z"
    if shape == 2:
        return f"M{x:.1f} {y - 1.3 * r:.1f}l{1.2 * r:.2f} {2.2 * r:.2f}h{-2.4 * r:.2f}z"
    side = round(1.4 * r, 2)
    return f"M{x:.1f} {y - side:.1f}l{side} {side}l{-side} {side}l{-side} {-side}z"
