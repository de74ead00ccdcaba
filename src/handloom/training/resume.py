"""Resume: compares the configurations of a checkpoint and a trainer, and notes changes."""

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
    """Return the configuration of a training, as JSON: everything that must agree at a resume.

    Loss, backend and transform are those in effect, where an option is None or ``"auto"``.
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
    configured: dict[str, Any] = json.loads(json.dumps(pack(described, {})))
    return configured


def compare(
    theirs: Mapping[str, Any],
    ours: Mapping[str, Any],
    options: TrainingOptions,
    made: Mapping[str, Any],
) -> list[str]:
    """Return notes on allowed changes at a resume, and on objects that cannot be compared.

    Parameters
    ----------
    theirs, ours : mapping
        The `configuration` of the checkpoint, and of the training that resumes it.
    options : TrainingOptions
        The options of the training that resumes.
    made : mapping
        The progress in the checkpoint.

    Raises
    ------
    ModelError
        If an entry differs that results depend on.
    """
    notes: list[str] = []
    for name in dict.fromkeys([*theirs, *ours]):
        on_resume = type(options).on_resume(name)
        # an option that is newer than the checkpoint had its default
        then, now = theirs.get(name, type(options).default(name)), ours.get(name)
        if name in ("data", "validation"):
            _require_same_data(name, then, now)
        elif on_resume is OnResume.DURATION:
            if then != now:
                notes.append(_other_length(options, then, now, made))
        else:
            for entry, before, after in differences(then, now, name):
                if on_resume is OnResume.REFUSED:
                    raise ModelError(
                        f"it is of another training: {entry} is {before} there, {after} here"
                    )
                notes.append(f"resumed with {entry} {after}, before {before}")
    relevant = {n: v for n, v in ours.items() if type(options).on_resume(n) is OnResume.REFUSED}
    if unknown := list(known_by_name(relevant)):
        notes.append(f"compared by name alone, since there is no config: {', '.join(unknown)}")
    return notes


def _other_length(options: TrainingOptions, then: Any, now: Any, made: Mapping[str, Any]) -> str:
    """Return the note about another number of epochs, if that is allowed."""
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
    """Refuse other rows; another name of the same rows is allowed."""
    if {**(then or {}), "name": ""} != {**(now or {}), "name": ""}:
        raise ModelError(
            f"it is of another training: {name} is {_summary(then)} there, {_summary(now)} here"
        )


def _summary(fingerprint: Mapping[str, Any] | None) -> str:
    if not fingerprint:
        return "none"
    return f"{fingerprint['name']} ({fingerprint['rows']:,} rows, {fingerprint['sha256'][:12]})"
