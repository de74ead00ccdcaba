"""Compiled steps: the threads that run the steps of a training."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from handloom.fused import plan_fields as field
from handloom.fused.gemm import gemm_address, threads_address
from handloom.fused.layer_table import paired
from handloom.fused.meeting import close_meeting, new_cells
from handloom.fused.plan import Floats, Plan
from handloom.fused.plan_making import plan_of, state_vectors
from handloom.fused.steps import run_steps
from handloom.operations import (
    STORED_DTYPES,
    Affine,
    CastRows,
    CrossEntropy,
    Penalties,
    SGDUpdate,
    StepArrays,
    StepOperations,
    StepRows,
    Update,
)
from handloom.parallel.pool import SERIAL, Pool


def supports(step: StepOperations, vectors: int) -> bool:
    """Return whether a step of these operations runs compiled, with a number of vectors of state.

    Its layers must be dense, dropout, layer normalizations or batch normalizations, which the first
    one is not, each followed by at most one activation, and every part of it must have a record.
    """
    if step.update is None or vectors not in state_vectors(step.update.optimizer):
        return False
    return None not in (step.transform, step.layers, step.loss) and bool(paired(step.layers or ()))


def available(dtype: np.dtype[Any]) -> bool:
    """Return whether compiled code can call NumPy's BLAS, and ask for its number of threads."""
    return gemm_address(dtype) is not None and threads_address() != 0


class CompiledSteps:
    """Compiled steps of a training; see `handloom.backend.CompiledSteps`.

    Parameters
    ----------
    step : StepOperations
        Operations for which `supports` is True.
    arrays : StepArrays
    batch_rows : int
        The most rows of a batch.
    pool : Pool
        Its threads share the parts of the steps.
    count_correct : bool
        Whether correct predictions are counted.
    """

    def __init__(
        self,
        step: StepOperations,
        arrays: StepArrays,
        batch_rows: int,
        pool: Pool,
        *,
        count_correct: bool,
    ) -> None:
        self._pool, self._arrays = pool, arrays
        self.plan = plan_of(step, arrays, batch_rows, pool.lanes, count_correct=count_correct)

    def run(
        self, rows: StepRows, rates: Floats, *, steps_before: int, averaged_before: int
    ) -> tuple[Floats, BaseException | None]:
        """Make steps; see `handloom.backend.CompiledSteps.run`.

        Raises
        ------
        ValueError
            If a step has more rows than there is memory for.
        """
        plan, figures = self.plan, np.empty((len(rates), field.WEIGHT + 1))
        if (most := int(np.diff(rows.starts).max())) > len(plan.shifts):
            raise ValueError(f"steps must have at most {len(plan.shifts)} rows, got {most}")
        header, error = plan.header, None
        header[field.STORED] = STORED_DTYPES.index(rows.inputs.dtype)
        header[field.SOURCE] = rows.inputs.ctypes.data
        header[field.EPOCH], header[field.FIRST] = rows.epoch, rows.first
        header[field.STEPS_BEFORE], header[field.AVERAGED_BEFORE] = steps_before, averaged_before
        header[field.ACCEPTED] = 0
        if rows.moves is not None:
            header[field.HEIGHT], header[field.WIDTH] = rows.inputs.shape[-2:]
        classes, dtype = rows.targets.ndim == 1, plan.values.dtype
        plan = plan._replace(
            order=rows.order,
            starts=rows.starts,
            labels=_writable(rows.targets, np.int64) if classes else plan.labels,
            targets=plan.targets if classes else _writable(rows.targets, dtype),
            weights=plan.weights if rows.weights is None else _writable(rows.weights, dtype),
            moves=plan.moves if rows.moves is None else rows.moves,
            rates=rates,
            figures=figures,
        )
        try:
            self._run_together(plan)
        except BaseException as interruption:  # the caller raises it when the steps are counted
            error = interruption
        return figures[: header[field.ACCEPTED]], error

    def _run_together(self, plan: Plan) -> None:
        """Make the steps of a call on the threads of the pool."""
        cells = new_cells(len(plan.sums))

        def lead() -> None:
            try:
                run_steps(plan, cells, 0)
            finally:  # helpers spin until then
                close_meeting(cells)

        threads: list[Callable[[], None]] = [lead]
        threads += [partial(run_steps, plan, cells, own) for own in range(1, len(plan.sums))]
        try:
            self._pool.run(threads)
        finally:
            close_meeting(cells)


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the steps compiled for a dtype, by a step of one row."""
    values = [np.zeros(2, dtype) for _ in range(4)]
    step = StepOperations(
        CastRows(),
        [Affine(1, 1, 0, 1)],
        CrossEntropy(),
        Penalties(np.empty((0, 2), np.int64), np.empty((0, 2)), per_row=False),
        None,
        (),
        Update(SGDUpdate(0.0, nesterov=False), 0.0),
        None,
    )
    steps = CompiledSteps(
        step, StepArrays(values[0], values[1], values[2:], None), 1, SERIAL, count_correct=True
    )
    first = np.zeros(1, np.int64)
    rows = StepRows(np.zeros((1, 1), np.uint8), first, np.arange(2), first.copy(), None, 0, 0)
    _, error = steps.run(rows, np.zeros(1), steps_before=0, averaged_before=0)
    if error is not None:
        raise error


def _writable(array: Any, dtype: Any) -> Any:
    """Return an array of one type for Numba: another one would be compiled anew."""
    return np.require(array, dtype, ["C", "ALIGNED", "WRITEABLE"])
