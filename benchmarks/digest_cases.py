"""Small trainings whose steps have several lanes, and the digest of each.

``python -m benchmarks.digest_cases CASE... --backend NAME`` trains some of them, alone or as a rank
of ``mpiexec``, and prints a line of JSON: the digest of each case.
"""

import argparse
import hashlib
import json
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from handloom import (
    EMA,
    SGD,
    Adam,
    BatchNorm,
    BestWeights,
    Callback,
    Checkpoints,
    Conv2D,
    Dataset,
    Dense,
    Dropout,
    EarlyStopping,
    Flatten,
    Flip,
    History,
    InverseTimeDecay,
    MaxPool2D,
    MeanSquaredError,
    Muon,
    ReLU,
    Reshape,
    Residual,
    Sequential,
    Shift,
    Trainer,
    silhouettes,
)
from handloom.layers import Layer
from handloom.parallel.mpi import ranks_of
from handloom.training.triggers import EveryMinutes

OFTEN = EveryMinutes(1e-9)
"""A checkpoint after each call of the runner."""

DIGITS = 12
"""The digits of a digest that are shown."""


@cache
def features() -> Dataset:
    """Return 300 rows of ten features, of three classes."""
    generator = np.random.default_rng(0)
    targets = np.arange(300) % 3
    inputs = np.eye(3, 10)[targets] + generator.standard_normal((300, 10))
    return Dataset(inputs.astype(np.float32), targets, ("a", "b", "c"), "features")


@cache
def continuous() -> Dataset:
    """Return 300 rows with two continuous targets."""
    x = np.random.default_rng(1).standard_normal((300, 10))
    return Dataset(x, x[:, :2] ** 2, ("first", "second"), "continuous")


@cache
def images() -> Dataset:
    """Return 120 images of garments."""
    return silhouettes(rows=120, test_rows=10).train


@dataclass(frozen=True)
class Case:
    """A training: its parts, and how it is made; objects that have a state are made anew.

    Attributes
    ----------
    shows : str
        Its description in the table.
    layers : callable
    options : callable
        Returns options of the trainer, other than the defaults of `train`.
    data : callable
    validation, weights : bool
        Whether there are validation rows, and sample weights.
    dtype : type
    """

    shows: str
    layers: Callable[[], list[Layer]]
    options: Callable[[], dict[str, Any]] = dict
    data: Callable[[], Dataset] = features
    validation: bool = False
    weights: bool = False
    dtype: type = np.float32


def _dense(**options: Any) -> list[Layer]:
    return [Dense(16, **options), ReLU(), Dense(3)]


def _normalized(ghost_batch: int | None) -> list[Layer]:
    return [Dense(16), BatchNorm(ghost_batch=ghost_batch), ReLU(), Dense(3)]


def _convolution() -> list[Layer]:
    return [
        Reshape((1, 28, 28)),
        Conv2D(4, 3, stride=2),
        ReLU(),
        MaxPool2D(2),
        Flatten(),
        Dense(10),
    ]


def _residual() -> list[Layer]:
    block = [Conv2D(4, 3, padding="same"), BatchNorm(ghost_batch=8), ReLU()]
    stem: list[Layer] = [Reshape((1, 28, 28)), Conv2D(4, 5, stride=3)]
    return [*stem, Residual(block), MaxPool2D(2), Flatten(), Dense(10)]


def _convolved(**options: Any) -> dict[str, Any]:
    return {"batch_size": 32, "shard_rows": 8, "epochs": 12, **options}


CASES: dict[str, Case] = {
    "dense": Case("dense layers; a last batch of 3 lanes", _dense),
    "dropout": Case(
        "dropout",
        lambda: [Dense(16), ReLU(), Dropout(0.3), Dense(16), ReLU(), Dropout(0.2), Dense(3)],
    ),
    "convolution": Case("convolution and pooling", _convolution, _convolved, images),
    "ghost batches": Case(
        "batch normalization of ghost batches, last batch included", lambda: _normalized(12)
    ),
    "averaging": Case(
        "an average of the weights, validated",
        _dense,
        lambda: {"average": EMA(0.9)},
        validation=True,
    ),
    "clipping": Case("a clipped gradient", _dense, lambda: {"clip_norm": 0.1}),
    "augmentation": Case(
        "Flip and Shift, on images",
        _convolution,
        lambda: _convolved(augment=[Flip(), Shift(2)]),
        images,
    ),
    "whole batch": Case(
        "batch normalization over the whole batch: one lane", lambda: _normalized(None)
    ),
    "8 lanes": Case(
        "8 lanes, with dropout",
        lambda: [Dense(16), ReLU(), Dropout(0.2), Dense(3)],
        lambda: {"lanes": 8, "shard_rows": 8},
    ),
    "2 lanes": Case("2 lanes, fewer than ranks", _dense, lambda: {"lanes": 2}),
    "full batch": Case(
        "all rows in a step, several shards a lane",
        _dense,
        lambda: {"batch_size": None, "epochs": 300},
    ),
    "sample weights": Case(
        "sample weights, some of them 0; L1 and L2 penalties per row",
        lambda: _dense(weights_l1=1e-2, weights_l2=1e-2, biases_l2=1e-3),
        lambda: {"penalty_per_row": True},
        weights=True,
    ),
    "early stopping": Case(
        "EarlyStopping and BestWeights, with validation rows",
        _dense,
        lambda: {
            "callbacks": [EarlyStopping(patience=30), BestWeights("loss", restore=False)],
            "learning_rate": 0.02,
            "epochs": 400,
        },
        validation=True,
    ),
    "muon": Case("Muon", _dense, lambda: {"optimizer": Muon(), "epochs": 50}),
    "float64": Case(
        "float64, continuous targets, SGD with momentum and a schedule",
        lambda: [Dense(16), ReLU(), Dense(2)],
        lambda: {
            "optimizer": SGD(momentum=0.9),
            "learning_rate": InverseTimeDecay(0.01, 0.01),
            "loss": MeanSquaredError(),
        },
        continuous,
        dtype=np.float64,
    ),
    "residual": Case("a residual block with ghost batches", _residual, _convolved, images),
}


def trainer(name: str, *, folder: Path | None = None, **options: Any) -> Trainer:
    """Return the trainer of a case; with a folder it writes checkpoints as often as it can."""
    case = CASES[name]
    own: dict[str, Any] = {
        "optimizer": Adam(),
        "learning_rate": 0.01,
        "epochs": 60,
        "batch_size": 64,
    }
    own |= {"shard_rows": 16, "diagnose": False, **case.options()}
    network = Sequential(case.layers()).build(case.data().input_shape, dtype=case.dtype, seed=1)
    if folder is not None:
        own["checkpoints"] = Checkpoints(folder, every=OFTEN)
    callbacks: list[Callback] = [*own.pop("callbacks", ()), *options.pop("callbacks", ())]
    return Trainer(network, callbacks=callbacks, **{**own, **options})


def train(name: str, *, folder: Path | None = None, **options: Any) -> str:
    """Train a case, from a checkpoint if there is one; return its digest."""
    case, made = CASES[name], trainer(name, folder=folder, **options)
    data = case.data()
    weights = np.arange(len(data)) % 4 / 2 if case.weights else None
    held_out = data.take(slice(0, 50)) if case.validation else None
    rows = data.take(slice(50, len(data))) if case.validation else data
    history = made.fit(rows, held_out, sample_weights=weights, resume=folder is not None)
    return digest(made.network, history)


def digest(network: Sequential, history: History) -> str:
    """Return the SHA-256 of the weights and of the history without times.

    Running statistics count as weights. Left out of the history are notes, which tell of resumes,
    and the diagnosis, which has a budget of time.
    """
    values: dict[str, Any] = history.to_json()
    for record in values["records"]:
        del record["seconds"]
    for name in ("notes", "diagnosis", "preparation_seconds", "communication_seconds", "ranks"):
        del values[name]
    text = json.dumps(values, sort_keys=True)
    return hashlib.sha256(network.parameters.values.tobytes() + text.encode()).hexdigest()


def main() -> None:
    """Train some cases, and print their digests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="+", choices=list(CASES), metavar="CASE")
    parser.add_argument("--backend", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="by default those of the case")
    parser.add_argument("--mpi", action="store_true", help="share each training with other ranks")
    parser.add_argument("--folder", type=Path, help="for checkpoints, and a file for each process")
    chosen = parser.parse_args()
    ranks = ranks_of("mpi" if chosen.mpi else None)
    if chosen.folder is not None:
        (chosen.folder / f"rank-{ranks.rank}").write_text(str(os.getpid()))
    options: dict[str, Any] = {"backend": chosen.backend, "threads": chosen.threads}
    options["distributed"] = "mpi" if chosen.mpi else None
    options |= {} if chosen.epochs is None else {"epochs": chosen.epochs}
    warnings.simplefilter("ignore")
    digests: dict[str, str] = {}
    for name in chosen.cases:
        folder = chosen.folder and chosen.folder / name
        digests[name] = train(name, folder=folder, **options)
    if len(set(ranks.gather(json.dumps(digests)))) > 1:
        sys.exit("ranks have trained different networks")
    if ranks.leads:
        print(json.dumps(digests))


if __name__ == "__main__":
    main()
