"""Threads that share the parts of a phase inside compiled code, without the interpreter.

One thread leads: it offers the parts of a phase, takes parts itself, and goes on when all are
done. Helpers spin until there is a part to take. So no phase waits for a thread to wake up, and
results do not depend on the thread that ran a part. Each thread looks at its own part first: data
that it writes there stays in the cache of its core for the next phase.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.fused.atomics import atomic_load, atomic_store, compare_exchange
from handloom.fused.compiling import compiled_inline

IDLE, READY, TAKEN = range(3)
"""The states of a part: done or not posted, posted, taken by a thread."""

OPEN = 1
"""The state of the last cell until the leader ends the meeting."""

CELL = 16
"""The entries of a cell, so that no two are in one cache line, or in two that are loaded as one."""

Cells = npt.NDArray[np.int64]


def new_cells(parts: int) -> Cells:
    """Return the cells of an open meeting: one for each part, and one for its end."""
    cells = np.zeros((parts + 1, CELL), np.int64)
    cells[parts, 0] = OPEN
    return cells


def close_meeting(cells: Cells) -> None:
    """Let the helpers go, from Python: the leader may not have come to it."""
    cells[-1, 0] = IDLE


@compiled_inline
def share(size: Any, part: Any, parts: Any) -> Any:
    """Return begin and end of the share of a part in ``size`` rows or columns."""
    return size * part // parts, size * (part + 1) // parts


@compiled_inline
def post_parts(cells: Any) -> None:
    """Offer the parts of a phase."""
    for part in range(len(cells) - 1):
        atomic_store(cells[part], READY)


@compiled_inline
def take_part(cells: Any, part: int) -> Any:
    """Return whether this thread has taken a part: it was on offer, and no other was quicker."""
    # a read costs less than an attempt
    return atomic_load(cells[part]) == READY and compare_exchange(cells[part], READY, TAKEN)


@compiled_inline
def finish_part(cells: Any, part: int) -> None:
    """Tell the leader that a part is done."""
    atomic_store(cells[part], IDLE)


@compiled_inline
def await_parts(cells: Any) -> None:
    """Spin until all parts are done."""
    for part in range(len(cells) - 1):
        while atomic_load(cells[part]) != IDLE:
            pass


@compiled_inline
def end_meeting(cells: Any) -> None:
    """Let the helpers go."""
    atomic_store(cells[len(cells) - 1], IDLE)


@compiled_inline
def is_open(cells: Any) -> Any:
    """Return whether the leader may still offer parts."""
    return atomic_load(cells[len(cells) - 1]) == OPEN
