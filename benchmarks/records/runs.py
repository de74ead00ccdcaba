"""Trainings of a recipe, a file for each seed: those that are there are not run again.

A training writes checkpoints beside its file, and goes on from the last one if it was stopped.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.records.log import commit
from handloom.data.dataset import Dataset, Splits
from handloom.files import write_text
from handloom.model import Model
from handloom.parallel.threads import default_threads
from handloom.randomness import Stream
from handloom.recipes.recipe import Recipe, RecipeSettings
from handloom.training import Checkpoints, StopReason, evaluate

FRACTION = 1 / 6
"""The part of the training rows that a validation split holds out."""


@dataclass(frozen=True)
class Run:
    """A training with one seed.

    Attributes
    ----------
    seconds : float
        The training time.
    threads : int
        Those of the last process that trained.
    accuracy : float or None
        That of the held-out rows; None for a training on all rows, which is evaluated later.
    processes : list of dict
        The commit and the threads of each process that trained, in order.
    """

    seconds: float
    threads: int
    accuracy: float | None = None
    processes: list[dict[str, Any]] = field(default_factory=list)


def fingerprint(splits: Splits) -> str:
    """Return twelve digits of the SHA-256 of all rows and their classes."""
    digest = hashlib.sha256()
    for part in splits:
        for array in (part.inputs, part.targets):
            digest.update(f"{array.dtype.str} {array.shape}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()[:12]


def once(path: Path, run: Callable[[], Run]) -> Run:
    """Return the run in a file; if it is not there, train, write it and remove the checkpoints."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(asdict(run())) + "\n")
    if (checkpoints := checkpoints_of(path)).exists():  # also after a kill right here
        shutil.rmtree(checkpoints)
    return Run(**json.loads(path.read_text()))


def checkpoints_of(path: Path) -> Path:
    """Return the folder of the checkpoints of the run in a file."""
    return path.with_suffix(".checkpoints")


def validated(recipe: Recipe, train: Dataset, seed: int, checkpoints: Path) -> Run:
    """Train on five sixths of the training rows; the accuracy is that of the others.

    Rows are split by the seed: all candidates have the same rows with the same seed.
    """
    rows, held_out = train.split(FRACTION, Stream(seed))
    model, run = _trained(recipe, rows, seed, checkpoints)
    return replace(run, accuracy=evaluate(model, held_out).accuracy)


def trained(recipe: Recipe, train: Dataset, seed: int, folder: Path, checkpoints: Path) -> Run:
    """Train on all training rows and save the model, which is evaluated later."""
    model, run = _trained(recipe, train, seed, checkpoints)
    model.save(folder)
    return run


def peer(recipe: Recipe, splits: Splits, seed: int) -> Run:
    """Train the same recipe with PyTorch; the accuracy is that of the test set."""
    from benchmarks.torch_recipes import train

    seconds, accuracy = train(recipe, recipe.epochs, splits, seed)[-1]
    return Run(seconds, default_threads(), accuracy)


def _trained(recipe: Recipe, rows: Dataset, seed: int, checkpoints: Path) -> tuple[Model, Run]:
    settings = RecipeSettings(recipe, recipe.epochs, seed=seed, backend="auto")
    network = settings.build(rows)
    steps = settings.steps(rows, network)
    trainer = settings.trainer(network, steps, checkpoints=Checkpoints(checkpoints))
    processes = _processes(checkpoints)
    history = trainer.fit(rows, resume=True)
    if history.stop_reason is StopReason.INTERRUPTED:
        raise KeyboardInterrupt  # half a training is no figure
    run = Run(float(history["seconds"].sum()), default_threads(), processes=processes)
    return trainer.model(), run


def _processes(checkpoints: Path) -> list[dict[str, Any]]:
    """Return commit and threads of all processes that train, with this one, as kept in a file.

    A resume does not compare the code of the library: the log shows whether it was the same.
    """
    path = checkpoints / "processes.json"
    processes = json.loads(path.read_text()) if path.exists() else []
    processes.append({"commit": commit(), "threads": default_threads()})
    checkpoints.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(processes) + "\n")
    return list(processes)


def differing(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """Return the names of the settings that differ."""
    return [name for name in first if first[name] != second.get(name)]
