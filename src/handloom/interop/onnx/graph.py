"""Graph: the nodes and constants of an ONNX model, as plain records, before they are a file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.errors import ConfigurationError, require_count

OLDEST_OPSET = 17
"""The oldest version of the standard operators that is written: it has layer normalization."""

ML = "ai.onnx.ml"
"""The domain of the operators that look up texts."""

ELEMENT_TYPES = {
    "float32": 1,
    "uint8": 2,
    "int32": 6,
    "int64": 7,
    "string": 8,
    "bool": 9,
    "float64": 11,
}
"""The numbers of dtypes in files, as ``onnx.TensorProto.DataType`` has them."""


@dataclass(frozen=True)
class ValueInfo:
    """An input or an output of a graph, with any number of rows.

    Attributes
    ----------
    name : str
    dtype : str
        The dtype of its entries; ``"string"`` for texts.
    row_shape : tuple of int
        The shape of a row; the whole array has shape ``(n, *row_shape)``.
    """

    name: str
    dtype: str
    row_shape: tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One operator of a graph, applied to named arrays.

    Attributes
    ----------
    operator : str
        Its name in its domain, such as ``"Gemm"``.
    inputs, outputs : tuple of str
        The names of the arrays that it takes, ``""`` for one that is left out, and makes.
    name : str
        The name of the node, unique in its graph.
    attributes : dict
        Its attributes, as ``onnx.helper.make_node`` takes them.
    domain : str
        ``""`` is that of the standard operators.
    """

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    name: str
    attributes: dict[str, Any] = field(default_factory=dict)
    domain: str = ""


class Graph:
    """The inputs, nodes and constants of an ONNX model, in the order in which they are added.

    It knows neither the files nor the package of ONNX, so that converters of other packages can
    take its nodes over.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        The dtype of constants, except where another one is named.
    opset : int
        The version of the standard operators, at least `OLDEST_OPSET`.
    prefix : str
        In front of every name, so that the names of several graphs differ.

    Attributes
    ----------
    inputs, outputs : list of ValueInfo
    nodes : list of Node
    constants : dict of str to array
        The weights and other constants ("initializers" in ONNX), by name.

    Raises
    ------
    ConfigurationError
        If the dtype or the opset is another one.
    """

    def __init__(
        self, dtype: npt.DTypeLike = np.float32, opset: int = OLDEST_OPSET, prefix: str = ""
    ) -> None:
        try:
            self.dtype = np.dtype(dtype)
        except TypeError:
            raise ConfigurationError(f"dtype must be float32 or float64, got {dtype!r}") from None
        if self.dtype not in (np.float32, np.float64):
            raise ConfigurationError(f"dtype must be float32 or float64, got {self.dtype}")
        self.opset = require_count("opset", opset, minimum=OLDEST_OPSET)
        self.prefix = prefix
        self.inputs: list[ValueInfo] = []
        self.outputs: list[ValueInfo] = []
        self.nodes: list[Node] = []
        self.constants: dict[str, npt.NDArray[Any]] = {}
        self._names: set[str] = set()

    def input(self, name: str, dtype: npt.DTypeLike, row_shape: tuple[int, ...]) -> str:
        """Declare an input of shape ``(n, *row_shape)``, and return its name.

        Parameters
        ----------
        name : str
            A number is added to a name that is taken.
        dtype : dtype
            ``"string"`` for texts.
        row_shape : tuple of int
        """
        own = self.unused(name)
        kind = "string" if isinstance(dtype, str) and dtype == "string" else str(np.dtype(dtype))
        self.inputs.append(ValueInfo(own, kind, row_shape))
        return own

    def output(self, name: str, x: str, row_shape: tuple[int, ...]) -> str:
        """Make an array of the graph's dtype an output, and return the name of the output.

        Parameters
        ----------
        name : str
            A number is added to a name that is taken.
        x : str
            The name of the array, shape ``(n, *row_shape)``.
        row_shape : tuple of int
        """
        own = self.add("Identity", x, name=name)
        self.outputs.append(ValueInfo(own, str(self.dtype), row_shape))
        return own

    def add(
        self, operator: str, *inputs: str, name: str = "", domain: str = "", **attributes: Any
    ) -> str:
        """Add a node with one output, and return the name of the output.

        Parameters
        ----------
        operator : str
        inputs : str
            The names of arrays, as this method or `constant` returned them.
        name : str
            The name of the node and of its output; by default that of the operator in lower case.
            A number is added to a name that is taken.
        domain : str
        attributes
            As ``onnx.helper.make_node`` takes them.
        """
        output = self.unused(name or operator.lower())
        self.nodes.append(Node(operator, inputs, (output,), output, attributes, domain))
        return output

    def constant(self, name: str, values: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> str:
        """Add a constant, and return its name.

        Parameters
        ----------
        name : str
            A number is added to a name that is taken.
        values : array-like
            They are copied, contiguous.
        dtype : dtype, optional
            By default that of the graph.
        """
        own = self.unused(name)
        self.constants[own] = np.array(values, self.dtype if dtype is None else dtype, order="C")
        return own

    def integers(self, name: str, *values: int) -> str:
        """Add an int64 vector, such as the shape of a Reshape, and return its name."""
        return self.constant(name, values, np.int64)

    def mean(self, x: str, axes: tuple[int, ...], *, name: str, keepdims: bool = False) -> str:
        """Add the mean over axes, and return its name; since opset 18 they are an input."""
        if self.opset < 18:
            return self.add("ReduceMean", x, name=name, axes=list(axes), keepdims=int(keepdims))
        over = self.integers(f"{name}.axes", *axes)
        return self.add("ReduceMean", x, over, name=name, keepdims=int(keepdims))

    def reshape(self, x: str, row_shape: tuple[int, ...], *, name: str) -> str:
        """Add a new shape of the rows of an array, and return its name."""
        return self.add("Reshape", x, self.integers(f"{name}.shape", 0, *row_shape), name=name)

    def cast(self, x: str, dtype: npt.DTypeLike, *, name: str) -> str:
        """Add a conversion to a dtype, and return its name."""
        return self.add("Cast", x, name=name, to=ELEMENT_TYPES[str(np.dtype(dtype))])

    def unused(self, name: str) -> str:
        """Return a name that nothing else in the graph has, and keep it."""
        own = next(each for each in numbered(f"{self.prefix}{name}") if each not in self._names)
        self._names.add(own)
        return own


def numbered(name: str) -> Iterator[str]:
    """Yield a name, then the same name with the numbers from 2 on."""
    yield name
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1


Shape = tuple[int, ...]

Converter = Callable[[Graph, str, Any, str, Shape], str]
"""Adds the nodes of a layer: of a graph, the name and the object of the layer, and the name and the
row shape of its input. It returns the name of the output."""
