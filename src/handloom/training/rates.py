"""Rates of a schedule of the user's own, at fixed steps, by which a resume recognizes it."""

import math

from handloom.errors import ConfigurationError, ModelError
from handloom.schedules import Schedule, rates_from

FIRST_STEPS, SPREAD_STEPS, STEPS_AFTER = 8, 48, 8
"""The number of first steps, of steps spread over the training, and of steps after its end."""

SAME = 1e-12
"""The relative difference of rates that are the same: of the last digits on another processor."""

Rates = list[tuple[int, float | None]]
"""Steps, each with its rate, or None where the schedule raises an error."""


def sampled_rates(schedule: Schedule, steps: int) -> Rates:
    """Return the rates at fixed steps, most of them spread over the training.

    Parameters
    ----------
    schedule : callable
    steps : int
        The number of steps of the whole training.

    Raises
    ------
    ConfigurationError
        If the rate of a step is another when it is asked for again: a checkpoint cannot hold the
        state that it depends on.
    """
    chosen = {*range(min(FIRST_STEPS, steps)), steps - 1}
    chosen.update(steps * index // SPREAD_STEPS for index in range(SPREAD_STEPS))
    chosen.update(steps + steps * index // STEPS_AFTER for index in range(STEPS_AFTER))
    ordered = sorted(chosen)
    rates = {step: _rate(schedule, step) for step in ordered}
    for step in reversed(ordered):
        again = _rate(schedule, step)
        if again != rates[step]:
            raise ConfigurationError(
                f"learning_rate: the schedule returns {_text(rates[step])} for step {step}, and "
                f"{_text(again)} when it is called again. It depends on more than the step, which "
                "no checkpoint holds, so a resume would restart it: write a function of the step "
                "alone, such as lambda step: 0.1 * 0.999**step, or train without checkpoints"
            )
    return list(rates.items())


def require_same_rates(saved: Rates, schedule: Schedule) -> None:
    """Refuse a schedule with another rate at one of the steps.

    Raises
    ------
    ModelError
        With the step and both rates.
    """
    for step, before in saved:
        now = _rate(schedule, step)
        both = before is not None and now is not None
        if not (math.isclose(before, now, rel_tol=SAME) if both else before == now):  # type: ignore[arg-type]
            raise ModelError(
                f"cannot resume: learning_rate is {_text(now)} at step {step}, the checkpoint has "
                f"{_text(before)}"
            )


def _rate(schedule: Schedule, step: int) -> float | None:
    """Return the rate of a step, or None if the schedule has none: it fails in that step only."""
    try:
        return rates_from(schedule, step, 1)[0]
    except Exception:  # of the user's function
        return None


def _text(rate: float | None) -> str:
    return "an error" if rate is None else repr(rate)
