"""Whole training steps in compiled code: many steps in one call.

A step runs phases, which a plan lists (see `handloom.fused.phases`), and each phase has the same
number of parts, which the threads of a `handloom.fused.meeting` share. Without normalization there
are three:

- ``ROWS``: a part takes some rows of the batch; see `handloom.fused.step_rows`.
- ``WEIGHTS``: a part takes some rows of every weight matrix, and writes their gradient, summed over
  the whole batch. So the gradients of the parts need not be added.
- ``UPDATE``: a part updates the same weights, which are still in the cache of its core; see
  `handloom.fused.step_weights` for both.

Batch normalization cuts the first one where it needs statistics and sums over the rows of a group:
`handloom.fused.step_columns`.

The number of parts depends on the network and the batch, never on the threads.
"""

import math

from handloom.fused import plan_fields as field
from handloom.fused.compiling import compiled, compiled_inner
from handloom.fused.gemm import blas_threads
from handloom.fused.meeting import (
    await_parts,
    end_meeting,
    finish_part,
    is_open,
    post_parts,
    take_part,
)
from handloom.fused.phases import ROWS, STATISTICS, SUMS, UPDATE, WEIGHTS
from handloom.fused.step_columns import write_statistics, write_sums
from handloom.fused.step_rows import run_rows
from handloom.fused.step_weights import prepare_update, update_weights, write_gradient


@compiled
def run_steps(plan, cells, own):  # type: ignore[no-untyped-def]
    """Make steps until one is not finite; the header has the number of accepted steps.

    A step is not accepted either if other code changed the number of threads of BLAS during its
    products.

    The thread whose own part is the first one leads. The others share its phases until it ends:
    one function for both, since it is long to compile.
    """
    turn, phases, parts, leads = 0, len(plan.phases), len(cells) - 1, own == 0
    while turn < phases * len(plan.rates) and is_open(cells):
        if leads:
            if not _begin_phase(plan, turn // phases, turn % phases):
                break
            post_parts(cells)
        for look in range(parts):
            part = (own + parts - look) % parts
            if not take_part(cells, part):
                continue
            kind, first, end = plan.phases[plan.header[field.PHASE]]
            if kind == ROWS:
                run_rows(plan, part, first, end)
            elif kind == STATISTICS:
                write_statistics(plan, first, part)
            elif kind == SUMS:
                write_sums(plan, first, part)
            elif kind == WEIGHTS:
                write_gradient(plan, part)
            else:
                update_weights(plan, part)
            finish_part(cells, part)
        if leads:
            await_parts(cells)
            turn += 1
            plan.header[field.ACCEPTED] = turn // phases
    if leads:
        end_meeting(cells)


@compiled_inner
def _begin_phase(plan, step, phase):  # type: ignore[no-untyped-def]
    """Write the values that the parts of a phase read; return whether the step may go on."""
    plan.header[field.STEP], plan.header[field.PHASE] = step, phase
    if phase == 0:
        plan.settings[field.TOTAL_WEIGHT] = _total_weight(plan, step)
    elif plan.phases[phase, 0] == UPDATE:
        if not (_measure(plan, step) and _is_undisturbed(plan)):
            return False
        prepare_update(plan, step)
    return True


@compiled_inner
def _is_undisturbed(plan):  # type: ignore[no-untyped-def]
    """Return whether BLAS still has one thread, as a training sets it."""
    return blas_threads(plan.header[field.THREADS]) == 1


@compiled_inner
def _total_weight(plan, step):  # type: ignore[no-untyped-def]
    first, last = plan.starts[step], plan.starts[step + 1]
    if len(plan.weights) == 0:
        return float(last - first)
    total = 0.0
    for i in range(first, last):
        total += plan.weights[i]
    return total


@compiled_inner
def _measure(plan, step):  # type: ignore[no-untyped-def]
    """Add the sums of the parts, in their order; return whether they are finite."""
    figures = plan.figures[step]
    figures[:] = 0.0
    for part in range(len(plan.sums)):
        for column in range(plan.sums.shape[1]):
            figures[column] += plan.sums[part, column]
    figures[field.WEIGHT] = plan.settings[field.TOTAL_WEIGHT]
    return math.isfinite(figures[field.DATA_LOSS] + figures[field.PENALTY] + figures[field.SQUARES])
