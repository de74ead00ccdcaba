"""Whether the contestants learn: the loss of each after an epoch, beside that of ours.

All begin with the same weights and take the same rows in the same order, so they differ by rounding
alone. The loss is that of all rows, computed here in float64 from the weights that each ended with.
Adam makes steps of full size even where gradients are mostly rounding, so differences grow from
step to step. A first epoch has few rows and a tight tolerance, a second all rows and a wide one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.contestants import CONTESTANTS, Checked
from benchmarks.jobs import Array, Job, Rows, weights_of
from handloom import Dataset

OURS, BEFORE = "handloom", "before"
BFLOAT16 = ("torch, bfloat16",)


@dataclass(frozen=True)
class Check:
    """How far a loss may be from ours after an epoch, relative to ours.

    ``batches`` is the number of batches, the last of them smaller; None for all rows.
    """

    batches: float | None
    float32: float
    bfloat16: float

    def rows(self, job: Job, data: Dataset) -> Dataset:
        """Return the rows to take."""
        if self.batches is None:
            return data
        wanted = int(self.batches * (job.batch_size or 100))
        return data.take(slice(0, min(wanted, len(data))))

    def refuse(self, job: Job, result: Mapping[str, float]) -> None:
        """Raise an error for losses that are not ours or have not fallen.

        Raises
        ------
        RuntimeError
            Then times would be those of another training.
        """
        for name, loss in result.items():
            tolerance = self.bfloat16 if name in BFLOAT16 else self.float32
            if name == BEFORE:
                continue
            if not abs(loss / result[OURS] - 1.0) <= tolerance:
                raise RuntimeError(
                    f"{job.name}: after an epoch the loss of {name} is {loss:.5f}, ours "
                    f"{result[OURS]:.5f}; expected at most {tolerance:.2%} between them"
                )
            if not loss < result[BEFORE]:
                raise RuntimeError(f"{job.name}: the loss of {name} has not fallen: {loss:.5f}")


CHECKS = {
    "ten steps": Check(10.5, float32=0.002, bfloat16=0.03),
    "an epoch": Check(None, float32=0.05, bfloat16=0.1),
}


def losses(job: Job, data: Dataset, threads: int, names: Sequence[str]) -> dict[str, float]:
    """Return the loss of each after an epoch, and ``"before"`` it."""
    rows = Rows(data, job.batch_size)
    result = {BEFORE: mean_loss(weights_of(job.network()), rows)}
    for name in names:
        entered = CONTESTANTS[name](job, data, threads)
        if isinstance(entered, Checked):
            entered.epoch()
            result[name] = mean_loss(entered.weights(), rows)
    return result


def mean_loss(weights: Sequence[Array], rows: Rows) -> float:
    """Return the mean cross-entropy of all rows, in float64."""
    pairs = [
        (w.astype(np.float64), b.astype(np.float64))
        for w, b in zip(weights[0::2], weights[1::2], strict=True)
    ]
    total, part = 0.0, 10_000
    for start in range(0, len(rows.classes), part):
        x: Any = rows.scaled[start : start + part].astype(np.float64)
        for w, b in pairs[:-1]:
            x = np.maximum(x @ w + b, 0.0)
        w, b = pairs[-1]
        logits = x @ w + b
        chosen = logits[np.arange(len(x)), rows.classes[start : start + part]]
        total += float((np.logaddexp.reduce(logits, axis=1) - chosen).sum())
    return total / len(rows.classes)
