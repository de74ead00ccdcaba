"""Split jobs: two parts, the same result on any thread, and no waiting for a sleeping thread."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from handloom.backend import FusedBackend
from handloom.data.batches import gather_rows
from handloom.optimizers.adam import adam_step
from handloom.parallel.pool import SERIAL, Pool
from handloom.parameters import penalize

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="needs the extra fast"
)
Array = npt.NDArray[Any]
SIZE = 100_003


@pytest.fixture
def fused() -> FusedBackend:
    return FusedBackend(np.float32)


def draw(real: Any) -> Array:
    """Return weights and a gradient, shape (2, SIZE)."""
    return np.random.default_rng(0).standard_normal((2, SIZE)).astype(real)


def update(pool: Pool, drawn: Array) -> tuple[Array, ...]:
    """Return weights and gradient, (2, SIZE), after a few steps of Adam with a penalty."""
    real: Any = drawn.dtype
    backend = FusedBackend(real)
    adam, penalties = backend.version_of(adam_step, pool), backend.version_of(penalize, pool)
    w, dw = drawn.copy()
    spans, strengths = np.array([[0, SIZE]]), 0.5 * np.array([[1e-4, 1e-3]])
    m, v, scratch = (np.zeros(SIZE, real) for _ in range(3))
    penalty_values = []
    for step in range(1, 4):
        penalty_values.append(penalties(w, dw, spans, strengths))
        adam(w, dw, m, v, 1e-2, 0.9, 0.999, 1e-7, step, scratch)
    return w, dw, m, v, np.array(penalty_values)


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_updates_are_the_same_bits_on_any_number_of_threads(fused: FusedBackend, real: Any) -> None:
    drawn = draw(real)  # before help is asked for: a helper does not spin for that long
    updated, helped = [], 0
    for threads in (1, 2, 4):
        with fused.threads(threads) as pool:
            splitter: Any = pool.splitter
            run = splitter.run_job
            alone: list[bool] = []
            splitter.run_job = lambda *job, run=run, alone=alone: alone.append(run(*job))
            for _ in range(20 if threads == 1 else 2000):
                splitter.request_helper()
                updated.append(update(pool, drawn))
                if not all(alone):
                    helped += 1
                    break
    assert helped == 2  # with one thread there is no helper
    for arrays in updated:
        for array, expected in zip(arrays, updated[0], strict=True):
            np.testing.assert_array_equal(array, expected)
    whole = update(SERIAL, drawn)
    for array, expected in zip(updated[0], whole, strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-6 if real is np.float32 else 1e-14)


def test_a_helper_that_is_awake_takes_its_part(fused: FusedBackend) -> None:
    from handloom.fused.batches import _rows_job as rows_job
    from handloom.fused.split_job import SplitJobs, pack_arrays

    rows = np.arange(1000)[::-1].copy()
    source = np.arange(1_000_000, dtype=np.int32).reshape(1000, 1000)
    with fused.threads(2) as pool:
        jobs, alone = SplitJobs(pool.run_in_background), True
        for _ in range(2000):
            if alone:
                jobs.request_helper()
            out = np.zeros_like(source)
            job_arguments = pack_arrays(
                rows, *(a.reshape(-1).view(np.uint8) for a in (source, out))
            )
            alone = jobs.run_job(rows_job(), job_arguments, 500, 1000)
            np.testing.assert_array_equal(out, source[::-1])
            if not alone:
                return
        pytest.fail("no helper ever took the second part")


@pytest.mark.parametrize("stored", [np.uint8, np.float32, np.float64])
def test_rows_are_copied_as_numpy_copies_them(fused: FusedBackend, stored: Any) -> None:
    draw = np.random.default_rng(0)
    inputs = draw.integers(0, 256, (500, 29, 31)).astype(stored)
    with fused.threads(2) as pool:
        gather = fused.version_of(gather_rows, pool)
        for n in (1, 3, 400, 1001):
            pool.splitter.request_helper()  # type: ignore[union-attr]
            rows = draw.integers(0, len(inputs), n)
            for source in (inputs, inputs[:, :, ::-1], inputs[::2]):
                kind: Any = np.int32 if n == 400 else np.int64
                chosen = (rows % len(source)).astype(kind)
                out, expected = (np.empty((n, 29, 31), stored) for _ in range(2))
                gather(source, chosen, out)
                gather_rows(source, chosen, expected)
                np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_are_copied_into_memory_of_any_order(fused: FusedBackend, order: Any) -> None:
    draw = np.random.default_rng(0)
    inputs, rows = draw.random((300, 400)), draw.integers(0, 300, 200)
    with fused.threads(2) as pool:
        out = np.empty((200, 400), order=order)
        fused.version_of(gather_rows, pool)(inputs, rows, out)
    np.testing.assert_array_equal(out, inputs[rows])


def test_a_job_takes_no_array_with_gaps(fused: FusedBackend) -> None:
    from handloom.fused.split_job import pack_arrays

    with pytest.raises(ValueError, match="array 1 of a job must be C-contiguous"):
        pack_arrays(np.zeros(3), np.zeros((4, 6))[:, ::2])


def test_a_helper_that_was_told_to_leave_is_asked_for_nothing(fused: FusedBackend) -> None:
    """It reads that first, so that other work for its thread does not wait."""
    from handloom.fused.batches import _rows_job as rows_job
    from handloom.fused.split_job import SplitJobs, pack_arrays

    served: list[Any] = []

    def run_in_background(call: Any, end: Any) -> bool:
        served.append(call)
        return True

    rows, source, out = np.arange(4), np.arange(8, dtype=np.uint8), np.zeros(8, np.uint8)
    job_arguments, jobs = pack_arrays(rows, source, out), SplitJobs(run_in_background)
    jobs.request_helper()
    jobs.dismiss()
    assert jobs.run_job(rows_job(), job_arguments, 2, 4)
    np.testing.assert_array_equal(out, source)
    jobs.request_helper()
    assert len(served) == 1  # it is still about to come, and to leave
    served[0]()
    jobs.request_helper()
    assert len(served) == 2


def test_an_unread_dismissal_does_not_dismiss_the_next_helper(fused: FusedBackend) -> None:
    from handloom.fused.split_job import LEAVE, SplitJobs

    served: list[Any] = []

    def run_in_background(call: Any, end: Any) -> bool:
        served.append(call)
        return True

    jobs = SplitJobs(run_in_background)
    jobs.dismiss()  # the helper of before has just left by itself
    jobs.request_helper()
    assert jobs._cell[0] != LEAVE


def test_any_thread_that_asks_for_help_is_helped(fused: FusedBackend) -> None:
    """A training may begin in one thread and go on in another."""
    from handloom.fused.batches import _rows_job as rows_job
    from handloom.fused.split_job import SplitJobs, pack_arrays

    rows = np.arange(1000)
    source = np.arange(1_000_000, dtype=np.uint8).reshape(1000, 1000)
    out = np.zeros_like(source)
    job_arguments = pack_arrays(rows, source, out)

    def helped(jobs: Any) -> bool:
        for _ in range(2000):
            jobs.request_helper()
            if not jobs.run_job(rows_job(), job_arguments, 500, 1000):
                return True
        return False

    with fused.threads(2) as threads, ThreadPoolExecutor(1) as others:
        assert others.submit(helped, SplitJobs(threads.run_in_background)).result()


def test_another_thread_has_no_part_in_it(fused: FusedBackend) -> None:
    """Pieces of an update may run at once, on threads without a helper."""
    drawn = draw(np.float32)
    with fused.threads(2) as threads, ThreadPoolExecutor(4) as others:
        threads.splitter.request_helper()  # type: ignore[union-attr]
        expected = update(threads, drawn)
        for arrays in [*others.map(lambda _: update(threads, drawn), range(32))]:
            for array, other in zip(arrays, expected, strict=True):
                np.testing.assert_array_equal(array, other)
