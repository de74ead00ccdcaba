"""Epochs: which one was best, and which one's weights were kept; counted from 1, as people do."""

from dataclasses import dataclass

import numpy as np

from handloom.reporting.run import ReportedRun


@dataclass(frozen=True)
class Kept:
    """The epoch whose weights the model has.

    Attributes
    ----------
    epoch : int
        Counted from 1.
    reason : str
        Why, in a sentence.
    best : bool
        Whether it is that of the best monitored metric.
    """

    epoch: int
    reason: str
    best: bool


def steps_per_epoch(run: ReportedRun) -> int:
    """Return the number of steps of an epoch, 1 if it is unknown."""
    diagnosis = None if run.history is None else run.history.diagnosis
    return 1 if diagnosis is None else max(1, diagnosis.steps)


def in_steps(run: ReportedRun, epoch: int) -> str:
    """Return the last step of an epoch in brackets, counted from 1; empty where it has one step."""
    steps = steps_per_epoch(run)
    return f" (step {epoch * steps:,})" if steps > 1 else ""


def kept_epoch(run: ReportedRun) -> Kept | None:
    """Return the epoch whose weights were kept; None without epochs."""
    history = run.history
    if history is None or not len(history):
        return None
    monitor = "validation_loss" if history.validated else "loss"
    losses = history[monitor]
    lowest = history.records[int(np.nanargmin(losses))].epoch if np.isfinite(losses).any() else None
    named = monitor.replace("_", " ")
    if isinstance(step := run.results.get("best_step"), int):  # of the study
        selected = str(run.results.get("best_selected_by", monitor)).replace("_", " ")
        reason = f"it has the lowest {selected}; its weights are kept beside the last"
        return Kept(step // steps_per_epoch(run) + 1, reason, True)
    restores = run.settings.get("kind") == "settings" and history.validated
    if restores and lowest is not None:
        return Kept(lowest + 1, f"it has the lowest {named}, and its weights were kept", True)
    last = history.records[-1].epoch
    return Kept(last + 1, "the last ones", False)
