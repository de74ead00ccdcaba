"""Snapshots: the state of a training between two steps, saved to files and restored.

A training that is restored from a snapshot goes on as if it had never stopped: the same weights, to
the bit, and the same history except for times. No generator is saved, since every random draw is a
function of the seed and of the indices of its stream (see `handloom.randomness`).
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from handloom.environment import environment
from handloom.errors import (
    HandloomError,
    ModelError,
)
from handloom.files import VersionError, read_set, write_set
from handloom.parameters import Array
from handloom.training.own_parts import resumed_parts
from handloom.training.resume import compare, configuration
from handloom.training.serialization import pack, unpack
from handloom.training.state import TrainingState

KIND, VERSION = "handloom checkpoint", 5

FILES = ("state.json", "arrays.safetensors")
"""The files of a checkpoint."""


@dataclass(frozen=True)
class Snapshot:
    """The state of a training between two steps.

    Attributes
    ----------
    configuration : dict
        The configuration: options, network, data. A resume compares it.
    values : dict
        The state, with a name for each array.
    arrays : dict of str to array
        Weights, the optimizer's vectors, and the arrays of callbacks.
    origin : str
        The folder it was read from, for messages.
    """

    configuration: dict[str, Any]
    values: dict[str, Any]
    arrays: dict[str, Array]
    origin: str = "the snapshot"

    @classmethod
    def take(cls, state: TrainingState) -> Self:
        """Return the snapshot of a training; arrays are copied.

        Raises
        ------
        ConfigurationError
            If a value of the state is neither an array nor a JSON value; its path is named.
        """
        arrays: dict[str, Array] = {}
        values = pack({**state.state_dict(), "environment": environment()}, arrays)
        return cls(configuration(state), values, arrays)

    def compare(self, state: TrainingState) -> tuple[list[str], list[str]]:
        """Return notes on allowed changes at a resume, and warnings, before anything is restored.

        Raises
        ------
        ModelError
            If the snapshot is of another training (the difference is named) or invalid.
        """
        current = configuration(state)
        with self._checking("configuration"):
            return compare(self.configuration, current, state.options, self.values["progress"])

    def restore(self, state: TrainingState) -> None:
        """Restore a training from the snapshot; callbacks are restored once they have begun.

        Raises
        ------
        ModelError
            If the snapshot is invalid.
        """
        with self._checking("checkpoint"):
            state.load_state_dict(unpack(self.values, self.arrays))
            state.own_parts = resumed_parts(self.configuration["own"], state.own_parts)
            state.rates = self.configuration["rates"]
            state.parts_at_begin = self.configuration.get("begun", state.parts_at_begin)

    def restore_callbacks(self, state: TrainingState) -> None:
        """Restore the state of callbacks; see `Callback.load_state_dict`.

        Raises
        ------
        ModelError
            If the state of one is invalid.
        """
        with self._checking("checkpoint"):
            state.load_callbacks(unpack(self.values["callbacks"], self.arrays))

    @contextmanager
    def _checking(self, part: str) -> Iterator[None]:
        """Raise a ModelError for values of a wrong type, as of a damaged snapshot."""
        try:
            yield
        except HandloomError as error:
            raise ModelError(f"{self.origin}: {error}") from error.__cause__
        except (
            AttributeError,
            KeyError,
            IndexError,
            TypeError,
            ValueError,
            OverflowError,
            RecursionError,
        ) as error:
            raise ModelError(f"{self.origin}: invalid {part}: {error!r}") from None

    @property
    def backend(self) -> str:
        """The backend of the training."""
        return str(self.configuration.get("backend"))

    def changed_environment(self) -> list[str]:
        """Return the differences between this environment and the snapshot's."""
        now, then = environment(), self.values.get("environment", {})
        pairs = [(name, then.get(name), now[name]) for name in ("processor", "blas")]
        versions = then.get("versions", {})
        pairs += [(name, versions.get(name), value) for name, value in now["versions"].items()]
        return [f"{name} was {old}, is {new}" for name, old, new in pairs if old != new]

    def content(self) -> dict[str, bytes]:
        """Return the files of a checkpoint by name."""
        from safetensors.numpy import save  # imported when something is saved

        described = {"configuration": self.configuration, "values": self.values}
        state = json.dumps(described, allow_nan=False).encode()
        return dict(zip(FILES, (state, save(self.arrays)), strict=True))

    def save(self, folder: Path) -> None:
        """Write the snapshot to a folder, atomically.

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
            If a file is missing, truncated, changed, or of an unknown version.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            content = read_set(folder, KIND, VERSION)
        except VersionError as error:
            if error.is_later:
                raise
            raise ModelError(
                f"{error}, or train again, with checkpoints in another folder"
            ) from None
        try:
            described = json.loads(content["state.json"])
            return cls(
                dict(described["configuration"]),
                dict(described["values"]),
                load(content["arrays.safetensors"]),
                str(folder),
            )
        except (KeyError, TypeError, ValueError, RecursionError, SafetensorError) as error:
            raise ModelError(f"{folder}: invalid checkpoint: {error!r}") from None
