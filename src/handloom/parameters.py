"""Parameters: one flat vector of weights, one of gradients, and named views into both.

Layers use arrays with names and shapes; optimizers, checkpoints and sums over shards use one
vector. Both share the same memory. Arrays that are not trained (running statistics, frozen weights)
come after the trained weights, are not updated by optimizers, and are saved with them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import ClassVar, NoReturn, TypeVar

import numpy as np
import numpy.typing as npt

from handloom.elsewhere import ARRAYS, AdvisesOnNames
from handloom.errors import MissingArrayError, ModelError, require_number, unknown_name
from handloom.initializers import Initializer
from handloom.operations import Array as Array  # noqa: PLC0414 - most import it from here
from handloom.randomness import Purpose, Stream
from handloom.text import printable

Result = TypeVar("Result")

FEW = 8
"""The largest number of entries of an array whose values are printed in a table of arrays."""


@dataclass(frozen=True)
class ParameterSpec:
    """The declaration of one array of a layer, before its memory is allocated.

    Parameters
    ----------
    shape : tuple of int
        The array's shape.
    initializer : Initializer
        The distribution of its initial values.
    l1, l2 : float
        The strengths of its penalty, ``l1 * sum |w| + l2 * sum w^2``.
    trained : bool
        Whether it has a gradient. An array without one has no penalty and no optimizer state.
    elementwise : bool
        Whether it scales or shifts elementwise, or its rows are looked up, so that it is not a
        matrix, whatever its shape.
    """

    shape: tuple[int, ...]
    initializer: Initializer
    l1: float = 0.0
    l2: float = 0.0
    trained: bool = True
    elementwise: bool = False

    def __post_init__(self) -> None:
        require_number("l1", self.l1, minimum=0.0)
        require_number("l2", self.l2, minimum=0.0)

    @property
    def size(self) -> int:
        """The number of entries of the array."""
        return math.prod(self.shape)

    @property
    def is_matrix(self) -> bool:
        """Whether it is a weight matrix or the kernel (the weights) of a convolution."""
        return len(self.shape) > 1 and not self.elementwise

    def frozen(self) -> "ParameterSpec":
        """Return the spec of the same array, not trained."""
        return ParameterSpec(
            self.shape, self.initializer, trained=False, elementwise=self.elementwise
        )


class NamedArrays(dict[str, Array], AdvisesOnNames):
    """Arrays by name, in the order of the layers; printed as a table of names and shapes.

    Values are printed of arrays of at most `FEW` entries.
    """

    _elsewhere: ClassVar[Mapping[str, str]] = ARRAYS

    def __missing__(self, name: object) -> NoReturn:
        """Refuse an unknown name.

        Raises
        ------
        MissingArrayError
            With the names of the arrays.
        """
        if not self:
            raise MissingArrayError(
                f"no array {name!r}: there are none. Those of a layer are made when its network is "
                "built: network.build((784,))"
            )
        if isinstance(name, str):
            raise MissingArrayError(unknown_name("array", name, self))
        raise MissingArrayError(
            f"arrays have names, {', '.join(map(repr, self))}, got {name!r}; in their order they "
            "are list(weights.values())"
        )

    def __repr__(self) -> str:
        if not self:
            return "no arrays"
        width = max(16, 2 + max(map(len, self)))
        lines = [f"{'array':<{width}}{'shape':<20}dtype"]
        lines += [
            f"{name:<{width}}{each.shape!s:<20}{each.dtype!s:<10}{_values(each)}".rstrip()
            for name, each in self.items()
        ]
        if any(map(_values, self.values())):
            lines[0] += f"{'':<5}values"
        return "\n".join(map(printable, lines))


def _values(array: Array) -> str:
    """Return the values of a small array in a line, with four significant digits; else nothing."""
    if not 0 < array.size <= FEW:
        return ""
    text = np.array2string(
        array,
        max_line_width=10_000,
        separator=", ",
        formatter={"float_kind": lambda value: f"{value + 0.0:.4g}"},
    )
    return " ".join(text.split())


class ArrayViews(NamedArrays):
    """Views into a vector, by name. Assigning to a name copies values into its view."""

    def __setitem__(self, name: str, values: npt.ArrayLike) -> None:
        """Copy values into a view.

        Raises
        ------
        ModelError
            If the name is unknown, or the values have another shape.
        """
        if name not in self:
            raise ModelError(unknown_name("array", name, self))
        _assign(repr(name), self[name], values)

    def __reduce__(self) -> tuple[type["ArrayViews"], tuple[dict[str, Array]]]:
        """Return the class and the arrays from which a copy or a pickle is made."""
        return ArrayViews, (dict(self),)


class Parameters:
    """The weights of a network, their gradients, and the arrays that are not trained.

    Parameters
    ----------
    specs : mapping of str to ParameterSpec
        The declared arrays, in the order of the vectors.
    dtype : float32 or float64
        The dtype of all vectors.
    values : array, shape (size + untrained,), optional
        Memory to share for the weights; by default zeros are allocated.
    gradient : array, shape (size,), optional
        Memory to share for the gradient; by default zeros are allocated.

    Attributes
    ----------
    values : array, shape (size + untrained,)
        All arrays of the network: the trained weights, then the arrays that are not trained.
    vector : array, shape (size,)
        All trained weights, the first part of ``values``.
    gradient : array, shape (size,)
        The gradient of the loss with respect to each of them.
    weights : ArrayViews
        Views into ``values``, by name.
    gradients : ArrayViews
        Views into the gradient, by name, for the trained arrays.

    Raises
    ------
    ModelError
        If the dtype is neither float32 nor float64.
    """

    def __init__(
        self,
        specs: Mapping[str, ParameterSpec],
        dtype: npt.DTypeLike = np.float32,
        *,
        values: Array | None = None,
        gradient: Array | None = None,
    ) -> None:
        self.specs = dict(specs)
        try:
            self.dtype = np.dtype(dtype)
        except TypeError:
            raise ModelError(f"dtype must be float32 or float64, got {dtype!r}") from None
        if self.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise ModelError(f"dtype must be float32 or float64, got {self.dtype}")
        trained = {name: spec for name, spec in self.specs.items() if spec.trained}
        untrained = {name: spec for name, spec in self.specs.items() if not spec.trained}
        self._layout = {**trained, **untrained}
        size = sum(spec.size for spec in trained.values())
        total = size + sum(spec.size for spec in untrained.values())
        try:
            self._values: Array = np.zeros(total, self.dtype) if values is None else values
            self._gradient: Array = np.zeros(size, self.dtype) if gradient is None else gradient
        except (MemoryError, ValueError, OverflowError):
            raise ModelError(f"{total:,} weights do not fit into memory") from None
        self._vector: Array = self._values[:size]
        self.weights = ArrayViews(self.views(self._values))
        views = self.views(self._gradient)
        self.gradients = ArrayViews({name: views[name] for name in trained})

    def __repr__(self) -> str:
        untrained = len(self.values) - len(self)
        more = f", {untrained:,} not trained" if untrained else ""
        return (
            f"Parameters({len(self):,} {self.dtype} weights in {len(self.gradients)} arrays{more})"
        )

    @property
    def values(self) -> Array:
        """All arrays of the network, shape (size + untrained,). Assigning copies values in."""
        return self._values

    @values.setter
    def values(self, values: npt.ArrayLike) -> None:
        _assign("values", self._values, values)

    @property
    def vector(self) -> Array:
        """All trained weights, shape (size,). Assigning copies values in."""
        return self._vector

    @vector.setter
    def vector(self, values: npt.ArrayLike) -> None:
        _assign("vector", self._vector, values)

    @property
    def gradient(self) -> Array:
        """The gradient of the loss, shape (size,). Assigning copies values in."""
        return self._gradient

    @gradient.setter
    def gradient(self, values: npt.ArrayLike) -> None:
        _assign("gradient", self._gradient, values)

    def __len__(self) -> int:
        return len(self.vector)

    def views(self, vector: Array) -> dict[str, Array]:
        """Return views by name, in the order of declaration.

        Parameters
        ----------
        vector : array, shape (size,) or (size + untrained,)
            In the layout of ``vector`` or of ``values``. If it has only the trained weights, the
            views of the untrained arrays are views into ``self.values``.
        """
        views, start = {}, 0
        for name, spec in self._layout.items():
            whole = vector if spec.trained or len(vector) == len(self.values) else self.values
            views[name] = whole[start : start + spec.size].reshape(spec.shape)
            start += spec.size
        return {name: views[name] for name in self.specs}

    def with_values(self, values: Array, call: Callable[[], Result]) -> Result:
        """Return the result of a call in which the network has other values.

        This is no context manager: a signal's handler may raise before the end of one begins.

        Parameters
        ----------
        values : array, shape (size + untrained,)
            In the layout of ``self.values``.
        call : callable
            Takes nothing.
        """
        own = self.values.copy()
        try:
            np.copyto(self.values, values)
            result = call()
            np.copyto(self.values, own)
        except BaseException:  # also that of a signal's handler, which may raise at any line
            np.copyto(self.values, own)
            raise
        return result

    def slices(self) -> dict[str, slice]:
        """Return the slice of each trained array in ``vector``, by name."""
        slices, start = {}, 0
        for name, spec in self._layout.items():
            if spec.trained:
                slices[name] = slice(start, start + spec.size)
                start += spec.size
        return slices

    def offsets(self) -> dict[str, int]:
        """Return the start of each array in ``values``, by name."""
        sizes = [spec.size for spec in self._layout.values()]
        return dict(zip(self._layout, accumulate(sizes, initial=0), strict=False))

    def replica(self, *, share_gradient: bool = False) -> "Parameters":
        """Return parameters that share these weights, with own or shared gradients."""
        gradient = self.gradient if share_gradient else None
        return Parameters(self.specs, self.dtype, values=self.values, gradient=gradient)

    def initialize(self, stream: Stream) -> None:
        """Draw initial values, each array from its own substream of ``stream``.

        Raises
        ------
        ModelError
            If an initializer returns another shape, or values that are not finite in the dtype.
        """
        for index, (name, spec) in enumerate(self.specs.items()):
            generator = stream.at(Purpose.INITIALIZE, index).generator()
            values = spec.initializer(spec.shape, generator)
            if np.shape(values) != spec.shape:
                raise ModelError(
                    f"the initializer of {name} must return values of shape {spec.shape}, got "
                    f"shape {np.shape(values)}"
                )
            with np.errstate(over="ignore"):
                self.weights[name][...] = values
            if not np.isfinite(self.weights[name]).all():
                raise ModelError(
                    f"the initializer of {name} must return finite values of {self.dtype}, got "
                    f"NaN or infinite ones"
                )

    def load(self, arrays: Mapping[str, Array]) -> None:
        """Copy values in, by name.

        Raises
        ------
        ModelError
            If a name is missing, unknown, or of another shape or dtype.
        """
        check_arrays(arrays, self.specs, self.dtype)
        for name, view in self.weights.items():
            view[...] = arrays[name]

    @cached_property
    def penalized(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The bounds in ``vector`` of each array with a penalty, and the penalty's strengths.

        Returns
        -------
        bounds : int64 array, shape (arrays, 2)
            The start and stop of each.
        strengths : float64 array, shape (arrays, 2)
            The strengths l1 and l2 of each.
        """
        slices = self.slices()
        rows = [
            (slices[name].start, slices[name].stop, spec.l1, spec.l2)
            for name, spec in self.specs.items()
            if spec.l1 or spec.l2
        ]
        table = np.array(rows, np.float64).reshape(len(rows), 4)
        return table[:, :2].astype(np.int64), table[:, 2:].copy()

    def penalty(self, scale: float = 1.0) -> float:
        """Return ``scale * (sum over arrays of l1 * sum |w| + l2 * sum w^2)``."""
        bounds, strengths = self.penalized
        return scale * penalty(self.vector, bounds, strengths)

    def add_penalty_gradient(self, scale: float = 1.0) -> None:
        """Add ``scale * (l1 sign w + 2 l2 w)`` to the gradients; ``sign 0`` is 0."""
        bounds, strengths = self.penalized
        penalize(self.vector, self.gradient, bounds, scale * strengths)


def penalize(
    w: Array, dw: Array, bounds: npt.NDArray[np.int64], strengths: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """Add the gradient of all penalties to ``dw``; return the penalty and the sum of its squares.

    The gradient is ``l1 sign(w) + 2 l2 w``, and ``sign(0)`` is 0. The sum of squares is for the
    norm of the gradient, see `l2_norm`.

    Parameters
    ----------
    w, dw : array, shape (size,)
        All weights, and their gradient.
    bounds : int64 array, shape (arrays, 2)
        The start and stop of each array with a penalty.
    strengths : float64 array, shape (arrays, 2)
        Its l1 and l2.

    Returns
    -------
    penalty, squares : float
        ``sum over arrays of l1 * sum |w| + l2 * sum w^2``, and the sum of the squares of the
        updated ``dw``.
    """
    for (start, stop), (l1, l2) in zip(bounds.tolist(), strengths.tolist(), strict=True):
        if l1:
            dw[start:stop] += l1 * np.sign(w[start:stop])
        if l2:
            dw[start:stop] += (2.0 * l2) * w[start:stop]
    return penalty(w, bounds, strengths), float(np.vdot(dw, dw))


def penalty(w: Array, bounds: npt.NDArray[np.int64], strengths: npt.NDArray[np.float64]) -> float:
    """Return the sum of all penalties; see `penalize`."""
    total = 0.0
    for (start, stop), (l1, l2) in zip(bounds.tolist(), strengths.tolist(), strict=True):
        if l1:
            total += l1 * float(np.abs(w[start:stop]).sum(dtype=np.float64))
        if l2:
            total += l2 * float(np.dot(w[start:stop], w[start:stop]))
    return total


def _assign(name: str, array: Array, values: npt.ArrayLike) -> None:
    """Copy values into an array of the same shape."""
    if np.shape(values) != array.shape:
        raise ModelError(f"{name} must have shape {array.shape}, got shape {np.shape(values)}")
    if values is not array:  # as after ``parameters.vector -= step``, which changed it in place
        array[...] = values


def check_arrays(
    arrays: Mapping[str, Array], specs: Mapping[str, ParameterSpec], dtype: npt.DTypeLike
) -> None:
    """Check that there is an array for every spec, and no other, before memory is allocated.

    Raises
    ------
    ModelError
        If a name is missing, unknown, or of another shape or dtype.
    """
    for name in arrays:
        if name not in specs:
            raise ModelError(unknown_name("array", name, specs))
    for name, spec in specs.items():
        if name not in arrays:
            raise ModelError(f"array {name!r} is missing, expected {dtype} of shape {spec.shape}")
        check_array(f"array {name!r}", arrays[name], spec.shape, dtype)


def check_array(
    name: str, array: npt.NDArray[np.generic], shape: tuple[int, ...], dtype: npt.DTypeLike
) -> None:
    """Check the shape and the dtype of an array.

    Raises
    ------
    ModelError
        If one of them differs.
    """
    if array.shape != shape or array.dtype != dtype:
        raise ModelError(
            f"{name} must be {dtype} of shape {shape}, got {array.dtype} of shape {array.shape}"
        )


def l2_norm(x: Array, squares: float | None = None) -> float:
    """Return the l2 (Euclidean) norm of all entries of ``x``, without overflow or underflow.

    It costs one dot product, unless the squares overflow or underflow. ``squares`` is the sum of
    the squares, if it is already known.
    """
    squares = float(np.vdot(x, x)) if squares is None else squares
    if math.isfinite(squares) and squares > 1e-30:
        return math.sqrt(squares)
    largest = float(np.abs(x).max(initial=0.0))
    if not (0.0 < largest < math.inf):
        return largest
    shrunk = x / largest
    return largest * math.sqrt(float(np.vdot(shrunk, shrunk)))
