"""Networks with random weights, layer by layer and mixed: held against NumPy in a browser."""

import copy
from collections.abc import Sequence

import numpy as np

from handloom import Model, Sequential
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

Layers = Sequence[Layer]

FLAT, IMAGE = (12,), (3, 9, 7)

SINGLE_LAYERS: dict[str, tuple[tuple[int, ...], Layers]] = {
    "dense": (FLAT, [Dense(5)]),
    "relu": (FLAT, [ReLU()]),
    "leaky_relu": (FLAT, [LeakyReLU(0.2)]),
    "elu": (FLAT, [ELU(0.7)]),
    "tanh": (FLAT, [Tanh()]),
    "sigmoid": (FLAT, [Sigmoid()]),
    "silu": (FLAT, [SiLU()]),
    "gelu": (FLAT, [GELU()]),
    "softmax": (FLAT, [Softmax()]),
    "dropout": (FLAT, [Dropout(0.5)]),
    "batch_norm": (FLAT, [BatchNorm()]),
    "layer_norm": (FLAT, [LayerNorm(epsilon=1e-3)]),
    "flatten": (IMAGE, [Flatten()]),
    "reshape": (FLAT, [Reshape((3, 2, 2)), Conv2D(2, 2), Flatten()]),
    "batch_norm of images": (IMAGE, [BatchNorm(), Flatten()]),
    "layer_norm of images": (IMAGE, [LayerNorm(), Flatten()]),
    "conv2d": (IMAGE, [Conv2D(4, 3), Flatten()]),
    "conv2d without biases": (IMAGE, [Conv2D(4, 3, biases=False), Flatten()]),
    "conv2d, same": (IMAGE, [Conv2D(4, 3, padding="same"), Flatten()]),
    "conv2d, same, even": (IMAGE, [Conv2D(4, 2, padding="same"), Flatten()]),
    "conv2d, same, stride": (IMAGE, [Conv2D(4, 4, stride=3, padding="same"), Flatten()]),
    "conv2d, padding 2, stride 2": (IMAGE, [Conv2D(4, 5, stride=2, padding=2), Flatten()]),
    "conv2d 1 x 1": (IMAGE, [Conv2D(4, 1), Flatten()]),
    "max_pool2d": (IMAGE, [MaxPool2D(2), Flatten()]),
    "max_pool2d, overlapping": (IMAGE, [MaxPool2D(3, stride=2), Flatten()]),
    "max_pool2d, gaps": (IMAGE, [MaxPool2D(2, stride=3), Flatten()]),
    "average_pool2d": (IMAGE, [AveragePool2D(3, stride=2), Flatten()]),
    "global_average_pool2d": (IMAGE, [GlobalAveragePool2D()]),
    "embedding": (FLAT, [Embedding({11: 1, 2: 4, 3: 2}, width=3)]),
    "embedding of a single column": (FLAT, [Embedding({0: 30}), Dense(3)]),
    "residual": (FLAT, [Residual([Dense(12), ReLU(), Dense(12)])]),
    "residual with a shortcut": (
        IMAGE,
        [
            Residual(
                [Conv2D(4, 3, padding="same", stride=2), BatchNorm(), SiLU()],
                [Conv2D(4, 1, stride=2)],
            ),
            Flatten(),
        ],
    ),
    "residual in residual": (FLAT, [Residual([Dense(12), Residual([Tanh(), Dense(12)])])]),
}
"""Networks of one kind of layer: the shape of a row, and the layers."""


def random_layers(rng: np.random.Generator) -> Layers:
    """Return layers of a random network for images (3, 9, 7), which ends in 4 outputs."""

    def some(*layers: Layer) -> Layer:
        return layers[rng.integers(len(layers))]

    convolutions: list[Layer] = []
    for _ in range(rng.integers(1, 4)):
        size = int(rng.integers(1, 4))
        convolutions += [
            Conv2D(int(rng.integers(2, 6)), size, padding="same", stride=int(rng.integers(1, 3))),
            some(BatchNorm(), LayerNorm(), Dropout(0.2)),
            some(ReLU(), GELU(), SiLU(), ELU(), Tanh()),
        ]
    width = int(rng.integers(4, 30))
    return [
        *convolutions,
        some(MaxPool2D(1), AveragePool2D(2, stride=1), Dropout(0.1))
        if len(convolutions) < 6
        else Dropout(0.1),
        Flatten(),
        Dense(width),
        some(LeakyReLU(), Sigmoid(), ReLU()),
        Residual([Dense(width), LayerNorm(), ReLU()]),
        Dense(4),
    ]


def random_row(shape: tuple[int, ...], layers: Layers, rng: np.random.Generator) -> np.ndarray:
    """Return a row that the layers take."""
    row = rng.standard_normal(shape).astype(np.float32)
    for column in layers[0].index_columns:
        row[column] = rng.integers(0, 3)
    return row


def random_model(
    shape: tuple[int, ...],
    layers: Layers,
    rng: np.random.Generator,
    *,
    dtype: str = "float32",
    output_activation: str = "identity",
) -> Model:
    """Return a model whose arrays, running statistics included, are random."""
    network = Sequential(copy.deepcopy(layers)).build(
        shape, seed=int(rng.integers(1 << 30)), dtype=dtype
    )
    for name, array in network.parameters.weights.items():
        array[...] += 0.2 * rng.standard_normal(array.shape)
        if name.endswith("variance"):
            np.abs(array, out=array)
    (outputs,) = network.output_shape
    names = tuple(f"class {index}" for index in range(outputs))
    return Model(network, AsFloat(), names, shape, "float32", output_activation=output_activation)


def outputs_of(
    model: Model, row: np.ndarray, switched_off: dict[str, list[int]] | None = None
) -> dict[str, np.ndarray]:
    """Return the output of each outer layer for one row, as NumPy computes it."""
    network, off = model.before_loss, switched_off or {}
    dtype = network.parameters.dtype
    x = np.empty((1, row.size), dtype)
    model.transform(row[None], x)
    x = x.reshape(1, *network.input_shape)
    outputs = {}
    for name, layer in network.named_layers():
        x = layer.forward(x)
        if name in off:
            x = x.copy()
            x[:, off[name]] = 0.0
        outputs[name] = x[0].ravel()
    return outputs
