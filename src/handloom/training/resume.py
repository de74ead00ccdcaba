"""Resume: compares the configurations of a checkpoint and a trainer, and notes changes."""

import json
from collections.abc import Mapping
from typing import Any

from handloom.errors import ModelError, require_complete_config
from handloom.schedules import planned_steps
from handloom.training.configuration import compared_by_name, describe, differences
from handloom.training.options import OnResume, TrainingOptions
from handloom.training.serialization import pack
from handloom.training.state import TrainingState

_OTHER_SAMPLE_WEIGHTS = {
    (True, True): "the values of sample_weights are not those of the checkpoint",
    (True, False): "there are no sample_weights, the checkpoint was trained with some",
    (False, True): "there are sample_weights, the checkpoint was trained without",
}
"""Messages about changed sample weights: whether the checkpoint has some, and this training."""


def configuration(state: TrainingState) -> dict[str, Any]:
    """Return the configuration of a training, as JSON: everything that a resume compares.

    If loss, transform or backend was not set, the one that is used is described.

    Raises
    ------
    ConfigurationError
        If the configuration of a layer, the loss or the optimizer omits an argument of its
        constructor, so that a resume could not compare it.
    """
    parts = {"loss": state.loss, "optimizer": state.options.chosen_optimizer}
    for name, part in parts.items():
        if callable(config := getattr(part, "config", None)):
            require_complete_config(name, part, config())
    described = {
        **state.options.describe(),
        "loss": describe(state.loss),
        "network": state.network.config(),
        "transform": state.model.transform.to_config(),
        "backend": state.history.backend,
        "lanes": state.history.lanes,
        **{"data": None, "validation": None, "sample_weights": None, **state.data_fingerprints},
    }
    configured: dict[str, Any] = json.loads(json.dumps(pack(described, {})))
    return configured


def compare(
    saved: Mapping[str, Any],
    current: Mapping[str, Any],
    options: TrainingOptions,
    progress: Mapping[str, Any],
) -> list[str]:
    """Return the notes for the history: allowed changes, and objects compared by name only.

    Parameters
    ----------
    saved, current : mapping
        The `configuration` of the checkpoint, and of the training that resumes it.
    options : TrainingOptions
        The options of the training that resumes.
    progress : mapping
        The progress in the checkpoint.

    Returns
    -------
    list of str

    Raises
    ------
    ModelError
        If an entry differs that results depend on.
    """
    notes: list[str] = []
    for name in dict.fromkeys([*saved, *current]):
        on_resume = type(options).on_resume(name)
        # an option that did not exist when the checkpoint was written counts as its default
        before, now = saved.get(name, type(options).default(name)), current.get(name)
        if name in ("data", "validation"):
            _require_same_data(name, before, now)
        elif on_resume is OnResume.EPOCHS:
            if before != now:
                notes.append(_check_epochs(options, before, now, progress))
        elif name == "sample_weights" and before != now:
            raise ModelError(f"cannot resume: {_OTHER_SAMPLE_WEIGHTS[bool(before), bool(now)]}")
        else:
            for entry, old, new in differences(before, now, name):
                if on_resume is OnResume.REFUSED:
                    raise ModelError(
                        f"cannot resume: {entry} is {_value(new)}, the checkpoint has {_value(old)}"
                    )
                notes.append(f"resumed with {entry} {_default(new)}, before {_default(old)}")
    relevant = {n: v for n, v in current.items() if type(options).on_resume(n) is OnResume.REFUSED}
    if unknown := list(compared_by_name(relevant)):
        notes.append(f"compared by name only, since there is no config: {', '.join(unknown)}")
    return notes


def _check_epochs(
    options: TrainingOptions, before: Any, now: Any, progress: Mapping[str, Any]
) -> str:
    """Return the note about a changed number of epochs, if that is allowed."""
    planned = planned_steps(options.schedule)
    if planned is not None:
        raise ModelError(
            f"cannot resume: epochs is {now}, the checkpoint has {before}, and the schedule has a "
            f"fixed number of {planned} steps"
        )
    begun = progress["epoch"] + bool(progress["epoch_steps"])
    if now < begun:
        raise ModelError(
            f"cannot resume: epochs is {now}, and {begun} epochs were begun before the checkpoint"
        )
    return f"resumed with epochs {now}, before {before}"


def _require_same_data(name: str, before: Any, now: Any) -> None:
    """Refuse other rows; another name of the same rows is allowed."""
    if {**(before or {}), "name": ""} != {**(now or {}), "name": ""}:
        raise ModelError(
            f"cannot resume: {name} is {_summary(now)}, the checkpoint has {_summary(before)}"
        )


def _default(option: Any) -> Any:
    """Return the value of an option for a note."""
    return "the default" if option is None else option


def _value(option: Any) -> Any:
    """Return the value of an option for a message: objects of a list by their class."""
    if isinstance(option, list) and all(isinstance(each, Mapping) for each in option):
        return f"[{', '.join(str(each.get('kind', each)) for each in option)}]"
    return option


def _summary(fingerprint: Mapping[str, Any] | None) -> str:
    if not fingerprint:
        return "none"
    return f"{fingerprint['name']} ({fingerprint['rows']:,} rows, {fingerprint['sha256'][:12]})"
