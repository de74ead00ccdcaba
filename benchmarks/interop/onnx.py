"""Each layer in onnxruntime: the largest difference from its outputs here."""

import copy
import tempfile
from pathlib import Path

import numpy as np

from handloom import Model, Sequential, to_onnx
from handloom.data import AsFloat
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

FLAT, IMAGE = (12,), (3, 9, 7)

LAYERS: dict[str, tuple[tuple[int, ...], list[Layer]]] = {
    "Dense": (FLAT, [Dense(5)]),
    "ReLU": (FLAT, [ReLU()]),
    "LeakyReLU": (FLAT, [LeakyReLU()]),
    "ELU": (FLAT, [ELU()]),
    "Tanh": (FLAT, [Tanh()]),
    "Sigmoid": (FLAT, [Sigmoid()]),
    "SiLU": (FLAT, [SiLU()]),
    "GELU": (FLAT, [GELU()]),
    "Softmax": (FLAT, [Softmax()]),
    "Dropout": (FLAT, [Dropout(0.5)]),
    "BatchNorm": (FLAT, [BatchNorm()]),
    "BatchNorm of images": (IMAGE, [BatchNorm(), Flatten()]),
    "LayerNorm": (FLAT, [LayerNorm()]),
    "Conv2D": (IMAGE, [Conv2D(4, 3, padding="same", stride=2), Flatten()]),
    "MaxPool2D": (IMAGE, [MaxPool2D(2), Flatten()]),
    "AveragePool2D": (IMAGE, [AveragePool2D(2), Flatten()]),
    "GlobalAveragePool2D": (IMAGE, [GlobalAveragePool2D()]),
    "Flatten": (IMAGE, [Flatten()]),
    "Reshape": (FLAT, [Reshape((3, 2, 2)), Flatten()]),
    "Embedding": (FLAT, [Embedding({1: 3, 4: 2}, width=4)]),
    "Residual": (FLAT, [Residual([Dense(12), ReLU(), Dense(12)])]),
}
"""A network for each layer: the shape of a row, and the layers."""


def models(dtype: str = "float32") -> dict[str, Model]:
    """Return a model with random weights and running statistics for each layer."""
    made = {}
    for name, (shape, layers) in LAYERS.items():
        rng = np.random.default_rng(1)
        network = Sequential(copy.deepcopy(layers)).build(shape, seed=1, dtype=dtype)
        for array, values in network.parameters.weights.items():
            values[...] += 0.2 * rng.standard_normal(values.shape)
            if array.endswith("variance"):
                np.abs(values, out=values)
        (outputs,) = network.output_shape
        names = tuple(map(str, range(outputs)))
        made[name] = Model(
            network, AsFloat(), names, shape, "float32", output_activation="identity"
        )
    return made


def differences(dtype: str = "float32", opset: int = 17) -> dict[str, float]:
    """Return the largest absolute difference of the outputs of each layer in onnxruntime.

    Outputs are of the order of 1, for 64 rows of normally distributed features.

    Parameters
    ----------
    dtype : {"float32", "float64"}
    opset : int
    """
    largest = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, model in models(dtype).items():
            exported = to_onnx(model, Path(folder) / "model.onnx", opset=opset)
            if exported.largest_difference is None:
                raise RuntimeError(f"{name}: {exported.not_compared}")
            largest[name] = exported.largest_difference
    return largest


if __name__ == "__main__":
    single, double = differences("float32"), differences("float64")
    print("| layer | float32 | float64 |\n|---|---|---|")
    for name in single:
        print(f"| {name} | {single[name]:.1e} | {double[name]:.1e} |")
