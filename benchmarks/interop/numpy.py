"""The file of `handloom.to_numpy` compared with the model, layer by layer.

Run it with ``python -m benchmarks.interop.numpy``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from handloom import Model, Sequential, to_numpy
from handloom.data.transforms import AsFloat
from handloom.layers import (
    ELU,
    GELU,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePool2D,
    Layer,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Reshape,
    Residual,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)

FLAT, IMAGE = (64,), (8, 14, 14)

NETWORKS: Mapping[str, tuple[tuple[int, ...], Sequence[Layer]]] = {
    "dense": (FLAT, [Dense(32)]),
    "conv2d": (IMAGE, [Conv2D(16, 3, padding="same"), Flatten()]),
    "residual": (FLAT, [Residual([Dense(64), ReLU(), Dense(64)])]),
    "relu": (FLAT, [ReLU()]),
    "leaky_relu": (FLAT, [LeakyReLU()]),
    "elu": (FLAT, [ELU()]),
    "tanh": (FLAT, [Tanh()]),
    "sigmoid": (FLAT, [Sigmoid()]),
    "silu": (FLAT, [SiLU()]),
    "gelu": (FLAT, [GELU()]),
    "softmax": (FLAT, [Softmax()]),
    "dropout": (FLAT, [Dropout()]),
    "batch_norm": (IMAGE, [BatchNorm(), Flatten()]),
    "layer_norm": (IMAGE, [LayerNorm(), Flatten()]),
    "max_pool2d": (IMAGE, [MaxPool2D(3, stride=2), Flatten()]),
    "average_pool2d": (IMAGE, [AveragePool2D(2), Flatten()]),
    "global_average_pool2d": (IMAGE, [GlobalAveragePool2D()]),
    "flatten": (IMAGE, [Flatten()]),
    "reshape": (FLAT, [Reshape((4, 4, 4)), Flatten()]),
    "embedding": (FLAT, [Embedding({0: 10, 5: 3})]),
}
"""A network for each layer: the shape of a row, and the layers."""


def differences() -> dict[str, float]:
    """Return the largest difference of a prediction to the model's, float32, by layer."""
    with TemporaryDirectory() as folder:
        return {
            name: to_numpy(_model(*network), Path(folder) / "model.py").largest_difference or 0.0
            for name, network in NETWORKS.items()
        }


def _model(shape: tuple[int, ...], layers: Sequence[Layer]) -> Model:
    """Return a model with random arrays, running statistics included."""
    rng = np.random.default_rng(0)
    network = Sequential(layers).build(shape)
    for name, array in network.parameters.weights.items():
        array[...] += 0.2 * rng.standard_normal(array.shape)
        if name.endswith("variance"):
            np.abs(array, out=array)
    (outputs,) = network.output_shape
    return Model(
        network,
        AsFloat(),
        tuple(map(str, range(outputs))),
        shape,
        "float32",
        output_activation=network.output_activation or "identity",
    )


if __name__ == "__main__":
    for layer, difference in differences().items():
        print(f"{layer:<24}{difference:.2g}")
