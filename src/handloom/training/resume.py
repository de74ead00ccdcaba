"""Resume: compares the configurations of a checkpoint and a trainer, and notes changes."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from reprlib import repr as short_repr
from typing import Any

from handloom.errors import ConfigurationError, ModelError, omitted_arguments
from handloom.schedules import planned_steps
from handloom.training.callbacks.base import Callback
from handloom.training.configuration import compared_by_name, describe, differences
from handloom.training.options import OnResume, TrainingOptions
from handloom.training.own_parts import OBSERVES, changed_code, constant_parts, own_parts
from handloom.training.rates import require_same_rates, sampled_rates
from handloom.training.serialization import pack
from handloom.training.state import TrainingState

_OTHER_ROW_WEIGHTS = {
    (True, True): "the values of {0} are not those of the checkpoint",
    (True, False): "there are no {0}, the checkpoint was trained with some",
    (False, True): "there are {0}, the checkpoint was trained without",
}
"""Messages about changed row weights: whether the checkpoint has some, and this training."""

_ROW_WEIGHTS = {
    "sample_weights": "sample_weights",
    "validation_weights": "weights of validation rows",
}
"""The row weights that are compared, with their names in a message."""


_CHANGING = ("optimizer", "average", "loss", "network")
"""The parts whose options a callback may change; a checkpoint restores them."""


def configuration(state: TrainingState) -> dict[str, Any]:
    """Return the configuration of a training, as JSON: everything that a resume compares.

    If loss, transform or backend was not set, the one that is used is described. Attributes of own
    parts that have changed since `record_own_parts` are left out.

    Raises
    ------
    ConfigurationError
        If the configuration of a layer omits an argument of its constructor, so that a resume could
        not compare it.
    """
    own_at_begin = state.own_parts
    own = own_parts(_parts(state), own_at_begin) if own_at_begin else {}
    described = {
        **state.options.describe(),
        "loss": describe(state.loss),
        "network": state.network.config(),
        "transform": state.model.transform.to_config(),
        "backend": state.history.backend,
        "lanes": state.history.lanes,
        **dict.fromkeys(
            ("data", "validation", "sample_weights", "class_weight", "validation_weights")
        ),
        **state.data_fingerprints,
        "own": constant_parts(own_at_begin, own),
        "rates": state.rates,
        "begun": state.parts_at_begin,
    }
    configured: dict[str, Any] = json.loads(json.dumps(pack(described, {})))
    return configured


def record_own_parts(state: TrainingState, steps: int, *, complete: bool = True) -> None:
    """Record the parts of a training that are not the library's, before its first step.

    Parameters
    ----------
    state : TrainingState
    steps : int
        The number of steps of the whole training.
    complete : bool
        Whether to refuse parts that a resume could not recognize.

    Raises
    ------
    ConfigurationError
        If a resume could not recognize a part: an argument of its constructor is not in its
        ``config``, or a schedule depends on more than the step.
    """
    parts = _parts(state)
    for name, part in _each(parts) if complete else ():
        _require_complete(name, part)
    described = configuration(state)
    state.parts_at_begin = {name: described[name] for name in _CHANGING}
    state.own_parts = own_parts(parts)
    if any(path.startswith("learning_rate") for path in state.own_parts):
        state.rates = sampled_rates(state.options.schedule, steps)


def _parts(state: TrainingState) -> dict[str, Any]:
    """Return the parts of a training that results depend on, by the names in `configuration`."""
    options = state.options
    names = [each.name for each in fields(options)]
    parts = {n: getattr(options, n) for n in names if options.on_resume(n) is OnResume.REFUSED}
    if "callbacks" in parts:
        changing = (each for each in parts["callbacks"] if each.changes_results is not False)
        parts["callbacks"] = [*changing]
    return {
        **parts,
        "loss": state.loss,
        "transform": state.model.transform,
        "network": state.network,
        "network layers": state.network.layers,
    }


def _each(parts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the parts that describe themselves by a config or by fields, by name."""
    for name in ("loss", "optimizer"):
        yield name, parts[name]
    for name in ("augment", "callbacks"):
        for index, part in enumerate(parts.get(name, ())):
            yield f"{name} {index}", part


def _require_complete(name: str, part: object) -> None:
    """Refuse a part whose config, or dataclass, omits an argument of its constructor.

    An own part without either is recorded by its attributes.
    """
    kind = type(part).__name__
    if callable(config := getattr(part, "config", None)):
        recorded, described = config(), f"config() of {kind} must return"
        write = "def config(self): return {{**super().config(), {}}}"
        entry = '"{0}": self.{0}'
    elif is_dataclass(part):
        recorded = dict.fromkeys(each.name for each in fields(part))
        described = f"the dataclass {kind} must have as fields"
        write = "@dataclass(frozen=True) above the class instead of __init__, with the fields {}"
        entry = "{0}"
    else:
        return
    if not isinstance(recorded, Mapping):
        return  # `describe` refuses it
    if omitted := omitted_arguments(type(part), recorded):
        entries = ", ".join(map(entry.format, omitted))
        raise ConfigurationError(
            f"{name}: {described} all arguments of its constructor, but {', '.join(omitted)} is "
            f"missing: without it, a resume cannot compare it. Write {write.format(entries)}; "
            f"{_if_it_observes(part)}or train without checkpoints"
        )


def _if_it_observes(part: object) -> str:
    """Return the advice about a callback that changes no result."""
    return f"{OBSERVES}; " if isinstance(part, Callback) else ""


def compare(
    saved: Mapping[str, Any],
    current: Mapping[str, Any],
    options: TrainingOptions,
    progress: Mapping[str, Any],
) -> tuple[list[str], list[str]]:
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
    notes, warnings : list of str
        The warnings name the parts of the user's own whose code has changed.

    Raises
    ------
    ModelError
        If an entry differs that results depend on.
    """
    notes: list[str] = []
    parts_at_begin = saved.get("begun", {})  # checkpoints before it had none
    for name in dict.fromkeys([*saved, *current]):
        if name in ("own", "rates", "begun"):
            continue
        on_resume = type(options).on_resume(name)
        # an option that did not exist when the checkpoint was written counts as its default
        before, now = saved.get(name, type(options).default(name)), current.get(name)
        if name in parts_at_begin and now == parts_at_begin[name]:
            continue
        if name in ("data", "validation"):
            _require_same_data(name, before, now)
        elif on_resume is OnResume.EPOCHS:
            if before != now:
                notes.append(_check_epochs(options, before, now, progress))
        elif name in _ROW_WEIGHTS and before != now:
            message = _OTHER_ROW_WEIGHTS[bool(before), bool(now)].format(_ROW_WEIGHTS[name])
            raise ModelError(f"cannot resume: {message}")
        else:
            for entry, old, new in differences(before, now, name):
                if on_resume is OnResume.REFUSED:
                    raise ModelError(
                        f"cannot resume: {entry} is {_value(new)}, the checkpoint has {_value(old)}"
                    )
                notes.append(f"resumed with {entry} {_default(new)}, before {_default(old)}")
    relevant = {n: v for n, v in current.items() if type(options).on_resume(n) is OnResume.REFUSED}
    own = current["own"]
    recorded = {path for path in own if own[path]["code"] or own[path]["attributes"]}
    by_name = compared_by_name(relevant)
    unknown = [each for each in by_name if each.partition(" (")[0] not in recorded]
    if unknown:
        notes.append(f"compared by name only, since there is no config: {', '.join(unknown)}")
    require_same_rates(saved["rates"], options.schedule)
    return notes, list(changed_code(saved["own"], current["own"]))


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
    epochs_begun = progress["epoch"] + bool(progress["epoch_steps"])
    if now < epochs_begun:
        raise ModelError(
            f"cannot resume: epochs is {now}, and {epochs_begun} epochs were begun before the "
            "checkpoint"
        )
    return f"resumed with epochs {now}, before {before}"


def _require_same_data(name: str, before: Any, now: Any) -> None:
    """Refuse other rows; another name of the same rows is allowed."""
    old, new = before or {}, now or {}
    differing = [each for each in {**old, **new} if old.get(each) != new.get(each)]
    if differing and differing != ["name"]:
        raise ModelError(
            f"cannot resume: {name} is {_summary(now, differing)}, the checkpoint has "
            f"{_summary(before, differing)}; resume with the same rows, or train a new run"
        )


def _default(option: Any) -> Any:
    """Return the value of an option for a note."""
    return "the default" if option is None else option


def _value(option: Any) -> Any:
    """Return the value of an option for a message: objects of a list by their class."""
    if isinstance(option, list) and all(isinstance(each, Mapping) for each in option):
        return f"[{', '.join(str(each.get('kind', each)) for each in option)}]"
    return option


def _summary(fingerprint: Mapping[str, Any] | None, differing: list[str]) -> str:
    """Return the name and number of rows of data, and the differences from other data."""
    if not fingerprint:
        return "none"
    parts = [f"{fingerprint['rows']:,} rows"]
    if "row_shape" in differing:
        parts.append(f"each of shape {tuple(fingerprint['row_shape'])}")
    if "dtype" in differing:
        parts.append(fingerprint["dtype"])
    if "class_names" in differing:
        parts.append(f"classes {short_repr(fingerprint['class_names'])}")
    if "rows" not in differing and len(parts) == 1:  # the values or their order
        parts.append(f"SHA-256 {fingerprint['sha256'][:12]}")
    return f"{fingerprint['name']} ({', '.join(parts)})"
