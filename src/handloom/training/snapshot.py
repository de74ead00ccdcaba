"""Snapshots: the state of a training at one moment, and how it goes to files and back.

A training that is restored from a snapshot goes on as if it had never stopped: the same weights, to
the bit, and the same history, its clock aside. That takes no saved generator, since every random
draw is a function of the seed and the place that draws (see `handloom.randomness`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from handloom.circumstances import circumstances
from handloom.errors import (
    ConfigurationError,
    HandloomError,
    ModelError,
    require_count,
    require_number,
)
from handloom.files import read_set, write_set
from handloom.parallel.partition import MOST_LANES
from handloom.parameters import Array
from handloom.schedules import planned_steps
from handloom.training.configuration import first_difference
from handloom.training.options import OnResume
from handloom.training.state import TrainingState

KIND, VERSION = "handloom checkpoint", 3

BROKEN = (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError)
"""What values of a wrong kind raise where they are used."""


@dataclass(frozen=True)
class Snapshot:
    """A training at one moment.

    Attributes
    ----------
    configuration : dict
        What the training is: options, network, data. It can only go on where this is the same.
    values : dict
        The part of the state that is no array: progress, history, the optimizer's counters.
    arrays : dict of str to array
        Weights, the optimizer's vectors, and the arrays that callbacks keep; named by the keys that
        lead to them.
    origin : str
        Where it was read from, for messages.
    """

    configuration: dict[str, Any]
    values: dict[str, Any]
    arrays: dict[str, Array]
    origin: str = "the snapshot"

    @classmethod
    def take(cls, state: TrainingState) -> Self:
        """Return what a training is now; arrays are copied."""
        values, arrays = _split(state.state_dict())
        values["circumstances"] = circumstances()
        copies = {name: array.copy() for name, array in arrays.items()}
        return cls(configuration(state), json.loads(json.dumps(values)), copies)

    def restore(self, state: TrainingState) -> None:
        """Bring a training to the moment of the snapshot; callbacks follow once they have begun.

        What has changed and may is noted in the history.

        Raises
        ------
        ModelError
            If the snapshot is of another training, named by what differs, or not whole.
        """
        try:
            notes = self._changes(state)
        except (AttributeError, KeyError, TypeError, RecursionError) as error:
            raise ModelError(f"{self.origin}: not a whole configuration: {error!r}") from None
        try:
            state.load_state_dict(_joined(self.values, self.arrays))
        except BROKEN as error:
            reason = str(error) if isinstance(error, HandloomError) else repr(error)
            raise ModelError(f"{self.origin}: not a whole checkpoint: {reason}") from None
        state.history.notes += notes

    def restore_callbacks(self, state: TrainingState) -> None:
        """Give callbacks back their state; see `Callback.load_state_dict`."""
        state.load_callbacks(_joined(self.values, self.arrays)["callbacks"])

    def _changes(self, state: TrainingState) -> list[str]:
        """Return what is not as it was, and may be.

        Raises
        ------
        ModelError
            If what is not as it was makes it another training.
        """
        theirs, ours = self.configuration, configuration(state)
        notes = []
        for name in dict.fromkeys([*theirs, *ours]):
            difference = first_difference(theirs.get(name), ours.get(name), name)
            if name in ("data", "validation"):
                difference = _other_data(name, theirs[name], ours[name])
            if difference is None:
                continue
            place, then, now = difference
            rule = OnResume.TOLD if name == "watchers" else type(state.options).on_resume(name)
            if rule is OnResume.MAY_GROW:
                self._require_longer(state, then, now)
            elif rule is OnResume.REFUSED:
                raise ModelError(
                    f"{self.origin}: it is of another training: {place} is {then} there, {now} here"
                )
            notes.append(f"resumed with {place} {now}, before {then}")
        return notes

    def _require_longer(self, state: TrainingState, then: int, now: int) -> None:
        """Refuse another number of epochs where it makes another training."""
        made, planned = self.values["progress"]["epoch"], planned_steps(state.options.schedule)
        if planned is not None:
            raise ModelError(
                f"{self.origin}: it is of another training: epochs is {then} there, {now} here, "
                f"and the schedule is made for {planned} steps"
            )
        if now < made:
            raise ModelError(f"{self.origin}: {made} epochs are made already, epochs is {now}")

    @property
    def lanes(self) -> int:
        """The number of lanes that the training's work was cut for.

        Raises
        ------
        ModelError
            If the configuration does not say, or names more than there can be.
        """
        try:
            lanes = require_count("lanes", self.configuration["lanes"])
            return int(require_number("lanes", lanes, maximum=MOST_LANES))
        except (KeyError, ConfigurationError) as error:
            raise ModelError(f"{self.origin}: not a whole configuration: {error!r}") from None

    @property
    def backend(self) -> str:
        """What ran the training's arithmetic."""
        return str(self.configuration.get("backend"))

    def changed_circumstances(self) -> list[str]:
        """Return what bits depend on and is not as it was when the snapshot was taken."""
        now, then = circumstances(), self.values.get("circumstances", {})
        pairs = [(name, then.get(name), now[name]) for name in ("processor", "blas")]
        versions = then.get("versions", {})
        pairs += [(name, versions.get(name), value) for name, value in now["versions"].items()]
        return [f"{name} was {old}, is {new}" for name, old, new in pairs if old != new]

    def content(self) -> dict[str, bytes]:
        """Return the files of a checkpoint by name."""
        from safetensors.numpy import save  # imported when something is saved

        described = {"configuration": self.configuration, "values": self.values}
        return {
            "state.json": json.dumps(described, indent=1, allow_nan=False).encode(),
            "arrays.safetensors": save(self.arrays),
        }

    def save(self, folder: Path) -> None:
        """Write the snapshot to a folder, in one move.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        write_set(folder, KIND, VERSION, self.content())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the snapshot that `save` wrote.

        Raises
        ------
        FileError, ModelError
            If a file is missing, cut, changed, or of a version not known here.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        content = read_set(folder, KIND, VERSION)
        try:
            described = json.loads(content["state.json"])
            return cls(
                dict(described["configuration"]),
                dict(described["values"]),
                load(content["arrays.safetensors"]),
                str(folder),
            )
        except (KeyError, TypeError, ValueError, RecursionError, SafetensorError) as error:
            raise ModelError(f"{folder}: not a whole checkpoint: {error!r}") from None


def configuration(state: TrainingState) -> dict[str, Any]:
    """Return what makes a training the one that it is, as JSON can hold it.

    Backend and transform are those in effect, which ``"auto"`` and a default leave open. Callbacks
    that results do not depend on stand apart, as ``watchers``.
    """
    options = state.options.describe()
    callbacks = options.get("callbacks", [])
    described = {
        **options,
        "callbacks": [each for each in callbacks if each.get("changes_results", True)],
        "watchers": [each for each in callbacks if not each.get("changes_results", True)],
        "network": state.network.config(),
        "transform": state.model.transform.to_config(),
        "backend": state.history.backend,
        "lanes": state.history.lanes,
        **{"data": None, "validation": None, "sample_weights": None, **state.data},
    }
    plain: dict[str, Any] = json.loads(json.dumps(described))
    return plain


def _split(state: Mapping[str, Any], path: str = "") -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the values of a nested state, and its arrays by the keys that lead to them."""
    values: dict[str, Any] = {}
    arrays: dict[str, Array] = {}
    for key, value in state.items():
        if isinstance(value, np.ndarray):
            arrays[f"{path}{key}"] = value
        elif isinstance(value, Mapping):
            values[key], more = _split(value, f"{path}{key}.")
            arrays |= more
        else:
            values[key] = value
    return values, arrays


def _joined(values: Mapping[str, Any], arrays: Mapping[str, Array], path: str = "") -> Any:
    """Return the nested state that `_split` took apart."""
    inner = {
        key: _joined(value, arrays, f"{path}{key}.") if isinstance(value, Mapping) else value
        for key, value in values.items()
    }
    own = {key.removeprefix(path): array for key, array in arrays.items() if key.startswith(path)}
    nested = tuple(f"{key}." for key in inner)
    return {**inner, **{key: v for key, v in own.items() if not key.startswith(nested)}}


def _other_data(name: str, then: Any, now: Any) -> tuple[str, str, str] | None:
    """Return how two datasets differ; a name alone is no difference."""
    if {**(then or {}), "name": ""} == {**(now or {}), "name": ""}:
        return None
    return name, _told(then), _told(now)


def _told(fingerprint: Mapping[str, Any] | None) -> str:
    if not fingerprint:
        return "none"
    return f"{fingerprint['name']} ({fingerprint['rows']:,} rows, {fingerprint['sha256'][:12]})"
