"""Curves over epochs: training curves of one model, and comparisons of several."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from textwrap import fill
from typing import TYPE_CHECKING

from handloom.errors import require_instance, require_known
from handloom.plots.columns import (
    COLUMNS,
    Axis,
    Curves,
    column_of,
    drawn_column,
    gather,
    learning_rate_curves,
    listed,
    penalized,
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
from handloom.plots.fonts import legible
from handloom.plots.panels import SCALES, Scale, draw, draw_legend, fit_axes, note
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
    scale: Scale = "auto",
) -> "Figure":
    """Plot training curves of one model: accuracy, loss and learning rate, a panel each.

    A loss with L1 or L2 penalty is drawn without it, as that of validation and of the best constant
    is. A regression has no accuracy, and no panel for it. A learning rate that never changes has no
    panel either: it is in the title. Each metric recorded by a callback has a panel between loss
    and learning rate. Several histories are several seeds of the model: a thin line each, and their
    median in bold. Validation curves are dashed.

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
    scale : {"auto", "linear", "log"}
        The axis of the loss. ``"log"`` shows all positive values, those of a diverged run too;
        ``"auto"`` is logarithmic where the values that it shows are wide, and leaves out diverged
        ones, which a note in the figure names. That of the learning rate is linear but for
        ``"log"``.

    Returns
    -------
    Figure

    Raises
    ------
    ConfigurationError
        If ``from_epoch`` is not a whole number of at least 0, ``steps_per_epoch`` not one of at
        least 1, ``learning_rates`` differs in length from the longest history, or
        ``histories`` is neither a history nor several, or ``scale`` is unknown.
    """
    histories = listed(histories)
    require_known("scale", scale, SCALES)
    axis = Axis(from_epoch, steps_per_epoch)
    validated = [history for history in histories if history.validated]
    recorded = recorded_metrics(histories)
    labels = {
        "accuracy": "accuracy (%)",
        "loss": "loss\n(without penalty)" if penalized(histories) else "loss",
    }
    with drawing(dataset, title, *recorded):
        measured = ["accuracy", "loss"] if _has_accuracy(histories) else ["loss"]
        rates = learning_rate_curves(histories, learning_rates, axis)
        constant = _constant(rates)
        heights = [*(3 for _ in measured), *(2 for _ in recorded), *[2] * (constant is None)]
        title = _zoomed(headline(dataset, title), axis)
        title += "" if constant is None else f", learning rate {constant:.4g}"
        figure = new_figure(11, 1.5 + sum(heights), title)
        panels = figure.subplots(
            len(heights), sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
        )[:, 0]
        for panel, column in zip(panels, measured, strict=False):
            training = gather(histories, drawn_column(column, histories), axis)
            held_out = gather(validated, f"validation_{column}", axis)
            name = f"training{_remark(histories)}"
            draw(panel, training, name, color=BLUE, line="-", marker="o")
            draw(panel, held_out, "validation", color=VERMILLION, line=LINES[1], marker="s")
            fit_axes(panel, [training, held_out], axis, tolerated=0.5, scale=scale)
            panel.set_ylabel(labels[column])
        for panel, column in zip(panels[len(measured) :], recorded, strict=False):
            curves = gather(histories, column, axis)
            draw(panel, curves, column, color=PURPLE, line="-", marker="D")
            fit_axes(panel, [curves], axis)
            panel.set_ylabel(fill(column_of(column).label, LABEL))
        if constant is None:
            draw(panels[-1], rates, "learning rate", color=GREEN, line="-", marker="o")
            fit_axes(panels[-1], [rates], axis, scale="log" if scale == "log" else "linear")
            logarithmic = panels[-1].get_yscale() == "log"
            panels[-1].set_ylabel("learning rate (log)" if logarithmic else "learning rate")
        panels[-1].set_xlabel(axis.unit)
        figure.align_ylabels()
        if remarks := [each for each in map(_ended_early, histories) if each]:
            more = f"; so did {len(remarks) - 1} other runs" if len(remarks) > 1 else ""
            note(panels[0], f"{remarks[0]}{more}")
        draw_legend(figure, panels[0], several=len(histories) > 1)
    return figure


def comparison(
    models: Mapping[str, History | Sequence[History]],
    column: str = "loss",
    *,
    dataset: str = "",
    from_epoch: int = 0,
    steps_per_epoch: int | None = None,
    scale: Scale = "auto",
) -> "Figure":
    """Plot one column of the histories of several models, a color for each model.

    Several histories of a model are its seeds: thin lines, and their median in bold. Diverged runs
    do not set the scale; a note in the figure names the values that are not shown, and the legend
    the runs without an epoch. The loss is drawn without penalty, if a run has one.

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
    scale : {"auto", "linear", "log"}
        As in `history`, of any column that is not a percentage.

    Returns
    -------
    Figure

    Raises
    ------
    ConfigurationError
        If ``column`` is unknown, ``from_epoch`` is not a whole number of at least 0, or
        ``steps_per_epoch`` not one of at least 1, ``models`` maps to anything but histories, or
        ``scale`` is unknown.
    """
    require_instance("models", models, Mapping)
    histories_of = {name: listed(histories) for name, histories in models.items()}
    every = [history for histories in histories_of.values() for history in histories]
    require_known("column", column, [*COLUMNS, *recorded_metrics(every)])
    require_known("scale", scale, SCALES)
    axis, column = Axis(from_epoch, steps_per_epoch), drawn_column(column, every)
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
            if curves.known.any():
                draw(panel, curves, label, color=color, line=line, marker=marker, index=index)
            elif any(column in each.columns for each in histories):
                label = f"{name}{_remark(histories) or ' (no value)'}"
                panel.plot([], [], color=color, linestyle=line, marker=marker, label=legible(label))
            everything.append(curves)
        fit_axes(panel, everything, axis, tolerated=1.0, scale=scale)
        panel.set_xlabel(axis.unit)
        panel.set_ylabel(column_of(column).label)
        several = any(len(histories) > 1 for histories in histories_of.values())
        draw_legend(figure, panel, several=several)
    return figure


def _has_accuracy(histories: Sequence[History]) -> bool:
    """Return whether an accuracy was measured."""
    return any(record.accuracy is not None for history in histories for record in history)


def _constant(rates: Curves) -> float | None:
    """Return the rate of all runs and epochs, or None if they differ or there is none."""
    values = rates.values[rates.known]
    return float(values[0]) if values.size and (values == values[0]).all() else None


def _zoomed(title: str, axis: Axis) -> str:
    return f"{title}, from {axis.unit} {axis.start:,}" if axis.zoomed else title


def _remark(histories: Sequence[History]) -> str:
    """Return a remark on the runs that stopped at a value that is not finite, or nothing."""
    diverged = [each for each in histories if each.stop_reason and each.stop_reason.diverged]
    if not diverged:
        return ""
    if len(histories) > 1:
        return f" ({len(diverged)} of {len(histories)} diverged)"
    return f" (diverged in epoch {len(diverged[0]) + 1})"


def _ended_early(history: History) -> str:
    """Return why and where a run diverged, or nothing."""
    if history.stop_reason is None or not history.stop_reason.diverged:
        return ""
    divergence, words = history.divergence, history.stop_reason.words
    if divergence is None:
        return f"diverged in epoch {len(history) + 1}: {words}"
    return f"diverged in epoch {divergence.epoch + 1} at step {divergence.step + 1}: {words}"
