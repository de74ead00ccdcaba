"""Backends: run each NumPy definition as it is written, or its compiled version.

The arithmetic of layers, losses, transforms and optimizers is written in NumPy, each function in
the file of its layer, loss, transform or optimizer: that is its definition. Some definitions have
a compiled version in `handloom.fused`, by Numba (the extra ``fast``): a function of the same name
in a file of the same name. The file's ``COMPILES`` names the module of the definitions.
`handloom.optimizers.adam` defines ``adam_step``; ``fused/adam.py`` has an ``adam_step`` that
computes the same in a single pass over memory.

An object asks for the version of each of its definitions once, when its backend is set, and keeps
it: the compiled function, ready to be called, or the definition itself. Layers, losses and
transforms have a method ``set_backend(backend)`` for it, optimizers and averages ``bind``::

    self._step_function = backend.version_of(adam_step, pool)

Pass a pool if the compiled version may run a call on two threads.

A backend is chosen before a training and serves all of it. The versions agree to rounding; results
are the same to the bit only for the same backend, on one kind of machine.
"""

import copy
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, Protocol, Self, TypeVar, cast

import numpy as np
import numpy.typing as npt

from handloom.errors import ConfigurationError, MissingExtraError, ModelError, require_known
from handloom.operations import Array, LayerOperation, StepArrays, StepOperations, StepRows
from handloom.parallel.partition import LANES
from handloom.parallel.pool import SERIAL, Pool
from handloom.parallel.threads import Threads
from handloom.secondary import warn

Definition = TypeVar("Definition", bound=Callable[..., object])

BACKENDS = ("auto", "numpy", "fused")

FUSED_FROM = 5e10
"""The least work of a training, in multiplications, for which compiled code is loaded.

It is about three seconds of training in NumPy; loading takes 0.4 to 0.9 seconds.
"""

OLDEST_NUMBA = (0, 60)
"""The oldest version of Numba that the extra ``fast`` takes."""


class CompiledNetwork(Protocol):
    """Compiled version of a whole network: one call for a forward pass, one for a backward pass.

    It has memory of its own for the activations.
    """

    def runs_compiled(self, rows: int) -> bool:
        """Return whether to run ``rows`` rows compiled; else they run layer by layer."""
        ...

    def forward(self, x: Array) -> Array:
        """Return the logits, shape (n, k), of rows ``x``, shape (n, d).

        The next call overwrites them.
        """
        ...

    def backward(self, dlogits: Array) -> None:
        """Overwrite the gradient of every weight.

        Parameters
        ----------
        dlogits : array, shape (n, k)
            The gradient of the logits that `forward` returned last.
        """
        ...


class CompiledSteps(Protocol):
    """Compiled version of whole training steps, many in one call."""

    def run(
        self,
        rows: StepRows,
        rates: npt.NDArray[np.float64],
        *,
        steps_before: int,
        averaged_before: int,
    ) -> tuple[npt.NDArray[np.float64], BaseException | None]:
        """Make consecutive steps of one epoch in place, until one is not finite.

        That step changes the gradient, and no weight. So does one during which other code changed
        the number of threads of BLAS, which ends the call too.

        Parameters
        ----------
        rows : StepRows
            Of steps with at most as many rows as were announced.
        rates : float64 array, shape (steps,)
            The learning rates.
        steps_before, averaged_before : int
            The numbers of steps of the optimizer, and in the average of the weights, before.

        Returns
        -------
        figures : float64 array, shape (accepted steps, 5)
            Of each accepted step the data loss, the penalty, the number of correct rows, the sum of
            the squares of the gradient, and the sum of the sample weights.
        error : BaseException or None
            The interruption of the call, such as Ctrl-C; the accepted steps are whole.
        """
        ...


class Backend:
    """NumPy backend: runs every definition as it is written. Base class of other backends.

    Attributes
    ----------
    name : str
        The name in a training's history and checkpoints.
    notes : list of str
        Remarks for the history: which compiled code ``"auto"`` had to do without, and why.
    """

    name: str = "numpy"

    def __init__(self, *notes: str) -> None:
        self.notes = list(notes)

    def version_of(self, definition: Definition, pool: Pool = SERIAL) -> Definition:
        """Return the version of a definition that this backend runs, ready to be called.

        Parameters
        ----------
        definition : function
            The NumPy definition, not a compiled version.
        pool : Pool
            Its threads may run parts of a call. Few compiled versions have parts (see
            `handloom.fused`).
        """
        return definition

    def compiles(self, definition: Callable[..., object]) -> bool:
        """Return whether `version_of` returns a compiled version of a definition.

        How work is cut, or which algorithm is faster, may depend on it.
        """
        return False

    def compiled_network(
        self, operations: Sequence[LayerOperation], weights: Array, gradient: Array, pool: Pool
    ) -> CompiledNetwork | None:
        """Return the compiled version of a whole network, or None if there is none for its layers.

        Parameters
        ----------
        operations : sequence of LayerOperation
            The layers up to the logits, in order, none of them frozen.
        weights, gradient : array, shape (size,)
            The network's vectors: an operation says at which offsets its arrays begin.
        pool : Pool
            Its threads may run parts of the rows.
        """
        return None

    def compiled_steps(
        self,
        step: StepOperations,
        arrays: StepArrays,
        batch_rows: int,
        pool: Pool,
        *,
        count_correct: bool,
    ) -> CompiledSteps | None:
        """Return the compiled version of the steps of a training, or None if there is none.

        Parameters
        ----------
        step : StepOperations
        arrays : StepArrays
        batch_rows : int
            The most rows of a batch.
        pool : Pool
            Its threads share the work of a step.
        count_correct : bool
            Whether to count correct predictions.
        """
        return None

    def threads(self, threads: int | None = None, lanes: int = LANES) -> Threads:
        """Return a pool of threads that suits this backend, for a ``with`` block; see `Threads`."""
        return Threads(threads, lanes=lanes)


NUMPY = Backend()


class FusedBackend(Backend):
    """Numba backend: runs the compiled version of each definition that has one.

    A file of `handloom.fused` is imported when it is first needed. When the version of one of its
    functions is first asked for, all of them are compiled for the dtype, or read from Numba's cache
    on disk: compiling takes seconds only once for a kind of network on a machine.

    Parameters
    ----------
    dtype : float32 or float64
        The dtype of the arrays that functions are called with.
    fall_back : bool
        Whether definitions replace functions that do not compile, with a warning and a note.

    Raises
    ------
    ModelError
        If the dtype is another one.
    """

    name = "fused"

    def __init__(self, dtype: npt.DTypeLike, *, fall_back: bool = False) -> None:
        super().__init__()
        self.dtype, self.fall_back = np.dtype(dtype), fall_back
        if self.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise ModelError(f"dtype must be float32 or float64, got {self.dtype}")
        self._ready: set[str] = set()
        self._failed: set[str] = set()

    def version_of(self, definition: Definition, pool: Pool = SERIAL) -> Definition:
        """Return the compiled version of a definition or, without one, the definition itself.

        Raises
        ------
        ConfigurationError
            If it does not compile, unless the backend falls back.
        """
        if not self.compiles(definition):
            return definition
        module = self._compiled_module(_file_of(definition))
        if module is None:
            return definition
        function = getattr(module, definition.__name__)
        return cast(Definition, partial(function, pool) if _is_split(function) else function)

    def compiles(self, definition: Callable[..., object]) -> bool:
        """Return whether there is a compiled version that runs on this machine, for the dtype."""
        module = _fused_module(_file_of(definition))
        return (
            module is not None
            and definition.__module__ == getattr(module, "COMPILES", None)
            and hasattr(module, definition.__name__)
            and self._available(module)
        )

    def compiled_network(
        self, operations: Sequence[LayerOperation], weights: Array, gradient: Array, pool: Pool
    ) -> CompiledNetwork | None:
        """Return a compiled network of dense layers with ReLU, tanh, sigmoid or nothing between."""
        module: Any = _fused_module("network")
        if not self._available(module) or not module.supports(operations):
            return None
        if self._compiled_module("network") is None:
            return None
        return cast(
            CompiledNetwork, module.CompiledDenseNetwork(operations, weights, gradient, pool)
        )

    def compiled_steps(
        self,
        step: StepOperations,
        arrays: StepArrays,
        batch_rows: int,
        pool: Pool,
        *,
        count_correct: bool,
    ) -> CompiledSteps | None:
        """Return compiled steps for the layers that `handloom.fused.runner.supports` names."""
        module: Any = _fused_module("runner")
        if not self._available(module) or not module.supports(step, len(arrays.state)):
            return None
        if self._compiled_module("runner") is None:
            return None
        made = module.CompiledSteps(step, arrays, batch_rows, pool, count_correct=count_correct)
        return cast(CompiledSteps, made)

    def threads(self, threads: int | None = None, lanes: int = LANES) -> Threads:
        """Return a pool whose threads stay awake between calls, and run parts of compiled jobs."""
        atomics: Any = self._compiled_module("atomics")
        split_job: Any = self._compiled_module("split_job")
        pool = Threads(threads, lanes=lanes, wait=atomics.wait)
        pool.splitter = split_job.SplitJobs(pool.run_in_background)
        return pool

    def files(self) -> tuple[str, ...]:
        """Return the names of the files of `handloom.fused` that compile on this machine."""
        package: Any = import_module("handloom.fused")
        modules = {each.name: _fused_module(each.name) for each in iter_modules(package.__path__)}
        return tuple(
            name
            for name, module in modules.items()
            if module is not None and hasattr(module, "compile_for") and self._available(module)
        )

    def compile_file(self, name: str) -> None:
        """Compile the functions of one of `files`, or read them from Numba's cache.

        Raises
        ------
        ConfigurationError
            If one does not compile, unless the backend falls back.
        """
        self._compiled_module(name)

    def _compiled_module(self, name: str) -> ModuleType | None:
        """Return a file of `handloom.fused` with its functions compiled for the dtype.

        None if they do not compile and the backend falls back.
        """
        module: Any = _fused_module(name)
        if name in self._failed:
            return None
        if name not in self._ready:
            try:
                module.compile_for(self.dtype)
            except Exception as error:  # whatever Numba or LLVM raises
                reason = f"fused/{name}.py does not compile: {error!r}"
                if not self.fall_back:
                    raise ConfigurationError(_cannot_work(reason)) from error
                self._failed.add(name)
                self.notes.append(_warn_of_numpy(reason))
                return None
            self._ready.add(name)
        return cast(ModuleType, module)

    def _available(self, module: ModuleType) -> bool:
        """Return whether a file can run on this machine; some need NumPy's BLAS."""
        available = getattr(module, "available", None)
        return available is None or bool(available(self.dtype))


class UsesBackend:
    """Base class of losses and transforms that run definitions through a backend."""

    def __new__(cls, *_: object, **__: object) -> Self:
        """Create an object that uses NumPy, before its constructor runs."""
        part = super().__new__(cls)
        part.set_backend(NUMPY)
        return part

    def set_backend(self, backend: Backend) -> None:
        """Store ``backend.version_of(definition)`` for every definition that the object calls.

        It also runs before ``__init__``, so it must not read attributes.
        """

    def with_backend(self, backend: Backend) -> Self:
        """Return a shallow copy that uses a backend; the object itself if it has no definition."""
        if type(self).set_backend is UsesBackend.set_backend:
            return self
        replica = copy.copy(self)
        replica.set_backend(backend)
        return replica


def choose_backend(
    name: str, dtype: npt.DTypeLike, *, work: float, fused_from: float | None = None
) -> Backend:
    """Return the backend for a training, chosen by its size and never by timing.

    Parameters
    ----------
    name : str
        ``"numpy"``, ``"fused"``, or ``"auto"``: fused where it works and the training is long
        enough for loading it to pay. Where Numba is installed and does not work, a warning says so
        once.
    dtype : float32 or float64
        The type of the weights.
    work : float
        The multiplications of all forward passes, and as many for the updates as take their time.
    fused_from : float, optional
        The work from which loading pays, by default `FUSED_FROM`; 0 for callers that train often in
        one process.

    Raises
    ------
    ConfigurationError
        If the name is unknown, or the fused backend is asked for by name and does not work.
    ModelError
        If the fused backend is chosen for another dtype.
    MissingExtraError
        If the fused backend is asked for by name and Numba is not installed.
    """
    require_known("backend", name, BACKENDS)
    pays = work >= (FUSED_FROM if fused_from is None else fused_from)
    if name == "numpy" or (name == "auto" and not (pays and fused_is_installed())):
        return NUMPY
    if not fused_is_installed():
        raise MissingExtraError("numba", "fast", "training with compiled functions")
    problem = problem_of_fused()
    if problem is None:
        return FusedBackend(dtype, fall_back=name == "auto")
    if name == "fused":
        raise ConfigurationError(_cannot_work(problem))
    return Backend(_warn_of_numpy(problem))


def fused_is_installed() -> bool:
    """Return whether Numba is installed, which compiles the fused backend; it may not work."""
    try:
        return find_spec("numba") is not None
    except ValueError:  # a module without a specification
        return sys.modules.get("numba") is not None


@cache
def problem_of_fused() -> str | None:
    """Return why compiled code cannot work here, or None; found by compiling some, once."""
    try:
        numba: Any = import_module("numba")
        version = str(getattr(numba, "__version__", "unknown"))
        if _release(version) < OLDEST_NUMBA:
            oldest = ".".join(map(str, OLDEST_NUMBA))
            return f"Numba must be of version {oldest} or later, got {version}"
        if numba.config.DISABLE_JIT:
            return "NUMBA_DISABLE_JIT is set, which has Numba compile nothing"
        FusedBackend(np.float32).threads(1)
    except ConfigurationError as error:
        return repr(error.__cause__)
    except Exception as error:  # a broken installation may raise anything
        return f"Numba cannot be used: {error!r}"
    return None


def _release(version: str) -> tuple[int, ...]:
    """Return the first two numbers of a version; empty, so too old, if they are no numbers."""
    parts = version.split(".")[: len(OLDEST_NUMBA)]
    return tuple(map(int, parts)) if all(map(str.isdigit, parts)) else ()


def _cannot_work(reason: str) -> str:
    return (
        f"backend='fused' must be able to compile code, which failed: {reason}. Take "
        "backend='numpy', or 'auto', which takes NumPy where compiled code does not work"
    )


@cache  # a reason is told once
def _warn_of_numpy(reason: str) -> str:
    """Warn that NumPy runs in place of compiled code, once; return the message."""
    message = f"NumPy runs in place of compiled code: {reason}"
    warn(message, RuntimeWarning)
    return message


def _file_of(definition: Callable[..., object]) -> str:
    """Return the name of the file that a function is defined in."""
    return definition.__module__.rpartition(".")[2]


@cache
def _fused_module(name: str) -> ModuleType | None:
    """Return the file of `handloom.fused` of a name, if there is one."""
    whole = f"handloom.fused.{name}"
    return import_module(whole) if find_spec(whole) else None


def _is_split(function: Callable[..., object]) -> bool:
    """Return whether a compiled version is marked by `splits`, and so takes a pool first."""
    return bool(getattr(function, "splits", False))
