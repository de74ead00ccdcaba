"""How far one rounding grows: trainings of the study whose initial weights differ by a rounding.

``python -m benchmarks.rounding --out DIR`` trains each model of the study once as it is, and then
ten times with every initial weight moved by one unit in its last place, up, down or not at all.
Data, order and seed are the same, so the spread of the ends is that of rounding alone. A run that
is there is not run again. ``--rows`` takes fewer rows, to try it out.
"""

import argparse
import json
import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from benchmarks.statistics import deviation
from handloom import fashion_mnist, plots
from handloom.data.dataset import Splits
from handloom.environment import environment
from handloom.files import write_text
from handloom.parameters import Array
from handloom.plots.figure import COLORS, LIGHT, drawing, new_figure
from handloom.studies.reference import MODELS, STEPS, run
from handloom.training import Callback, TrainingState
from handloom.training.objective import Measurement

POINTS = 60
"""The steps whose weights are compared, evenly spaced in their logarithm."""


@dataclass(frozen=True)
class Perturbed:
    """A run whose initial weights were moved.

    Attributes
    ----------
    perturbation : int
        0 for the run that was not.
    differences : dict
        By the number of updates: the norm of the difference of the weights from those of the run
        that was not moved, relative to its norm.
    accuracy, loss : float
        On the test set after the last update.
    """

    perturbation: int
    differences: dict[str, float]
    accuracy: float
    loss: float


class Perturbation(Callback):
    """Moves the initial weights by a rounding, and keeps the weights of some steps."""

    def __init__(self, index: int, steps: int) -> None:
        self.index = index
        self.steps = set(np.geomspace(1, steps, POINTS).astype(int).tolist())
        self.weights: dict[str, Array] = {}

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Move the weights; the index 0 moves none."""
        vector = state.model.network.parameters.vector
        vector[...] = moved(vector, self.index)
        self.weights["0"] = vector.copy()

    def on_step_end(self, *, state: TrainingState, measured: Measurement) -> None:
        """Keep the weights."""
        if state.progress.steps in self.steps:
            vector = state.model.network.parameters.vector
            self.weights[str(state.progress.steps)] = vector.copy()


def moved(weights: Array, index: int) -> Array:
    """Return weights of which each is moved by one unit in its last place, up, down or not."""
    if index == 0:
        return weights.copy()
    directions = np.random.default_rng(index).integers(-1, 2, weights.size)
    infinity = np.array(np.inf, weights.dtype)
    toward = np.select([directions > 0, directions < 0], [infinity, -infinity], weights)
    result: Array = np.nextafter(weights, toward)
    return result


def perturbed(
    model: str, splits: Splits, index: int, folder: Path, *, seed: int, steps: int, batch_size: int
) -> Perturbed:
    """Return a run, which is made if its file is not there."""
    path, weights = folder / f"{model}-{index}.json", folder / f"{model}-0.npz"
    if not path.exists():
        callback = Perturbation(index, steps)
        done = run(
            model, splits, steps=steps, batch_size=batch_size, seed=seed, callbacks=(callback,)
        )
        if index == 0:
            np.savez(weights, allow_pickle=False, **callback.weights)
        with np.load(weights) as unmoved:
            differences = {
                step: _relative(callback.weights[step], unmoved[step]) for step in unmoved.files
            }
        result = Perturbed(index, differences, done.last.accuracy, done.last.loss)
        write_text(path, json.dumps(asdict(result)) + "\n")
    return Perturbed(**json.loads(path.read_text()))


def _relative(weights: Array, unmoved: Array) -> float:
    difference = np.linalg.norm(weights.astype(np.float64) - unmoved)
    return float(difference / np.linalg.norm(unmoved.astype(np.float64)))


def table(runs: Mapping[str, list[Perturbed]]) -> str:
    """Return the spread of the ends, and how differences grew, in Markdown."""
    rows = [
        "| model | runs | accuracy | lowest, highest | loss | difference at the start | largest |",
        "|---|---|---|---|---|---|---|",
    ]
    for model, each in runs.items():
        accuracies, losses = [run.accuracy for run in each], [run.loss for run in each]
        moved_ones = [list(run.differences.values()) for run in each if run.perturbation]
        start = statistics.median(values[0] for values in moved_ones)
        largest = statistics.median(max(values) for values in moved_ones)
        rows.append(
            f"| {model} | {len(each)} | {statistics.mean(accuracies):.4f} ± "
            f"{deviation(accuracies):.4f} | {min(accuracies):.4f}, {max(accuracies):.4f} | "
            f"{statistics.mean(losses):.3f} ± {deviation(losses):.3f} | {start:.1e} | "
            f"{largest:.2g} |"
        )
    return "\n".join(rows)


def draw(runs: Mapping[str, list[Perturbed]], path: Path) -> None:
    """Draw how the difference of the weights grows with the updates, a line for each run."""
    with drawing():
        figure = new_figure(8, 5, "How one rounding of the initial weights grows")
        panel = figure.subplots()
        for index, each in enumerate(runs.values()):
            for one in each[1:]:
                steps = [max(int(step), 0.7) for step in one.differences]
                color = COLORS[index % len(COLORS)]
                panel.plot(steps, list(one.differences.values()), color=color, linewidth=0.8)
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
        largest = max(max(one.differences.values()) for each in runs.values() for one in each[1:])
        powers = range(-7, math.floor(math.log10(largest)) + 1)
        panel.set_yticks([10.0**power for power in powers], [f"1e{power}" for power in powers])
        panel.set_xlabel("updates (leftmost: before the first)")
        panel.set_ylabel("difference of the weights, relative")
        panel.grid(visible=True, color=LIGHT)
        lines = [
            Line2D(
                [], [], color=COLORS[index % len(COLORS)], label=f"{model}, {len(each) - 1} runs"
            )
            for index, (model, each) in enumerate(runs.items())
        ]
        figure.legend(handles=lines, loc="outside lower center", ncols=4)
    plots.save(figure, path)


def main(arguments: list[str] | None = None) -> None:
    """Train the missing runs, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rounding", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--perturbations", type=int, default=10)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--batch-size", type=int, default=6000, help="0 for all rows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, help="only so many training rows")
    options = parser.parse_args(arguments)
    splits = fashion_mnist()
    if options.rows:
        splits = Splits(splits.train.take(slice(0, options.rows)), splits.test)
    how: dict[str, Any] = {
        "seed": options.seed,
        "steps": options.steps,
        "batch_size": options.batch_size,
    }
    folder = options.out / "-".join(f"{name}-{value}" for name, value in how.items())
    folder = folder.with_name(f"{folder.name}-rows-{len(splits.train)}")
    folder.mkdir(parents=True, exist_ok=True)
    runs: dict[str, list[Perturbed]] = {}
    for model in options.models:
        runs[model] = []
        for index in range(options.perturbations + 1):
            one = perturbed(model, splits, index, folder, **how)
            runs[model].append(one)
            print(f"{model}, {index}: {one.accuracy:.4f}, {one.loss:.4f}", flush=True)
    results = {model: [asdict(one) for one in each] for model, each in runs.items()}
    written = {"environment": environment(), "rows": len(splits.train), **how, "runs": results}
    write_text(options.out / "rounding.json", json.dumps(written) + "\n")
    draw(runs, options.out / "rounding.png")
    print(table(runs))


if __name__ == "__main__":
    main()
