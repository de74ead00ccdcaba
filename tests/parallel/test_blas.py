"""BLAS has the threads back that a training took."""

import subprocess
import sys
import threading

import pytest
from threadpoolctl import ThreadpoolController

from handloom.parallel.threads import Threads


def test_blas_has_its_threads_back_when_the_last_of_several_trainings_ends() -> None:
    blas = ThreadpoolController().select(user_api="blas")

    def threads() -> list[int]:
        return [library["num_threads"] for library in blas.info()]

    with blas.limit(limits=2):
        before = threads()
        first, second = Threads(2), Threads(2)
        with first:
            second.__enter__()
        assert set(threads()) == {1}, "another training still runs"
        second.__exit__(None, None, None)
        assert threads() == before


def test_a_blas_that_was_loaded_after_a_training_is_held_too() -> None:
    code = """
import numpy as np
from handloom.parallel.threads import Threads
with Threads(2):
    pass
import scipy.linalg
from threadpoolctl import ThreadpoolController
blas = ThreadpoolController().select(user_api="blas")
with blas.limit(limits=2), Threads(2):
    print({library["num_threads"] for library in blas.info()})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "{1}\n"


def test_blas_is_as_it_was_after_a_ctrl_c_that_came_while_helpers_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from threadpoolctl import threadpool_info

    def interrupted(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    def train() -> None:
        with Threads(2) as threads:
            threads.run([int, int])
            monkeypatch.setattr(threading.Thread, "join", interrupted)

    before = [pool["num_threads"] for pool in threadpool_info()]
    with pytest.raises(KeyboardInterrupt):
        train()
    assert [pool["num_threads"] for pool in threadpool_info()] == before
