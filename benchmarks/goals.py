"""What Handloom sets out to reach, and how far it got in one run of the benchmark."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

FUSED, NUMPY = "handloom[fast]", "handloom"
TORCH, TORCH_BEST = ("torch",), ("torch", "torch, best", "torch, compiled")
SKLEARN, FLOOR, TEXTBOOK = ("scikit-learn",), ("products alone",), ("textbook",)


@dataclass(frozen=True)
class Goal:
    """A figure that should not be above (or, for a speed-up, below) a limit."""

    text: str
    limit: float
    figure: Callable[[dict[str, Any]], float]
    at_least: bool = False

    def row(self, results: dict[str, Any]) -> tuple[str, str, str] | None:
        """Return what is wanted, the limit and what was reached; None where nobody measured it."""
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


def growth(batch: str, column: str) -> Callable[[dict[str, Any]], float]:
    """Return a function: a figure at 600,000 mapped rows relative to that at 60,000."""

    def figure(results: dict[str, Any]) -> float:
        few, many = (results["rows"][f"{batch} batch, {n} rows"] for n in ("60,000", "600,000"))
        return float(many[column]["median"] / few[column]["median"])

    return figure


def _inverse(figure: Callable[[dict[str, Any]], float]) -> Callable[[dict[str, Any]], float]:
    return lambda results: 1.0 / figure(results)


def _slowing(results: dict[str, Any]) -> float:
    epochs = (results["tenth epoch"][f"batch 32, {which} epoch"] for which in ("first", "tenth"))
    first, tenth = (timings[FUSED]["median"] for timings in epochs)
    return float(tenth / first)


def goals() -> Iterator[Goal]:
    """Give all goals, job by job."""
    for units in (128, 64):
        job = f"full batch, {units} units, SGD"
        yield Goal(f"{job}: to PyTorch", 1.0, ratio("full batch", job, FUSED, TORCH))
        yield Goal(
            f"{job}: speed-up over the textbook",
            5.0,
            _inverse(ratio("full batch", job, FUSED, TEXTBOOK)),
            at_least=True,
        )
        yield Goal(f"{job}: to the products alone", 1.15, ratio("full batch", job, FUSED, FLOOR))
    job = "batch 128, 128 units, Adam"
    yield Goal(f"{job}: to PyTorch's best", 0.6, ratio("mini-batch", job, FUSED, TORCH_BEST))
    yield Goal(f"{job}: to the products alone", 1.4, ratio("mini-batch", job, FUSED, FLOOR))
    job = "batch 32, tenth epoch"
    yield Goal(f"{job}: to PyTorch", 0.35, ratio("tenth epoch", job, FUSED, TORCH))
    yield Goal(f"{job}: to PyTorch's best", 0.6, ratio("tenth epoch", job, FUSED, TORCH_BEST))
    yield Goal(f"{job}: to the first epoch", 1.1, _slowing)
    job = "batch 512, 512 units, Adam"
    yield Goal(f"{job}: to PyTorch's best", 1.0, ratio("mini-batch", job, FUSED, TORCH_BEST))
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
                growth(batch, column),
            )


def table(results: dict[str, Any]) -> str:
    """Return all goals and what was reached, as a Markdown table."""
    rows = [row for goal in goals() if (row := goal.row(results))]
    lines = ["| ratio of medians, unless said | goal | reached |", "|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows]) + "\n"
