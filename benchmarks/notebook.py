"""The runs of the notebook in its own arithmetic: float64, all rows in their order, plain NumPy.

``python -m benchmarks.notebook --out DIR`` trains the models of the study with `Textbook`, three
seeds each, to the end. Every epoch is a line in ``DIR/sgd-seed0.csv``; every 25 epochs the weights
are kept, and a stopped command goes on from there. ``--epochs 5`` tries it out: more epochs later
go on where it stopped.
"""

import argparse
import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.statistics import deviation
from benchmarks.textbook import Textbook
from handloom import fashion_mnist
from handloom.data.dataset import Dataset, Splits
from handloom.environment import environment
from handloom.files import write_bytes, write_text
from handloom.studies.reference import MODELS, STEPS

Array = npt.NDArray[Any]
NAMES = ("sgd", "momentum", "adam")
KEEP = 25
"""The number of epochs after which weights are kept."""

L2 = 5e-4
COLUMNS = ["epoch", "rate", "loss", "penalty"]


@dataclass
class Training:
    """A training of a model of the study with one seed, as far as it is.

    Parameters
    ----------
    name : str
        A key of `handloom.studies.reference.MODELS`.
    textbook : Textbook
    log : list of list
        For each epoch its number from 0, the rate of its update, and loss and penalty before it.
    """

    name: str
    textbook: Textbook
    log: list[list[Any]]

    def epoch(self, x: Array, targets: Array) -> None:
        """Make one update on all rows."""
        index = len(self.log)
        rate = MODELS[self.name].schedule(index)
        first = self.textbook.weights[0], self.textbook.biases[0]
        penalty = L2 * sum(float(np.sum(array**2)) for array in first)
        loss, gradients = self.textbook.loss_and_gradients(x, targets)
        if self.name == "adam":
            self.textbook.adam(gradients, rate)
        else:
            self.textbook.sgd(gradients, rate, 0.5 if self.name == "momentum" else 0.0)
        self.log.append([index, rate, loss - penalty, penalty])

    def save(self, path: Path) -> None:
        """Write the log, ``path.csv``, and everything to go on from, ``path.npz``."""
        arrays = {f"array-{index}": array for index, array in enumerate(self.textbook.arrays)}
        for index, state in self.textbook.state.items():
            parts = state if isinstance(state, tuple) else (state,)
            arrays |= {f"state-{index}-{part}": array for part, array in enumerate(parts)}
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, log=np.array(self.log), **arrays)
        write_bytes(path.with_suffix(".npz"), content.getvalue())
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([COLUMNS, *self.log])
        write_text(path.with_suffix(".csv"), text.getvalue())


def begun(name: str, seed: int, path: Path, features: int, dtype: npt.DTypeLike) -> Training:
    """Return a training as it was saved, or a new one.

    Initial weights are drawn from a normal distribution with deviation 0.01; biases are 0.
    """
    units = MODELS[name].units
    generator = np.random.default_rng(seed)
    arrays: list[Array] = []
    for d, h in pairwise((features, units, units, 10)):
        arrays += [0.01 * generator.standard_normal((d, h)), np.zeros(h)]
    file = path.with_suffix(".npz")
    if not file.exists():
        return Training(name, Textbook(arrays, L2, dtype), [])
    with np.load(file) as saved:
        textbook = Textbook([saved[f"array-{index}"] for index in range(len(arrays))], L2, dtype)
        for index in range(len(arrays)):
            parts = [saved[each] for each in saved.files if each.startswith(f"state-{index}-")]
            textbook.state[index] = tuple(parts) if name == "adam" else parts[0]
        textbook.steps = len(saved["log"])
        return Training(name, textbook, [[int(row[0]), *row[1:]] for row in saved["log"].tolist()])


def trained(
    name: str, seed: int, splits: Splits, epochs: int, folder: Path, dtype: npt.DTypeLike
) -> dict[str, float]:
    """Train to a number of epochs and return accuracy and loss on the test set."""
    x, targets = scaled(splits.train, dtype)
    path = folder / f"{name}-seed{seed}"
    training = begun(name, seed, path, x.shape[1], dtype)
    if len(training.log) > epochs:
        raise SystemExit(f"{path} has {len(training.log)} epochs already, more than {epochs}")
    while len(training.log) < epochs:
        training.epoch(x, targets)
        if len(training.log) % KEEP == 0 or len(training.log) == epochs:
            training.save(path)
            _, _, loss, _ = training.log[-1]
            print(f"{name}, seed {seed}, epoch {len(training.log)}: {loss:.4f}", flush=True)
    return evaluated(training.textbook, *scaled(splits.test, dtype))


def scaled(data: Dataset, dtype: npt.DTypeLike) -> tuple[Array, Array]:
    """Return the rows, sorted by class, from -1 to 1, and their classes."""
    rows = data.sorted_by_class()
    x = rows.inputs.reshape(len(rows), -1).astype(dtype)
    return (x - 127.5) / 127.5, rows.targets.astype(np.int64)


def evaluated(textbook: Textbook, x: Array, targets: Array) -> dict[str, float]:
    """Return accuracy, and loss without penalty."""
    hidden = x
    for w, b in zip(textbook.weights[:-1], textbook.biases[:-1], strict=True):
        hidden = np.maximum(0, hidden @ w + b)
    logits = hidden @ textbook.weights[-1] + textbook.biases[-1]
    shifted = logits - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[range(len(x)), targets]
    correct = logits.argmax(axis=1) == targets
    return {"accuracy": float(correct.mean()), "loss": float(losses.mean())}


def table(results: Mapping[str, list[dict[str, float]]]) -> str:
    """Return the results beside those that the notebook reports, in Markdown."""
    rows = ["| model | notebook, one run | its arithmetic | each seed |", "|---|---|---|---|"]
    for name, each in results.items():
        model = MODELS[name]
        means = []
        for metric in ("accuracy", "loss"):
            values = [one[metric] for one in each]
            spread = f" ± {deviation(values):.3f}" if len(values) > 1 else ""
            means.append(f"{np.mean(values):.3f}{spread}")
        seeds = "; ".join(f"{one['accuracy']:.4f}, {one['loss']:.4f}" for one in each)
        reported = f"{model.reference_accuracy}, {model.reference_loss}"
        rows.append(f"| {name} | {reported} | {', '.join(means)} | {seeds} |")
    return "\n".join(rows)


def main(arguments: list[str] | None = None) -> None:
    """Train the missing runs, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.notebook", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=STEPS)
    parser.add_argument("--dtype", choices=["float64", "float32"], default="float64")
    parser.add_argument("--rows", type=int, help="only so many training rows")
    options = parser.parse_args(arguments)
    splits = fashion_mnist()
    if options.rows:
        splits = Splits(splits.train.take(slice(0, options.rows)), splits.test)
    folder = options.out / f"{options.dtype}-rows-{len(splits.train)}"
    folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, list[dict[str, float]]] = {}
    for name in options.models:
        results[name] = []
        for seed in range(options.seeds):
            one = trained(name, seed, splits, options.epochs, folder, options.dtype)
            results[name].append(one)
            print(f"{name}, seed {seed}: {one['accuracy']:.4f}, {one['loss']:.4f}", flush=True)
    how = {"rows": len(splits.train), "epochs": options.epochs, "dtype": options.dtype}
    written = {"environment": environment(), **how, "results": results}
    write_text(folder / "results.json", json.dumps(written, indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
