"""What every layer is: declared arrays, a forward pass, and a backward pass that mirrors it."""

from __future__ import annotations  # numpy.random is loaded when it is used

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from handloom.errors import ModelError
from handloom.kernels import UsesKernels
from handloom.parameters import Array, ParameterSpec


class Layer(UsesKernels, ABC):
    """One step of a network, ``y = f(x; weights)``.

    A layer is used in three moves. It is *declared*: `declare` says which arrays it trains and
    `output_shape` what it makes of its input. It is *bound* to views of a network's weights and
    gradients. Then it runs: `forward` computes ``y`` and, in training, keeps what `backward` will
    need; `backward` takes ``dy``, the gradient of the loss with respect to ``y``, writes the
    gradients of its own arrays and returns ``dx``.

    Attributes
    ----------
    kind : str
        The layer's name in summaries, in the names of arrays and in files.
    stochastic : bool
        Whether a training pass draws random numbers; only then is it given a generator.
    """

    kind: ClassVar[str]
    stochastic: ClassVar[bool] = False

    def __init__(self) -> None:
        self.weights: Mapping[str, Array] = {}
        self.gradients: Mapping[str, Array] = {}
        self._buffers: dict[str, npt.NDArray[np.generic]] | None = None
        self._saved: Array | None = None

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, ParameterSpec]:
        """Return the arrays that this layer trains, given the shape of one input row."""
        return {}

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one output row, given that of one input row."""
        return input_shape

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments, as JSON can hold them."""
        return {}

    @abstractmethod
    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        """Compute this layer's output.

        Parameters
        ----------
        x : array, shape (n, ...)
            The input, never written to.
        training : bool
            Keep what `backward` needs. Without it the layer is left untouched, so that several
            threads may run it at once.
        rng : Generator, optional
            Where a stochastic layer draws from.
        """

    @abstractmethod
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        """Write the gradients of this layer's arrays and return that of its input.

        Parameters
        ----------
        dy : array, shape of the last training output
            The gradient of the loss with respect to that output, never written to.
        need_dx : bool
            Whether anyone will read ``dx``.

        Returns
        -------
        dx : array, shape of the last training input, or None where nobody needs it
        """

    def bind(self, weights: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Take the views into a network's two vectors as this layer's arrays."""
        self.weights, self.gradients = weights, gradients

    def replica(self) -> Self:
        """Return a copy for a lane: not bound, with output buffers that it reuses call by call."""
        twin = copy.copy(self)
        twin.weights, twin.gradients = {}, {}
        twin._saved, twin._buffers = None, {}
        return twin

    def _buffer(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """Return memory to write a result into: reused in a replica, fresh anywhere else."""
        if self._buffers is None:
            return np.empty(shape, dtype)
        buffer = self._buffers.get(name)
        if (
            buffer is None
            or len(buffer) < shape[0]
            or buffer.shape[1:] != shape[1:]
            or buffer.dtype != dtype
        ):
            buffer = self._buffers[name] = np.empty(shape, dtype)
        return buffer[: shape[0]]  # type: ignore[return-value]

    def _remember(self, array: Array, training: bool) -> None:
        """Keep what `backward` will read, in training only."""
        if training:
            self._saved = array

    def _recall(self) -> Array:
        """Return what the last training pass kept.

        Raises
        ------
        ModelError
            If there was no such pass.
        """
        if self._saved is None:
            raise ModelError(
                f"{self.kind}: backward needs a forward pass with training=True before it"
            )
        return self._saved
