"""Threads run tasks, wait without work, and run background calls; errors reach the caller."""

import signal
import time
from threading import Event, Timer

import numpy as np
import pytest

from handloom.backend import FusedBackend
from handloom.parallel import threads
from handloom.parallel.threads import Threads, default_threads


def test_an_error_in_a_lane_reaches_the_caller_after_all_lanes_have_ended() -> None:
    ended = []

    def work(number: int) -> int:
        if number == 1:
            raise ValueError("lane 1")
        ended.append(number)
        return number

    with Threads(3) as pool:
        calls = [lambda number=number: work(number) for number in range(4)]
        with pytest.raises(ValueError, match="lane 1"):
            pool.run(calls)
        assert sorted(ended) == [0, 2, 3]
        assert pool.run([lambda: 1, lambda: 2, lambda: 3]) == [1, 2, 3]

    ended.clear()
    with Threads(1) as alone, pytest.raises(ValueError, match="lane 1"):
        alone.run(calls)
    assert ended == [0]


def test_a_signal_handler_that_raises_is_heard_when_no_call_runs_any_more() -> None:
    class AlarmError(Exception):
        pass

    def raised(*_: object) -> None:
        raise AlarmError

    def slow() -> bool:
        began.set()
        time.sleep(0.3)
        ended.append(True)
        return True

    began, ended = Event(), list[bool]()
    handler = signal.signal(signal.SIGALRM, raised)
    try:
        with Threads(2) as pool:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(AlarmError):
                pool.run([lambda: began.wait(5), slow])  # this thread then waits for the other
            assert ended == [True]
            assert pool.run([lambda: 1, lambda: 2]) == [1, 2]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def test_threads_that_stay_awake_see_each_task_and_sleep_when_there_is_none() -> None:
    pytest.importorskip("numba")
    with FusedBackend(np.float32).threads(3) as pool:
        assert pool.run([lambda k=k: k * k for k in range(4)]) == [0, 1, 4, 9]  # type: ignore[misc]
        time.sleep(0.2)  # longer than threads spin
        used = time.process_time()
        time.sleep(0.2)
        assert time.process_time() - used < 0.1
        assert pool.run([lambda k=k: k + 1 for k in range(4)]) == [1, 2, 3, 4]  # type: ignore[misc]


def test_a_wait_ends_when_the_counter_moves_on() -> None:
    pytest.importorskip("numba")
    from handloom.fused.atomics import wait

    counter = np.zeros(1, np.int64)
    Timer(0.05, lambda: counter.__setitem__(0, 7)).start()
    started = time.perf_counter()
    while counter[0] == 0:
        wait(counter, 0)
    assert time.perf_counter() - started >= 0.04
    wait(counter, 0)  # returns at once


def test_a_background_call_ends_before_other_work_begins() -> None:
    back = Event()
    with Threads(2) as pool:
        assert pool.run_in_background(lambda: back.wait(10), back.set)
        assert pool.run([lambda: 1, lambda: 2]) == [1, 2]
        assert back.is_set()
        again = Event()
        assert pool.run_in_background(lambda: again.wait(10), again.set)
    assert again.is_set()


def test_an_error_of_a_background_call_is_raised_in_the_end() -> None:
    def fail() -> None:
        raise ArithmeticError("background")

    with pytest.raises(ArithmeticError, match="background"), Threads(2) as pool:
        pool.run_in_background(fail, lambda: None)


def test_without_another_thread_no_background_call_is_made() -> None:
    with Threads(1) as pool:
        assert not pool.run_in_background(lambda: None, lambda: None)


def test_what_limits_the_threads_of_blas_limits_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    free = default_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "64,2")  # not a number
    monkeypatch.setenv("MKL_NUM_THREADS", "64")
    assert default_threads() == free
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    assert default_threads() == 1


def test_processes_that_share_cores_share_them_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threads, "usable_cores", lambda: frozenset(range(16)))
    assert [default_threads(64, sharing) for sharing in (1, 4, 16, 32)] == [16, 4, 1, 1]
    assert default_threads(4, 4) == 4
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert default_threads(64, 4) == 4
