"""The parts that a training changes, which no other training may use until it has ended."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import WRAPPER_ASSIGNMENTS
from types import ModuleType

from handloom.in_use import Part
from handloom.network import Sequential
from handloom.training.callbacks.base import Callback
from handloom.training.checkpoints import Checkpoints
from handloom.training.options import TrainingOptions

OF_DECORATORS = {*WRAPPER_ASSIGNMENTS, "__wrapped__", "cache_parameters"}
"""The attributes of decorated functions, which no call changes."""


def parts_in_use(
    network: Sequential,
    options: TrainingOptions,
    callbacks: Sequence[Callback],
    checkpoints: Checkpoints | None,
) -> Iterator[Part]:
    """Yield the parts that a training changes, with their names.

    The memory of its weights stands for the network: replicas share it.

    Losses, transforms, augmentations and schedules are functions, which trainings may share. But an
    augmentation or a schedule with attributes may keep a state in them, such as a generator, unless
    it is a frozen dataclass, as those of this library are.
    """
    if network.built:
        yield "the network", network.parameters.values
    yield _named("the optimizer", options.optimizer)
    if options.average is not None:
        yield _named("the average", options.average)
    for callback in callbacks:
        yield _named("the callback", callback)
        path = callback.writes_to
        if path is not None:
            yield f"{path}, which {type(callback).__name__} writes,", path
    if checkpoints is not None:
        yield "the Checkpoints object", checkpoints
        yield _named("the trigger", checkpoints.every)
    for augmentation in options.augment:
        for part in _with_attributes(augmentation):
            yield _named("the augmentation", part)
    for part in _with_attributes(options.learning_rate):
        yield _named("the schedule", part)


def _named(role: str, part: object) -> Part:
    return f"{role} {type(part).__name__}", part


def _with_attributes(part: object) -> Iterator[object]:
    """Yield the objects in a function that have attributes, which a call may change."""
    owner = getattr(part, "__self__", part)  # the object of a bound method
    if is_dataclass(owner) and not isinstance(owner, type) and _is_frozen(owner):
        for each in fields(owner):
            yield from _with_attributes(getattr(owner, each.name))
    elif not isinstance(owner, type | ModuleType):
        attributes = set(getattr(owner, "__dict__", ()))
        if attributes - OF_DECORATORS:
            yield owner


def _is_frozen(part: object) -> bool:
    return bool(part.__dataclass_params__.frozen)  # type: ignore[attr-defined]
