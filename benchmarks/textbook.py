"""The notebook's arithmetic, written plainly: the baseline to be faster than, and an oracle.

Dense - ReLU - Dense - ReLU - Dense - softmax, trained full-batch: every array is as large as the
data, nothing is reused, and the gradient of the input is computed though nobody reads it. In
float64, as the notebook ran, unless another dtype is given.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Textbook:
    """A network of dense layers that are trained the long way.

    Parameters
    ----------
    arrays : list of array
        Weights (d, h) and biases (h,) of each layer in turn; copied.
    l2 : float
        The L2 strength on weights and biases of the first layer.
    """

    def __init__(
        self, arrays: Sequence[Array], l2: float = 0.0, dtype: npt.DTypeLike = np.float64
    ) -> None:
        self.weights = [array.astype(dtype) for array in arrays[0::2]]
        self.biases = [array.astype(dtype) for array in arrays[1::2]]
        self.l2 = l2
        self.state: dict[int, Any] = {}
        self.steps = 0

    @property
    def arrays(self) -> list[Array]:
        """Return weights and biases in the order in which they were given."""
        return [array for pair in zip(self.weights, self.biases, strict=True) for array in pair]

    def loss_and_gradients(self, x: Array, targets: Array) -> tuple[float, list[Array]]:
        """Return the loss, penalty included, and the gradient of every array."""
        inputs = [x]
        for w, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            inputs.append(np.maximum(0, inputs[-1] @ w + b))
        logits = inputs[-1] @ self.weights[-1] + self.biases[-1]
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)

        n = len(x)
        clipped = np.clip(probabilities, 1e-7, 1 - 1e-7)
        loss = -np.log(clipped[range(n), targets]).mean()
        loss += self.l2 * (np.sum(self.weights[0] ** 2) + np.sum(self.biases[0] ** 2))

        delta = probabilities.copy()
        delta[range(n), targets] -= 1
        delta = delta / n
        gradients: list[Array] = []
        for layer in range(len(self.weights) - 1, -1, -1):
            if layer < len(self.weights) - 1:
                delta = delta.copy()
                delta[inputs[layer + 1] <= 0] = 0
            dw, db = inputs[layer].T @ delta, delta.sum(axis=0)
            if layer == 0:
                dw += 2 * self.l2 * self.weights[0]
                db += 2 * self.l2 * self.biases[0]
            gradients = [dw, db, *gradients]
            delta = delta @ self.weights[layer].T
        return float(loss), gradients

    def sgd(self, gradients: Sequence[Array], rate: float, momentum: float = 0.0) -> None:
        """Make one step of gradient descent, with momentum where it is given."""
        for index, (array, gradient) in enumerate(zip(self.arrays, gradients, strict=True)):
            velocity = self.state.get(index, 0.0)
            velocity = momentum * velocity - rate * gradient
            self.state[index] = velocity
            array[...] = array + velocity

    def adam(
        self,
        gradients: Sequence[Array],
        rate: float,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-7,
    ) -> None:
        """Make one step of Adam."""
        self.steps += 1
        for index, (array, gradient) in enumerate(zip(self.arrays, gradients, strict=True)):
            m, v = self.state.get(index, (0.0, 0.0))
            m = beta1 * m + (1 - beta1) * gradient
            v = beta2 * v + (1 - beta2) * gradient**2
            self.state[index] = m, v
            m_hat, v_hat = m / (1 - beta1**self.steps), v / (1 - beta2**self.steps)
            array[...] = array - rate * m_hat / (np.sqrt(v_hat) + epsilon)
