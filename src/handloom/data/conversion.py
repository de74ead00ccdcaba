"""Conversion: arrays, tables, tensors and lists of users become plain NumPy arrays, or are refused.

Every function that takes data from a user converts it here. Rows are taken in their order: an index
is never used to look them up. A mask and missing values are refused, not ignored.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.data.frames import (
    FRAMES,
    NUMERIC,
    SERIES,
    Column,
    all_strings,
    column_of,
    columns_of,
    is_instance,
    names_of,
)
from handloom.data.mapped_rows import is_mapped
from handloom.errors import DataError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Inputs:
    """Rows of inputs, with the names of their columns.

    Attributes
    ----------
    rows : array or `handloom.data.row_reader.StoredRows`, shape (n, ...)
        ``uint8``, or floating-point.
    column_names : tuple of str, or None
        The names of the columns of a table.
    """

    rows: Array
    column_names: tuple[str, ...] | None = None


def convert_inputs(inputs: object, part: str = "inputs", *, scaled: bool = True) -> Inputs:
    """Return inputs as a plain array.

    Parameters
    ----------
    inputs : array-like, shape (n, ...)
        A table of numeric columns, an array, a tensor, or nested lists. A memory-mapped array of
        ``uint8`` or floating-point numbers remains mapped.
    part : str
        The name of the data, for errors.
    scaled : bool
        Whether images of ``uint8`` may be scaled, so that images of other integers are ambiguous.

    Returns
    -------
    Inputs
        Arrays of ``uint8``, float32 and float64 are not copied. Integers and booleans, and all
        integer columns of tables, become float32 if it holds every value of their dtype, else
        float64; float16 becomes float32, longdouble float64, and the byte order that of the
        machine.

    Raises
    ------
    DataError
        If they are not numbers, values are missing or masked, or their kind is unknown.
    """
    if _is_plain(inputs) or _loads_rows(inputs):
        return Inputs(inputs)  # type: ignore[arg-type]
    if is_instance(inputs, *FRAMES):
        columns = columns_of(inputs)
        return Inputs(stacked_columns(columns, part), names_of(columns))
    if is_instance(inputs, *SERIES):
        return Inputs(as_floats(column_of(inputs).numeric(part)))
    array = numeric(plain_array(inputs, part), part)
    if array.dtype == np.uint8:
        return Inputs(array)
    if scaled and array.ndim > 2 and array.dtype.kind in "iu":
        raise DataError(
            f"{part} of {array.dtype} and shape {array.shape} are ambiguous: convert pixels with "
            f".astype('uint8'), or values that are not to be scaled with .astype('float32')"
        )
    return Inputs(as_floats(array, part))


def convert_weights(weights: object, part: str = "sample_weights") -> Array:
    """Return sample weights as a floating-point array.

    Raises
    ------
    DataError
        As in `convert_inputs`.
    """
    if is_instance(weights, *SERIES):
        return as_floats(column_of(weights).numeric(part))
    return as_floats(np.asarray(numeric(plain_array(weights, part), part)))


def plain_array(value: object, part: str) -> Array:
    """Return an array, a tensor or nested lists as a NumPy array, of any dtype.

    Raises
    ------
    DataError
        If some entries are masked, lists are ragged, or the value is no array.
    """
    if is_instance(value, *FRAMES):
        return stacked_columns(columns_of(value), part)
    if is_instance(value, "torch.Tensor"):
        value = _of_torch(value, part)
    if isinstance(value, list | tuple | range):
        value = _of_list(value, part)
    elif not isinstance(value, np.ndarray):
        value = _of_protocol(value, part)
    if isinstance(value, np.ma.MaskedArray):
        require_unmasked(value, part)
    array: Array = value if is_mapped(value) else np.asarray(value)  # type: ignore[assignment]
    if array.ndim == 0:
        raise DataError(f"{part} must have one entry for each row, got the single value {value!r}")
    return array


def numeric(array: Array, part: str) -> Array:
    """Return an array of numbers or booleans unchanged.

    Raises
    ------
    DataError
        If it holds anything else; the message names a row with a missing value, or the remedy.
    """
    if array.dtype.kind in NUMERIC:
        return array
    if array.dtype.names:
        raise DataError(
            f"{part} must be numbers, got dtype {array.dtype}, records with the fields "
            f"{', '.join(array.dtype.names)}: convert them with "
            "numpy.lib.recfunctions.structured_to_unstructured, or pass a pandas.DataFrame"
        )
    require_complete(array, part)
    if all_strings(array) or array.dtype.kind == "S":
        raise DataError(
            f"{part} must be numbers, got dtype {array.dtype}: encode strings as numbers"
        )
    advice = {
        "O": "all entries must be of one kind; convert numbers with .astype(float) or .astype(int)",
        "c": "pass real and imaginary parts as features of their own",
    }.get(array.dtype.kind, "convert it, for instance times to days since the first")
    raise DataError(f"{part} must be numbers, got dtype {array.dtype}: {advice}")


def require_complete(array: Array, part: str) -> None:
    """Refuse None, NaN and NA in an array of Python objects.

    Raises
    ------
    DataError
        Naming the row.
    """
    if array.dtype != object:
        return
    for index, value in zip(np.ndindex(array.shape), array.flat, strict=True):
        nan = isinstance(value, float | np.floating) and np.isnan(value)
        if value is None or nan or type(value).__name__ in ("NAType", "NaTType"):
            raise DataError(
                f"{part} must have no missing values, got {value!r} in row {index[0]} (rows "
                "count from 0): drop such rows, or fill in a value"
            )


def as_floats(array: Array, part: str = "inputs") -> Array:
    """Return numbers as float32 or float64 in the machine's byte order; see `convert_inputs`.

    Raises
    ------
    DataError
        If a memory-mapped array holds integers, which would be converted in memory.
    """
    if is_mapped(array):
        if array.dtype.kind == "f":
            return array
        raise DataError(
            f"memory-mapped {part} must be uint8 or floating-point, got {array.dtype}: store them "
            f"as float32, or load them with numpy.array({part}, numpy.float32)"
        )
    with np.errstate(over="ignore"):  # infinity is refused later
        return array.astype(_float_for(array.dtype), copy=False)


def _is_plain(value: object) -> bool:
    """Return whether there is nothing to convert, as for the single rows of a running service."""
    return (
        type(value) is np.ndarray and value.dtype.char in "fd" and value.dtype.isnative
    ) and value.ndim > 0


def _loads_rows(value: object) -> bool:
    """Return whether an object loads rows on demand; see `handloom.data.row_reader.StoredRows`."""
    if hasattr(value, "__array__") or not isinstance(getattr(value, "dtype", None), np.dtype):
        return False
    needed = ("shape", "ndim", "size", "__len__", "__getitem__")
    return not hasattr(value, "tocsr") and all(hasattr(value, name) for name in needed)


def _float_for(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return float32 if it holds all values of a dtype, else float64."""
    single = np.dtype(np.float32)
    return single if np.can_cast(dtype, single, "safe") else np.dtype(np.float64)


def stacked_columns(columns: Sequence[Column], part: str) -> Array:
    """Return columns as one floating-point array, shape (n, d)."""
    values = [column.numeric(part) for column in columns]
    if not values:
        raise DataError(f"{part} must have at least one row and one column, got no column")
    dtype = np.result_type(*(_float_for(each.dtype) for each in values))
    stacked: Array = np.empty((len(values[0]), len(values)), dtype)
    for index, each in enumerate(values):
        stacked[:, index] = each
    return stacked


def _of_torch(tensor: Any, part: str) -> Any:
    if tensor.device.type != "cpu":
        raise DataError(
            f"{part} must be in the memory of the CPU, got a torch.Tensor on the device "
            f"{tensor.device}: pass {part}.cpu()"
        )
    try:
        return tensor.detach().numpy()
    except (RuntimeError, TypeError) as error:
        raise DataError(f"{part}: NumPy cannot take the torch.Tensor: {error}") from None


def _of_list(values: Any, part: str) -> Array:
    if any(isinstance(value, np.ma.MaskedArray) for value in values):
        raise DataError(f"{part} must not be masked, got a list of masked arrays")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{part} must have rows of one length, got lists that do not form an array: {error}"
        ) from None
    if array.dtype.kind in "US":  # NumPy also turns numbers into strings
        return np.asarray(values, object)
    return array


def require_unmasked(array: "np.ma.MaskedArray[Any, Any]", part: str) -> None:
    """Refuse masked values.

    Raises
    ------
    DataError
        Naming the first.
    """
    mask = np.ma.getmaskarray(array)
    if mask.any():
        row, *others = np.argwhere(mask)[0].tolist()
        column = f", column {others[0]}" if len(others) == 1 else ""
        raise DataError(
            f"{part} must have no masked values, got one in row {row}{column} (counted from 0): "
            "drop such rows, or fill in values with .filled(value)"
        )


def _of_protocol(value: Any, part: str) -> Any:
    """Return an object with ``__array__`` as an array; refuse any other."""
    if hasattr(value, "tocsr"):
        raise DataError(
            f"{part} must be dense, got a sparse {type(value).__name__}: pass {part}.toarray() if "
            "it fits into memory, or use MLPClassifier or MLPRegressor, which take sparse matrices"
        )
    if (hasattr(value, "__array__") or hasattr(value, "__array_interface__")) and not isinstance(
        value, type
    ):
        try:
            return np.asarray(value)
        except Exception as error:
            raise DataError(
                f"{part} must be an array, got a {type(value).__name__} that NumPy cannot take: "
                f"{error}"
            ) from None
    raise DataError(
        f"{part} must be an array, a list of rows or a table, got {_kind(value)}{_advice(value)}"
    )


def _kind(value: object) -> str:
    if value is None or isinstance(value, str | bytes | int | float | complex):
        return repr(value)
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def _advice(value: object) -> str:
    if isinstance(value, Mapping):
        return ": pass pandas.DataFrame(...) of it"
    if isinstance(value, Iterator):
        return ": pass numpy.array(list(...))"
    if isinstance(value, Set):
        return ", which has no order of rows"
    if hasattr(value, "collect"):
        return ": pass the result of its method collect()"
    return ""


def dtype_advice(rows: npt.NDArray[np.generic], dtype: str) -> str:
    """Return how rows become those of another dtype: the spelling, by the range of their values.

    Parameters
    ----------
    rows : array, shape (n, ...)
        The first hundred are looked at.
    dtype : str
        That of the training rows; either it or that of ``rows`` is uint8.
    """
    same = f"if only the dtype differs, pass numpy.asarray(inputs, {dtype!r})"
    if dtype != "uint8":
        return f"pass inputs / 255 if the training rows were divided by 255; {same}"
    few = np.asarray(rows[:100])
    low, high = (float(few.min()), float(few.max())) if few.size else (0.0, 0.0)
    if low < 0.0:
        return (
            f"their values, {low:.3g} to {high:.3g}, are scaled already: pass the stored rows, 0 "
            f"to 255, which are scaled as in training"
        )
    if 0.0 < high <= 1.0:
        return (
            f"their values are {low:.3g} to {high:.3g}, not 0 to 255: pass "
            f"numpy.rint(255 * inputs).astype('uint8')"
        )
    return same


def describe_not_finite(value: np.generic) -> str:
    """Return the description of a value that is not finite."""
    if np.isnan(value):
        return f"NaN ({value.dtype})"
    largest = float(np.finfo(str(value.dtype)).max)
    return f"{value} ({value.dtype}, in which values above {largest:.2g} become infinity)"
