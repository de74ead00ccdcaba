"""Objects in use are refused to others, by threads and callers, and are free afterwards."""

import gc
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from tests.helpers.processes import running

from handloom.errors import ModelError
from handloom.in_use import Part, in_use, unused


class Shared:
    """An object that can be referenced weakly."""


def refused(*parts: Part, nested: bool = False) -> str:
    """Return the error of using objects, or an empty string if they are free."""
    try:
        with in_use(parts, nested=nested):
            return ""
    except ModelError as error:
        return str(error)


def in_a_thread(call: Callable[[], str]) -> str:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def test_an_object_in_use_is_refused_by_name_and_free_afterwards() -> None:
    first, second = Shared(), Shared()
    with in_use([("the first", first), ("the second", second)]):
        assert refused(("mine", second)).startswith("mine is in use by the training that called")
        message = in_a_thread(lambda: refused(("mine", second)))
        assert message.startswith("mine is in use by another training, in another thread: make one")
        assert not refused(("another", Shared()))
    assert not refused(("mine", first), ("mine", second))


def test_an_inner_use_of_the_same_thread_is_allowed_where_it_says_so() -> None:
    part = ("mine", Shared())
    with in_use([part]):
        assert not refused(part, nested=True)
        assert "another thread" in in_a_thread(lambda: refused(part, nested=True))
        assert refused(part)  # the inner use has not ended the outer one
    assert not refused(part)


def test_a_refused_use_takes_nothing() -> None:
    free, taken = Shared(), Shared()
    with in_use([("taken", taken)]):
        assert refused(("free", free), ("taken", taken))
        assert not in_a_thread(lambda: refused(("free", free)))


def test_objects_that_no_other_thread_uses_may_be_read_by_many() -> None:
    part, together = ("mine", Shared()), Barrier(4)

    def read(_: int) -> bool:
        together.wait(30)
        with unused([part], remedy="later"):
            return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(4)))
        with in_use([part]):
            with unused([part], remedy="later"):  # of this thread
                pass
            with pytest.raises(ModelError, match=r"mine is in use by another .*: later"):
                pool.submit(read_alone, part).result()


def read_alone(part: Part) -> None:
    with unused([part], remedy="later"):
        pass


def test_a_path_stands_for_the_file_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with in_use([("log.csv", Path("log.csv"))]):
        assert refused(("the same file", tmp_path / "folder" / ".." / "log.csv"))
        assert not refused(("another file", tmp_path / "log-2.csv"))


@pytest.mark.parametrize("error", [ArithmeticError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_after_any_error_objects_are_free(error: type[BaseException]) -> None:
    part = ("mine", Shared())
    with pytest.raises(error), in_use([part]):
        raise error
    assert not refused(part)


@pytest.mark.slow
def test_a_use_that_is_lost_ends() -> None:
    part = ("mine", Shared())
    use = in_use([part])
    use.__enter__()
    assert refused(part)
    del use
    gc.collect()
    assert not refused(part)


def test_no_object_is_kept_alive() -> None:
    made = Shared()
    seen = weakref.ref(made)
    with in_use([("mine", made)]):
        pass
    del made
    assert seen() is None


def attempt(parts: Sequence[Part], begin: Barrier, end: Barrier) -> bool:
    """Use objects when all threads begin, until all have tried; return whether it was allowed."""
    begin.wait(30)
    try:
        with in_use(parts):
            end.wait(30)
            return True
    except ModelError:
        end.wait(30)
        return False


def test_of_many_threads_one_takes_each_object() -> None:
    count = 8
    for _ in range(20):
        shared = [("a part", Shared()) for _ in range(4)]
        orders = [[*shared[index % 4 :], *shared[: index % 4]] for index in range(count)]
        begin, end = Barrier(count), Barrier(count)
        with ThreadPoolExecutor(count) as pool:
            tries = [pool.submit(attempt, order, begin, end) for order in orders]
            assert sum(each.result() for each in tries) == 1


FORKED = """
import os, threading
from handloom.in_use import _PROCESSES, in_use

class Shared:
    pass

part, inside, release = ("mine", Shared()), threading.Event(), threading.Event()

def hold():
    with in_use([part]):
        inside.set()
        release.wait(30)

thread = threading.Thread(target=hold)
thread.start()
inside.wait(30)
with _PROCESSES[os.getpid()].lock:  # as if a thread began to use something at the fork
    child = os.fork()
    if child == 0:
        with in_use([part]):
            os._exit(17)
_, status = os.waitpid(child, 0)
release.set()
thread.join()
print(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif("not hasattr(__import__('os'), 'fork')", reason="needs fork")
def test_in_a_forked_process_all_objects_are_free() -> None:
    with running(FORKED, stdout=-1, stderr=-1) as process:
        out, err = process.communicate(timeout=60)
    assert out.strip() == "17", err
