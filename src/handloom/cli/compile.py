"""``handloom compile``: all compiled code, made beforehand by several processes."""

import multiprocessing
import signal
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.progress import track

from handloom.backend import FusedBackend, choose_backend
from handloom.cli.console import say
from handloom.compilation import NotStoredWarning, watching
from handloom.errors import ConfigurationError, require_known
from handloom.parallel.threads import usable_cores

DTYPES = ("float32", "float64")

LONGEST = ("runner", "winograd", "network", "pooling")
"""The files that take longest to compile, so that no process is left with one at the end."""

Kernels = tuple[str, str]
"""A dtype, and the name of a file of `handloom.fused`."""


def compile(
    dtype: Annotated[
        list[str] | None,
        typer.Option(
            help="The dtype of the weights, float32 or float64; may be repeated. [default: both]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Compile the fused backend now, not at the first training.

    The code is stored where every later training finds it: beside the package, or in the directory
    that HANDLOOM_CACHE names. It is for this type of processor.

    Example: handloom compile --dtype float32
    """
    begin, names, kernels = time.perf_counter(), list(dict.fromkeys(dtype or DTYPES)), []
    for name in names:
        require_known("dtype", name, DTYPES)
        kernels += [(name, file) for file in fused_backend(name).files()]
    console = Console(stderr=True)
    compiled = sum(
        track(
            compile_all(kernels),
            "compiling",
            total=len(kernels),
            console=console,
            disable=not console.is_terminal,
        )
    )
    seconds = time.perf_counter() - begin
    done = f"compiled in {seconds:.0f} s" if compiled else "were compiled already"
    say(f"the kernels for {' and '.join(names)} {done}")


def compile_all(kernels: Iterable[Kernels]) -> Iterator[bool]:
    """Compile files of kernels on all cores; yield for each whether it was not stored yet."""
    jobs = sorted(kernels, key=lambda each: (*LONGEST, each[1]).index(each[1]))
    processes, spawning = min(len(usable_cores()), len(jobs)), multiprocessing.get_context("spawn")
    # Ctrl-C reaches all processes of a terminal: this one ends the others
    with spawning.Pool(processes, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        yield from pool.imap_unordered(compile_file, jobs)


def compile_file(kernels: Kernels) -> bool:
    """Compile a file of kernels unless its code is stored; return whether it was compiled.

    Raises
    ------
    ConfigurationError
        If Numba does not work, a function does not compile, or its code cannot be stored.
    """
    dtype, file = kernels
    begun: list[bool] = []
    with watching(lambda: begun.append(True), lambda: None), storing():
        fused_backend(dtype).compile_file(file)
    return bool(begun)


def fused_backend(dtype: str) -> FusedBackend:
    """Return the backend of a dtype; an error says why it does not work here."""
    with storing():  # it compiles a little
        return cast(FusedBackend, choose_backend("fused", dtype, work=0))


@contextmanager
def storing() -> Iterator[None]:
    """Raise an error, not a warning, if code that is compiled in the block cannot be stored."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NotStoredWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, NotStoredWarning):
            raise ConfigurationError(str(warning.message))
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
