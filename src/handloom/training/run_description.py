"""RunDescription: the settings, data and environments of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from reprlib import repr as short_repr
from typing import Any, Self

from handloom.data.table_options import data_options_from_json
from handloom.environment import environment
from handloom.errors import ModelError, require_count, require_known
from handloom.training.triggers import trigger

LOGGED: Mapping[str, type] = {"tensorboard": str, "mlflow": bool}
"""The tools that a training is logged for, each with the type of its value in a description."""


@dataclass(frozen=True)
class RunDescription:
    """The settings, data and environments of a run.

    Parameters
    ----------
    settings : dict
        The options of the training as JSON; the command that wrote them reads them.
    data : str
        The name of a dataset, or the absolute path of its folder or file.
    checkpoint_every : str or None
        The interval of the checkpoints, as `Checkpoints` takes it; None without checkpoints.
    threads : int
        The number of threads that share a step; results do not depend on it.
    environments : list of dict
        The environment at the beginning, and after each resume in another one (see
        `handloom.environment`); by default, that of this process.
    data_options : dict
        The options of a folder of images, or of a table, as their ``to_json`` returns them.
    test_rows : str or None
        Of a table, or of class folders: the SHA-256 of the test rows that were drawn from it, so
        that a change, after which others are drawn, is noticed.
    logs : dict
        The logs for other tools: ``tensorboard`` with a folder, ``mlflow`` with True.

    Raises
    ------
    ModelError, ConfigurationError
        If a value has the wrong type, or an interval or a number of threads is invalid.
    """

    settings: dict[str, Any]
    data: str
    checkpoint_every: str | None
    threads: int
    environments: list[dict[str, Any]] = field(default_factory=lambda: [environment()])
    data_options: dict[str, Any] = field(default_factory=dict)
    test_rows: str | None = None
    logs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_json_type("settings", self.settings, dict, "an object")
        require_json_type("data", self.data, str, "a string")
        require_json_type("checkpoint_every", self.checkpoint_every, str | None, "a string or null")
        if self.checkpoint_every is not None:
            trigger(self.checkpoint_every)
        require_count("threads", self.threads)
        require_json_type("environments", self.environments, list, "a list")
        for each in self.environments:
            require_json_type("environment", each, dict, "an object")
        require_json_type("data_options", self.data_options, dict, "an object")
        data_options_from_json(self.data_options)
        require_json_type("test_rows", self.test_rows, str | None, "a string or null")
        require_json_type("logs", self.logs, dict, "an object")
        for name, value in self.logs.items():
            require_known("log", name, LOGGED)
            require_json_type(name, value, LOGGED[name], "the absolute path of a folder, or true")

    def resumed(self, **changes: Any) -> Self:
        """Return the description of the same run, resumed in this process with some changes."""
        here = environment()
        last = self.environments[-1:]
        environments = self.environments if last == [here] else [*self.environments, here]
        return replace(self, environments=environments, **changes)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the description from the dict of `dataclasses.asdict`.

        Raises
        ------
        ModelError, ConfigurationError
            If a value is missing, unknown, or has the wrong type.
        """
        names = [each.name for each in fields(cls)]
        # runs of earlier versions have none of these
        values = {"data_options": {}, "test_rows": None, "logs": {}, **values}
        for name in values:
            require_known("entry", name, [*names, "kind", "version"])
        if missing := [name for name in names if name not in values]:
            raise ModelError(f"{', '.join(missing)} missing; expected {', '.join(names)}")
        return cls(*(values[name] for name in names))


def require_json_type(name: str, value: object, kind: Any, expected: str) -> None:
    """Refuse a value of another type.

    Raises
    ------
    ModelError
        With the expected type.
    """
    if not isinstance(value, kind):
        raise ModelError(f"{name} must be {expected}, got {short_repr(value)}")
