"""Layers such as a user writes them: plain, right, and of the kinds that are hard to check."""

from typing import Any

import numpy as np
import numpy.typing as npt

from handloom import Layer, ModelError
from handloom.initializers import Zeros
from handloom.parameters import Array, ParameterSpec
from handloom.randomness import Stream

Rng = np.random.Generator | None
Float64 = npt.NDArray[np.float64]


class Ones:
    """Start at one: an initializer of one's own."""

    def __call__(self, shape: tuple[int, ...], generator: np.random.Generator) -> Float64:
        return np.ones(shape)


class Scale(Layer):
    """y = x * gain + shift, column by column; gains start at one and shifts at zero."""

    kind = "scale"

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, ParameterSpec]:
        return {
            "gain": ParameterSpec(input_shape, Ones()),
            "shift": ParameterSpec(input_shape, Zeros()),
        }

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        self._save_for_backward(x, training)
        return x * self.weights["gain"] + self.weights["shift"]

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        self.gradients["gain"][...] = (dy * self._saved_array()).sum(axis=0)
        self.gradients["shift"][...] = dy.sum(axis=0)
        return dy * self.weights["gain"] if need_dx else None


class Square(Layer):
    """y = x W with as many outputs as inputs, so that a transposed W fits too."""

    kind = "square"

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, ParameterSpec]:
        def start(shape: tuple[int, ...], generator: np.random.Generator) -> Float64:
            return generator.standard_normal(shape)

        return {"w": ParameterSpec((*input_shape, *input_shape), start)}

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        self._save_for_backward(x, training)
        return x @ self.weights["w"]

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        self.gradients["w"][...] = self._saved_array().T @ dy
        return dy @ self.weights["w"].T if need_dx else None


class MaxPool(Layer):
    """The largest of each 2 x 2 pixels, for images (n, c, y, x) of even height and width."""

    kind = "max_pool"

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        c, y, x = input_shape
        return c, y // 2, x // 2

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        n, c, height, width = x.shape
        windows = x.reshape(n, c, height // 2, 2, width // 2, 2).swapaxes(3, 4)
        windows = windows.reshape(n, c, height // 2, width // 2, 4)
        largest = (windows == windows.max(axis=-1, keepdims=True)) * np.ones(4, x.dtype)
        self._save_for_backward(largest / largest.sum(axis=-1, keepdims=True), training)
        return np.asarray(windows.max(axis=-1))

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        n, c, y, x = dy.shape
        spread = self._saved_array() * dy[..., None]
        spread = spread.reshape(n, c, y, x, 2, 2).swapaxes(3, 4)
        return spread.reshape(n, c, 2 * y, 2 * x) if need_dx else None


class Normalize(Layer):
    """Each column less its mean over the batch, over its deviation: rows depend on each other."""

    kind = "normalize"
    couples_rows = True

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        if not training:
            return x * 1
        if len(x) < 2:
            raise ModelError("normalize: a batch needs two rows")
        centered = x - x.mean(axis=0)
        deviation = np.sqrt((centered**2).mean(axis=0) + 1e-5)
        y: Array = centered / deviation
        self._save_for_backward(y, training, deviation)
        return y.copy()

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        y, deviation = self._saved_arrays()
        along = y * (dy * y).mean(axis=0)
        return (dy - dy.mean(axis=0) - along) / deviation if need_dx else None


class Drop(Layer):
    """In training half of the entries, drawn anew each time, are zero and the others doubled."""

    kind = "drop"
    stochastic = True

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        if not training:
            return x * 1
        assert rng is not None
        mask = np.where(rng.random(x.shape) < 0.5, 2.0, 0.0).astype(x.dtype)
        self._save_for_backward(mask, training)
        return x * mask

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return dy * self._saved_array() if need_dx else None


class Noise(Layer):
    """Multiplies by random zeros and twos in training, as dropout does."""

    kind = "noise"
    stochastic = True

    def forward(self, x: Array, *, training: bool = False, rng: Any = None) -> Array:
        if not training:
            return x
        self.mask = 2.0 * (rng.random(x.shape, np.float32) < 0.5)
        y: Array = (x * self.mask).astype(x.dtype)
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        dx: Array = (dy * self.mask).astype(dy.dtype)
        return dx


def rows(*shape: int, seed: int = 0) -> Array:
    """Return normal draws."""
    return Stream(seed).generator().standard_normal(shape)
