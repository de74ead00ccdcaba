"""Everything that a training is at one moment, and how it goes to files and back.

A training that is restored from a snapshot goes on as if it had never stopped: the same weights, to
the bit, and the same history, its clock aside. That takes no saved generator, since every random
draw is a function of the seed and the place that draws (see `handloom.randomness`).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from handloom.circumstances import circumstances
from handloom.errors import HandloomError, ModelError
from handloom.files import read_set, write_set
from handloom.parameters import Array
from handloom.training.history import History
from handloom.training.position import Position

if TYPE_CHECKING:
    from handloom.training.trainer import Trainer

KIND, VERSION = "handloom checkpoint", 1


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
    """

    configuration: dict[str, Any]
    values: dict[str, Any]
    arrays: dict[str, Array]

    @classmethod
    def take(cls, trainer: "Trainer") -> Self:
        """Return what a training is now; arrays are copied."""
        arrays = {"weights": trainer.network.parameters.vector, "good": trainer.good_weights}
        values: dict[str, Any] = {
            "position": trainer.position.to_json(),
            "history": trainer.history.to_json(),
            "steps": trainer.steps,
            "circumstances": circumstances(),
        }
        for name, owner in _owners(trainer).items():
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
        difference = _first_difference(self.configuration, configuration(trainer))
        if difference is not None:
            what, theirs, ours = difference
            raise ModelError(f"it is of another training: {what} is {theirs} there, {ours} here")
        try:
            trainer.position = Position.from_json(self.values["position"])
            trainer.history = History.from_json(self.values["history"])
            trainer.steps = int(self.values["steps"])
            for view, name in (
                (trainer.network.parameters.vector, "weights"),
                (trainer.good_weights, "good"),
            ):
                _copy_into(view, self.arrays[name], name)
            self._give("optimizer", trainer.optimizer)
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, HandloomError):
                raise
            raise ModelError(f"not a whole checkpoint: {error!r}") from None

    def restore_callbacks(self, trainer: "Trainer") -> None:
        """Give callbacks back what they kept; see `Callback.load_state_dict`."""
        for name, owner in _owners(trainer).items():
            if name != "optimizer":
                self._give(name, owner)

    def _give(self, name: str, owner: Any) -> None:
        arrays = {
            key.removeprefix(f"{name}."): array
            for key, array in self.arrays.items()
            if key.startswith(f"{name}.")
        }
        owner.load_state_dict({**self.values[name], **arrays})

    def save(self, folder: Path) -> None:
        """Write the snapshot to a folder, in one move.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        from safetensors.numpy import save  # imported when something is saved

        described = {"configuration": self.configuration, "values": self.values}
        content = {
            "state.json": json.dumps(described, indent=1, allow_nan=False).encode(),
            "arrays.safetensors": save(self.arrays),
        }
        write_set(folder, KIND, VERSION, content)

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
        "transform": trainer.model().transform.to_config(),
        "batch_size": trainer.batch_size,
        "shuffle": trainer.shuffle,
        "penalty_per_row": trainer.penalty_per_row,
        "seed": trainer.stream.seed,
        "kernels": trainer.history.kernels,
        "callbacks": [name for name in _owners(trainer) if name != "optimizer"],
        **trainer.fingerprints,
    }
    found: dict[str, Any] = json.loads(json.dumps(described))
    return found


def _owners(trainer: "Trainer") -> dict[str, Any]:
    """Return whoever keeps state of its own, by name: the optimizer, and some callbacks."""
    owners: dict[str, Any] = {"optimizer": trainer.optimizer}
    for place, callback in enumerate(trainer.callbacks):
        if callback.state_dict():
            owners[f"callback {place}, {type(callback).__name__}"] = callback
    return owners


def _describe(thing: object) -> dict[str, object]:
    """Return the kind of a thing, and how it was made."""
    kind = getattr(thing, "__qualname__", type(thing).__qualname__)
    if hasattr(thing, "config"):
        return {"kind": kind, **thing.config()}
    if is_dataclass(thing) and not isinstance(thing, type):
        return {"kind": kind, **asdict(thing)}
    return {"kind": kind}


def _first_difference(theirs: Any, ours: Any, path: str = "") -> tuple[str, object, object] | None:
    """Return where two configurations differ first, and what stands there in each."""
    if isinstance(theirs, Mapping) and isinstance(ours, Mapping):
        keys = list(dict.fromkeys([*theirs, *ours]))
        pairs = [(f"{path} {key}", theirs.get(key), ours.get(key)) for key in keys]
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        pairs = [(f"{path} {i}", a, b) for i, (a, b) in enumerate(zip(theirs, ours, strict=True))]
    else:
        return None if theirs == ours else (path.strip(), theirs, ours)
    return next((found for place, a, b in pairs if (found := _first_difference(a, b, place))), None)


def _copy_into(view: Array, given: Array, name: str) -> None:
    if given.shape != view.shape or given.dtype != view.dtype:
        raise ModelError(
            f"{name} must be {view.dtype} of shape {view.shape}, "
            f"got {given.dtype} of shape {given.shape}"
        )
    view[...] = given
