"""BLAS held to one thread during a training or an evaluation.

Lanes and pieces carry the parallelism, not BLAS: a product that BLAS splits between threads may
round differently, while one thread gives the same bits on every number of cores.
"""

import sys
from contextlib import AbstractContextManager, ExitStack
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


class _SingleThread:
    """Holds BLAS to one thread while the process has a user of it; counts the users.

    The setting belongs to the process: if each user restored the limit that it saw, the last of two
    trainings that overlap would leave the limit that the first had set.
    """

    def __init__(self) -> None:
        self._controller: ThreadpoolController | None = None
        self._modules = 0
        self._lock, self._users, self._limits = Lock(), 0, ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._limits.enter_context(self._blas().limit(limits=1, user_api="blas"))
            self._users += 1

    def _blas(self) -> "ThreadpoolController":
        """Return the controller of all loaded libraries.

        Looking through them takes longer than a small training, so it is done again only if modules
        were imported since, which may have brought a BLAS of their own, as SciPy does.
        """
        from threadpoolctl import ThreadpoolController  # imported when training, not before

        if self._controller is None or len(sys.modules) != self._modules:
            self._controller, self._modules = ThreadpoolController(), len(sys.modules)
        return self._controller

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._limits.close()


@cache  # the setting belongs to the process
def single_threaded_blas() -> AbstractContextManager[None]:
    """Hold BLAS to one thread; the earlier limit is restored when the last user is done."""
    return _SingleThread()
