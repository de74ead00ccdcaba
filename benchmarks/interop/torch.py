"""Every layer as a module of PyTorch: the largest difference of its predictions.

``python -m benchmarks.interop.torch`` prints them.
"""

import tempfile
from pathlib import Path

import numpy as np
from tests.helpers.random_networks import IMAGE, SINGLE_LAYERS, random_model

from handloom import Flatten
from handloom.interop.torch import to_torch


def differences() -> dict[str, float]:
    """Return the largest difference between predictions for 64 rows, by the class of the layer.

    Weights, running statistics and rows are random, and everything is in float32. Of several
    networks that begin with a layer of the class, in `tests.helpers.random_networks`, the largest
    counts.

    Raises
    ------
    RuntimeError
        If PyTorch is not installed.
    """
    rng = np.random.default_rng(0)
    largest: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for shape, layers in [*SINGLE_LAYERS.values(), (IMAGE, [Flatten()])]:
            exported = to_torch(random_model(shape, layers, rng), Path(folder) / "model")
            if exported.largest_difference is None:
                raise RuntimeError(exported.not_compared)
            kind = type(layers[0]).__name__
            largest[kind] = max(exported.largest_difference, largest.get(kind, 0.0))
    return largest


if __name__ == "__main__":
    for name, difference in differences().items():
        print(f"{name:<24}{difference:.1e}")
