"""Recipes over seeds: test accuracy and training time, epoch by epoch, and PyTorch beside them.

``python -m benchmarks.recipes --out DIR --only mlp --seeds 5`` trains on all rows of Fashion-MNIST
and adds the results to ``recipes.json`` and its pictures; with ``--torch`` PyTorch trains the
same recipe on each seed, right after us. With ``--more`` the seeds that the file holds are left as
they are, and the others are run. The clock is stopped while test rows are looked at.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from benchmarks.contestants import TextbookEpochs
from benchmarks.goals import ACCURACIES, table
from benchmarks.jobs import Job
from handloom import fashion_mnist, plots
from handloom.data.dataset import Dataset, Splits
from handloom.environment import environment
from handloom.files import make_folder, write_text
from handloom.parallel.threads import default_threads
from handloom.plots.figure import COLORS, LIGHT, SMALL, drawing, new_figure
from handloom.recipes.recipe import Recipe, RecipeSettings
from handloom.recipes.registry import RECIPES
from handloom.studies.reference import MODELS, STEPS
from handloom.training import Callback, EpochRecord, StopReason, TrainingState, evaluate

RESULTS = "recipes.json"
Curve = list[tuple[float, float]]


class TestCurve(Callback):
    """Notes the test accuracy after each epoch, and the seconds of training until then."""

    def __init__(self, test: Dataset) -> None:
        self.test, self.curve, self._seconds = test, Curve(), 0.0

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Look at the test rows, with the averaged weights where there are any."""
        self._seconds += record.seconds
        average, look = state.average, partial(evaluate, state.model, self.test)
        evaluated = look() if average is None else average.in_place(look)
        self.curve.append((self._seconds, evaluated.accuracy))


def ours(recipe: Recipe, epochs: int, splits: Splits, seed: int) -> Curve:
    """Return seconds and test accuracy after each epoch of ours."""
    settings = RecipeSettings(recipe, epochs, seed=seed, backend="fused")
    network, watcher = settings.build(splits.train), TestCurve(splits.test)
    trainer = settings.trainer(network, settings.steps(splits.train, network), [watcher])
    if trainer.fit(splits.train).stop_reason is StopReason.INTERRUPTED:
        raise KeyboardInterrupt  # half a training is no figure
    return watcher.curve


@dataclass(frozen=True)
class Run:
    """A training with one seed.

    Attributes
    ----------
    curve : list of pairs
        Seconds and test accuracy after each epoch.
    threads : int
        How many it had.
    """

    curve: Curve
    threads: int


def in_turn(
    label: str,
    contestants: Mapping[str, Callable[[int], Curve]],
    seeds: int,
    earlier: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """Have everyone train with a seed before anyone has the next.

    Yields the figures of each after every seed, since some of them take an hour; ``earlier`` are
    those of seeds that were run before, and stay.
    """
    runs = {name: runs_of(figures) for name, figures in earlier.items()}
    for seed in range(seeds):
        for name, run in contestants.items():
            known = runs.setdefault(name, {})
            if seed in known:
                continue
            known[seed] = Run(run(seed), default_threads())
            seconds, accuracy = known[seed].curve[-1]
            print(f"{label}, seed {seed}, {name}: {accuracy:.4f} in {seconds:.2f} s", flush=True)
        yield {name: described(known) for name, known in runs.items()}


def runs_of(figures: Mapping[str, Any]) -> dict[int, Run]:
    """Return the run of each seed; see `described`."""
    runs = map(Run, figures["curves"], figures["threads"])
    return dict(zip(figures["seeds"], runs, strict=True))


def described(runs: Mapping[int, Run]) -> dict[str, Any]:
    """Return the figures of several seeds; time is that of the runs with the most threads."""
    in_order = [run for _, run in sorted(runs.items())]
    final = [run.curve[-1][1] for run in in_order]
    most = max(run.threads for run in in_order)
    return {
        "seeds": sorted(runs),
        "accuracies": final,
        "mean": statistics.mean(final),
        "deviation": statistics.stdev(final) if len(final) > 1 else 0.0,
        "seconds": statistics.median(run.curve[-1][0] for run in in_order if run.threads == most),
        "threads": [run.threads for run in in_order],
        "curves": [run.curve for run in in_order],
    }


def beside_the_reference(splits: Splits, rounds: int = 3) -> dict[str, float]:
    """Return the seconds that we and the reference take to its stable model's test accuracy.

    Ours ends with the first epoch of ``mlp-flash`` that is as accurate. The reference took
    `STEPS` full-batch epochs; one of its own arithmetic is timed here, and multiplied.
    """
    stable = MODELS["sgd"]
    target = stable.reference_accuracy or 1.0
    job = Job("reference", (stable.units, stable.units), None, "sgd", 1.0)
    textbook = TextbookEpochs(job, splits.train, default_threads())
    epochs, reached = [], []
    for seed in range(rounds):
        started = time.perf_counter()
        textbook.epoch()
        epochs.append(time.perf_counter() - started)
        curve = ours(RECIPES["mlp-flash"], RECIPES["mlp-flash"].epochs, splits, seed)
        reached.append(next(seconds for seconds, accuracy in curve if accuracy >= target))
    return {
        "target": target,
        "our_seconds": statistics.median(reached),
        "their_seconds_an_epoch": statistics.median(epochs),
        "their_epochs": STEPS,
        "times_sooner": STEPS * statistics.median(epochs) / statistics.median(reached),
    }


def draw(results: dict[str, Any], folder: Path) -> None:
    """Draw test accuracy over seconds of training, a line for the median seed of each recipe."""
    with drawing():
        figure = new_figure(9, 5.5, "Fashion-MNIST: test accuracy over time, on two cores")
        panel = figure.subplots()
        for index, (name, figures) in enumerate(results.items()):
            for library, style in (("handloom", "-"), ("torch", "--")):
                if library not in figures:
                    continue
                curve = _typical(figures[library])
                one_core = ", one core" if max(figures[library]["threads"]) == 1 else ""
                panel.plot(
                    [seconds for seconds, _ in curve],
                    [100 * accuracy for _, accuracy in curve],
                    style,
                    marker="o",
                    markersize=3,
                    color=COLORS[index % len(COLORS)],
                    label=name + (", PyTorch" if library == "torch" else "") + one_core,
                )
        panel.set_xscale("log")
        ticks = [1, 3, 10, 30, 100, 300, 1000, 3000]
        panel.set_xticks(ticks, [str(tick) for tick in ticks])
        panel.set_ylim(84, None)
        panel.set_xlabel("seconds of training")
        panel.set_ylabel("test accuracy, %")
        panel.grid(visible=True, color=LIGHT)
        figure.legend(loc="outside lower center", ncols=3)
    plots.save(figure, folder / "recipes.png")


def draw_learning(results: dict[str, Any], folder: Path) -> None:
    """Draw test accuracy over epochs, a panel a recipe: every seed, their mean, and the goal."""
    columns = 4
    with drawing():
        rows = -(-len(results) // columns)
        figure = new_figure(13, 3.4 * rows + 0.8, "Fashion-MNIST: test accuracy epoch by epoch")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel, (name, figures) in zip(panels, results.items(), strict=False):
            curves = np.array(
                [[accuracy for _, accuracy in curve] for curve in figures["handloom"]["curves"]]
            )
            epochs = np.arange(1, curves.shape[1] + 1)
            panel.plot(epochs, 100 * curves.T, color=COLORS[0], linewidth=0.8, alpha=0.4)
            panel.plot(epochs, 100 * curves.mean(axis=0), color=COLORS[0], linewidth=2)
            end = 100 * curves[:, -1].mean()
            title = f"{name}: {end:.2f} %, {len(curves)} seed{'s' if len(curves) > 1 else ''}"
            panel.set_title(title, fontsize=SMALL)
            if name in ACCURACIES:
                panel.axhline(ACCURACIES[name], color=COLORS[1], linestyle="--", linewidth=1.5)
            panel.set_ylim(84, 96)
            panel.set_yticks(range(84, 97, 2))
            panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            panel.grid(visible=True, color=LIGHT)
            panel.set_xlabel("epoch")
        for panel in panels[::columns]:
            panel.set_ylabel("test accuracy, %")
        for panel in panels[len(results) :]:
            panel.set_axis_off()
        lines = [
            Line2D([], [], color=COLORS[0], linewidth=0.8, alpha=0.4, label="a seed"),
            Line2D([], [], color=COLORS[0], linewidth=2, label="mean of the seeds"),
            Line2D([], [], color=COLORS[1], linestyle="--", linewidth=1.5, label="goal"),
        ]
        figure.legend(handles=lines, loc="outside lower center", ncols=3)
    plots.save(figure, folder / "learning.png")


def _typical(figures: Mapping[str, Any]) -> Curve:
    """Return the curve whose end is the median, of those with the most threads."""
    runs = runs_of(figures).values()
    curves = [run.curve for run in runs if run.threads == max(figures["threads"])]
    return sorted(curves, key=lambda curve: curve[-1][1])[len(curves) // 2]


def main() -> None:
    """Train, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="another number than the recipe's")
    parser.add_argument("--more", action="store_true", help="keep the seeds that were run before")
    parser.add_argument("--torch", action="store_true", help="PyTorch too")
    parser.add_argument(
        "--reference", action="store_true", help="only the time to the reference's accuracy"
    )
    options = parser.parse_args()
    file = make_folder(options.out) / RESULTS
    written = json.loads(file.read_text()) if file.exists() else {}
    results, machines = written.get("results", {}), written.get("environment", {})
    splits = fashion_mnist()
    if options.reference:
        reference = json.dumps(beside_the_reference(splits), indent=1)
        print(reference)
        write_text(options.out / "reference.json", reference)
        return
    for name in options.only:
        recipe = RECIPES[name]
        epochs = options.epochs or recipe.epochs
        contestants = {"handloom": partial(ours, recipe, epochs, splits)}
        if options.torch:
            from benchmarks.torch_recipes import train

            contestants["torch"] = partial(train, recipe, epochs, splits)
        label = name if epochs == recipe.epochs else f"{name}, {epochs} epochs"
        before = results.get(label, {}) if options.more else {}
        for figures in in_turn(label, contestants, options.seeds, before):
            results[label], machines[label] = figures, environment()
            written = {"environment": machines, "results": results}
            write_text(file, json.dumps(written, indent=1))
            draw(results, options.out)
            draw_learning(results, options.out)
    print(table({"recipes": results}))


if __name__ == "__main__":
    main()
