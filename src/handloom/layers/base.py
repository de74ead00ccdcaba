"""What every layer is: declared arrays, a forward pass, and a backward pass that mirrors it."""

from __future__ import annotations  # numpy.random is loaded when it is used

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from handloom.backend import NUMPY, Backend
from handloom.errors import ModelError
from handloom.operations import LayerOperation
from handloom.parallel.pool import SERIAL, Pool
from handloom.parameters import Array, ParameterSpec


class Layer(ABC):
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
    couples_rows : bool
        Whether a row's output depends on the other rows of a training pass.
    ghost_batch : int or None
        For a layer that couples rows: within groups of how many, or all.
    trainable : bool
        Whether its arrays are trained; see `freeze`.
    keeps_statistics : bool
        Whether there are running statistics to commit.
    left_to_loss : bool
        Whether a network that ends in this layer leaves it to the loss, which computes it with
        itself in one step from the logits.
    threads : Pool
        Whose threads share large pieces of this layer's work.
    """

    kind: ClassVar[str]
    stochastic: ClassVar[bool] = False
    couples_rows: ClassVar[bool] = False
    left_to_loss: ClassVar[bool] = False
    ghost_batch: int | None = None
    trainable: bool = True
    threads: Pool = SERIAL

    def __init__(self) -> None:
        self.use(NUMPY)
        self.weights: Mapping[str, Array] = {}
        self.gradients: Mapping[str, Array] = {}
        self._buffers: dict[str, npt.NDArray[np.generic]] | None = None
        self._saved: Array | None = None

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, ParameterSpec]:
        """Return this layer's arrays, given the shape of one input row.

        Those it trains, and those it keeps beside them (``trained=False``), such as running
        statistics.
        """
        return {}

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one output row, given that of one input row."""
        return input_shape

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments, as JSON can hold them."""
        return {}

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, object],
        make: Callable[[object], Layer],  # noqa: ARG003 - for layers that hold others
    ) -> Self:
        """Make a layer from what `config` returned.

        Parameters
        ----------
        config : mapping
            As `config` returned it.
        make : callable
            Makes a layer within this one from the entry that describes it.
        """
        return cls(**config)

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
        """Take the views into a network's vectors as this layer's arrays.

        The gradients of a frozen layer are memory that nobody reads. What an earlier pass kept is
        forgotten.
        """
        self.weights, self.gradients = weights, gradients
        self._saved = None

    def freeze(self) -> Self:
        """Have this layer's arrays left as they are, and return the layer.

        They get no gradient, no penalty and no optimizer state, from the next `handloom.build` on;
        `handloom.Sequential.freeze` does it to a network that is built.
        """
        self.trainable = False
        return self

    @property
    def learns(self) -> bool:
        """Whether anything in this layer is trained."""
        return self.trainable and bool(self.gradients)

    def use(self, backend: Backend) -> None:  # noqa: B027 - most layers compute nothing compiled
        """Keep the backend's version of every definition that this layer computes with."""

    def as_operation(self, offsets: Mapping[str, int]) -> LayerOperation | None:
        """Return what this layer computes as a plain record, where there is one for it.

        Only the class that computes it describes itself so: a subclass may override `forward`.

        Parameters
        ----------
        offsets : mapping of str to int
            Where each of the layer's arrays begins in the network's vector of weights.
        """
        return None

    @property
    def keeps_statistics(self) -> bool:
        """Whether there are running statistics to commit."""
        return type(self).commit_statistics is not Layer.commit_statistics

    def take_statistics(self) -> dict[str, Array]:
        """Return the sums that training passes have noted for running statistics, and forget them.

        The sums of several lanes are added by name, in lane order, before they are committed.
        """
        return {}

    def commit_statistics(self, sums: Mapping[str, Array]) -> None:  # noqa: B027 - most keep none
        """Update running statistics, once a step, by what `take_statistics` returned."""

    def replica(self, backend: Backend = NUMPY, pool: Pool = SERIAL) -> Self:
        """Return a copy for a lane: not bound, with output buffers that it reuses call by call.

        Parameters
        ----------
        backend : Backend
            Runs its definitions.
        pool : Pool
            Shares large pieces of its work.
        """
        replica = copy.copy(self)
        replica.use(backend)
        return replica._unbound(pool)

    def _unbound(self, pool: Pool) -> Self:
        """Forget what a copy shares with the layer that it was made of; return it."""
        self.weights, self.gradients, self.threads = {}, {}, pool
        self._saved, self._buffers = None, {}
        return self

    def _buffer(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """Return memory to write a result into: reused in a replica, fresh anywhere else.

        An array of images, shape (n, c, y, x), has its channels last in memory: so the entries
        that a convolution adds up lie together.
        """
        if len(shape) == 4:
            n, c, y, x = shape
            return self._memory(name, (n, y, x, c), dtype).transpose(0, 3, 1, 2)
        return self._memory(name, shape, dtype)

    def _memory(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """Return a buffer whose entries lie as its shape says."""
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
