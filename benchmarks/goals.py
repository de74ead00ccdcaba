"""The goals for speed, accuracy and memory, beside the figures of one run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

FUSED, NUMPY = "handloom[fast]", "handloom"
TORCH, TORCH_BEST = ("torch",), ("torch", "torch, best", "torch, compiled")
JAX, SKLEARN, FLOOR, TEXTBOOK = ("jax",), ("scikit-learn",), ("products alone",), ("textbook",)
FLOAT32 = (*TORCH_BEST, *JAX, *SKLEARN)
"""The other libraries' contestants that compute in float32."""

ACCURACIES = {
    "mlp-flash": 88,
    "mlp-quick": 90,
    "mlp": 91,
    "mlp-record": 92,
    "cnn-flash": 93.5,
    "cnn": 94,
    "cnn-record": 95,
}
"""The test accuracy in percent that each recipe was made for."""

TIMED_RECIPES = ("mlp-flash", "mlp-quick", "mlp")


@dataclass(frozen=True)
class Goal:
    """A figure that should not be above (or, for a speed-up, below) a limit."""

    text: str
    limit: float
    figure: Callable[[dict[str, Any]], float]
    at_least: bool = False

    def row(self, results: dict[str, Any]) -> tuple[str, str, str] | None:
        """Return goal, limit and figure; None if the figure was not measured."""
        try:
            value = self.figure(results)
        except (KeyError, ValueError):
            return None
        met = value >= self.limit if self.at_least else value <= self.limit
        bound = "at least" if self.at_least else "at most"
        reached = f"{value:.3g}" if met else f"**missed: {value:.3g}**"
        return self.text, f"{bound} {self.limit:.3g}", reached


def ratio(
    part: str, job: str, ours: str, others: tuple[str, ...]
) -> Callable[[dict[str, Any]], float]:
    """Return a function: our median, relative to the best of some others'."""

    def figure(results: dict[str, Any]) -> float:
        timings = results[part][job]
        best = min(timings[name]["median"] for name in others if name in timings)
        return float(timings[ours]["median"] / best)

    return figure


def median(*path: str) -> Callable[[dict[str, Any]], float]:
    """Return a function: one median of the results."""

    def figure(results: dict[str, Any]) -> float:
        entry = results
        for name in path:
            entry = entry[name]
        return float(entry["median"])

    return figure


def growth(
    part: str, batch: str, column: str, counts: tuple[str, str]
) -> Callable[[dict[str, Any]], float]:
    """Return a function: a figure at many mapped rows relative to that at few."""

    def figure(results: dict[str, Any]) -> float:
        few, many = (results[part][f"{batch} batch, {n} rows"] for n in counts)
        return float(many[column]["median"] / few[column]["median"])

    return figure


def bytes_a_row(batch: str) -> Callable[[dict[str, Any]], float]:
    """Return a function: the growth of memory from 10,000 mapped rows to 10 million."""
    counts = (10_000, 10_000_000)

    def figure(results: dict[str, Any]) -> float:
        few, many = (
            results["million rows"][f"{batch} batch, {n:,} rows"]["peak memory (MB)"]["median"]
            for n in counts
        )
        return float((many - few) * 2**20 / (counts[1] - counts[0]))

    return figure


def _inverse(figure: Callable[[dict[str, Any]], float]) -> Callable[[dict[str, Any]], float]:
    return lambda results: 1.0 / figure(results)


def _slowing(results: dict[str, Any]) -> float:
    epochs = (results["tenth epoch"][f"batch 32, {which} epoch"] for which in ("first", "tenth"))
    first, tenth = (timings[FUSED]["median"] for timings in epochs)
    return float(tenth / first)


def _recipe(name: str) -> Callable[[dict[str, Any]], float]:
    def figure(results: dict[str, Any]) -> float:
        sides = results["recipes"][name]
        return float(sides["handloom"]["seconds"] / sides["torch"]["seconds"])

    return figure


def _accuracy(name: str) -> Callable[[dict[str, Any]], float]:
    return lambda results: 100.0 * float(results["recipes"][name]["handloom"]["mean"])


def goals() -> Iterator[Goal]:
    """Give all goals, job by job."""
    yield from training_goals()
    yield from recipe_goals()
    yield from other_goals()


def training_goals() -> Iterator[Goal]:
    """Give the goals of the fused backend, on one core and on all."""
    for units in (128, 64):
        job = f"full batch, {units} units, SGD"
        for part, where in (("full batch", ""), ("one core", ", one core")):
            text = job + where
            yield Goal(f"{text}: to the products alone", 1.05, ratio(part, job, FUSED, FLOOR))
            yield Goal(f"{text}: to the quickest in float32", 1.0, ratio(part, job, FUSED, FLOAT32))
        yield Goal(
            f"{job}: speed-up over the textbook",
            5.0,
            _inverse(ratio("full batch", job, FUSED, TEXTBOOK)),
            at_least=True,
        )
    for job in ("batch 128, 128 units, Adam", "batch 32, 128 units, Adam"):
        one, all_cores = "one core", "mini-batch"
        yield Goal(f"{job}, one core: to the products alone", 1.15, ratio(one, job, FUSED, FLOOR))
        yield Goal(f"{job}, one core: to JAX", 1.0, ratio(one, job, FUSED, JAX))
        yield Goal(f"{job}: to JAX", 1.0, ratio(all_cores, job, FUSED, JAX))
        yield Goal(f"{job}: to PyTorch's best", 0.6, ratio(all_cores, job, FUSED, TORCH_BEST))
    for job in ("batch 512, 512 units, Adam", "batch 128, three layers of 256, Adam"):
        for part, where in (("mini-batch", ""), ("one core", ", one core")):
            text = f"{job}{where}: to the quickest in float32"
            yield Goal(text, 1.0, ratio(part, job, FUSED, FLOAT32))
    job = "batch 32, tenth epoch"
    yield Goal(f"{job}: to PyTorch", 0.35, ratio("tenth epoch", job, FUSED, TORCH))
    yield Goal(f"{job}: to PyTorch's best", 0.6, ratio("tenth epoch", job, FUSED, TORCH_BEST))
    yield Goal(f"{job}: to the first epoch", 1.1, _slowing)


def recipe_goals() -> Iterator[Goal]:
    """Give the goals of recipes, of which `benchmarks.recipes` has the results."""
    for name in TIMED_RECIPES:
        yield Goal(f"{name}: seconds, to the same recipe in PyTorch", 0.6, _recipe(name))
    for name, percent in ACCURACIES.items():
        text = f"{name}: test accuracy, %, mean of the seeds"
        yield Goal(text, percent, _accuracy(name), at_least=True)


def other_goals() -> Iterator[Goal]:
    """Give the goals of the NumPy backend, predictions, memory and start."""
    for job, wanted in (
        ("batch 128, 128 units, Adam", 2.5),
        ("batch 32, 128 units, Adam", 2.5),
        ("batch 512, 512 units, Adam", 1.5),
    ):
        if "128 units" in job:
            yield Goal(
                f"NumPy alone, {job}: to PyTorch", 1.0, ratio("mini-batch", job, NUMPY, TORCH)
            )
        yield Goal(
            f"NumPy alone, {job}: speed-up over scikit-learn",
            wanted,
            _inverse(ratio("mini-batch", job, NUMPY, SKLEARN)),
            at_least=True,
        )
    for rows, torch, sklearn in (
        ("predict 10,000 rows", 1.0, 1.0),
        ("predict 1 rows", 1 / 3, 1 / 8),
    ):
        yield Goal(f"{rows}: to PyTorch", torch, ratio("prediction", rows, NUMPY, TORCH_BEST))
        yield Goal(f"{rows}: to scikit-learn", sklearn, ratio("prediction", rows, NUMPY, SKLEARN))
    memory = "full batch, peak memory (MB)"
    for kernels in (FUSED, NUMPY):
        yield Goal(f"{kernels}: {memory}", 300.0, median("processes", memory, kernels))
    for column, seconds in (
        ("import handloom, beyond NumPy (s)", 0.05),
        ("handloom --help (s)", 0.4),
    ):
        yield Goal(column, seconds, median("processes", column, NUMPY))
    for batch in ("full", "128"):
        for column in ("microseconds per row", "peak memory (MB)"):
            yield Goal(
                f"60,000 to 600,000 mapped rows, {batch} batch: {column}",
                1.2,
                growth("rows", batch, column, ("60,000", "600,000")),
            )
        text = f"10,000 to 10 million mapped rows, {batch} batch"
        column, counts = "microseconds per row", ("10,000", "10,000,000")
        yield Goal(f"{text}: {column}", 1.25, growth("million rows", batch, column, counts))
        yield Goal(f"{text}: bytes of memory a row", 8.0, bytes_a_row(batch))


def table(results: dict[str, Any]) -> str:
    """Return all goals and their figures, as a Markdown table."""
    rows = [row for goal in goals() if (row := goal.row(results))]
    lines = ["| ratio of medians, unless said | goal | reached |", "|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows]) + "\n"
