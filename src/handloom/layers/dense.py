"""Dense: the fully connected layer, ``y = x W + b``."""

from __future__ import annotations  # numpy.random is loaded when it is used

from collections.abc import Mapping
from math import prod
from typing import ClassVar

import numpy as np

from handloom.arguments import BY_POSITION
from handloom.backend import Backend
from handloom.errors import ModelError, require_count, require_number
from handloom.initializers import Initializer, Zeros, initializer, initializer_config
from handloom.layers.base import Layer
from handloom.operations import Affine
from handloom.parallel.pool import matmul
from handloom.parameters import Array, ParameterSpec
from handloom.reductions import column_sums


class Dense(Layer):
    """A fully connected (dense, linear) layer.

    Forward and, given the gradient ``dy`` of the loss with respect to ``y``, backward, for ``n``
    rows, ``d`` inputs and ``h`` units::

        y    = x W + b                   (n, h) = (n, d) (d, h) + (h,), b added to every row

        dW   = x^T dy                    (d, h) = (d, n) (n, h)
        db_u = sum over rows i of dy_iu  (h,)
        dx   = dy W^T                    (n, d) = (n, h) (h, d)

    ``W`` is ``self.weights["weights"]`` and ``b`` is ``self.weights["biases"]``; ``self.gradients``
    holds ``dW`` and ``db`` under the same names. All are views into a network's vectors, set when
    the layer is built; before that, both dicts are empty.

    A training pass saves a reference to ``x``, no copy, for ``dW``, by `Layer._save_for_backward`;
    a pass with ``training=False`` keeps the reference. `backward` may be called several times. The
    caller changes neither ``x`` nor ``W`` between forward and backward, and passes ``x`` and ``dy``
    in the dtype of ``W``; neither is checked. If the loss is a mean over rows, ``dy`` is already
    divided by ``n``.

    Parameters
    ----------
    units : int
        The number of outputs, ``h``.
    weights : str, dict or Initializer
        The initializer of ``W``: its name, its configuration, or an object, kept as
        ``self.initializer``. Biases start at zero.
    weights_l1, weights_l2, biases_l1, biases_l2 : float
        The strengths of the penalties ``l1 * sum |w| + l2 * sum w^2`` of ``W`` and of ``b``, at
        least 0. They are no part of `forward` and `backward`: training adds them to the loss, and
        their gradients ``l1 sign(w) + 2 l2 w`` to ``dW`` and ``db``, once a step.

    Raises
    ------
    ConfigurationError
        If ``units`` is not a whole number of at least 1, or a strength is negative or not finite.
    """

    kind = "dense"

    _argument_advice: ClassVar[Mapping[str, str]] = {
        **Layer._argument_advice,
        **dict.fromkeys(("bias", "biases", "use_bias"), "It always has biases"),
        BY_POSITION: "The number of its inputs comes from network.build: write Dense(64), with the "
        "number of outputs",
    }

    def __init__(
        self,
        units: int,
        *,
        weights: str | dict[str, object] | Initializer = "he",
        weights_l1: float = 0.0,
        weights_l2: float = 0.0,
        biases_l1: float = 0.0,
        biases_l2: float = 0.0,
    ) -> None:
        super().__init__()
        self.units = require_count("units", units)
        self.initializer = initializer(weights)
        self.weights_l1 = require_number("weights_l1", weights_l1, minimum=0.0)
        self.weights_l2 = require_number("weights_l2", weights_l2, minimum=0.0)
        self.biases_l1 = require_number("biases_l1", biases_l1, minimum=0.0)
        self.biases_l2 = require_number("biases_l2", biases_l2, minimum=0.0)

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, ParameterSpec]:
        """Declare ``"weights"`` (d, h) and ``"biases"`` (h,), for input rows of shape (d,).

        Raises
        ------
        ModelError
            If an input row is not flat.
        """
        if len(input_shape) != 1:
            raise ModelError(
                f"dense: an input row must be flat, got shape {input_shape}: put Flatten() in "
                f"front of it or, if it is the first layer, write "
                f"network.build(({prod(input_shape)},)), which takes such rows too"
            )
        d, h = input_shape[0], self.units
        w_l1, w_l2, b_l1, b_l2 = self.weights_l1, self.weights_l2, self.biases_l1, self.biases_l2
        return {
            "weights": ParameterSpec((d, h), self.initializer, l1=w_l1, l2=w_l2),
            "biases": ParameterSpec((h,), Zeros(), l1=b_l1, l2=b_l2),
        }

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(h,)``."""
        return (self.units,)

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments as JSON-serializable values."""
        return {
            "units": self.units,
            "weights": initializer_config(self.initializer),
            "weights_l1": self.weights_l1,
            "weights_l2": self.weights_l2,
            "biases_l1": self.biases_l1,
            "biases_l2": self.biases_l2,
        }

    def forward(
        self,
        x: Array,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Compute ``y = x W + b``: ``x`` of shape (n, d), ``y`` of shape (n, h).

        A layer that you made returns a new ``y`` from each call. Training runs copies of layers
        (replicas), whose calls overwrite the same memory (see `Layer._buffer`).

        Parameters
        ----------
        x : array, shape (n, d)
            Only read.
        training : bool
            Save ``x`` for `backward`.
        rng : Generator, optional
            Not used; a layer with random numbers, such as `Dropout`, needs it.

        Returns
        -------
        y : array, shape (n, h)

        Raises
        ------
        ModelError
            If the layer is not built, or ``x`` is not a matrix of d columns.
        """
        if not self.weights:
            raise ModelError("dense: build the layer before running it")
        w, b = self.weights["weights"], self.weights["biases"]
        if x.ndim != 2 or x.shape[1] != len(w):
            raise ModelError(f"dense: expected rows of {len(w)} columns, got shape {x.shape}")
        self._save_for_backward(x, training)
        y = matmul(x, w, out=self._buffer("y", (len(x), self.units), w.dtype), pool=self.pool)
        y += b
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Write ``dW`` and ``db`` into the arrays of ``self.gradients``, and return ``dx``.

        Parameters
        ----------
        dy : array, shape (n, h)
            The gradient of the loss with respect to the last training pass's ``y``, only read.
        need_dx : bool
            False for a network's first layer, whose ``dx`` no other layer takes.

        Returns
        -------
        dx : array, shape (n, d), or None if ``need_dx`` is False
            A new array; in a replica, reused memory, as ``y`` is.

        Raises
        ------
        ModelError
            If there was no training pass.
        """
        x, w = self._saved_array(), self.weights["weights"]
        matmul(x.T, dy, out=self.gradients["weights"], pool=self.pool)
        self._column_sums(dy, out=self.gradients["biases"])
        if not need_dx:
            return None
        return matmul(dy, w.T, out=self._buffer("dx", x.shape, w.dtype), pool=self.pool)

    def set_backend(self, backend: Backend) -> None:
        """Store ``backend.version_of(column_sums)`` for `backward`.

        `Layer.__init__` calls this with NumPy, `Layer.replica` with the backend of the training. A
        method of a subclass need not call that of `Layer`, which does nothing.
        Matrix products are computed by BLAS on every backend, by `matmul`, which cuts large ones
        into pieces for ``self.pool``.
        """
        self._column_sums = backend.version_of(column_sums)

    def as_operation(self, offsets: Mapping[str, int]) -> Affine:
        """Return a record of this layer, from which a backend may compile a whole network.

        The layer must be built.

        Parameters
        ----------
        offsets : mapping of str to int
            The start of ``"weights"`` and of ``"biases"`` in the network's vector of weights.

        Returns
        -------
        Affine
            The shape of ``W`` and the offsets of ``W`` and ``b``.
        """
        d, h = self.weights["weights"].shape
        return Affine(inputs=d, units=h, weights=offsets["weights"], biases=offsets["biases"])
