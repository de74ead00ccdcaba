"""What a result depends on beside its settings: versions, the machine, its matrix products."""

import os
import platform

import numpy as np


def circumstances() -> dict[str, object]:
    """Return versions, processor, cores and BLAS, as JSON can hold them.

    Bits are promised where versions, processor and BLAS are the same; see the guide to training.
    """
    from threadpoolctl import threadpool_info  # imported when a run is recorded

    from handloom import __version__

    return {
        "versions": {
            "handloom": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "blas": [
            f"{library['internal_api']} {library['version']} {library.get('architecture', '')}"
            for library in threadpool_info()
            if library["user_api"] == "blas"
        ],
    }
