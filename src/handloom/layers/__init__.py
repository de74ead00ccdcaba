"""The layers, one idea a file, and the closed list of those that a file may name."""

from handloom.layers.activations import ReLU, Softmax, softmax
from handloom.layers.base import Layer
from handloom.layers.dense import Dense

LAYERS: dict[str, type[Layer]] = {layer.kind: layer for layer in (Dense, ReLU, Softmax)}

__all__ = ["LAYERS", "Dense", "Layer", "ReLU", "Softmax", "softmax"]
