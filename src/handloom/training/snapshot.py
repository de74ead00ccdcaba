"""Snapshots: the state of a training at one moment, and how it goes to files and back.

A training that is restored from a snapshot goes on as if it had never stopped: the same weights, to
the bit, and the same history, its clock aside. That takes no saved generator, since every random
draw is a function of the seed and the place that draws (see `handloom.randomness`).
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from handloom.environment import environment
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
from handloom.training.resume import compare, configuration
from handloom.training.serialization import pack, unpack
from handloom.training.state import TrainingState

KIND, VERSION = "handloom checkpoint", 3


@dataclass(frozen=True)
class Snapshot:
    """A training at one moment.

    Attributes
    ----------
    configuration : dict
        What the training is: options, network, data. It can only go on where this is the same.
    values : dict
        The state, with a name for each array.
    arrays : dict of str to array
        Weights, the optimizer's vectors, and the arrays that callbacks keep.
    origin : str
        Where it was read from, for messages.
    """

    configuration: dict[str, Any]
    values: dict[str, Any]
    arrays: dict[str, Array]
    origin: str = "the snapshot"

    @classmethod
    def take(cls, state: TrainingState) -> Self:
        """Return what a training is now; arrays are copied.

        Raises
        ------
        ConfigurationError
            If something of it is neither numbers nor text; its place is named.
        """
        arrays: dict[str, Array] = {}
        values = pack({**state.state_dict(), "environment": environment()}, arrays)
        return cls(configuration(state), values, arrays)

    def compare(self, state: TrainingState) -> list[str]:
        """Return what has changed and may have, in sentences, before anything is restored.

        Raises
        ------
        ModelError
            If the snapshot is of another training, named by what differs, or not whole.
        """
        ours = configuration(state)
        with self._whole("configuration"):
            return compare(self.configuration, ours, state.options, self.values["progress"])

    def restore(self, state: TrainingState) -> None:
        """Bring a training to the moment of the snapshot; callbacks follow once they have begun.

        Raises
        ------
        ModelError
            If the snapshot is not whole.
        """
        with self._whole("checkpoint"):
            state.load_state_dict(unpack(self.values, self.arrays))

    def restore_callbacks(self, state: TrainingState) -> None:
        """Give callbacks back their state; see `Callback.load_state_dict`.

        Raises
        ------
        ModelError
            If the state of one is not whole.
        """
        with self._whole("checkpoint"):
            state.load_callbacks(unpack(self.values["callbacks"], self.arrays))

    @contextmanager
    def _whole(self, what: str) -> Iterator[None]:
        """Refuse a snapshot whose values are of a wrong kind, as a damaged or foreign one's are."""
        try:
            yield
        except HandloomError as error:
            raise ModelError(f"{self.origin}: {error}") from error.__cause__
        except (
            *(AttributeError, KeyError, IndexError, TypeError, ValueError),
            *(OverflowError, RecursionError),
        ) as error:
            raise ModelError(f"{self.origin}: not a whole {what}: {error!r}") from None

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

    def changed_environment(self) -> list[str]:
        """Return what bits depend on and is not as it was when the snapshot was taken."""
        now, then = environment(), self.values.get("environment", {})
        pairs = [(name, then.get(name), now[name]) for name in ("processor", "blas")]
        versions = then.get("versions", {})
        pairs += [(name, versions.get(name), value) for name, value in now["versions"].items()]
        return [f"{name} was {old}, is {new}" for name, old, new in pairs if old != new]

    def content(self) -> dict[str, bytes]:
        """Return the files of a checkpoint by name."""
        from safetensors.numpy import save  # imported when something is saved

        described = {"configuration": self.configuration, "values": self.values}
        return {
            "state.json": json.dumps(described, allow_nan=False).encode(),
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
