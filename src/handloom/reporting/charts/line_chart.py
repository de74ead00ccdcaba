"""Line charts of measurements over epochs."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from handloom.charts.scales import Scale, bounds, tick_text
from handloom.charts.thinning import thinned
from handloom.markup import Element, Node, element
from handloom.reporting.captions import table_caption
from handloom.reporting.wording import aligned, number

WIDTH, HEIGHT = 480, 260
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 28, 40
"""The size of a chart without scripts, and its margins; `scripts/chart_drawing.js` has the same."""

COLORS, DASHES = 8, ("", "7 4", "2 3", "9 3 2 3", "14 5")
"""The number of colors of lines, and their patterns: color alone does not tell lines apart."""

OVERLAP = 4
"""How far points and strokes reach over the edge of the plot."""

ORDERS = 1000.0
"""The largest value relative to the median from which an axis is logarithmic at first."""

TABLE_ROWS = 12
"""The number of rows of the table of values."""


@dataclass(frozen=True)
class Series:
    """A line of a chart.

    Attributes
    ----------
    name : str
    x, y : sequence of float
        The epochs and the values of its points; None for a gap.
    points : bool
        Whether points are drawn too.
    group : str
        The name in the legend of lines that share a color, as those of several seeds; by default
        the name of the line.
    dash : int
        The index of its pattern, which tells lines of a group apart.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    points: bool = False
    group: str = ""
    dash: int = 0

    @property
    def label(self) -> str:
        """The name in the legend."""
        return self.group or self.name


@dataclass(frozen=True)
class Mark:
    """A line across a chart at an epoch (``axis`` "x") or at a value ("y"), with a label."""

    axis: str
    at: float
    label: str


@dataclass(frozen=True)
class LineChart:
    """A line chart.

    Attributes
    ----------
    key : str
        A word, unique among the charts of a section.
    title, caption : str
        The heading, and how to read the chart.
    y_label, x_label : str
        The axes.
    series : sequence of Series
    marks : sequence of Mark
    logarithmic : bool or None
        Whether the vertical axis is logarithmic at first; None for large differences alone.
    order : sequence of str
        The names in the legends of several charts, in which a name has the same color; by default
        those of this one.
    """

    key: str
    title: str
    caption: str
    y_label: str
    series: Sequence[Series]
    marks: Sequence[Mark] = ()
    logarithmic: bool | None = None
    x_label: str = "epoch"
    order: Sequence[str] = ()

    @property
    def groups(self) -> list[str]:
        """The names in the legend."""
        return list(dict.fromkeys(each.label for each in self.series))

    def _color(self, group: str) -> int:
        """Return the index of the color of a name in the legend."""
        return list(self.order or self.groups).index(group)

    def _dash(self, group: str) -> int:
        """Return the pattern of a name in the legend: that of its first line."""
        return next(each.dash for each in self.series if each.label == group)

    @property
    def shows_logarithm(self) -> bool:
        """Whether the vertical axis is logarithmic at first."""
        values = sorted(value for each in self.series for value in _finite(each.y))
        if not values or values[0] <= 0.0:
            return bool(self.logarithmic and values and values[-1] > 0.0)
        if self.logarithmic is not None:
            return self.logarithmic
        return values[-1] > ORDERS * values[len(values) // 2]

    def data(self) -> dict[str, Any]:
        """Return the chart as JSON for its script."""
        return {
            "xLabel": self.x_label,
            "yLabel": self.y_label,
            "logarithmic": self.shows_logarithm,
            "groups": self.groups,
            "colors": [self._color(each) for each in self.groups],
            "marks": [
                {"axis": each.axis, "at": each.at, "label": each.label} for each in self.marks
            ],
            "series": [
                {
                    "name": each.name,
                    "group": self.groups.index(each.label),
                    "x": x,
                    "y": y,
                    "points": each.points,
                    "dash": each.dash,
                }
                for each, (x, y) in ((each, thinned(each.x, each.y)) for each in self.series)
            ],
        }

    def figure(self, section: str) -> Element:
        """Return the chart, complete without scripts.

        Parameters
        ----------
        section : str
            The id of the section that holds `data` as ``charts[key]``.
        """
        heading = f"{section}-{self.key}"
        return element(
            "figure",
            element("h3", self.title, id=heading),
            self._legend(),
            element("div", self._drawing(), class_="plot"),
            element("figcaption", self.caption),
            self._table(),
            class_="chart",
            data_section=section,
            data_chart=self.key,
            aria_labelledby=heading,
        )

    def _legend(self) -> Node:
        if [each.lower() for each in self.groups] == [self.title.lower()]:
            return None  # the title names the only line
        return legend((each, self._color(each), self._dash(each)) for each in self.groups)

    def _drawing(self) -> Element:
        x, y = self._scales()
        text = f"{self.title}: {self.y_label} by {self.x_label}, " + "; ".join(
            _spoken(each) for each in self.series
        )
        inside = [each for each in self.marks if _inside(each, x, y)]
        crowded = any(each.axis == "x" and _is_late(x(each.at)) for each in inside)
        marks = [self._mark(each, x, y, crowded=crowded) for each in inside]
        return element(
            "svg",
            element("g", self._axes(x, y), aria_hidden="true"),
            [line for line, _ in marks],
            _clipped([_line(self._color(each.label), each, x, y) for each in self.series]),
            [label for _, label in marks],
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            role="img",
            aria_label=text,
        )

    def _scales(self) -> tuple[Scale, Scale]:
        log = self.shows_logarithm
        epochs = [value for each in self.series for value in each.x]
        first, last = (min(epochs), max(epochs)) if epochs else (0.0, 1.0)
        if first == last:
            first, last = first - 0.5, last + 0.5
        values = [value for each in self.series for value in each.y]
        values += [each.at for each in self.marks if each.axis == "y"]
        low, high = bounds(values, logarithmic=log)
        return (
            Scale(first, last, LEFT, WIDTH - RIGHT),
            Scale(low, high, HEIGHT - BOTTOM, TOP, log),
        )

    def _axes(self, x: Scale, y: Scale) -> list[Node]:
        nodes: list[Node] = []
        for value in y.ticks():
            at = y(value)
            nodes.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, class_="grid"))
            nodes.append(element("text", tick_text(value), x=LEFT - 7, y=at + 4, text_anchor="end"))
        for value in x.ticks(6):
            if value == int(value):
                at = x(value)
                nodes.append(
                    element(
                        "text", tick_text(value), x=at, y=HEIGHT - BOTTOM + 17, text_anchor="middle"
                    )
                )
        bottom = HEIGHT - BOTTOM
        nodes.append(
            element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=bottom, y2=bottom, class_="axis")
        )
        nodes.append(
            element("text", self.x_label, x=WIDTH - RIGHT, y=HEIGHT - 6, text_anchor="end")
        )
        nodes.append(element("text", self.y_label, x=0, y=12, class_="axis-label"))
        return nodes

    def _mark(self, mark: Mark, x: Scale, y: Scale, *, crowded: bool) -> tuple[Element, Element]:
        """Return the line and the label of a mark.

        The label of a value is at the right end, or at the left one if an epoch has its there.
        """
        if mark.axis == "x":
            at = x(mark.at)
            late = _is_late(at)
            line = element("line", x1=at, x2=at, y1=TOP, y2=HEIGHT - BOTTOM, class_="mark")
            anchor = "end" if late else "start"
            label = {"x": at - 5 if late else at + 5, "y": TOP + 10, "text_anchor": anchor}
        else:
            at = y(mark.at)
            line = element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, class_="mark")
            end, anchor = (LEFT + 5, "start") if crowded else (WIDTH - RIGHT, "end")
            label = {"x": end, "y": at - 5, "text_anchor": anchor}
        return line, element("text", mark.label, class_="mark-label", **label)

    def _table(self) -> Element:
        epochs = sorted({value for each in self.series for value in each.x})
        rows, every = self._rows(epochs)
        shown = set(rows)
        columns = [
            aligned({x: y for x, y in zip(each.x, each.y, strict=True) if x in shown})
            for each in self.series
        ]
        few = (
            ""
            if every == 1
            else f"; one of every {every} recorded {self.x_label}s is shown, and the marked ones "
            "and the lowest and highest of each line beside them"
        )
        head = [element("th", name, scope="col") for name in [self.x_label, *_names(self.series)]]
        body = [
            element(
                "tr",
                element("th", f"{epoch:,.10g}", scope="row"),
                [element("td", column.get(epoch, "")) for column in columns],
            )
            for epoch in rows
        ]
        return element(
            "details",
            element(
                "summary",
                "Values ",
                element("span", f"of the chart {self.title} ", class_="hidden-text"),
                "as a table",
            ),
            element(
                "div",
                element(
                    "table",
                    table_caption(f"{self._named()}{few}."),
                    element("thead", element("tr", head)),
                    element("tbody", body),
                ),
                class_="scroll",
                tabindex=0,
                role="region",
                aria_label=f"Values of {self.title}",
            ),
        )

    def _named(self) -> str:
        """Return the title, with the quantity if it does not name it."""
        said = self.y_label.lower() in self.title.lower()
        return self.title if said else f"{self.title}: {self.y_label}"

    def _rows(self, epochs: list[float]) -> tuple[list[float], int]:
        """Return the epochs of the table, and every how many recorded ones it has a row."""
        every = max(1, math.ceil((len(epochs) - 1) / (TABLE_ROWS - 1)))
        rows = {*epochs[::every], *epochs[-1:]}
        for mark in self.marks:
            if mark.axis == "x" and epochs:
                rows.add(min(epochs, key=lambda epoch: abs(epoch - mark.at)))
        for each in self.series:
            values = {
                x: y
                for x, y in zip(each.x, each.y, strict=True)
                if y is not None and math.isfinite(y)
            }
            if values:
                rows |= {min(values, key=values.__getitem__), max(values, key=values.__getitem__)}
        return sorted(rows), every


def _names(series: Sequence[Series]) -> list[str]:
    return [each.name for each in series]


def _finite(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]


def _spoken(series: Series) -> str:
    """Return a line in words, for those who do not see it."""
    values = _finite(series.y)
    if not values:
        return f"{series.name} has no finite value"
    return (
        f"{series.name} begins at {number(values[0])} and ends at {number(values[-1])}, "
        f"lowest {number(min(values))}, highest {number(max(values))}"
    )


def _is_late(at: float) -> bool:
    """Return whether a coordinate is in the right half, where labels end at their lines."""
    return at > (LEFT + WIDTH - RIGHT) / 2


def _inside(mark: Mark, x: Scale, y: Scale) -> bool:
    scale = x if mark.axis == "x" else y
    return scale.low <= mark.at <= scale.high


def _clipped(lines: list[Node]) -> Element:
    """Return lines without their parts outside of the axes."""
    x, y = LEFT - OVERLAP, TOP - OVERLAP
    width = WIDTH - LEFT - RIGHT + 2 * OVERLAP
    height = HEIGHT - TOP - BOTTOM + 2 * OVERLAP
    return element(
        "svg",
        lines,
        x=x,
        y=y,
        width=width,
        height=height,
        viewBox=f"{x} {y} {width} {height}",
        class_="clip",
    )


def legend(lines: Iterable[tuple[str, int, int]]) -> Element:
    """Return a legend of lines, each with its label, color and pattern."""
    return element(
        "ul",
        [
            element(
                "li",
                element(
                    "svg",
                    element("line", x1=0, x2=26, y1=5, y2=5, **stroke(color, dash)),
                    viewBox="0 0 26 10",
                    class_="sample",
                    aria_hidden="true",
                ),
                label,
            )
            for label, color, dash in lines
        ],
        class_="legend",
    )


def stroke(index: int, dash: int = 0) -> dict[str, object]:
    """Return the attributes of a line of a color, whose pattern differs too."""
    dashes = DASHES[(index + index // COLORS + dash) % len(DASHES)]  # lines of one color differ too
    return {"class_": f"line series-{index % COLORS}", "stroke_dasharray": dashes or None}


def _line(index: int, series: Series, x: Scale, y: Scale) -> Node:
    path, drawing = [], False
    dots: list[Node] = []
    for at, value in zip(*thinned(series.x, series.y), strict=True):
        if value is None or not math.isfinite(value) or (y.logarithmic and value <= 0):
            drawing = False
            continue
        left, top = x(at), y(value)
        path.append(f"{'L' if drawing else 'M'}{left:.1f} {top:.1f}")
        drawing = True
        if series.points:
            dots.append(
                element("circle", cx=left, cy=top, r=3, class_=f"dot series-{index % COLORS}")
            )
    return [element("path", d="".join(path), **stroke(index, series.dash)), dots]
