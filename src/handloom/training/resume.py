"""A resume: what must be the same, what may have changed, and what is told of it."""

import json
from collections.abc import Mapping
from typing import Any

from handloom.errors import ModelError
from handloom.schedules import planned_steps
from handloom.training.configuration import describe, differences, known_by_name
from handloom.training.options import OnResume, TrainingOptions
from handloom.training.serialization import pack
from handloom.training.state import TrainingState


def configuration(state: TrainingState) -> dict[str, Any]:
    """Return what makes a training the one that it is, as JSON can hold it.

    Loss, backend and transform are those in effect, which a default and ``"auto"`` leave open.
    """
    described = {
        **state.options.describe(),
        "loss": describe(state.loss),
        "network": state.network.config(),
        "transform": state.model.transform.to_config(),
        "backend": state.history.backend,
        "lanes": state.history.lanes,
        **{"data": None, "validation": None, "sample_weights": None, **state.data},
    }
    plain: dict[str, Any] = json.loads(json.dumps(pack(described, {})))
    return plain


def compare(
    theirs: Mapping[str, Any],
    ours: Mapping[str, Any],
    options: TrainingOptions,
    made: Mapping[str, Any],
) -> list[str]:
    """Return what a resume finds changed and may be, and what it cannot compare, in sentences.

    Parameters
    ----------
    theirs, ours : mapping
        The `configuration` of the training that was stopped, and of that which wants to go on.
    options : TrainingOptions
        Of the latter.
    made : mapping
        The progress that was made.

    Raises
    ------
    ModelError
        If something that results depend on differs.
    """
    notes: list[str] = []
    for name in dict.fromkeys([*theirs, *ours]):
        rule = type(options).on_resume(name)
        # an option that is newer than the checkpoint had its default
        then, now = theirs.get(name, type(options).default(name)), ours.get(name)
        if name in ("data", "validation"):
            _require_same_data(name, then, now)
        elif rule is OnResume.LENGTH:
            if then != now:
                notes.append(_other_length(options, then, now, made))
        else:
            for place, before, after in differences(then, now, name):
                if rule is OnResume.REFUSED:
                    raise ModelError(
                        f"it is of another training: {place} is {before} there, {after} here"
                    )
                notes.append(f"resumed with {place} {after}, before {before}")
    mattering = {n: v for n, v in ours.items() if type(options).on_resume(n) is OnResume.REFUSED}
    if unknown := list(known_by_name(mattering)):
        notes.append(f"compared by name alone, since there is no config: {', '.join(unknown)}")
    return notes


def _other_length(options: TrainingOptions, then: Any, now: Any, made: Mapping[str, Any]) -> str:
    """Return the note about another number of epochs, if it makes no other training."""
    planned = planned_steps(options.schedule)
    if planned is not None:
        raise ModelError(
            f"it is of another training: epochs is {then} there, {now} here, and the schedule is "
            f"made for {planned} steps"
        )
    begun = made["epoch"] + bool(made["epoch_steps"])
    if now < begun:
        raise ModelError(f"{begun} epochs were begun already, epochs is {now}")
    return f"resumed with epochs {now}, before {then}"


def _require_same_data(name: str, then: Any, now: Any) -> None:
    """Refuse other rows; a name alone is no difference."""
    if {**(then or {}), "name": ""} != {**(now or {}), "name": ""}:
        raise ModelError(
            f"it is of another training: {name} is {_told(then)} there, {_told(now)} here"
        )


def _told(fingerprint: Mapping[str, Any] | None) -> str:
    if not fingerprint:
        return "none"
    return f"{fingerprint['name']} ({fingerprint['rows']:,} rows, {fingerprint['sha256'][:12]})"
