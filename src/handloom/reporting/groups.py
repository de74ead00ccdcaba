"""Groups of runs: those that differ in their seed alone."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from handloom.reporting.run import ReportedRun

NOT_OPTIONS = ("seed", "threads")
"""Settings that do not distinguish one group from another."""


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed alone.

    Attributes
    ----------
    name : str
        That of the model of a study or of the recipe, or of the first run.
    runs : tuple of ReportedRun
    """

    name: str
    runs: tuple[ReportedRun, ...]

    @property
    def of_each_seed(self) -> list[ReportedRun]:
        """The first run of each seed: the same seed again is no other sample."""
        first: dict[object, ReportedRun] = {}
        for index, run in enumerate(self.runs):
            seed = run.settings.get("seed")
            first.setdefault(index if seed is None else str(seed), run)
        return list(first.values())

    def spread(self, metric: str) -> tuple[float, float] | None:
        """Return mean and standard deviation of a result over the seeds; None if a run lacks it."""
        values = [run.results.get(metric) for run in self.of_each_seed]
        finite = [value for value in values if isinstance(value, int | float)]
        if len(finite) < len(values) or not finite:
            return None
        deviation = float(np.std(finite, ddof=1)) if len(finite) > 1 else 0.0
        return float(np.mean(finite)), deviation


def groups_of(runs: Sequence[ReportedRun]) -> list[Group]:
    """Return the groups of runs, in the order of their first runs."""
    members: dict[str, list[ReportedRun]] = {}
    for index, run in enumerate(runs):
        options = {k: v for k, v in run.settings.items() if k not in NOT_OPTIONS}
        same = json.dumps([options, run.dataset], sort_keys=True) if options else str(index)
        members.setdefault(same, []).append(run)
    names = [_name(own) for own in members.values()]
    return [
        Group(name if names.count(name) == 1 else own[0].name, tuple(own))
        for name, own in zip(names, members.values(), strict=True)
    ]


Make = TypeVar("Make")


def first_of_each(make: Callable[[Sequence[ReportedRun]], Make]) -> Callable[..., Make]:
    """Return a maker of sections that takes the first run of each group alone."""

    def made(runs: Sequence[ReportedRun]) -> Make:
        return make([group.runs[0] for group in groups_of(runs)])

    return made


def _name(runs: Sequence[ReportedRun]) -> str:
    settings = runs[0].settings
    named = settings.get("model") or settings.get("recipe")
    return str(named) if isinstance(named, str) else runs[0].name
