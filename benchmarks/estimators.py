"""Our estimators beside scikit-learn's: how well they predict, and how long a fit takes.

``python -m benchmarks.estimators --out DIR`` fits both on the same rows with the same seeds, one
after the other, and writes ``estimators.json`` and ``estimators.md``. Scores are those of rows that
neither library has seen, and their differences are paired, split by split.
"""

import argparse
import gc
import json
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn.datasets
import sklearn.neural_network
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import handloom
from benchmarks.statistics import deviation, paired
from handloom.environment import environment
from handloom.files import write_text

Array = npt.NDArray[Any]
DEEP = (256, 256, 256)
DEFAULTS_GOAL = 0.4
"""The goal for estimators with the default hidden layers."""

MAX_ITER = 200
"""The default of both."""

REST = 0.3
"""Seconds before every fit: OpenBLAS' threads look for work for a while after the one before."""


@dataclass(frozen=True)
class Task:
    """Rows to learn from and rows to be tested on, with the parameters of both estimators.

    Rows are split at random by the seed, ``test`` of them for testing; 0 if they are the same with
    every seed.
    """

    name: str
    load: Callable[[int], tuple[Array, Array, Array, Array]]
    regression: bool
    parameters: dict[str, Any]
    goal: float = 0.5
    dtype: type = np.float64
    test: float = 0.25


@dataclass(frozen=True)
class Run:
    """One fit of each on one seed."""

    seed: int
    their_score: float
    our_score: float
    their_seconds: float
    our_seconds: float
    their_epochs: int
    our_epochs: int
    converged: bool
    """Whether both stopped before the largest number of epochs."""


def generated() -> tuple[Array, Array]:
    """Return a made-up problem with two classes and 20,000 rows."""
    problem: tuple[Array, Array] = sklearn.datasets.make_classification(20_000, random_state=0)
    return problem


def standardized(
    load: Callable[[], tuple[Array, Array]], *, stratify: bool
) -> Callable[[int], tuple[Array, Array, Array, Array]]:
    """Return a function that splits a dataset by a seed, a quarter for tests, and standardizes it.

    So are continuous targets: with those of diabetes, from 25 to 346, neither estimator converges
    in thousands of epochs.
    """

    def split(seed: int) -> tuple[Array, Array, Array, Array]:
        X, y = load()  # noqa: N806
        parts = train_test_split(X, y, random_state=seed, stratify=y if stratify else None)
        scaler = StandardScaler().fit(parts[0])
        targets = parts[2], parts[3]
        if not stratify:
            mean, scale = targets[0].mean(), targets[0].std()
            targets = (targets[0] - mean) / scale, (targets[1] - mean) / scale
        return scaler.transform(parts[0]), scaler.transform(parts[1]), *targets

    return split


def fashion(_: int) -> tuple[Array, Array, Array, Array]:
    """Return Fashion-MNIST with its own training and test rows, standardized.

    So does the benchmark of the dataset's authors: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a Novel
    Image Dataset for Benchmarking Machine Learning Algorithms", 2017, arXiv 1708.07747.
    """
    splits = handloom.fashion_mnist()
    train, test = (part.inputs.reshape(len(part), -1) for part in (splits.train, splits.test))
    scaler = StandardScaler().fit(train)
    return (
        scaler.transform(train),
        scaler.transform(test),
        splits.train.targets,
        splits.test.targets,
    )


def tasks() -> list[Task]:
    """Return everything there is to compare."""
    loaders: dict[str, tuple[Callable[[], tuple[Array, Array]], bool]] = {
        name: (partial(load, return_X_y=True), regression)
        for name, load, regression in (
            ("digits", sklearn.datasets.load_digits, False),
            ("breast_cancer", sklearn.datasets.load_breast_cancer, False),
            ("wine", sklearn.datasets.load_wine, False),
            ("diabetes", sklearn.datasets.load_diabetes, True),
        )
    }
    loaders["generated"] = (generated, False)
    tasks = [
        Task(
            name + suffix,
            standardized(load, stratify=not regression),
            regression,
            parameters,
            goal,
        )
        for suffix, parameters, goal in (
            ("", {}, DEFAULTS_GOAL),
            ("_deep", {"hidden_layer_sizes": DEEP}, 0.5),
        )
        for name, (load, regression) in loaders.items()
    ]
    tasks += [
        Task(f"fashion_mnist_{name}", fashion, False, {"activation": name}, DEFAULTS_GOAL, test=0.0)
        for name in ("relu", "tanh")
    ]
    single = [
        replace(task, name=f"{task.name}_float32", dtype=np.float32)
        for task in tasks
        if not task.name.endswith("_deep")
    ]
    return tasks + single


def fit(estimator: Any, parts: tuple[Array, Array, Array, Array]) -> tuple[float, float, int]:
    """Return score, seconds of the fit, and epochs."""
    X, X_test, y, y_test = parts  # noqa: N806
    gc.collect()
    time.sleep(REST)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = time.perf_counter()
        estimator.fit(X, y)
        seconds = time.perf_counter() - started
    if estimator.coefs_[0].dtype != X.dtype:
        raise RuntimeError(f"{estimator} was fitted in {estimator.coefs_[0].dtype}, not {X.dtype}")
    return float(estimator.score(X_test, y_test)), seconds, int(estimator.n_iter_)


def compare(task: Task, seeds: int) -> list[Run]:
    """Fit both on each seed; the first one changes from seed to seed."""
    kind = "MLPRegressor" if task.regression else "MLPClassifier"
    makers = {
        "theirs": getattr(sklearn.neural_network, kind),
        "ours": getattr(handloom, kind),
    }
    runs = []
    for seed in range(seeds):
        X, X_test, y, y_test = task.load(seed)  # noqa: N806
        parts: tuple[Array, Array, Array, Array]
        parts = (X.astype(task.dtype), X_test.astype(task.dtype), y, y_test)
        order = ["theirs", "ours"] if seed % 2 == 0 else ["ours", "theirs"]
        fits = {
            side: fit(makers[side](random_state=seed, **task.parameters), parts) for side in order
        }
        theirs, ours = fits["theirs"], fits["ours"]
        converged = max(theirs[2], ours[2]) < task.parameters.get("max_iter", MAX_ITER)
        runs.append(
            Run(seed, theirs[0], ours[0], theirs[1], ours[1], theirs[2], ours[2], converged)
        )
    return runs


def summarize(task: Task, runs: list[Run]) -> dict[str, Any]:
    """Return the figures of a task and whether they reach its goals."""
    theirs = [run.their_score for run in runs]
    ours = [run.our_score for run in runs]
    difference = paired(ours, theirs, task.test)
    times = [
        statistics.median(getattr(run, name) for run in runs)
        for name in ("their_seconds", "our_seconds")
    ]
    ratio = statistics.median(run.our_seconds / run.their_seconds for run in runs)
    return {
        "task": task.name,
        "parameters": task.parameters,
        "dtype": np.dtype(task.dtype).name,
        "their_score": statistics.fmean(theirs),
        "our_score": statistics.fmean(ours),
        "their_deviation": deviation(theirs),
        "our_deviation": deviation(ours),
        "difference": list(difference),
        "not_lower": difference.high >= 0.0,
        "converged": sum(run.converged for run in runs),
        "their_seconds": times[0],
        "our_seconds": times[1],
        "time_ratio": ratio,
        "goal": task.goal,
        "time_reached": ratio <= task.goal,
        "runs": [asdict(run) for run in runs],
    }


def difference_of(result: dict[str, Any]) -> str:
    """Return the paired difference of a task with its interval, and the fits that converged."""
    mean, low, high = result["difference"]
    converged = f"{result['converged']} of {len(result['runs'])}"
    return f"{mean:+.4f} ({low:+.4f} to {high:+.4f}) | {converged}"


def scores_table(results: list[dict[str, Any]]) -> str:
    """Return the scores as a table in Markdown, for the guide of migration."""
    lines = [
        "| task | scikit-learn | Handloom | Handloom minus scikit-learn | converged |",
        "|---|---|---|---|---|",
    ]
    for result in results:
        name = result["task"].removesuffix("_deep").replace("_", " ")
        deep = ", three layers of 256" if result["task"].endswith("_deep") else ""
        measure = " (R²)" if name == "diabetes" else ""
        lines.append(
            f"| {name}{measure}{deep} "
            f"| {result['their_score']:.4f} ± {result['their_deviation']:.4f} "
            f"| {result['our_score']:.4f} ± {result['our_deviation']:.4f} "
            f"| {difference_of(result)} |"
        )
    return "\n".join(lines)


def table(results: list[dict[str, Any]]) -> str:
    """Return the results as a table in Markdown."""
    lines = [
        "| task | score, scikit-learn | score, Handloom | paired difference, 95 % interval "
        "| converged | seconds, scikit-learn | seconds, Handloom | ratio | goal | time reached |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        lines.append(
            f"| {result['task']} "
            f"| {result['their_score']:.4f} ± {result['their_deviation']:.4f} "
            f"| {result['our_score']:.4f} ± {result['our_deviation']:.4f} "
            f"| {difference_of(result)} "
            f"| {result['their_seconds']:.3f} | {result['our_seconds']:.3f} "
            f"| {result['time_ratio']:.2f} | {result['goal']} "
            f"| {'yes' if result['time_reached'] else 'no'} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Compare, and write the results."""
    known = {task.name: task for task in tasks()}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=sorted(known), default=list(known))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument(
        "--max-iter",
        type=int,
        help="at most so many epochs, on both sides; 5000 lets all small tasks converge",
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in ("MLPClassifier", "MLPRegressor"):  # so that no timed fit loads modules
        for home in (sklearn.neural_network, handloom):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                getattr(home, name)(max_iter=2).fit(np.eye(4), [0, 1, 0, 1])
    results = []
    for name in options.only:
        task = known[name]
        if options.max_iter is not None:
            task = replace(task, parameters={**task.parameters, "max_iter": options.max_iter})
        results.append(summarize(task, compare(task, options.seeds)))
        print(table(results[-1:]).splitlines()[-1], flush=True)
        written = {"environment": environment(), "results": results}
        write_text(options.out / "estimators.json", json.dumps(written, indent=1))
        write_text(options.out / "estimators.md", table(results))


if __name__ == "__main__":
    main()
