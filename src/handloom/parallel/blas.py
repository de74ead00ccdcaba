"""BLAS held to one thread while lanes run.

The lanes carry the parallelism, not BLAS: a product that BLAS splits between threads may round
differently, while one thread gives the same bits on every number of cores.
"""

from contextlib import AbstractContextManager, ExitStack
from functools import cache
from threading import Lock


class _SingleThread:
    """Holds BLAS to one thread while the process has a user of it; counts the users.

    The setting belongs to the process: if each user restored the limit that it saw, the last of two
    trainings that overlap would leave the limit that the first had set.
    """

    def __init__(self) -> None:
        from threadpoolctl import ThreadpoolController  # imported when training, not before

        self._blas = ThreadpoolController()  # NumPy's is loaded before any training
        self._lock, self._users, self._limits = Lock(), 0, ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._limits.enter_context(self._blas.limit(limits=1, user_api="blas"))
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._limits.close()


@cache  # looking through all loaded libraries takes longer than a small training
def single_threaded_blas() -> AbstractContextManager[None]:
    """Hold BLAS to one thread; the earlier limit is restored when the last user is done."""
    return _SingleThread()
