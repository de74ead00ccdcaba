"""A small line chart as SVG, for the output of a notebook's cell.

It has no style sheet: text has the color of the text around it, so it can be read on a light and on
a dark ground, and the colors of the lines contrast with both.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from handloom.charts.scales import Scale, bounds, tick_text
from handloom.charts.thinning import thinned
from handloom.markup import Element, Node, element

WIDTH, HEIGHT = 400, 230
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 46, 36
"""The size of a chart and its margins, in pixels of the page."""

COLORS, DASHES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7"), (None, "6 3", "2 2", "8 2 2 2")
"""The color-blind safe colors of Okabe and Ito that show on both grounds, each with a pattern."""

FEW_POINTS = 20
"""Up to this number, the points of a line are marked."""

ORDERS = 1000.0
"""The largest value relative to the median from which the axis is logarithmic."""

INK = "currentColor"


@dataclass(frozen=True)
class Line:
    """A line of a chart; a value that is not finite is a gap.

    Attributes
    ----------
    name : str
    x, y : sequence of float
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]


def small_chart(title: str, lines: Sequence[Line], *, x_label: str = "epoch") -> Element:
    """Return a chart of at most four lines.

    Parameters
    ----------
    title : str
        The quantity on the vertical axis, with its unit.
    lines : sequence of Line
    x_label : str
    """
    values = [value for line in lines for value in line.y if math.isfinite(value)]
    x, y = _scales(lines, values)
    pairs = list(zip(lines, COLORS, DASHES, strict=False))
    spoken = "; ".join(f"{line.name} ends at {line.y[-1]:.4g}" for line in lines if len(line.y))
    return element(
        "svg",
        element("text", title, x=0, y=14, font_size=14, font_weight="bold", fill=INK),
        _legend(pairs) if len(lines) > 1 else None,
        _axes(x, y, x_label, whole=all(at == int(at) for line in lines for at in line.x)),
        [_curve(line, x, y, _stroke(color, dash), color) for line, color, dash in pairs],
        width=WIDTH,
        height=HEIGHT,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        font_family="sans-serif",
        role="img",
        aria_label=f"{title} by {x_label}: {spoken}",
    )


def _scales(lines: Sequence[Line], values: Sequence[float]) -> tuple[Scale, Scale]:
    at = [each for line in lines for each in line.x] or [0.0, 1.0]
    first, last = min(at), max(at)
    if first == last:
        first, last = first - 0.5, last + 0.5
    middle = sorted(values)[len(values) // 2] if values else 1.0
    logarithmic = bool(values) and min(values) > 0.0 and max(values) > ORDERS * middle
    low, high = bounds(values, logarithmic=logarithmic)
    return (
        Scale(first, last, LEFT, WIDTH - RIGHT),
        Scale(low, high, HEIGHT - BOTTOM, TOP, logarithmic),
    )


def _stroke(color: str, dash: str | None) -> dict[str, object]:
    return {"stroke": color, "stroke_width": 2, "stroke_dasharray": dash, "fill": "none"}


def _legend(pairs: Sequence[tuple[Line, str, str | None]]) -> list[Node]:
    nodes: list[Node] = []
    left = LEFT
    for line, color, dash in pairs:
        nodes.append(element("line", x1=left, x2=left + 26, y1=30, y2=30, **_stroke(color, dash)))
        nodes.append(element("text", line.name, x=left + 31, y=34, font_size=12, fill=INK))
        left += 55 + 7 * len(line.name)
    return nodes


def _axes(x: Scale, y: Scale, x_label: str, *, whole: bool) -> list[Node]:
    """Return axes; that of ``whole`` values, such as epochs, has ticks at whole values alone."""
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    ink = {"stroke": INK, "stroke_width": 1}
    write = {"font_size": 12, "fill": INK}
    nodes: list[Node] = []
    for value in y.ticks(4):
        at = y(value)
        nodes.append(element("line", x1=LEFT, x2=right, y1=at, y2=at, stroke_opacity=0.15, **ink))
        nodes.append(
            element("text", tick_text(value), x=LEFT - 6, y=at + 4, text_anchor="end", **write)
        )
    for value in x.ticks(6):
        if not whole or value == int(value):
            text = tick_text(value)
            nodes.append(
                element("text", text, x=x(value), y=bottom + 15, text_anchor="middle", **write)
            )
    nodes.append(
        element("line", x1=LEFT, x2=right, y1=bottom, y2=bottom, stroke_opacity=0.6, **ink)
    )
    nodes.append(element("text", x_label, x=right, y=HEIGHT - 4, text_anchor="end", **write))
    return nodes


def _curve(line: Line, x: Scale, y: Scale, stroke: dict[str, object], color: str) -> list[Node]:
    path, drawing = [], False
    dots: list[Node] = []
    for at, value in zip(*thinned(line.x, line.y), strict=True):
        if value is None:
            drawing = False
            continue
        left, top = x(at), y(value)
        path.append(f"{'L' if drawing else 'M'}{left:.1f} {top:.1f}")
        drawing = True
        if len(line.x) <= FEW_POINTS:
            dots.append(element("circle", cx=left, cy=top, r=3, fill=color))
    return [element("path", d="".join(path), **stroke), dots]
