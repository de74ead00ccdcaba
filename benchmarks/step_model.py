"""A model of the time of a compiled step of dense layers, from the operations of the step.

    seconds = latency * phases + multiplications / rate + bytes / bandwidth

Its counts are exact for the algorithm, not for the processor: a byte counts the same in any
cache, and a multiplication the same in a product of any shape.
"""

from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.jobs import Array, Job

BATCHES, WIDTHS, DEPTHS = (32, 64, 128, 256, 512), (32, 64, 128, 256, 512), (1, 2, 3)
FLOAT = 4
"""Bytes of an entry in float32."""

PHASES = 3
"""Rows, gradients of weights, update: threads meet after each."""

ACTIVATION_PASSES = 5
"""Bias and activation read and write the outputs; the derivative reads them, and reads and writes
their gradient."""

NORM_PASSES = 1
"""The sum of squares reads the gradient of the weights."""

UPDATE_PASSES = {"sgd": 3, "adam": 7}
"""How often an update reads or writes an array as large as the weights."""


class Counts(NamedTuple):
    """The operations of a step."""

    phases: int
    multiplications: int
    bytes: int


def job_of(batch: int, width: int, depth: int, optimizer: str = "adam") -> Job:
    """Return a job of layers of equal width."""
    name = f"{batch} rows, {depth} x {width}, {optimizer}"
    return Job(name, (width,) * depth, batch, optimizer, 1e-4)


def grid() -> list[Job]:
    """Return jobs of all sizes; optimizers alternate, so that each is tried with all of them."""
    sizes = enumerate(product(BATCHES, WIDTHS, DEPTHS))
    return [job_of(*size, ("adam", "sgd")[index % 2]) for index, size in sizes]


def counts(job: Job) -> Counts:
    """Count the operations of a step: stored rows are bytes, all else is in float32."""
    n, weights, multiplications = job.batch_size or 0, 0, 0
    moved = n * job.widths[0] * (1 + FLOAT)
    for layer, (d, h) in enumerate(pairwise(job.widths)):
        products = 2 if layer == 0 else 3  # the first one needs no gradient of its inputs
        multiplications += products * n * d * h
        moved += FLOAT * (products * (n * d + d * h + n * h) + ACTIVATION_PASSES * n * h)
        weights += (d + 1) * h
    moved += FLOAT * weights * (NORM_PASSES + UPDATE_PASSES[job.optimizer])
    return Counts(PHASES, multiplications, moved)


def counted(jobs: list[Job]) -> npt.NDArray[np.float64]:
    """Return the counts of jobs, shape (jobs, 3)."""
    return np.array([counts(job) for job in jobs], np.float64)


class Fit(NamedTuple):
    """The constants of the model: seconds a phase, a multiplication and a byte."""

    constants: npt.NDArray[np.float64]

    def seconds(self, jobs: list[Job]) -> Array:
        """Return the time of a step of each job."""
        seconds: Array = counted(jobs) @ self.constants
        return seconds

    def work_share(self, jobs: list[Job]) -> Array:
        """Return the part of that time which the multiplications take."""
        work: Array = counted(jobs)[:, 1] * self.constants[1]
        return work / self.seconds(jobs)

    def with_cores(self, factor: float, *, bandwidth: bool) -> "Fit":
        """Return a fit with ``factor`` times the rate and, if asked for, the bandwidth."""
        return Fit(self.constants / np.array([1.0, factor, factor if bandwidth else 1.0]))

    def bound_by_work(self, width: int) -> int | None:
        """Return the least batch of which multiplications take half of the time, None if none does.

        The network has two layers, the optimizer is Adam.
        """
        shares = ((batch, self.work_share([job_of(batch, width, 2)])) for batch in BATCHES)
        return next((batch for batch, share in shares if share >= 0.5), None)


def fitted(jobs: list[Job], seconds: Array) -> Fit:
    """Fit constants that are not negative, by least squares of relative errors."""
    from scipy.optimize import nnls

    return Fit(nnls(counted(jobs) / seconds[:, None], np.ones(len(jobs)))[0])


def held_out(jobs: list[Job]) -> list[bool]:
    """Return which jobs are not fitted: a third of them, always the same ones."""
    return [bool(place % 3 == 0) for place in np.random.default_rng(0).permutation(len(jobs))]
