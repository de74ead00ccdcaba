"""The ranks of a training share one: the same call, network, options and rows."""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from handloom.environment import environment, processor_name
from handloom.errors import ConfigurationError
from handloom.parallel.ranks import Ranks
from handloom.parallel.watch import Watch
from handloom.training.configuration import differences
from handloom.training.training_data import TrainingData

OF_RANK_0 = ("callbacks", "watchers", "checkpoints", "threads", "on_signal", "diagnose")
"""The options that may differ between ranks, with the own parts in them."""


@contextmanager
def sharing(ranks: Ranks, call: str) -> Iterator[Watch | None]:
    """Make a call on every rank in a block: an error or a death on one ends it on all.

    Warnings are those of rank 0 alone.

    Parameters
    ----------
    ranks : Ranks
    call : str
        The name of the call.

    Yields
    ------
    Watch or None
        The watch over several ranks.
    """
    if ranks.size == 1:
        yield None
        return
    # the watch ends last, also after an error: all ranks know it then, and leave
    with ExitStack() as ends, ranks.together(), warnings.catch_warnings():
        if not ranks.leads:
            warnings.simplefilter("ignore")
        watch = Watch.begin(ranks)
        ends.callback(watch.end)
        check_same_call(ranks, call)
        yield watch


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
        rows = own[name] or {}
        own[name] = {**rows, "name": "", "sha256": str(rows.get("sha256", ""))[:12]}
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


def own_or_sent(ranks: Ranks, data: TrainingData) -> TrainingData:
    """Return the data of this rank, or those of rank 0, which are then sent to all, if it has none.

    Class weights are those of this rank.

    Raises
    ------
    ConfigurationError
        If rank 0 has none.
    """
    if data.train is None and ranks.leads:
        raise ConfigurationError("train must be a Dataset, got None")
    if ranks.size == 1 or all(ranks.gather(data.train is not None)):
        return data
    sent: TrainingData = ranks.send(replace(data, class_weight=None))
    return replace(sent, class_weight=data.class_weight) if data.train is None else data
