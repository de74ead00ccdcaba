"""Distribution: how a training is shared by ranks, and whether all of them can share it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from handloom.environment import environment, processor_name
from handloom.errors import ConfigurationError
from handloom.parallel.ranks import Ranks
from handloom.training.configuration import differences

OF_RANK_0 = ("callbacks", "watchers", "checkpoints", "threads", "on_signal", "diagnose")
"""The options that may differ between ranks, with the own parts in them."""


@dataclass(frozen=True)
class Distribution:
    """How the steps of a training are shared.

    Attributes
    ----------
    hosts : tuple of str
        The host of each rank.
    threads : int
        The threads of rank 0.
    rows, lanes : int
        The rows of a step, and the number of lanes that they are dealt to.
    """

    hosts: tuple[str, ...]
    threads: int
    rows: int
    lanes: int

    def __str__(self) -> str:
        ranks, hosts = len(self.hosts), len(set(self.hosts))
        line = f"{_count(ranks, 'rank')} on {_count(hosts, 'host')}, "
        line += f"{_count(self.threads, 'thread')} each; "
        line += f"a step of {_count(self.rows, 'row')} has {_count(self.lanes, 'lane')}: "
        if self.lanes >= ranks:
            return line + ("the rank has work" if ranks == 1 else f"all {ranks} ranks have work")
        if self.lanes == 1:
            return line + "every rank computes it whole, and more ranks save no time"
        return line + f"{self.lanes} of {ranks} ranks have work"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def check_same_call(ranks: Ranks, call: str) -> None:
    """Refuse ranks that make different calls, which would take each other's messages for their own.

    Raises
    ------
    ConfigurationError
        On every rank, with the first difference.
    """
    first, *others = ranks.gather(call)
    for rank, other in enumerate(others, 1):
        if other != first:
            raise ConfigurationError(
                f"all ranks must make the same call: that of {ranks.name(rank)} is {other}, that "
                f"of {ranks.name(0)} is {first}"
            )


def check_same_training(ranks: Ranks, configuration: Mapping[str, Any]) -> None:
    """Refuse ranks that do not train the same network on the same rows with the same options.

    Parameters
    ----------
    ranks : Ranks
    configuration : mapping
        As `handloom.training.resume.configuration` returns it.

    Raises
    ------
    ConfigurationError
        On every rank, with the first difference.
    """
    own = {name: value for name, value in configuration.items() if name not in OF_RANK_0}
    for name in ("data", "validation"):  # the same rows may have another name elsewhere
        own[name] = {**(own[name] or {}), "name": ""}
    parts = own.get("own", {}).items()
    own["own"] = {path: record for path, record in parts if not path.startswith(OF_RANK_0)}
    first, *others = ranks.gather(json.dumps(own))
    for rank, other in enumerate(others, 1):
        for name, expected, received in differences(json.loads(first), json.loads(other)):
            raise ConfigurationError(
                f"all ranks must share one training: {name} of {ranks.name(rank)} is "
                f"{received!r}, that of {ranks.name(0)} is {expected!r}"
            )


def differing_environments(ranks: Ranks) -> list[str]:
    """Return a line that says how versions, BLAS or processors of ranks differ, if they do."""
    own = {**environment(), "processor": processor_name()}
    del own["cores"]
    flat = {**own.pop("versions"), **own}
    per_rank = ranks.gather({name: _text(value) for name, value in flat.items()})
    different = []
    for name in per_rank[0]:
        if len({each[name] for each in per_rank}) > 1:
            different.append(f"{name} is {_listed([each[name] for each in per_rank])}")
    if not different:
        return []
    return [f"ranks differ, so other numbers of ranks may give other bits: {'; '.join(different)}"]


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _listed(values: Sequence[str]) -> str:
    """Return each value once, with the ranks that have it."""
    ranks: dict[str, list[int]] = {}
    for rank, value in enumerate(values):
        ranks.setdefault(value, []).append(rank)
    return ", ".join(
        f"{value} on rank{'s' if len(own) > 1 else ''} {' '.join(map(str, own))}"
        for value, own in ranks.items()
    )
