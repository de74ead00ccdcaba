"""The story of Adam's collapse, told in sentences from the measurements of a run."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from handloom.reporting.epochs import steps_per_epoch
from handloom.reporting.run import ReportedRun
from handloom.reporting.wording import counted, decimal, number, percent
from handloom.studies.second_moments import COLUMN
from handloom.training.history import EpochRecord, History

INITIAL = 0.01
"""The standard deviation of the initial weights of the study."""

NEAR = 2
"""The number of epochs before and after the divergence in which the largest gradient is looked
for."""


@dataclass(frozen=True)
class Collapse:
    """A run that diverged, beside one that did not.

    Attributes
    ----------
    run : ReportedRun
        With a history.
    at : int
        The step at which it diverged, counted from 1.
    rate : float
        Its learning rate.
    steady : ReportedRun or None
        The same network at a smaller rate, with a history.
    """

    run: ReportedRun
    at: int
    rate: float
    steady: ReportedRun | None

    @property
    def history(self) -> History:
        """The history of the run."""
        assert self.run.history is not None
        return self.run.history

    @property
    def epoch(self) -> int:
        """The epoch of the divergence, counted from 0."""
        return (self.at - 1) // self.steps

    @property
    def steps(self) -> int:
        """The number of steps of an epoch."""
        return steps_per_epoch(self.run)

    @property
    def guessing(self) -> float:
        """The loss of guessing."""
        return math.log(max(2, len(self.run.class_names) or 10))

    def step(self, epoch: int) -> str:
        """Return the last step of an epoch, counted from 1, in words."""
        return f"step {(epoch + 1) * self.steps:,}"


def story(collapse: Collapse) -> list[str]:
    """Return the paragraphs of the story."""
    paragraphs = [
        list(_losses(collapse)),
        list(_steps_of_adam(collapse.rate)),
        list(_jump(collapse)),
        list(_dead(collapse)),
        list(_changes(collapse)),
    ]
    return [" ".join(sentences) for sentences in paragraphs if sentences]


def _losses(collapse: Collapse) -> Iterator[str]:
    """Yield how far the run learned, when it diverged, whether it recovered, and how it ended."""
    records = collapse.history.records
    before = [each for each in records if each.epoch < collapse.epoch]
    after = [each for each in records if each.epoch > collapse.epoch]
    peak = next((each for each in records if each.epoch == collapse.epoch), None)
    name, guess = collapse.run.name, collapse.guessing
    if before:
        best = min(before, key=_data_loss)
        yield (
            f"{name} learns until {collapse.step(best.epoch)}: its loss without penalty falls to "
            f"{decimal(best.data_loss, 3)}."
        )
    if peak is not None:
        yield (
            f"At step {collapse.at:,} its loss, {decimal(peak.data_loss, 3)}, is above that of "
            f"guessing, {guess:.3f}."
        )
    finite = [each for each in after if math.isfinite(each.data_loss)]
    if finite:
        yield from _afterwards(collapse, finite)
    if collapse.steps > 1:
        yield f"Each loss is the mean over the {collapse.steps} steps of an epoch."


def _afterwards(collapse: Collapse, after: list[EpochRecord]) -> Iterator[str]:
    lowest, last = min(after, key=_data_loss), after[-1]
    again = max(after[after.index(lowest) :], key=_data_loss)
    if lowest.data_loss < collapse.guessing:
        risen = again.data_loss >= collapse.guessing and again is not last
        yield (
            f"Afterwards it recovers in part: its lowest loss is {decimal(lowest.data_loss, 3)} at "
            f"{collapse.step(lowest.epoch)}."
            + (
                f" Then it rises again, to {decimal(again.data_loss, 3)} at "
                f"{collapse.step(again.epoch)}."
                if risen
                else ""
            )
        )
    else:
        yield "Afterwards its loss stays at or above that of guessing."
    accuracy = collapse.run.results.get("test_accuracy")
    tested = f", its test accuracy {percent(accuracy)}" if isinstance(accuracy, float) else ""
    loss = decimal(last.data_loss, 3)
    yield f"At the end, {collapse.step(last.epoch)}, its loss is {loss}{tested}."


def _steps_of_adam(rate: float) -> Iterator[str]:
    times = rate / INITIAL
    yield (
        "Adam divides the mean gradient of about the last 10 steps by the root of the mean square "
        "of about the last 1,000, or of all steps so far. Where gradients stay alike, a step moves "
        f"each weight by about the learning rate, however small they are: here by {rate:g}, "
        f"{times:g} times the size of the initial weights, {INITIAL:g}."
    )


def _jump(collapse: Collapse) -> Iterator[str]:
    """Yield how the second moment shrank before the jump, and how long it took to follow."""
    norms, stored = gradient_norms(collapse.history), second_moments(collapse.history)
    before = {epoch: value for epoch, value in stored.items() if epoch < collapse.epoch}
    near = {epoch: norm for epoch, norm in norms.items() if abs(epoch - collapse.epoch) <= NEAR}
    if not before or not near:
        return
    first, lowest = before[min(before)], min(before.values())
    jump = max(near, key=lambda epoch: near[epoch])
    loss = {each.epoch: each.data_loss for each in collapse.history}[jump]
    yield (
        f"While the loss fell, the norm that Adam remembers went from {number(first, 2)} down to "
        f"{number(lowest, 2)}. At {collapse.step(jump)} there are a gradient of norm "
        f"{number(near[jump], 2)} and a loss of {decimal(loss, 3)}. "
        + (
            "Both are measured before the weights change in that step: earlier steps led there."
            if collapse.steps == 1
            else f"Both jump within the same {collapse.steps} steps, of which only the last "
            "gradient is recorded: the page cannot tell which came first."
        )
    )
    if near[jump] > lowest:
        followed = next(
            (e for e in sorted(norms) if e >= jump and e in stored and norms[e] <= stored[e]), None
        )
        until = (
            "the recorded gradient stays above the memory to the end"
            if followed is None
            else "the recorded gradient is below it again "
            + (
                f"at {collapse.step(followed)}, {counted(followed - jump, 'recorded epoch')} later"
                if followed > jump
                else "at the end of the same epoch"
            )
        )
        yield (
            f"With gradients above the memory, steps are larger than the rate until the memory has "
            f"followed: {until}."
        )


def _dead(collapse: Collapse) -> Iterator[str]:
    """Yield the dead units of the worst layer over the measured epochs."""
    records = collapse.history.layers
    last = records[-1].layers if records else ()
    dead = [(each.dead, each.layer) for each in last if each.dead is not None]
    if not dead:
        return
    _, worst = max(dead)
    series = [
        (record.epoch, each.dead)
        for record in records
        for each in record.layers
        if each.layer == worst and each.dead is not None
    ]
    shares = [f"{percent(share, 0)} after epoch {epoch + 1}" for epoch, share in series]
    yield (
        f"Dead units of {worst}: {', '.join(shares)}. A dead unit passes no gradient for the rows "
        "on which it is dead."
    )


def _changes(collapse: Collapse) -> Iterator[str]:
    """Yield how much an epoch changed the weights, beside the run that does not collapse."""
    own = _median_until(collapse.history, collapse.epoch)
    if own is None:
        return
    share = percent(own, 0)
    text = (
        f"Until step {collapse.at:,} an epoch changed the weights by {share} of their norm (median)"
    )
    steady = collapse.steady
    if steady is None or steady.history is None:
        yield f"{text}."
        return
    epoch = collapse.at // steps_per_epoch(steady) - 1
    calm = _median_until(steady.history, epoch)
    at = weight_changes(steady.history).get(epoch)
    if calm is None or at is None:
        yield f"{text}."
        return
    yield (
        f"{text}; {steady.name}, at a tenth of the rate, by {percent(calm, 0)}, and by "
        f"{percent(at, 0)} at step {collapse.at:,}."
    )


def _median_until(history: History, epoch: int) -> float | None:
    values = [ratio for each, ratio in weight_changes(history).items() if each <= epoch]
    return float(np.median(values)) if values else None


def _data_loss(record: EpochRecord) -> float:
    return record.data_loss if math.isfinite(record.data_loss) else math.inf


def second_moments(history: History) -> dict[int, float]:
    """Return the norm that the second moment remembers after each epoch, if it was recorded."""
    if COLUMN not in history.columns:
        return {}
    values = zip((each.epoch for each in history), history[COLUMN].tolist(), strict=True)
    return {epoch: value for epoch, value in values if math.isfinite(value)}


def gradient_norms(history: History) -> dict[int, float]:
    """Return the norm of the gradient of all weights at the last step of each epoch."""
    squares: dict[int, float] = {}
    for each in history.layer_norms:
        squares[each.epoch] = squares.get(each.epoch, 0.0) + each.gradient**2
    return {epoch: math.sqrt(squares[epoch]) for epoch in sorted(squares)}


def weight_changes(history: History) -> dict[int, float]:
    """Return the norm of the change of all weights in each epoch, relative to the weights."""
    changes: dict[int, float] = {}
    weights: dict[int, float] = {}
    for each in history.layer_norms:
        changes[each.epoch] = changes.get(each.epoch, 0.0) + each.update**2
        weights[each.epoch] = weights.get(each.epoch, 0.0) + each.weights**2
    return {
        epoch: math.sqrt(changes[epoch] / weights[epoch])
        for epoch in sorted(changes)
        if weights[epoch] > 0.0
    }
