"""The environment of a result: versions, processor, cores and BLAS."""

import os
import platform
import sys
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from handloom._version import __version__


def environment() -> dict[str, Any]:
    """Return versions, processor, cores and BLAS, as JSON can hold them.

    Results agree to the bit where versions, processor and BLAS do; see the guide to training.
    """
    return {
        "versions": {
            "handloom": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "numba": _version_of("numba"),
        },
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "blas": list(_blas(len(sys.modules))),
    }


def processor_name() -> str:
    """Return the name of the processor's model, on which compiled code may depend."""
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:  # of other systems
        pass
    return platform.processor() or platform.machine()


@cache  # reading it takes milliseconds, and a package that is loaded stays as it is
def _version_of(package: str) -> str | None:
    """Return the version of a package, ``"unknown"`` without metadata, None if not installed."""
    from importlib.metadata import version  # slow to load, and needed here alone

    try:
        return version(package) or "unknown"
    except Exception:  # metadata may be missing, incomplete or unreadable
        return "unknown" if _is_installed(package) else None


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # a module without a specification
        return True


@lru_cache(maxsize=1)
def _blas(_modules: int) -> tuple[str, ...]:
    """Return NumPy's BLAS libraries, or all that are loaded where none is NumPy's own.

    They are looked up again only if the number of imported modules has changed: looking through
    all libraries takes longer than a small training.
    """
    from threadpoolctl import threadpool_info  # imported when a run is recorded

    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    own = [library for library in libraries if "numpy" in library["filepath"]]
    return tuple(
        f"{library['internal_api']} {library['version']} {library.get('architecture', '')}"
        for library in own or libraries
    )
