"""Curves over epochs: one model in three panels, or several models in one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from handloom.errors import ConfigurationError, require_count, require_known
from handloom.plots.figure import (
    BLUE,
    COLOURS,
    DARK,
    GREEN,
    GREY,
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

WIDE = 10**1.5  # a ratio of values from which an axis is logarithmic
INFINITE = 1e300  # as good as: beyond it there is no room for an axis
MARGIN = 0.05  # of the vertical axis, above and below the curves


class _Column(NamedTuple):
    """How a column of a history is drawn, and which way it goes as a network learns."""

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
    """Return how a column is drawn; a recorded figure as it is."""
    return COLUMNS.get(name) or _Column(name.replace("_", " "))


def _recorded(histories: Iterable[History]) -> list[str]:
    """Return the names of the figures that callbacks recorded, in the order they first appear."""
    names = [name for history in histories for name in history.columns]
    return [name for name in dict.fromkeys(names) if name not in (*COLUMNS, "epoch")]


@dataclass(frozen=True)
class _Curves:
    """One column of several runs, side by side.

    Attributes
    ----------
    epochs : array, shape (e,)
        The epochs shown, in order.
    values : array, shape (runs, e)
        NaN where a run has no finite value.
    lost : array of bool, shape (runs, e)
        Where a run had lost what it had learned; see `_lost`.
    percentage : bool
        Whether values are percentages, which are never shown on a logarithmic axis.
    """

    epochs: Values
    values: Values
    lost: Flags
    percentage: bool = False

    @property
    def known(self) -> Flags:
        """Where there is a value, shape (runs, e)."""
        return np.isfinite(self.values)

    @property
    def median(self) -> Values:
        """The median run, shape (e,); NaN at epochs that fewer than half of the runs reached."""
        count = self.known.sum(axis=0)
        shared = (count > 0) & (2 * count >= len(self.values))
        middle = np.full(len(self.epochs), np.nan)
        middle[shared] = np.nanmedian(self.values[:, shared], axis=0)
        return middle


def _gather(histories: Sequence[History], column: str, from_epoch: int) -> _Curves:
    """Collect a column of several runs, from an epoch on; histories may differ in length."""
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
    """Say where runs had lost what they had learned, shape (runs, e).

    An accuracy is lost where it is less than half of the best before; a loss, where it is more
    than twice the best before and more than that of the first epoch.
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
    """Draw accuracy, loss and learning rate of one model over epochs, a panel each.

    Every figure that a callback recorded has a panel of its own between loss and rate. Several
    histories are several seeds of the model: each is a thin line, their median a bold one. Held-out
    rows, where there are any, are dashed.

    Parameters
    ----------
    histories : sequence of History
        They may differ in length.
    title : str
        What was trained.
    dataset : str
        The dataset's name.
    from_epoch : int
        The epoch at which the picture starts. The vertical axes fit what is shown.
    learning_rates : sequence of float, optional
        The rate to draw for each epoch of the longest history, instead of the histories' own.

    Returns
    -------
    Figure

    Raises
    ------
    ConfigurationError
        If ``from_epoch`` is no epoch, or ``learning_rates`` differs in length from the longest
        history.
    """
    from_epoch = require_count("from_epoch", from_epoch, minimum=0)
    validated = [history for history in histories if history.validated]
    penalised = any(history["penalty"].any() for history in histories)
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
            _draw(panel, training, name, colour=BLUE, line="-", marker="o")
            _draw(panel, held_out, "validation", colour=VERMILLION, line=LINES[1], marker="s")
            _fit(panel, [training, held_out], from_epoch, tolerated=0.5)
        for panel, column in zip(others, recorded, strict=True):
            curves = _gather(histories, column, from_epoch)
            _draw(panel, curves, column, colour=PURPLE, line="-", marker="D")
            _fit(panel, [curves], from_epoch)
            panel.set_ylabel(_column(column).label)
        rates = _rates(histories, learning_rates, from_epoch)
        _draw(rate, rates, "learning rate", colour=GREEN, line="-", marker="o")
        _fit(rate, [rates], from_epoch)
        accuracy.set_ylabel("accuracy (%)")
        loss.set_ylabel("loss\n(training: with penalty)" if validated and penalised else "loss")
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
    """Draw one column of several models' histories over epochs, a colour for each model.

    Several histories of a model are its seeds: thin lines, and their median bold. A run that
    diverged does not set the scale; the picture says which values it leaves out.

    Parameters
    ----------
    models : mapping of str to sequence of History
        The histories of each model, by its name.
    column : str
        A column of the histories except ``"epoch"``: ``"accuracy"``, ``"loss"``, ..., or a figure
        that a callback recorded.
    dataset : str
        The dataset's name.
    from_epoch : int
        The epoch at which the picture starts. The vertical axis fits what is shown.

    Returns
    -------
    Figure

    Raises
    ------
    ConfigurationError
        If there is no such column, or ``from_epoch`` is no epoch.
    """
    every = [history for histories in models.values() for history in histories]
    require_known("column", column, [*COLUMNS, *_recorded(every)])
    from_epoch = require_count("from_epoch", from_epoch, minimum=0)
    title = _zoomed(f"{dataset}: {column.replace('_', ' ')}", from_epoch)
    looks = zip(cycle(COLOURS), cycle(LINES), cycle(MARKERS), strict=False)
    with drawing():
        figure = new_figure(11, 6.5, title)
        panel = figure.subplots()
        everything = []
        for place, (name, histories) in enumerate(models.items()):
            colour, line, marker = next(looks)
            curves = _gather(histories, column, from_epoch)
            label = f"{name}{_remark(histories)}"
            _draw(panel, curves, label, colour=colour, line=line, marker=marker, place=place)
            everything.append(curves)
        _fit(panel, everything, from_epoch, tolerated=1.0)
        panel.set_xlabel("epoch")
        panel.set_ylabel(_column(column).label)
        _legend(figure, panel, several=any(len(histories) > 1 for histories in models.values()))
    return figure


def _zoomed(title: str, from_epoch: int) -> str:
    return f"{title}, from epoch {from_epoch}" if from_epoch else title


def _remark(histories: Sequence[History]) -> str:
    """Say how many of the runs ended because a number was no longer finite."""
    reasons = [history.stop_reason for history in histories]
    count = sum(reason is not None and reason.diverged for reason in reasons)
    if not count:
        return ""
    who = f"{count} of {len(histories)} " if len(histories) > 1 else ""
    return f" ({who}stopped: not finite)"


def _rates(
    histories: Sequence[History], learning_rates: Sequence[float] | None, from_epoch: int
) -> _Curves:
    """Return the learning rates of the histories, or those that were given instead."""
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
    colour: str,
    line: LineStyle,
    marker: str,
    place: int = 0,
) -> None:
    """Draw the runs as thin lines if they are several, and their median as a bold one.

    `place` moves the markers along, so that those of several curves do not lie on each other.
    """
    if not curves.known.any():
        return
    if len(curves.values) > 1:
        panel.plot(curves.epochs, curves.values.T, color=colour, linewidth=1, alpha=0.4)
    step = max(1, len(curves.epochs) // 8)
    panel.plot(
        curves.epochs,
        curves.median,
        color=colour,
        linestyle=line,
        linewidth=2.2,
        marker=marker,
        markersize=7,
        markevery=((place * step // 4) % step, step),
        label=label,
    )


def _fit(
    panel: "Axes", several: Sequence[_Curves], from_epoch: int, *, tolerated: float = 1.0
) -> None:
    """Fit both axes of a panel to what it shows, and note what it leaves out; see `_reach`."""
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
    """Give a panel its grid and ticks; said here in full, since ticks are made when drawn."""
    panel.grid(visible=True, color=LIGHT, linewidth=0.8)
    panel.tick_params(labelsize=MEDIUM, color=GREY, labelcolor=DARK)
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
        color=GREY,
    )
    panel.set_yticks([])


def _reach(several: Sequence[_Curves], values: Values, tolerated: float) -> tuple[float, float]:
    """Return the range of values to show: a run that lost what it had learned sets no scale.

    Where it went is shown if that no more than doubles the range, or if at least the share
    `tolerated` of all runs did the same; then only a loss that exploded is left out.
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
    """Set the vertical axis to a range, logarithmic if it is a wide one and need not be linear."""
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
    """Say which values lie outside of the range shown; where none do, draw edge markers whole."""
    notes = []
    if values.min() < low:
        notes.append(f"not shown: values down to {values.min():.3g}")
    if values.max() > high:
        notes.append(f"not shown: values up to {values.max():.3g}")
    panel.set_title(", ".join(notes), loc="right", fontsize=SMALL, color=GREY)
    for line in panel.lines:
        line.set_clip_on(bool(notes))


def _legend(figure: "Figure", panel: "Axes", *, several: bool) -> None:
    """Put the legend below the panels, where it covers nothing."""
    lines, labels = panel.get_legend_handles_labels()
    low, high = panel.get_ylim()
    for place, line in enumerate(lines):
        values = np.asarray(line.get_ydata(), np.float64)  # type: ignore[attr-defined]
        if np.isfinite(values).any() and not ((low <= values) & (values <= high)).any():
            labels[place] += ", out of range"
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
