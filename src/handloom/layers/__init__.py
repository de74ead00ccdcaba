"""The layers, and the registry of the layer classes that a saved file may name."""

from handloom.layers.activations import ELU, Activation, LeakyReLU, ReLU, Sigmoid, Tanh, sigmoid
from handloom.layers.base import Layer
from handloom.layers.batch_norm import BatchNorm
from handloom.layers.convolution import Conv2D
from handloom.layers.dense import Dense
from handloom.layers.dropout import Dropout
from handloom.layers.embedding import Embedding
from handloom.layers.gated import GELU, SiLU
from handloom.layers.global_pooling import GlobalAveragePool2D
from handloom.layers.layer_norm import LayerNorm
from handloom.layers.names import LAYERS
from handloom.layers.pooling import AveragePool2D, MaxPool2D
from handloom.layers.reshape import Flatten, Reshape
from handloom.layers.residual import Residual
from handloom.layers.softmax import Softmax, softmax

LAYERS.update(
    (layer.kind, layer)
    for layer in (
        Dense,
        Conv2D,
        Residual,
        ReLU,
        LeakyReLU,
        ELU,
        Tanh,
        Sigmoid,
        SiLU,
        GELU,
        Softmax,
        Dropout,
        BatchNorm,
        LayerNorm,
        MaxPool2D,
        AveragePool2D,
        GlobalAveragePool2D,
        Flatten,
        Reshape,
        Embedding,
    )
)

__all__ = [
    "ELU",
    "GELU",
    "LAYERS",
    "Activation",
    "AveragePool2D",
    "BatchNorm",
    "Conv2D",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAveragePool2D",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "MaxPool2D",
    "ReLU",
    "Reshape",
    "Residual",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "sigmoid",
    "softmax",
]
