"""Adam, and AdamW: the same with weight decay."""

from collections.abc import Mapping

from handloom.errors import require_fraction, require_number
from handloom.optimizers.base import Optimizer
from handloom.parameters import Array


class Adam(Optimizer):
    """Adam: each weight steps by its mean gradient over the root of its mean squared gradient.

    One step, the ``t``-th, at learning rate ``r``::

        m <- beta1 m + (1 - beta1) dw
        v <- beta2 v + (1 - beta2) dw^2
        w <- w - r (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)

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

    def _update(
        self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
    ) -> None:
        self.kernels.adam(
            w,
            dw,
            state["first_moment"],
            state["second_moment"],
            rate,
            self.beta1,
            self.beta2,
            self.epsilon,
            self.steps,
            scratch,
        )


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
