"""Plane: two axes with values, and points, lines and bars between them, as SVG."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handloom.charts.scales import Scale, tick_text
from handloom.markup import Element, Node, element
from handloom.reporting.charts.line_chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH

Floats = npt.NDArray[np.float64]

LAYERS = 6
"""The number of paths of many points: within a path, points over each other are not darker."""


@dataclass(frozen=True)
class Plane:
    """The two axes of a chart.

    Attributes
    ----------
    x, y : Scale
        `horizontal` and `vertical` make them.
    x_label, y_label : str
        Names with units.
    """

    x: Scale
    y: Scale
    x_label: str
    y_label: str

    def figure(
        self,
        title: str,
        caption: Node,
        nodes: Iterable[Node],
        *,
        id_: str,
        spoken: str,
        above: Node = None,
        below: Node = None,
    ) -> Element:
        """Return a chart with a heading.

        Parameters
        ----------
        title : str
        caption : Node
        nodes : iterable of Node
            The content, such as `points` and `line`.
        id_ : str
            The id of the heading, unique in the page.
        spoken : str
            The content in words, for those who do not see it.
        above, below : Node
            A legend, and a table of the values.
        """
        drawing = element(
            "svg",
            element("g", self._axes(), aria_hidden="true"),
            list(nodes),
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            role="img",
            aria_label=f"{title}: {spoken}",
        )
        return element(
            "figure",
            element("h3", title, id=id_),
            above,
            element("div", drawing, class_="plot"),
            element("figcaption", caption) if caption else None,
            below,
            class_="chart",
            aria_labelledby=id_,
        )

    def _axes(self) -> list[Node]:
        nodes: list[Node] = []
        for value, text in _ticks(self.y):
            at = self.y(value)
            nodes.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, class_="grid"))
            nodes.append(element("text", text, x=LEFT - 7, y=at + 4, text_anchor="end"))
        base = HEIGHT - BOTTOM
        for value, text in _ticks(self.x):
            at = self.x(value)
            nodes.append(element("line", x1=at, x2=at, y1=base, y2=base + 4, class_="axis"))
            nodes.append(element("text", text, x=at, y=base + 17, text_anchor="middle"))
        nodes.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=base, y2=base, class_="axis"))
        nodes.append(
            element("text", self.x_label, x=WIDTH - RIGHT, y=HEIGHT - 6, text_anchor="end")
        )
        nodes.append(element("text", self.y_label, x=0, y=12, class_="axis-label"))
        return nodes

    def points(self, x: Floats, y: Floats, class_: str = "points") -> list[Node]:
        """Return points, a few paths with a dot for each."""
        dots = [
            f"M{self.x(left):.1f} {self.y(top):.1f}h0"
            for left, top in zip(x.tolist(), y.tolist(), strict=True)
        ]
        layers = ("".join(dots[first::LAYERS]) for first in range(min(LAYERS, len(dots))))
        return [element("path", d=each, class_=class_) for each in layers]

    def line(self, x: Sequence[float], y: Sequence[float], **attributes: object) -> Element:
        """Return a line through points."""
        at = (f"{self.x(a):.1f} {self.y(b):.1f}" for a, b in zip(x, y, strict=True))
        return element("path", d="M" + "L".join(at), **attributes)

    def bars(self, edges: Sequence[float], heights: Sequence[float]) -> list[Node]:
        """Return adjoining bars from the horizontal axis, between edges, one more than bars."""
        base, nodes = self.y(self.y.low), list[Node]()
        for left, right, height in zip(edges, edges[1:], heights, strict=False):
            if height:
                a, b, top = self.x(left), self.x(right), self.y(height)
                nodes.append(
                    element(
                        "rect", x=a + 0.5, y=top, width=b - a - 1, height=base - top, class_="bar"
                    )
                )
        return nodes

    def rug(self, values: Iterable[float]) -> list[Node]:
        """Return short marks on the horizontal axis."""
        base = HEIGHT - BOTTOM
        inside = [value for value in values if self.x.low <= value <= self.x.high]
        return [
            element("line", x1=self.x(each), x2=self.x(each), y1=base - 9, y2=base, class_="rug")
            for each in inside
        ]

    def across(self, at: float) -> Element:
        """Return a dashed line at a value of the vertical axis."""
        return element(
            "line", x1=LEFT, x2=WIDTH - RIGHT, y1=self.y(at), y2=self.y(at), class_="mark"
        )


def horizontal(low: float, high: float, *, logarithmic: bool = False) -> Scale:
    """Return a horizontal axis from one value to another, which may be the same."""
    return Scale(*_apart(low, high), LEFT, WIDTH - RIGHT, logarithmic)


def vertical(low: float, high: float, *, logarithmic: bool = False) -> Scale:
    """Return a vertical axis from one value to another, which may be the same."""
    return Scale(*_apart(low, high), HEIGHT - BOTTOM, TOP, logarithmic)


def _ticks(scale: Scale) -> list[tuple[float, str]]:
    """Return the ticks of an axis with their texts: exponents in none, or in all large ones."""
    values = scale.ticks()
    exponents = any("e" in tick_text(value) for value in values if abs(value) >= 1.0)
    return [
        (value, _power(value) if exponents and abs(value) >= 1e3 else tick_text(value))
        for value in values
    ]


def _power(value: float) -> str:
    power = math.floor(math.log10(abs(value)))
    return f"{value / 10.0**power:.3g}e{power}"


def _apart(low: float, high: float) -> tuple[float, float]:
    if math.isclose(low, high, rel_tol=1e-9, abs_tol=1e-300):
        margin = abs(low) / 2 or 0.5
        return low - margin, high + margin
    return low, high
