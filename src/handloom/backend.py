"""From a definition to what runs it.

The arithmetic of layers, losses, transforms and optimizers is written in NumPy, each function in
the file of what it computes: that is its definition. Some definitions have a compiled version in
`handloom.fused` (the extra ``fast``), in a file of the same name: `handloom.optimizers.adam`
defines ``adam_step``, and ``fused/adam.py`` has it as a single pass over memory. Whoever computes
asks a backend for a definition once, when it is bound, and gets the compiled version or the
definition itself::

    self._step = backend.fetch(adam_step, pool)

A backend is chosen before a training and serves all of it: the versions agree to rounding, and
results agree to the bit for one backend only.
"""

import copy
from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Protocol, Self, TypeVar, cast

import numpy as np
import numpy.typing as npt

from handloom.errors import MissingExtraError, require_known
from handloom.operations import LayerOperation
from handloom.parallel.partition import LANES
from handloom.parallel.pool import SERIAL, Pool
from handloom.parallel.threads import Threads

Array = npt.NDArray[np.floating]
Definition = TypeVar("Definition", bound=Callable[..., object])

BACKENDS = ("auto", "numpy", "fused")

FUSED_FROM = 5e10
"""The work from which compiled code is worth loading: about three seconds of training."""

ROWS_PER_UPDATE = 32
"""An update of the weights costs about as much as so many rows."""


class NetworkPass(Protocol):
    """A network, forward and backward in one compiled call each, in memory that it reuses."""

    def takes(self, rows: int) -> bool:
        """Return whether so many rows are better run so than layer by layer."""
        ...

    def forward(self, x: Array) -> Array:
        """Return the logits, shape (n, k), of rows ``x``, shape (n, d)."""
        ...

    def backward(self, dlogits: Array) -> None:
        """Write the gradient of every weight, given that of the last logits, shape (n, k)."""
        ...


class Backend:
    """Runs every definition as it is written, in NumPy.

    Attributes
    ----------
    name : str
        What a training records.
    """

    name: str = "numpy"

    def fetch(self, definition: Definition, pool: Pool = SERIAL) -> Definition:
        """Return the version of a definition that this backend runs, ready to be called.

        Parameters
        ----------
        definition : function
            Defined in a file of this library.
        pool : Pool
            Whose threads a compiled version may share its work with.
        """
        return definition

    def compiles(self, definition: Callable[..., object]) -> bool:
        """Return whether `fetch` gives a compiled version of a definition."""
        return False

    def network_pass(
        self, operations: Sequence[LayerOperation], weights: Array, gradient: Array, pool: Pool
    ) -> NetworkPass | None:
        """Return a compiled pass through a whole network, or None.

        Parameters
        ----------
        operations : sequence of LayerOperation
            The layers up to the logits, in order.
        weights, gradient : array, shape (size,)
            The vectors that the operations' offsets count in. All weights are trained.
        pool : Pool
            Whose threads the pass may share its rows with.
        """
        return None

    def threads(self, threads: int | None = None, lanes: int = LANES) -> Threads:
        """Return a pool of threads that suits this backend; see `Threads`."""
        return Threads(threads, lanes=lanes)


class FusedBackend(Backend):
    """Runs compiled versions, for the definitions that have one.

    Compiled code is cached on disk, so that only the first training ever waits for the compiler.

    Parameters
    ----------
    dtype : float32 or float64
        The type of weights, for which functions are compiled before they are first called.
    """

    name = "fused"

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        self._ready: set[ModuleType] = set()

    def fetch(self, definition: Definition, pool: Pool = SERIAL) -> Definition:
        """Return the compiled version of a definition or, where there is none, itself."""
        found = _compiled_version(definition)
        if found is None:
            return definition
        module, function = found
        self._rehearse(module)
        if getattr(function, "splits", False):
            function = partial(function, pool)
        return cast(Definition, function)

    def compiles(self, definition: Callable[..., object]) -> bool:
        """Return whether there is a compiled version that runs on this machine."""
        found = _compiled_version(definition)
        return found is not None and _available(found[0], self.dtype)

    def network_pass(
        self, operations: Sequence[LayerOperation], weights: Array, gradient: Array, pool: Pool
    ) -> NetworkPass | None:
        """Return a compiled pass, for networks of dense layers with simple activations."""
        module = import_module("handloom.fused.dense")
        if not _available(module, self.dtype) or not module.takes(operations):
            return None
        self._rehearse(module)
        return cast(NetworkPass, module.DensePass(operations, weights, gradient, pool))

    def threads(self, threads: int | None = None, lanes: int = LANES) -> Threads:
        """Return a pool whose threads stay awake for a while and share compiled jobs."""
        atomics = import_module("handloom.fused.atomics")
        split_job = import_module("handloom.fused.split_job")
        for module in (atomics, split_job):
            self._rehearse(module)
        pool = Threads(threads, lanes=lanes, wait=atomics.wait)
        pool.splitter = split_job.SplitJobs(pool.lend)
        return pool

    def _rehearse(self, module: ModuleType) -> None:
        """Have a module's functions compiled for the dtype, or read from the cache."""
        if module not in self._ready:
            module.rehearse(self.dtype)
            self._ready.add(module)


NUMPY = Backend()


class Computes:
    """A part that computes with definitions, by NumPy until it is told otherwise."""

    def fetch(self, backend: Backend) -> None:
        """Take the backend's version of every definition that this part computes with."""

    def on(self, backend: Backend) -> Self:
        """Return a copy that computes on a backend."""
        replica = copy.copy(self)
        replica.fetch(backend)
        return replica


def choose_backend(
    name: str, dtype: npt.DTypeLike, *, weights: int, rows: int, steps: int
) -> Backend:
    """Return the backend for a training, by a rule that looks at its size and at nothing else.

    Parameters
    ----------
    name : str
        ``"numpy"``, ``"fused"``, or ``"auto"``: fused where Numba is installed and the training is
        long enough for loading it to pay.
    dtype : float32 or float64
        The type of the weights.
    weights, rows, steps : int
        The size of the network, and the number of rows and updates of the whole training.

    Raises
    ------
    ConfigurationError
        If the name is unknown.
    MissingExtraError
        If the fused backend is asked for by name and Numba is not installed.
    """
    require_known("backend", name, BACKENDS)
    if name == "fused" and quickest_backend() != "fused":
        raise MissingExtraError("numba", "fast", "training with compiled functions")
    long = weights * (rows + ROWS_PER_UPDATE * steps) >= FUSED_FROM
    if name == "numpy" or quickest_backend() == "numpy" or (name == "auto" and not long):
        return NUMPY
    return FusedBackend(dtype)


def quickest_backend() -> str:
    """Return the name of the quickest backend that is installed."""
    return "numpy" if find_spec("numba") is None else "fused"


@cache
def _compiled_version(
    definition: Callable[..., object],
) -> tuple[ModuleType, Callable[..., Any]] | None:
    """Return a definition's compiled version and its module, found by the two names."""
    package, _, file = definition.__module__.rpartition(".")
    name = f"handloom.fused.{file}"
    if package.partition(".")[0] != "handloom" or find_spec(name) is None:
        return None
    module = import_module(name)
    function = getattr(module, definition.__name__, None)
    return None if function is None else (module, function)


def _available(module: ModuleType, dtype: np.dtype[Any]) -> bool:
    """Return whether a module finds what it needs; those that call BLAS may not."""
    check = getattr(module, "available", None)
    return check is None or bool(check(dtype))
