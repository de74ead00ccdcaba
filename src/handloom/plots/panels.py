"""Panels of curves: lines, axes, notes and the legend."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from handloom.charts.scales import COARSE, FINE, POWERS
from handloom.plots.columns import Axis, Curves, Values
from handloom.plots.figure import DARK, GRAY, LIGHT, MEDIUM, SMALL, VERMILLION, LineStyle, widest
from handloom.plots.fonts import fitted, legible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE = 10**1.5  # the ratio of values above which an axis is logarithmic
Scale = Literal["auto", "linear", "log"]
SCALES: tuple[Scale, ...] = ("auto", "linear", "log")
MARGIN = 0.05  # of the vertical axis, above and below the curves
ROW = 1.5 * MEDIUM / 72
"""The height of a row of the legend in inches."""


def draw(
    panel: "Axes",
    curves: Curves,
    label: str,
    *,
    color: str,
    line: LineStyle,
    marker: str,
    index: int = 0,
) -> None:
    """Draw several runs as thin lines, and their median as a bold line.

    `index` shifts the markers, so that those of several curves do not overlap.
    """
    if not curves.known.any():
        return
    if len(curves.values) > 1:
        panel.plot(curves.at, curves.values.T, color=color, linewidth=1, alpha=0.4)
    step = max(1, len(curves.at) // 8)
    panel.plot(
        curves.at,
        curves.median,
        color=color,
        linestyle=line,
        linewidth=2.2,
        marker=marker,
        markersize=7,
        markevery=((index * step // 4) % step, step),
        label=legible(label),
    )


def fit_axes(
    panel: "Axes",
    several: Sequence[Curves],
    axis: Axis,
    *,
    tolerated: float = 1.0,
    scale: Scale = "auto",
) -> None:
    """Set both axes of a panel, and note the values that are not shown; see `_range`.

    A logarithmic axis on request shows all positive values.
    """
    _style(panel)
    several = [curves for curves in several if curves.known.any()]
    last = max((float(curves.at[-1]) for curves in several), default=0.0)
    panel.set_xlim(axis.start, max(last, axis.start + 1))
    panel.locator_params(axis="x", nbins=10, integer=True, steps=[1, 2, 5, 10])
    if not several:
        _note_empty(panel, axis)
        return
    values = np.concatenate([curves.values[curves.known] for curves in several])
    percentage = any(curves.percentage for curves in several)
    positive = values[values > 0.0]
    if scale == "log" and not percentage and positive.size:
        low, high = float(positive.min()), float(positive.max())
        _logarithmic(panel, low, high)
    else:
        low, high = _range(several, values, tolerated, moderate=2 if percentage else 10)
        _scale(panel, low, high, linear=percentage or scale == "linear")
    _note_left_out(panel, values, low, high, unit=" %" if percentage else "")


def _style(panel: "Axes") -> None:
    """Style grid and ticks of a panel; set on it, since ticks are made after `drawing` ends."""
    panel.grid(visible=True, color=LIGHT, linewidth=0.8)
    panel.tick_params(labelsize=MEDIUM, color=GRAY, labelcolor=DARK)
    panel.set_axisbelow(True)


def _note_empty(panel: "Axes", axis: Axis) -> None:
    since = f" from {axis.unit} {axis.start:,} on" if axis.zoomed else ""
    panel.text(
        0.5,
        0.5,
        f"no epoch completed{since}",
        transform=panel.transAxes,
        ha="center",
        va="center",
        color=GRAY,
    )
    panel.set_yticks([])


def _range(
    several: Sequence[Curves], values: Values, tolerated: float, *, moderate: float
) -> tuple[float, float]:
    """Return the range of values to show, which diverged values do not set.

    Diverged values are shown if the range becomes at most `moderate` times as long, or if at least
    the share `tolerated` of all runs diverged; then only losses above ten times the others are not
    shown.
    """
    low, high = float(values.min()), float(values.max())
    sound = np.concatenate([curves.values[curves.known & ~curves.diverged] for curves in several])
    if not sound.size:
        return low, high
    floor, ceiling = float(sound.min()), float(sound.max())
    room = ceiling - floor
    if np.mean(np.concatenate([curves.diverged.any(axis=1) for curves in several])) >= tolerated:
        return low, min(high, 10 * abs(ceiling))
    if high - low <= moderate * room:
        return low, high
    return max(low, floor - room / 4), min(high, ceiling + room / 4)


def _scale(panel: "Axes", low: float, high: float, *, linear: bool) -> None:
    """Set the range of the vertical axis, logarithmic if it is wide and not ``linear``."""
    if not linear and low > 0.0 and high > WIDE * low:
        _logarithmic(panel, low, high)
    else:
        margin = MARGIN * (high - low) or 0.1 * abs(high) or 1.0
        panel.set_ylim(low - margin, high + margin)
    digits = _digits(low, high)
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:.{digits}g}")


def _digits(low: float, high: float) -> int:
    """Return how many digits tell the ticks of a range apart: more if it is nearly constant."""
    largest, span = max(abs(low), abs(high)), high - low
    return 6 if span <= 0.0 else max(6, math.ceil(math.log10(largest / span)) + 2)


def _logarithmic(panel: "Axes", low: float, high: float) -> None:
    """Set a logarithmic range of the vertical axis, of positive values."""
    margin = (high / low) ** MARGIN if high > low else 2.0
    panel.set_yscale("log")
    panel.set_ylim(low / margin, high * margin)
    subs = FINE if high < 10 * low else COARSE if high < 100 * low else POWERS
    panel.locator_params(axis="y", subs=subs)
    panel.tick_params(axis="y", which="minor", labelleft=False)
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def note(panel: "Axes", text: str) -> None:
    """Write a note above a panel, on the left: `_note_left_out` writes on the right."""
    panel.set_title(legible(text), loc="left", fontsize=SMALL, color=VERMILLION)


def _note_left_out(panel: "Axes", values: Values, low: float, high: float, *, unit: str) -> None:
    """Note the values out of range; if there are none, do not clip markers at the edge."""
    notes = []
    if values.min() < low:
        notes.append(f"not shown: values down to {values.min():.3g}{unit}")
    if values.max() > high:
        notes.append(f"not shown: values up to {values.max():.3g}{unit}")
    panel.set_title(", ".join(notes), loc="right", fontsize=SMALL, color=GRAY)
    for line in panel.lines:  # the layout would leave space for an empty line, as if it were at 0
        line.set_clip_on(bool(notes) or not np.size(line.get_xdata()))


def draw_legend(figure: "Figure", panel: "Axes", *, several: bool) -> None:
    """Draw the legend below the panels; every row after the first makes the figure higher."""
    lines, labels = panel.get_legend_handles_labels()
    low, high = panel.get_ylim()
    for index, line in enumerate(lines):
        values = np.asarray(line.get_ydata(), np.float64)  # type: ignore[attr-defined]
        if np.isfinite(values).any() and not ((low <= values) & (values <= high)).any():
            labels[index] += ", out of range"
    if lines:
        across = figure.get_figwidth()
        labels = [fitted(label, across - 1.5, MEDIUM) for label in labels]
        most = max(1, int((across - 0.5) / (1.0 + widest(labels, MEDIUM))))
        rows = -(-len(lines) // most)
        figure.set_figheight(figure.get_figheight() + ROW * (rows - 1))
        figure.legend(
            lines,
            labels,
            loc="outside lower center",
            ncols=-(-len(lines) // rows),  # rows of one length
            title="bold: median; thin: each seed" if several else None,
            title_fontsize=SMALL,
            handlelength=3.5,
        )
