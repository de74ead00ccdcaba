"""Work in two halves: the same result whoever does them, and nobody waits for a sleeper."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from handloom.initializers import Zeros
from handloom.kernels import NUMPY, Kernels
from handloom.parameters import Parameters, ParameterSpec
from handloom.training.workers import Workers

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="needs the extra fast"
)
Array = npt.NDArray[Any]
SIZE = 100_003


@pytest.fixture
def fused() -> Kernels:
    from handloom.fused import FUSED

    return FUSED


def draw(real: Any) -> Array:
    """Return weights and a gradient, shape (2, SIZE)."""
    return np.random.default_rng(0).standard_normal((2, SIZE)).astype(real)


def update(kernels: Kernels, drawn: Array) -> tuple[Array, ...]:
    """Return what Adam and a penalty make of weights and gradient, (2, SIZE), in a few steps."""
    real: Any = drawn.dtype
    w, dw = drawn.copy()
    specs = {"w": ParameterSpec((SIZE,), Zeros(), l1=1e-4, l2=1e-3)}
    parameters = Parameters(specs, real, values=w, gradient=dw)
    first, second, scratch = (np.zeros(SIZE, real) for _ in range(3))
    found = []
    for step in range(1, 4):
        found.append(kernels.penalize(parameters, 0.5))
        kernels.adam(w, dw, first, second, 1e-2, 0.9, 0.999, 1e-7, step, scratch)
    return w, dw, first, second, np.array(found)


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_updates_are_the_same_bits_on_any_number_of_threads(fused: Kernels, real: Any) -> None:
    drawn = draw(real)  # before help is asked for: a helper is not patient for so long
    found, helped = [], 0
    for threads in (1, 2, 4):
        with Workers(threads, fused.wait) as workers:
            kernels: Any = fused.sharing(workers.run, workers.lend)
            run = kernels.halves.run
            alone: list[bool] = []
            kernels.halves.run = lambda *job, run=run, alone=alone: alone.append(run(*job))
            for _ in range(20 if threads == 1 else 2000):
                kernels.halves.ask()
                found.append(update(kernels, drawn))
                if not all(alone):
                    helped += 1
                    break
    assert helped == 2  # with one thread there is nobody
    for arrays in found:
        for array, expected in zip(arrays, found[0], strict=True):
            np.testing.assert_array_equal(array, expected)
    whole = update(fused, drawn)
    for array, expected in zip(found[0], whole, strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-6 if real is np.float32 else 1e-14)


def test_a_helper_that_is_awake_takes_its_half(fused: Kernels) -> None:
    from handloom.fused.copies import rows_job
    from handloom.fused.halves import Halves, arguments

    rows = np.arange(1000)[::-1].copy()
    source = np.arange(1_000_000, dtype=np.int32).reshape(1000, 1000)
    with Workers(2, fused.wait) as workers:
        halves, alone = Halves(workers.lend), True
        for _ in range(2000):
            if alone:
                halves.ask()
            out = np.zeros_like(source)
            given = arguments(rows, *(a.reshape(-1).view(np.uint8) for a in (source, out)))
            alone = halves.run(rows_job(), given, 500, 1000)
            np.testing.assert_array_equal(out, source[::-1])
            if not alone:
                return
        pytest.fail("nobody ever took the second half")


@pytest.mark.parametrize("stored", [np.uint8, np.float32, np.float64])
def test_rows_are_copied_as_numpy_copies_them(fused: Kernels, stored: Any) -> None:
    draw = np.random.default_rng(0)
    inputs = draw.integers(0, 256, (500, 29, 31)).astype(stored)
    with Workers(2, fused.wait) as workers:
        kernels: Any = fused.sharing(workers.run, workers.lend)
        for n in (1, 3, 400, 1001):
            kernels.halves.ask()
            rows = draw.integers(0, len(inputs), n)
            for given in (inputs, inputs[:, :, ::-1], inputs[::2]):
                kind: Any = np.int32 if n == 400 else np.int64
                chosen = (rows % len(given)).astype(kind)
                found, expected = (np.empty((n, 29, 31), stored) for _ in range(2))
                kernels.take_rows(given, chosen, found)
                NUMPY.take_rows(given, chosen, expected)
                np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_are_copied_into_memory_of_any_order(fused: Kernels, order: Any) -> None:
    draw = np.random.default_rng(0)
    inputs, rows = draw.random((300, 400)), draw.integers(0, 300, 200)
    with Workers(2, fused.wait) as workers:
        kernels = fused.sharing(workers.run, workers.lend)
        found = np.empty((200, 400), order=order)
        kernels.take_rows(inputs, rows, found)
    np.testing.assert_array_equal(found, inputs[rows])


def test_a_job_takes_no_array_with_gaps(fused: Kernels) -> None:
    from handloom.fused.halves import arguments

    with pytest.raises(ValueError, match="array 1 of a job must be contiguous"):
        arguments(np.zeros(3), np.zeros((4, 6))[:, ::2])


def test_a_helper_that_was_told_to_leave_is_asked_for_nothing(fused: Kernels) -> None:
    """It hears of it before anything else, so that whoever needs it elsewhere does not wait."""
    from handloom.fused.copies import rows_job
    from handloom.fused.halves import Halves, arguments

    served: list[Any] = []

    def lend(call: Any, recall: Any) -> bool:
        served.append(call)
        return True

    rows, source, out = np.arange(4), np.arange(8, dtype=np.uint8), np.zeros(8, np.uint8)
    given, halves = arguments(rows, source, out), Halves(lend)
    halves.ask()
    halves.dismiss()
    assert halves.run(rows_job(), given, 2, 4)
    np.testing.assert_array_equal(out, source)
    halves.ask()
    assert len(served) == 1  # it is still about to come, and to leave
    served[0]()
    halves.ask()
    assert len(served) == 2


def test_a_dismissal_that_nobody_heard_does_not_dismiss_the_next(fused: Kernels) -> None:
    from handloom.fused.halves import LEAVE, Halves

    served: list[Any] = []

    def lend(call: Any, recall: Any) -> bool:
        served.append(call)
        return True

    halves = Halves(lend)
    halves.dismiss()  # the helper of before has just left by itself
    halves.ask()
    assert halves._cell[0] != LEAVE


def test_whoever_asks_for_help_is_helped(fused: Kernels) -> None:
    """A training may begin in one thread and go on in another."""
    from handloom.fused.copies import rows_job
    from handloom.fused.halves import Halves, arguments

    rows = np.arange(1000)
    source = np.arange(1_000_000, dtype=np.uint8).reshape(1000, 1000)
    out = np.zeros_like(source)
    given = arguments(rows, source, out)

    def helped(halves: Any) -> bool:
        for _ in range(2000):
            halves.ask()
            if not halves.run(rows_job(), given, 500, 1000):
                return True
        return False

    with Workers(2, fused.wait) as workers, ThreadPoolExecutor(1) as pool:
        assert pool.submit(helped, Halves(workers.lend)).result()


def test_another_thread_has_no_part_in_it(fused: Kernels) -> None:
    """Pieces of an update may run at once, on threads that nobody helps."""
    drawn = draw(np.float32)
    with Workers(2, fused.wait) as workers, ThreadPoolExecutor(4) as pool:
        kernels: Any = fused.sharing(workers.run, workers.lend)
        kernels.halves.ask()
        expected = update(kernels, drawn)
        for arrays in [*pool.map(lambda _: update(kernels, drawn), range(32))]:
            for array, other in zip(arrays, expected, strict=True):
                np.testing.assert_array_equal(array, other)
