"""The parameters and metrics of a training by name, for those who compare trainings."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from handloom.errors import ConfigurationError, require_instance
from handloom.training.configuration import BY_NAME, RESERVED, describe
from handloom.training.evaluation import Evaluation
from handloom.training.history import COLUMNS, EpochRecord
from handloom.training.options import OnResume
from handloom.training.state import TrainingState

Parameter = str | bool | int | float


def checked_parameters(parameters: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return parameters that a caller adds to those of the trainer.

    Raises
    ------
    ConfigurationError
        If it is no mapping from names.
    """
    if parameters is None:
        return None
    require_instance("parameters", parameters, Mapping)
    if unnamed := [name for name in parameters if not isinstance(name, str) or not name]:
        raise ConfigurationError(f"parameters must have strings as names, got {unnamed[0]!r}")
    return dict(parameters)


def hyperparameters(state: TrainingState, own: Mapping[str, Any] | None) -> dict[str, Parameter]:
    """Return the options of a training, its layers, and parameters of the caller, by name.

    An object is the name of its class, and each of its arguments a further parameter, as
    ``optimizer`` and ``optimizer.beta1``. Options that are None are left out, and those that
    results do not depend on.

    Raises
    ------
    ConfigurationError
        If an own parameter has the name of another one.
    """
    every = state.options.describe()
    noted = [name for name in every if state.options.on_resume(name) is OnResume.NOTED]
    options = {name: value for name, value in every.items() if name not in noted}
    described = {
        **options,
        "loss": describe(state.loss),
        "layers": " -> ".join(map(repr, state.network.layers)),
        "trained_parameters": len(state.network.parameters),
    }
    if options["learning_rate"].get("kind") == "Constant":
        described["learning_rate"] = options["learning_rate"]["learning_rate"]
    parameters, further = dict(_flattened(described)), describe(own or {})
    for name in [*further, *(name for name, _ in _flattened(further))]:
        if name in {**every, **described, **parameters}:
            raise ConfigurationError(
                f"parameters must have names that no option of the trainer has, got {name!r}"
            )
    return {**parameters, **dict(_flattened(further))}


def metrics_of(record: EpochRecord) -> dict[str, float]:
    """Return the metrics of an epoch by name, recorded ones included, without its number."""
    columns = zip(COLUMNS, record.values(), strict=True)
    measured = {name: value for name, value in columns if value is not None and name != "epoch"}
    return {**measured, **record.recorded}


def figures_of_test(evaluation: Evaluation) -> dict[str, float]:
    """Return the figures of an evaluation by name: ``test_loss``, ``test_accuracy`` and so on.

    Raises
    ------
    ConfigurationError
        If it is no `Evaluation`.
    """
    require_instance("evaluation", evaluation, Evaluation)
    figures = {"test_loss": evaluation.loss, "test_accuracy": evaluation.accuracy}
    if (regression := evaluation.regression) is not None:
        figures |= {f"test_{name}": getattr(regression, name) for name in ("mse", "mae", "r2")}
    return {name: float(value) for name, value in figures.items() if not math.isnan(value)}


def _flattened(parameters: Mapping[str, Any]) -> Iterator[tuple[str, Parameter]]:
    """Yield the simple values in parameters, whose names may be any."""
    for name, value in parameters.items():
        yield from _flat(name, value)


def _flat(name: str, value: Any) -> Iterator[tuple[str, Parameter]]:
    """Yield the simple values in a description, each with its name and those around it."""
    if isinstance(value, Mapping):
        if "kind" in value:
            yield name, str(value["kind"])
        for key, part in value.items():
            if key not in (*RESERVED, BY_NAME):
                yield from _flat(f"{name}.{key}", part)
    elif isinstance(value, list) and any(isinstance(each, Mapping | list) for each in value):
        for index, part in enumerate(value):
            yield from _flat(f"{name}.{index}", part)
    elif isinstance(value, list):
        if value:
            yield name, ", ".join(map(str, value))
    elif value is not None:
        yield name, value
