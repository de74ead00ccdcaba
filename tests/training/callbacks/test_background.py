"""Background: jobs are done in order, their errors are raised once, and waiting has an end."""

from functools import partial
from threading import Event

import pytest

from handloom.training.callbacks.background import Background


def test_jobs_are_done_one_after_another() -> None:
    done: list[int] = []
    background = Background("test")
    for number in range(100):
        background.do(partial(done.append, number))
    assert background.wait(30.0)
    assert done == list(range(100))
    background.close()


def test_an_error_is_raised_once_and_ends_no_further_job() -> None:
    done: list[int] = []
    background = Background("test")
    background.do(lambda: 1 / 0)
    background.do(lambda: done.append(1))
    assert background.wait(30.0)
    assert done == [1]
    with pytest.raises(ZeroDivisionError):
        background.raise_error()
    background.raise_error()
    background.close()


def test_waiting_for_a_slow_job_has_an_end() -> None:
    go = Event()
    background = Background("test")
    background.do(lambda: go.wait(30.0))
    assert not background.wait(0.01)
    go.set()
    assert background.wait(30.0)
    background.close()
