"""Curves over epochs: training curves of one model, and comparisons of several."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from textwrap import fill
from typing import TYPE_CHECKING

from handloom.errors import require_instance, require_known
from handloom.plots.columns import (
    COLUMNS,
    Axis,
    column_of,
    gather,
    learning_rate_curves,
    listed,
    recorded_metrics,
)
from handloom.plots.figure import (
    BLUE,
    COLORS,
    GREEN,
    LINES,
    MARKERS,
    PURPLE,
    VERMILLION,
    drawing,
    headline,
    new_figure,
)
from handloom.plots.panels import draw, draw_legend, fit_axes
from handloom.training.history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABEL = 16
"""The characters of a line of the label of a recorded metric, whose panel is low."""


def history(
    histories: History | Sequence[History],
    *,
    title: str = "training curves",
    dataset: str = "",
    from_epoch: int = 0,
    steps_per_epoch: int | None = None,
    learning_rates: Sequence[float] | None = None,
) -> "Figure":
    """Plot training curves of one model: accuracy, loss and learning rate, a panel each.

    Each metric recorded by a callback has a panel between loss and learning rate. Several histories
    are several seeds of the model: a thin line each, and their median in bold. Validation curves
    are dashed.

    Parameters
    ----------
    histories : History or sequence of History
        The history or histories of the model; they may differ in length.
    title : str
        The title, such as the name of the model.
    dataset : str
        The dataset's name, in front of the title.
    from_epoch : int
        The first epoch shown, counted from 1; 0 for all. The vertical axes fit the values shown.
    steps_per_epoch : int, optional
        Draws the metrics of each epoch at its last step, counted from 1, instead.
    learning_rates : sequence of float, optional
        The learning rate for each epoch of the longest history, instead of the recorded ones.

    Returns
    -------
    Figure

    Raises
    ------
    ConfigurationError
        If ``from_epoch`` is not a whole number of at least 0, ``steps_per_epoch`` not one of at
        least 1, ``learning_rates`` differs in length from the longest history, or
        ``histories`` is neither a history nor several.
    """
    histories = listed(histories)
    axis = Axis(from_epoch, steps_per_epoch)
    validated = [history for history in histories if history.validated]
    penalized = any(history["penalty"].any() for history in histories)
    recorded = recorded_metrics(histories)
    with drawing(dataset, title, *recorded):
        heights = [3, 3, *(2 for _ in recorded), 2]
        title = _zoomed(headline(dataset, title), axis)
        figure = new_figure(11, 9.5 + 2 * len(recorded), title)
        panels = figure.subplots(len(heights), sharex=True, gridspec_kw={"height_ratios": heights})
        accuracy, loss, *others, rate = panels
        for panel, column in ((accuracy, "accuracy"), (loss, "loss")):
            training = gather(histories, column, axis)
            held_out = gather(validated, f"validation_{column}", axis)
            name = f"training{_remark(histories)}"
            draw(panel, training, name, color=BLUE, line="-", marker="o")
            draw(panel, held_out, "validation", color=VERMILLION, line=LINES[1], marker="s")
            fit_axes(panel, [training, held_out], axis, tolerated=0.5)
        for panel, column in zip(others, recorded, strict=True):
            curves = gather(histories, column, axis)
            draw(panel, curves, column, color=PURPLE, line="-", marker="D")
            fit_axes(panel, [curves], axis)
            panel.set_ylabel(fill(column_of(column).label, LABEL))
        rates = learning_rate_curves(histories, learning_rates, axis)
        draw(rate, rates, "learning rate", color=GREEN, line="-", marker="o")
        fit_axes(rate, [rates], axis)
        accuracy.set_ylabel("accuracy (%)")
        loss.set_ylabel("loss\n(training: with penalty)" if validated and penalized else "loss")
        rate.set_ylabel("learning rate")
        rate.set_xlabel(axis.unit)
        figure.align_ylabels()
        draw_legend(figure, accuracy, several=len(histories) > 1)
    return figure


def comparison(
    models: Mapping[str, History | Sequence[History]],
    column: str = "loss",
    *,
    dataset: str = "",
    from_epoch: int = 0,
    steps_per_epoch: int | None = None,
) -> "Figure":
    """Plot one column of the histories of several models, a color for each model.

    Several histories of a model are its seeds: thin lines, and their median in bold. Diverged runs
    do not set the scale; a note in the figure names the values that are not shown.

    Parameters
    ----------
    models : mapping of str to History or sequence of History
        The history or histories of each model, by its name.
    column : str
        A column of the histories except ``"epoch"``: ``"accuracy"``, ``"loss"``, ..., or a
        metric recorded by a callback.
    dataset : str
        The dataset's name, in front of the title.
    from_epoch : int
        The first epoch shown, counted from 1; 0 for all. The vertical axis fits the values shown.
    steps_per_epoch : int, optional
        As in `history`.

    Returns
    -------
    Figure

    Raises
    ------
    ConfigurationError
        If ``column`` is unknown, ``from_epoch`` is not a whole number of at least 0, or
        ``steps_per_epoch`` not one of at least 1, or ``models`` maps to anything but histories.
    """
    require_instance("models", models, Mapping)
    histories_of = {name: listed(histories) for name, histories in models.items()}
    every = [history for histories in histories_of.values() for history in histories]
    require_known("column", column, [*COLUMNS, *recorded_metrics(every)])
    axis = Axis(from_epoch, steps_per_epoch)
    title = _zoomed(headline(dataset, column.replace("_", " ")), axis)
    styles = zip(cycle(COLORS), cycle(LINES), cycle(MARKERS), strict=False)
    with drawing(dataset, column, *models):
        figure = new_figure(11, 6.5, title)
        panel = figure.subplots()
        everything = []
        for index, (name, histories) in enumerate(histories_of.items()):
            color, line, marker = next(styles)
            curves = gather(histories, column, axis)
            label = f"{name}{_remark(histories)}"
            draw(panel, curves, label, color=color, line=line, marker=marker, index=index)
            everything.append(curves)
        fit_axes(panel, everything, axis, tolerated=1.0)
        panel.set_xlabel(axis.unit)
        panel.set_ylabel(column_of(column).label)
        several = any(len(histories) > 1 for histories in histories_of.values())
        draw_legend(figure, panel, several=several)
    return figure


def _zoomed(title: str, axis: Axis) -> str:
    return f"{title}, from {axis.unit} {axis.start:,}" if axis.zoomed else title


def _remark(histories: Sequence[History]) -> str:
    """Return a remark on the runs that stopped at a value that is not finite, or nothing."""
    reasons = [history.stop_reason for history in histories]
    count = sum(reason is not None and reason.diverged for reason in reasons)
    if not count:
        return ""
    share = f"{count} of {len(histories)} " if len(histories) > 1 else ""
    return f" ({share}stopped: not finite)"
