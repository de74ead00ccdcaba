"""Networks for the gradient check, and layers with typical mistakes in their gradients."""

import numpy as np
import pytest
from tests.helpers.own_layers import Drop, Normalize, Rng, Scale, Square, rows

from handloom import Dense, ReLU, Sequential, Softmax
from handloom.parameters import Array

X = rows(6, 5)
TARGETS = np.array([0, 3, 1, 2, 2, 4])
both_modes = pytest.mark.parametrize("thorough", [False, True], ids=["fast", "thorough"])


def network(**strengths: float) -> Sequential:
    return Sequential([Dense(12, **strengths), ReLU(), Dense(5), Softmax()])  # type: ignore[arg-type]


class WrongSign(Scale):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        dx = super().backward(dy, need_dx=need_dx)
        self.gradients["gain"][...] *= -1
        return dx


class TransposedInBackward(Square):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        super().backward(dy)
        return dy @ self.weights["w"]


class TransposedGradient(Square):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        self.gradients["w"][...] = dy.T @ self._saved_array()
        return dy @ self.weights["w"].T


class MaskOfTheWrongArray(ReLU):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return np.where(dy > 0, dy, 0.0)


class StaleCache(ReLU):
    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        if self._saved is None:
            self._save_for_backward(x, training)
        return np.maximum(x, 0.0)


class StaleWeights(Square):
    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        if not hasattr(self, "transposed"):
            self.transposed = self.weights["w"].T.copy()
        return super().forward(x, training=training)

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        super().backward(dy)
        return dy @ self.transposed


class NoBiasGradient(Scale):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        self.gradients["gain"][...] = (dy * self._saved_array()).sum(axis=0)
        return dy * self.weights["gain"]


class Accumulated(Scale):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        self.gradients["gain"][...] = (dy * self._saved_array()).sum(axis=0)
        self.gradients["shift"][...] += dy.sum(axis=0)
        return dy * self.weights["gain"]


class ReplacedGradient(Scale):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        self.gradients["gain"][...] = (dy * self._saved_array()).sum(axis=0)
        dy.sum(axis=0)  # which is not kept
        return dy * self.weights["gain"]


class MeanForSum(Scale):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        dx = super().backward(dy)
        self.gradients["shift"][...] = dy.mean(axis=0)
        return dx


class TwiceTheInput(ReLU):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return np.multiply(2.0, super().backward(dy))  # type: ignore[arg-type]


class ForgottenGain(Scale):
    """Right as long as the gains are one, where they start."""

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        super().backward(dy)
        return dy


class ForgottenProjection(Normalize):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        _, deviation = self._saved_arrays()
        return np.asarray((dy - dy.mean(axis=0)) / deviation)


class AnotherMask(Drop):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return dy * np.roll(self._saved_array(), 1)


class NotScaled(Drop):
    """Lets the right entries through, without doubling them."""

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return dy * (self._saved_array() > 0)


class OneEntry(Square):
    """Wrong in a single entry."""

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        dx = super().backward(dy)
        self.gradients["w"][3, 1] += 0.01
        return dx
