"""BLAS held to one thread during a training or an evaluation.

Lanes and pieces carry the parallelism, not BLAS: a product that BLAS splits between threads may
round differently, while one thread gives the same bits on every number of cores.

The number of threads of most BLAS libraries belongs to the process, so other code may set it
meanwhile: a ``threadpool_limits`` block of the caller that ends while another thread trains sets
the number it had seen. It is therefore read again before and after each pass.
"""

import os
import sys
from collections.abc import Callable
from ctypes import PYFUNCTYPE, c_int
from functools import cache
from itertools import product
from threading import RLock, get_ident, local
from typing import TYPE_CHECKING, Self, TypeVar

from handloom import secondary

if TYPE_CHECKING:
    from threadpoolctl import LibController

ATTEMPTS = 3
"""How often a number of threads is set, or a disturbed call made, before a warning."""

OPENBLAS_AFFIXES = tuple(product(("", "scipy_"), ("", "64_", "_64")))
"""The prefixes and suffixes of function names in builds of OpenBLAS."""

Result = TypeVar("Result")


class BlasHold:
    """Holds BLAS to one thread in a ``with`` block; blocks may overlap, in any threads.

    The number of threads that other code set last returns when the last block ends, in whichever
    thread that is. A BLAS whose number cannot be set gets one warning. Libraries that keep a number
    for each thread are held in the thread of the block, and in those that call `look`.
    """

    def __init__(self) -> None:
        self.thread, self._blas = get_ident(), _process_blas()
        self.look = self._blas.look

    def __enter__(self) -> Self:
        self.thread = get_ident()
        self._blas.begin(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._blas.end(self)

    def undisturbed(self, call: Callable[[], Result], *, repeat: bool = True) -> Result:
        """Return the result of a call during which BLAS had one thread.

        If other code set another number meanwhile, the call is made again. If that does not help,
        or without ``repeat``, a warning says so.

        Parameters
        ----------
        call : callable
            With ``repeat``, one that overwrites its results.
        repeat : bool
        """
        for _ in range(ATTEMPTS if repeat else 1):
            changes = self.look()
            result = call()
            if self.look() == changes:
                return result
        self._blas.warn(
            "other code changed the number of threads of BLAS while a training or an evaluation "
            "held it to one: the last bits of the result may differ. Set limits before a training "
            "starts, and keep them until it ends"
        )
        return result


def single_threaded_blas() -> BlasHold:
    """Return a block that holds BLAS to one thread; see `BlasHold`."""
    return BlasHold()


class _Library:
    """A loaded BLAS, and its functions that read and set the number of threads.

    OpenBLAS is set without threadpoolctl, which from version 3.8 lets one thread alone set it, and
    ignores calls from all others.
    """

    def __init__(self, controller: "LibController") -> None:
        self.name = f"{controller.internal_api} ({controller.filepath})"
        self.get: Callable[[], int | None] = controller.get_num_threads
        self.set: Callable[[int], object] = controller.set_num_threads
        self.per_thread = controller.internal_api == "mkl"
        if controller.internal_api == "openblas":
            self.per_thread = controller.threading_layer == "openmp"
            self._use_openblas(controller)

    def _use_openblas(self, controller: "LibController") -> None:
        names = "openblas_get_num_threads", "openblas_set_num_threads"
        if self.per_thread:  # OpenBLAS asks OpenMP in every call
            names = "omp_get_max_threads", "omp_set_num_threads"
        for prefix, suffix in OPENBLAS_AFFIXES:
            get, set_ = (f"{prefix}{name}{suffix}" for name in names)
            if hasattr(controller.dynlib, get) and hasattr(controller.dynlib, set_):
                # these functions return at once, and keep the GIL: no other thread delays a step
                self.get = PYFUNCTYPE(c_int)((get, controller.dynlib))
                self.set = PYFUNCTYPE(None, c_int)((set_, controller.dynlib))
                return

    def limit(self) -> bool:
        """Set one thread; return whether the library says so afterwards."""
        for _ in range(ATTEMPTS):  # other code may set another number at the same moment
            self.set(1)
            if self.get() == 1:
                return True
        return False


class _ProcessBlas:
    """The BLAS libraries of this process, the blocks that hold them, and their earlier numbers."""

    def __init__(self) -> None:
        # reentrant: a signal handler or a destructor may predict in the middle of a change
        self._lock = RLock()
        self._holds: set[BlasHold] = set()
        self._libraries: dict[str, _Library] = {}
        self._held: tuple[_Library, ...] = ()
        self._modules = 0
        self._changes = 0
        self._earlier: dict[_Library, int] = {}
        self._of_thread = local()  # the earlier numbers of libraries that keep one per thread
        self._warned: set[str] = set()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    def begin(self, hold: BlasHold) -> None:
        """Hold BLAS for one more block."""
        try:
            with self._lock:
                self._holds.add(hold)
            self.look()
        except BaseException:
            self.end(hold)
            raise

    def end(self, hold: BlasHold) -> None:
        """End a block; after the last one, set the earlier numbers."""
        with self._lock:
            self._holds.discard(hold)
            if not self._holds:
                _restore(self._earlier)
            if own := self._earlier_of_thread():
                thread = get_ident()
                if not any(each.thread == thread for each in self._holds):
                    _restore(own)

    def look(self) -> int:
        """Set one thread again where other code set more; return how often that was so by now."""
        if len(sys.modules) != self._modules:
            self._limit()
            return self._changes
        for library in self._held:
            if library.get() != 1:
                self._limit()
                break
        return self._changes

    def warn(self, message: str) -> None:
        """Warn, once in a process."""
        if message not in self._warned:
            self._warned.add(message)
            secondary.warn(message)

    def _limit(self) -> None:
        failed = []
        with self._lock:
            if not self._holds:
                return
            self._find_libraries()
            for library in self._held:
                threads = library.get()
                if threads == 1:
                    continue
                if threads is not None:  # the number that other code set last
                    earlier = self._earlier_of_thread() if library.per_thread else self._earlier
                    earlier[library] = threads
                self._changes += not library.per_thread
                if not library.limit():
                    failed.append(library)
            self._held = tuple(each for each in self._held if each not in failed)
        for library in failed:
            self.warn(
                f"the number of threads of {library.name} cannot be set to one: results may differ "
                "in their last bits between numbers of cores. Set it in the environment before "
                "Python starts, such as OPENBLAS_NUM_THREADS=1"
            )

    def _find_libraries(self) -> None:
        """Find the loaded libraries, if modules were imported since, such as SciPy with its own.

        Looking through all libraries takes longer than a small training.
        """
        if len(sys.modules) == self._modules:
            return
        from threadpoolctl import ThreadpoolController  # imported when training, not before

        modules = len(sys.modules)
        for controller in ThreadpoolController().lib_controllers:
            if controller.user_api == "blas" and controller.filepath not in self._libraries:
                library = _Library(controller)
                self._held += (library,)
                self._libraries[controller.filepath] = library
        self._modules = modules

    def _earlier_of_thread(self) -> dict[_Library, int]:
        """Return the earlier numbers of this thread, of libraries that keep one per thread."""
        earlier: dict[_Library, int] = self._of_thread.__dict__.setdefault("earlier", {})
        return earlier

    def _after_fork(self) -> None:
        """Forget the blocks of other threads, which do not exist in a forked process."""
        self._lock, thread = RLock(), get_ident()
        self._holds = {hold for hold in self._holds if hold.thread == thread}
        if not self._holds:
            _restore(self._earlier)


def _restore(earlier: dict[_Library, int]) -> None:
    """Set earlier numbers, except where other code has set another one since."""
    while earlier:
        library, threads = earlier.popitem()
        if library.get() == 1:
            library.set(threads)


@cache  # the number of threads belongs to the process
def _process_blas() -> _ProcessBlas:
    return _ProcessBlas()
