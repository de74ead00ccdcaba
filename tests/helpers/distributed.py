"""Small trainings on ranks that are threads."""

from collections.abc import Callable
from typing import Any

from benchmarks.digest_cases import digest
from tests.helpers.ranks import Meeting, ThreadRanks, on_ranks
from tests.helpers.training import HELD_OUT, ROWS

from handloom import (
    Adam,
    Callback,
    Dense,
    Layer,
    ReLU,
    Sequential,
    Trainer,
)


def network(*layers: Layer) -> Sequential:
    return Sequential(layers or (Dense(8), ReLU(), Dense(3))).build((5,), seed=1)


def made(*callbacks: Callback, **options: Any) -> Trainer:
    """Return a trainer whose steps have 4 lanes, and the last one of an epoch 3."""
    own = options.pop("network", None) or network()
    optimizer, rate = options.pop("optimizer", Adam()), options.pop("learning_rate", 0.01)
    options = {"epochs": 3, "batch_size": 64, "shard_rows": 16, "backend": "numpy", **options}
    options = {"threads": 1, "diagnose": False, "distributed": "mpi", **options}
    return Trainer(own, optimizer, rate, callbacks=callbacks, **options)


def fitted(make: Callable[[], Trainer], ranks: int, meeting: Meeting | None = None) -> list[Any]:
    """Return the trainer of each rank, or its error."""

    def fit(_: ThreadRanks) -> Trainer:
        one = make()
        one.fit(ROWS, HELD_OUT)
        return one

    return on_ranks(ranks, fit, meeting)


def digests(trainers: list[Any]) -> set[str]:
    for each in trainers:
        if isinstance(each, BaseException):
            raise each
    return {digest(each.network, each.history) for each in trainers}
