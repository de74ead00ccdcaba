"""Curves over epochs: training curves of one model, and comparisons of several."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from handloom.errors import ConfigurationError, require_count, require_known
from handloom.plots.figure import (
    BLUE,
    COLORS,
    DARK,
    GRAY,
    GREEN,
    LIGHT,
    LINES,
    MARKERS,
    MEDIUM,
    PURPLE,
    SMALL,
    VERMILLION,
    LineStyle,
    drawing,
    new_figure,
)
from handloom.training.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

WIDE = 10**1.5  # the ratio of values above which an axis is logarithmic
INFINITE = 1e300  # values beyond this are treated as infinite
MARGIN = 0.05  # of the vertical axis, above and below the curves


class _Column(NamedTuple):
    """The label, scale and goal of a column of a history."""

    label: str
    factor: float = 1.0
    goal: Literal["high", "low"] | None = None


COLUMNS = {
    "accuracy": _Column("training accuracy (%)", 100.0, "high"),
    "loss": _Column("training loss (penalty included)", goal="low"),
    "data_loss": _Column("training loss (without penalty)", goal="low"),
    "penalty": _Column("penalty"),
    "learning_rate": _Column("learning rate"),
    "seconds": _Column("seconds per epoch"),
    "validation_accuracy": _Column("validation accuracy (%)", 100.0, "high"),
    "validation_loss": _Column("validation loss", goal="low"),
}


def _column(name: str) -> _Column:
    """Return the `_Column` of a name; recorded metrics are drawn unscaled."""
    return COLUMNS.get(name) or _Column(name.replace("_", " "))


def _recorded(histories: Iterable[History]) -> list[str]:
    """Return the names of metrics recorded by callbacks, in order of appearance."""
    names = [name for history in histories for name in history.columns]
    return [name for name in dict.fromkeys(names) if name not in (*COLUMNS, "epoch")]


@dataclass(frozen=True)
class _Curves:
    """One column of several runs.

    Attributes
    ----------
    epochs : array, shape (e,)
        The epochs shown, in order.
    values : array, shape (runs, e)
        NaN where a run has no finite value.
    lost : array of bool, shape (runs, e)
        True where a run had diverged; see `_lost`.
    percentage : bool
        Whether values are percentages, which always have a linear axis.
    """

    epochs: Values
    values: Values
    lost: Flags
    percentage: bool = False

    @property
    def known(self) -> Flags:
        """True where there is a value, shape (runs, e)."""
        return np.isfinite(self.values)

    @property
    def median(self) -> Values:
        """The median over runs, shape (e,); NaN where fewer than half of the runs have a value."""
        count = self.known.sum(axis=0)
        shared = (count > 0) & (2 * count >= len(self.values))
        middle = np.full(len(self.epochs), np.nan)
        middle[shared] = np.nanmedian(self.values[:, shared], axis=0)
        return middle


def _gather(histories: Sequence[History], column: str, from_epoch: int) -> _Curves:
    """Return a column of several runs from an epoch on; histories may differ in length."""
    factor, goal = _column(column).factor, _column(column).goal
    runs = [
        (history["epoch"], factor * history[column])
        for history in histories
        if column in history.columns
    ]
    epochs = np.unique(np.concatenate([np.empty(0), *(at for at, _ in runs)]))
    values = np.full((len(runs), len(epochs)), np.nan)
    for row, (at, of_run) in zip(values, runs, strict=True):
        row[np.searchsorted(epochs, at)] = of_run
    values[~(np.abs(values) < INFINITE)] = np.nan
    shown = epochs >= from_epoch
    return _Curves(epochs[shown], values[:, shown], _lost(values, goal)[:, shown], factor == 100.0)


def _lost(values: Values, goal: str | None) -> Flags:
    """Return where runs had diverged, shape (runs, e).

    An accuracy has diverged where it is less than half of the best before; a loss, where it is
    more than twice the best before and more than that of the first epoch.
    """
    if goal == "high":
        return values < np.fmax.accumulate(values, axis=1) / 2
    if goal == "low":
        best = np.fmin.accumulate(values, axis=1)
        return (values / 2 > best) & (values > values[:, :1])
    return np.zeros(values.shape, dtype=bool)


def training_curves(
    histories: Sequence[History],
    *,
    title: str,
    dataset: str,
    from_epoch: int = 0,
    learning_rates: Sequence[float] | None = None,
) -> "Figure":
    """Plot training curves of one model: accuracy, loss and learning rate, a panel each.

    Each metric recorded by a callback has a panel between loss and learning rate. Several histories
    are several seeds of the model: a thin line each, and their median in bold. Validation curves
    are dashed.

    Parameters
    ----------
    histories : sequence of History
        The histories of the model; they may differ in length.
    title : str
        The name of the model.
    dataset : str
        The dataset's name.
    from_epoch : int
        The first epoch shown. The vertical axes fit the values shown.
    learning_rates : sequence of float, optional
        The learning rate for each epoch of the longest history, instead of the recorded ones.

    Returns
    -------
    Figure

    Raises
    ------
    ConfigurationError
        If ``from_epoch`` is not a whole number of at least 0, or ``learning_rates`` differs in
        length from the longest history.
    """
    from_epoch = require_count("from_epoch", from_epoch, minimum=0)
    validated = [history for history in histories if history.validated]
    penalized = any(history["penalty"].any() for history in histories)
    with drawing():
        recorded = _recorded(histories)
        heights = [3, 3, *(2 for _ in recorded), 2]
        title = _zoomed(f"{dataset}: {title}", from_epoch)
        figure = new_figure(11, 9.5 + 2 * len(recorded), title)
        panels = figure.subplots(len(heights), sharex=True, gridspec_kw={"height_ratios": heights})
        accuracy, loss, *others, rate = panels
        for panel, column in ((accuracy, "accuracy"), (loss, "loss")):
            training = _gather(histories, column, from_epoch)
            held_out = _gather(validated, f"validation_{column}", from_epoch)
            name = f"training{_remark(histories)}"
            _draw(panel, training, name, color=BLUE, line="-", marker="o")
            _draw(panel, held_out, "validation", color=VERMILLION, line=LINES[1], marker="s")
            _fit(panel, [training, held_out], from_epoch, tolerated=0.5)
        for panel, column in zip(others, recorded, strict=True):
            curves = _gather(histories, column, from_epoch)
            _draw(panel, curves, column, color=PURPLE, line="-", marker="D")
            _fit(panel, [curves], from_epoch)
            panel.set_ylabel(_column(column).label)
        rates = _rates(histories, learning_rates, from_epoch)
        _draw(rate, rates, "learning rate", color=GREEN, line="-", marker="o")
        _fit(rate, [rates], from_epoch)
        accuracy.set_ylabel("accuracy (%)")
        loss.set_ylabel("loss\n(training: with penalty)" if validated and penalized else "loss")
        rate.set_ylabel("learning rate")
        rate.set_xlabel("epoch")
        figure.align_ylabels()
        _legend(figure, accuracy, several=len(histories) > 1)
    return figure


def comparison(
    models: Mapping[str, Sequence[History]],
    column: str,
    *,
    dataset: str,
    from_epoch: int = 0,
) -> "Figure":
    """Plot one column of the histories of several models, a color for each model.

    Several histories of a model are its seeds: thin lines, and their median in bold. Diverged runs
    do not set the scale; a note in the figure names the values that are not shown.

    Parameters
    ----------
    models : mapping of str to sequence of History
        The histories of each model, by its name.
    column : str
        A column of the histories except ``"epoch"``: ``"accuracy"``, ``"loss"``, ..., or a
        metric recorded by a callback.
    dataset : str
        The dataset's name.
    from_epoch : int
        The first epoch shown. The vertical axis fits the values shown.

    Returns
    -------
    Figure

    Raises
    ------
    ConfigurationError
        If ``column`` is unknown, or ``from_epoch`` is not a whole number of at least 0.
    """
    every = [history for histories in models.values() for history in histories]
    require_known("column", column, [*COLUMNS, *_recorded(every)])
    from_epoch = require_count("from_epoch", from_epoch, minimum=0)
    title = _zoomed(f"{dataset}: {column.replace('_', ' ')}", from_epoch)
    styles = zip(cycle(COLORS), cycle(LINES), cycle(MARKERS), strict=False)
    with drawing():
        figure = new_figure(11, 6.5, title)
        panel = figure.subplots()
        everything = []
        for index, (name, histories) in enumerate(models.items()):
            color, line, marker = next(styles)
            curves = _gather(histories, column, from_epoch)
            label = f"{name}{_remark(histories)}"
            _draw(panel, curves, label, color=color, line=line, marker=marker, index=index)
            everything.append(curves)
        _fit(panel, everything, from_epoch, tolerated=1.0)
        panel.set_xlabel("epoch")
        panel.set_ylabel(_column(column).label)
        _legend(figure, panel, several=any(len(histories) > 1 for histories in models.values()))
    return figure


def _zoomed(title: str, from_epoch: int) -> str:
    return f"{title}, from epoch {from_epoch}" if from_epoch else title


def _remark(histories: Sequence[History]) -> str:
    """Return a remark on the runs that stopped at a value that is not finite, or nothing."""
    reasons = [history.stop_reason for history in histories]
    count = sum(reason is not None and reason.diverged for reason in reasons)
    if not count:
        return ""
    share = f"{count} of {len(histories)} " if len(histories) > 1 else ""
    return f" ({share}stopped: not finite)"


def _rates(
    histories: Sequence[History], learning_rates: Sequence[float] | None, from_epoch: int
) -> _Curves:
    """Return the learning rates passed, or by default those of the histories."""
    if learning_rates is None:
        return _gather(histories, "learning_rate", from_epoch)
    epochs = max((history["epoch"] for history in histories), key=len, default=np.empty(0))
    if len(learning_rates) != len(epochs):
        raise ConfigurationError(
            f"learning_rates must have one rate for each of the {len(epochs)} epochs of the "
            f"longest history, got {len(learning_rates)}"
        )
    shown = epochs >= from_epoch
    values = np.array([learning_rates], np.float64)[:, shown]
    return _Curves(epochs[shown], values, _lost(values, None))


def _draw(
    panel: "Axes",
    curves: _Curves,
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
        panel.plot(curves.epochs, curves.values.T, color=color, linewidth=1, alpha=0.4)
    step = max(1, len(curves.epochs) // 8)
    panel.plot(
        curves.epochs,
        curves.median,
        color=color,
        linestyle=line,
        linewidth=2.2,
        marker=marker,
        markersize=7,
        markevery=((index * step // 4) % step, step),
        label=label,
    )


def _fit(
    panel: "Axes", several: Sequence[_Curves], from_epoch: int, *, tolerated: float = 1.0
) -> None:
    """Set both axes of a panel, and note the values that are not shown; see `_reach`."""
    _dress(panel)
    several = [curves for curves in several if curves.known.any()]
    last = max((float(curves.epochs[-1]) for curves in several), default=0.0)
    panel.set_xlim(from_epoch, max(last, from_epoch + 1))
    panel.locator_params(axis="x", nbins=10, integer=True, steps=[1, 2, 5, 10])
    if not several:
        _say_empty(panel, from_epoch)
        return
    values = np.concatenate([curves.values[curves.known] for curves in several])
    low, high = _reach(several, values, tolerated)
    _scale(panel, low, high, linear=any(curves.percentage for curves in several))
    _note_left_out(panel, values, low, high)


def _dress(panel: "Axes") -> None:
    """Style grid and ticks of a panel; set on it, since ticks are made after `drawing` ends."""
    panel.grid(visible=True, color=LIGHT, linewidth=0.8)
    panel.tick_params(labelsize=MEDIUM, color=GRAY, labelcolor=DARK)
    panel.set_axisbelow(True)


def _say_empty(panel: "Axes", from_epoch: int) -> None:
    since = f" from epoch {from_epoch} on" if from_epoch else ""
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


def _reach(several: Sequence[_Curves], values: Values, tolerated: float) -> tuple[float, float]:
    """Return the range of values to show, which diverged values do not set.

    Diverged values are shown if they at most double the range, or if at least the share `tolerated`
    of all runs diverged; then only losses above ten times the others are not shown.
    """
    low, high = float(values.min()), float(values.max())
    sound = np.concatenate([curves.values[curves.known & ~curves.lost] for curves in several])
    if not sound.size:
        return low, high
    floor, ceiling = float(sound.min()), float(sound.max())
    room = ceiling - floor
    if np.mean(np.concatenate([curves.lost.any(axis=1) for curves in several])) >= tolerated:
        return low, min(high, 10 * abs(ceiling))
    if high - low <= 2 * room:
        return low, high
    return max(low, floor - room / 4), min(high, ceiling + room / 4)


def _scale(panel: "Axes", low: float, high: float, *, linear: bool) -> None:
    """Set the range of the vertical axis, logarithmic if it is wide and not ``linear``."""
    if not linear and low > 0.0 and high > WIDE * low:
        margin = (high / low) ** MARGIN
        panel.set_yscale("log")
        panel.set_ylim(low / margin, high * margin)
        panel.locator_params(axis="y", subs=(1, 2, 5) if high < 1000 * low else (1,))
        panel.tick_params(axis="y", which="minor", labelleft=False)
    else:
        margin = MARGIN * (high - low) or 0.1 * abs(high) or 1.0
        panel.set_ylim(low - margin, high + margin)
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _note_left_out(panel: "Axes", values: Values, low: float, high: float) -> None:
    """Note the values out of range; if there are none, do not clip markers at the edge."""
    notes = []
    if values.min() < low:
        notes.append(f"not shown: values down to {values.min():.3g}")
    if values.max() > high:
        notes.append(f"not shown: values up to {values.max():.3g}")
    panel.set_title(", ".join(notes), loc="right", fontsize=SMALL, color=GRAY)
    for line in panel.lines:
        line.set_clip_on(bool(notes))


def _legend(figure: "Figure", panel: "Axes", *, several: bool) -> None:
    """Draw the legend below the panels."""
    lines, labels = panel.get_legend_handles_labels()
    low, high = panel.get_ylim()
    for index, line in enumerate(lines):
        values = np.asarray(line.get_ydata(), np.float64)  # type: ignore[attr-defined]
        if np.isfinite(values).any() and not ((low <= values) & (values <= high)).any():
            labels[index] += ", out of range"
    if lines:
        inches = 1.0 + 0.12 * max(map(len, labels))
        figure.legend(
            lines,
            labels,
            loc="outside lower center",
            ncols=max(1, min(len(lines), int(figure.get_figwidth() / inches))),
            title="bold: median; thin: each seed" if several else None,
            title_fontsize=SMALL,
            handlelength=3.5,
        )
