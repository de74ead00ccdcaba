"""Adam, and AdamW: the same with weight decay."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from handloom.errors import require_fraction, require_number
from handloom.operations import AdamUpdate, Update
from handloom.optimizers.base import Optimizer
from handloom.optimizers.moving_average import flush
from handloom.parameters import Array


def adam_step(
    w: Array,
    dw: Array,
    m: Array,
    v: Array,
    rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    step: int,
    scratch: Array,
) -> None:
    """Make the ``t``-th step of Adam at learning rate ``r`` on one block of weights, in place.

    ::

        m <- beta1 m + (1 - beta1) dw
        v <- beta2 v + (1 - beta2) dw^2
        w <- w - r (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)

    Parameters
    ----------
    w, dw : array, shape (size,)
        Weights, and their gradient, which is only read.
    m, v : array, shape (size,)
        The first and the second moment.
    rate : float
        ``r``.
    beta1, beta2, epsilon : float
        As in `Adam`.
    step : int
        ``t``, counted from 1.
    scratch : array, shape (size,)
        Memory for intermediate results.
    """
    m *= beta1
    m += np.multiply(dw, 1.0 - beta1, out=scratch)
    v *= beta2
    np.square(dw, out=scratch)
    scratch *= 1.0 - beta2
    v += scratch
    flush(m, step)
    flush(v, step)

    # numerator and denominator times root = sqrt(1 - beta2^t), which spares a pass over v
    root = math.sqrt(1.0 - beta2**step)
    np.sqrt(v, out=scratch)
    scratch += epsilon * root
    np.divide(m, scratch, out=scratch)
    scratch *= rate * root / (1.0 - beta1**step)
    w -= scratch


class Adam(Optimizer):
    """Adam: each weight steps by its mean gradient over the root of its mean squared gradient.

    One step is `adam_step`. The state starts as zeros, and dividing by ``1 - beta^t`` corrects the
    bias of the moments toward them.

    Parameters
    ----------
    beta1, beta2 : float
        How much of the two moments is kept, at least 0 and below 1.
    epsilon : float
        Added to the root, so that it never divides by zero.
    weight_decay : float
        See `Optimizer`; with it this is the rule called AdamW.

    Raises
    ------
    ConfigurationError
        If a parameter is out of range.

    References
    ----------
    Kingma, Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015; Loshchilov, Hutter,
    "Decoupled Weight Decay Regularization", ICLR 2019, on the decay.
    """

    kind = "adam"
    moments = ("first_moment", "second_moment")

    def __init__(
        self,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-7,
        *,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(weight_decay=weight_decay)
        self.beta1 = require_fraction("beta1", beta1)
        self.beta2 = require_fraction("beta2", beta2)
        self.epsilon = require_number("epsilon", epsilon, minimum=0.0, exclusive=True)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {
            "beta1": self.beta1,
            "beta2": self.beta2,
            "epsilon": self.epsilon,
            "weight_decay": self.weight_decay,
        }

    @property
    def definition(self) -> Callable[..., None]:
        """`adam_step`."""
        return adam_step

    def update(
        self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
    ) -> None:
        """Update one block by `adam_step`."""
        m, v = state["first_moment"], state["second_moment"]
        betas = self.beta1, self.beta2
        self._step(w, dw, m, v, rate, *betas, self.epsilon, self.steps, scratch)

    def describe(self) -> Update:
        """Return the step as a record."""
        return Update(AdamUpdate(self.beta1, self.beta2, self.epsilon), self.weight_decay)


class AdamW(Adam):
    """Adam with weight decay, beside the gradient and not in it.

    One step at learning rate ``r``, for weights with a decay ``c``::

        w <- w - r c w
        w <- w - r adam(dw)

    A penalty's gradient would be divided by the root of the second moment, so that weights with
    large gradients would hardly be held back; the decay shrinks all by the same factor.

    Parameters
    ----------
    beta1, beta2, epsilon : float
        As in `Adam`.
    weight_decay : float
        The decay ``c``; see `Optimizer` for what decays.

    Raises
    ------
    ConfigurationError
        If a parameter is out of range.

    References
    ----------
    Loshchilov, Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    """

    kind = "adamw"

    def __init__(
        self,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-7,
        *,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(beta1, beta2, epsilon, weight_decay=weight_decay)

    def describe(self) -> Update:
        """Return the step as a record."""
        return super().describe()
