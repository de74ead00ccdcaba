"""What a result depends on beside its settings: versions, the machine, its matrix products."""

import os
import platform
from importlib.util import find_spec
from typing import Any

import numpy as np

from handloom._version import __version__


def environment() -> dict[str, Any]:
    """Return versions, processor, cores and BLAS, as JSON can hold them.

    Bits are promised where versions, processor and BLAS are the same; see the guide to training.
    """
    from importlib.metadata import version  # slow to load, and needed here alone

    return {
        "versions": {
            "handloom": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "numba": version("numba") if find_spec("numba") else None,
        },
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "blas": _blas(),
    }


def _blas() -> list[str]:
    """Return what computes NumPy's products; other packages may have brought their own."""
    from threadpoolctl import threadpool_info  # imported when a run is recorded

    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    own = [library for library in libraries if "numpy" in library["filepath"]]
    return [
        f"{library['internal_api']} {library['version']} {library.get('architecture', '')}"
        for library in own or libraries
    ]
