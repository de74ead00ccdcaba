"""Everything that a training is at one moment, and how it goes to files and back.

A training that is restored from a snapshot goes on as if it had never stopped: the same weights, to
the bit, and the same history, its clock aside. That takes no saved generator, since every random
draw is a function of the seed and the place that draws (see `handloom.randomness`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

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
from handloom.parameters import Array, check_array
from handloom.training.callbacks import Callback
from handloom.training.history import History
from handloom.training.position import Position

if TYPE_CHECKING:
    from handloom.training.trainer import Trainer

KIND, VERSION = "handloom checkpoint", 2


@dataclass(frozen=True)
class Snapshot:
    """A training at one moment.

    Attributes
    ----------
    configuration : dict
        What the training is: network, rule, data, seed. It can only go on where this is the same.
    values : dict
        Position, history, and whatever else is no array.
    arrays : dict of str to array
        Weights, the optimizer's state, and the arrays that callbacks keep.
    origin : str
        Where it was read from, for messages.
    """

    configuration: dict[str, Any]
    values: dict[str, Any]
    arrays: dict[str, Array]
    origin: str = "the snapshot"

    @classmethod
    def take(cls, trainer: "Trainer") -> Self:
        """Return what a training is now; arrays are copied."""
        arrays = {"weights": trainer.network.parameters.values, "good": trainer.good_weights}
        values: dict[str, Any] = {
            "position": trainer.position.to_json(),
            "history": trainer.history.to_json(),
            "steps": trainer.steps,
            "gradient_norm": trainer.gradient_norm,
            "circumstances": circumstances(),
        }
        for name, owner in (_movers(trainer) | _watchers(trainer)).items():
            kept = owner.state_dict()
            arrays |= {f"{name}.{key}": v for key, v in kept.items() if isinstance(v, np.ndarray)}
            values[name] = {k: v for k, v in kept.items() if not isinstance(v, np.ndarray)}
        copies = {name: array.copy() for name, array in arrays.items()}
        return cls(configuration(trainer), json.loads(json.dumps(values)), copies)

    def restore(self, trainer: "Trainer") -> None:
        """Bring a training to the moment of the snapshot.

        Raises
        ------
        ModelError
            If the snapshot is of another training, named by what differs, or not whole.
        """
        try:
            difference = _difference(self.configuration, configuration(trainer))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{self.origin}: not a whole configuration: {error!r}") from None
        if difference is not None:
            raise ModelError(f"{self.origin}: it is of another training: {difference}")
        try:
            position = Position.from_json(self.values["position"])
            history = History.from_json(self.values["history"])
            steps, norm = int(self.values["steps"]), self.values["gradient_norm"]
            for view, name in (
                (trainer.network.parameters.values, "weights"),
                (trainer.good_weights, "good"),
            ):
                check_array(name, self.arrays[name], view.shape, view.dtype)
                np.copyto(view, self.arrays[name])
            for name, owner in _movers(trainer).items():
                self._give(name, owner)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            reason = str(error) if isinstance(error, HandloomError) else repr(error)
            raise ModelError(f"{self.origin}: not a whole checkpoint: {reason}") from None
        trainer.position, trainer.history = position, history
        trainer.steps, trainer.gradient_norm = steps, norm

    def restore_callbacks(self, trainer: "Trainer") -> None:
        """Give callbacks back what they kept; see `Callback.load_state_dict`."""
        for name, owner in _watchers(trainer).items():
            self._give(name, owner)

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

    def _give(self, name: str, owner: Any) -> None:
        arrays = {
            key.removeprefix(f"{name}."): array
            for key, array in self.arrays.items()
            if key.startswith(f"{name}.")
        }
        owner.load_state_dict({**self.values[name], **arrays})

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


def configuration(trainer: "Trainer") -> dict[str, Any]:
    """Return what makes a training the one that it is, as JSON can hold it.

    The number of epochs is not part of it: a training may go on for longer than it was meant to.
    """
    described = {
        "network": trainer.network.config(),
        "optimizer": _describe(trainer.optimizer),
        "schedule": _describe(trainer.schedule),
        "loss": _describe(trainer.loss),
        "count_correct": trainer.count_correct,
        "clip_norm": trainer.clip_norm,
        "average": None if trainer.average is None else _describe(trainer.average),
        "augment": [_describe(change) for change in trainer.augment] or None,
        "transform": trainer.model().transform.to_config(),
        "batch_size": trainer.batch_size,
        "shuffle": trainer.shuffle,
        "penalty_per_row": trainer.penalty_per_row,
        "seed": trainer.stream.seed,
        "backend": trainer.history.backend,
        "lanes": trainer.history.lanes,
        "callbacks": {name: watcher.config() for name, watcher in _watchers(trainer).items()},
        **trainer.fingerprints,
    }
    found: dict[str, Any] = json.loads(json.dumps(described))
    return found


def _movers(trainer: "Trainer") -> dict[str, Any]:
    """Return what keeps state from step to step, by name: the optimizer, and the average."""
    averages = {} if trainer.average is None else {"average": trainer.average}
    return {"optimizer": trainer.optimizer, **averages}


def _watchers(trainer: "Trainer") -> dict[str, Any]:
    """Return the callbacks that keep state of their own, by name."""
    return {
        f"callback {place}, {type(callback).__name__}": callback
        for place, callback in enumerate(trainer.callbacks)
        if type(callback).state_dict is not Callback.state_dict
    }


def _describe(thing: object) -> dict[str, object]:
    """Return the kind of a thing, and how it was made."""
    kind = getattr(thing, "__qualname__", type(thing).__qualname__)
    if hasattr(thing, "config"):
        return {"kind": kind, **thing.config()}
    if is_dataclass(thing) and not isinstance(thing, type):
        values = {field.name: getattr(thing, field.name) for field in fields(thing)}
        parts = {name: _describe(v) if callable(v) else v for name, v in values.items()}
        return {"kind": kind, **parts}
    return {"kind": kind}


def _difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str | None:
    """Say where two configurations differ first; what a dataset is called is no difference."""
    theirs, ours = dict(theirs), dict(ours)
    for part in ("data", "validation"):
        then, now = theirs[part] or {}, ours[part] or {}
        if {**then, "name": ""} != {**now, "name": ""}:
            return f"{part} is {_told(then)} there, {_told(now)} here"
        theirs[part] = ours[part] = None
    found = _first_difference(theirs, ours)
    return None if found is None else "{} is {} there, {} here".format(*found)


def _told(fingerprint: Mapping[str, Any]) -> str:
    if not fingerprint:
        return "none"
    return f"{fingerprint['name']} ({fingerprint['rows']:,} rows, {fingerprint['sha256'][:12]})"


def _first_difference(theirs: Any, ours: Any, path: str = "") -> tuple[str, object, object] | None:
    """Return where two values differ first, and what stands there in each."""
    if isinstance(theirs, Mapping) and isinstance(ours, Mapping):
        keys = list(dict.fromkeys([*theirs, *ours]))
        pairs = [(f"{path} {key}", theirs.get(key), ours.get(key)) for key in keys]
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        pairs = [(f"{path} {i}", a, b) for i, (a, b) in enumerate(zip(theirs, ours, strict=True))]
    else:
        return None if theirs == ours else (path.strip(), theirs, ours)
    return next((found for place, a, b in pairs if (found := _first_difference(a, b, place))), None)
