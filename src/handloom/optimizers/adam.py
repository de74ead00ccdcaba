"""Adam, and AdamW: the same with another default, ``weight_decay=0.01`` instead of 0."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from handloom.errors import require_fraction
from handloom.operations import AdamUpdate, Update
from handloom.optimizers.base import Optimizer
from handloom.optimizers.moving_average import flush_to_zero, require_epsilon
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
    """Make one step of Adam at learning rate ``r``, in place.

    ::

        m <- beta1 m + (1 - beta1) dw
        v <- beta2 v + (1 - beta2) dw^2
        w <- w - r (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + epsilon)

    All arrays are float32, or all are float64. ``m`` and ``v`` start as zeros and are kept from
    step to step. At every eighth step their entries of magnitude below 1e-34 become 0.

    Parameters
    ----------
    w, dw : array, shape (size,)
        Some of the weights, and the gradient of the loss, which is only read.
    m, v : array, shape (size,)
        The first and second moments: moving averages of ``dw`` and of ``dw^2``.
    rate : float
        The learning rate ``r``.
    beta1, beta2, epsilon : float
        As in `Adam`.
    step : int
        The number of this step, counted from 1.
    scratch : array, shape (size,)
        Memory for intermediate results, overwritten; must not overlap the other arrays.
    """
    np.multiply(dw, 1.0 - beta1, out=scratch)
    m *= beta1
    m += scratch
    np.square(dw, out=scratch)
    scratch *= 1.0 - beta2
    v *= beta2
    v += scratch
    # If a gradient stays 0, m and v shrink toward 0 and become subnormal numbers, on which
    # processors are slow. In eight steps they cannot shrink from 1e-34 to a subnormal number.
    flush_to_zero(m, step)
    flush_to_zero(v, step)

    # the step above, with numerator and denominator multiplied by the correction of the root, so
    # that v need not be divided by its square
    correction = math.sqrt(1.0 - beta2**step)
    np.sqrt(v, out=scratch)
    scratch += epsilon * correction
    np.divide(m, scratch, out=scratch)
    scratch *= rate * correction / (1.0 - beta1**step)
    w -= scratch


class Adam(Optimizer):
    """Adam: moving averages of the gradient and of its square, with bias correction.

    The update rule is `adam_step`. Both averages start as zeros, which biases them toward zero;
    dividing by ``1 - beta1^step`` and ``1 - beta2^step`` corrects this.

    Parameters
    ----------
    beta1, beta2 : float
        The decays of the moving averages of ``dw`` and ``dw^2``, at least 0 and below 1.
    epsilon : float
        Added to the root for numerical stability, at least 1e-12. The default is that of Keras;
        estimators have that of scikit-learn, 1e-8.
    weight_decay : float
        The decay, at least 0, by which `Optimizer` shrinks matrices, but not biases, before
        the update: ``w <- w - r decay w``. With a decay above 0 this is AdamW.
    proximal_l1 : float
        The strength of the proximal step, by which `Optimizer` sets small weights to 0 after the
        update.

    Raises
    ------
    ConfigurationError
        If a parameter is out of range.

    References
    ----------
    Kingma, Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015. On the decay: Loshchilov,
    Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    """

    kind = "adam"
    state_names = ("first_moment", "second_moment")  # the names of m and v in files

    def __init__(
        self,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float = 0.0,
        proximal_l1: float = 0.0,
    ) -> None:
        super().__init__(weight_decay=weight_decay, proximal_l1=proximal_l1)
        self.beta1 = require_fraction("beta1", beta1)
        self.beta2 = require_fraction("beta2", beta2)
        self.epsilon = require_epsilon(epsilon)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {
            "beta1": self.beta1,
            "beta2": self.beta2,
            "epsilon": self.epsilon,
            "weight_decay": self.weight_decay,
            "proximal_l1": self.proximal_l1,
        }

    @property
    def step_definition(self) -> Callable[..., None]:
        """The NumPy function `adam_step`.

        `Optimizer.bind` sets ``self._step_function`` to it or to its compiled version.
        """
        return adam_step

    def update(
        self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
    ) -> None:
        """Update one block of weights by `adam_step`, with the shapes and dtypes described there.

        `Optimizer.step` has already counted the step and applied the decay, ``w <- w - r decay w``.
        """
        m, v, beta1, beta2 = state["first_moment"], state["second_moment"], self.beta1, self.beta2
        self._step_function(w, dw, m, v, rate, beta1, beta2, self.epsilon, self.steps, scratch)

    def as_operation(self) -> Update:
        """Return the step as a record."""
        adam = AdamUpdate(self.beta1, self.beta2, self.epsilon)
        return Update(adam, self.weight_decay, self.proximal_l1)


class AdamW(Adam):
    """AdamW: `Adam` with a decoupled weight decay of 0.01 by default.

    One step at learning rate ``r``, for weights that decay::

        w <- w - r decay w          in `Optimizer.step`
        w <- as by `adam_step`      in `Adam.update`

    The default of ``weight_decay`` is the only difference from `Adam`.

    The gradient of an L2 penalty in the loss would enter both moments and be divided by the root of
    the second, so weights with large gradients would hardly decay. Decoupled decay shrinks all
    weights that decay by the same factor, ``1 - r decay``.

    Parameters
    ----------
    beta1, beta2, epsilon : float
        As in `Adam`.
    weight_decay : float
        The decay; see `Optimizer` for the arrays that decay.
    proximal_l1 : float
        See `Optimizer`.

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
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float = 0.01,
        proximal_l1: float = 0.0,
    ) -> None:
        super().__init__(
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            weight_decay=weight_decay,
            proximal_l1=proximal_l1,
        )

    def as_operation(self) -> Update:
        """Return the record of `Adam`; needed since `operation_of` ignores an inherited method."""
        return super().as_operation()
