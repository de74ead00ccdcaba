"""From the layers of a network to the lines of its forward pass, and the functions they call."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.errors import ModelError
from handloom.interop.numpy import file_functions, layer_functions
from handloom.interop.source import table_encoding
from handloom.interop.source.functions import (
    functions_of,
    names_in,
    source_of,
    with_called,
    without_annotations,
)
from handloom.interop.source.text import call, in_comment, literal, row_shape
from handloom.layers import (
    ELU,
    GELU,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePool2D,
    Layer,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Reshape,
    Residual,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from handloom.layers.windows import Windows

Shape = tuple[int, ...]
Arrays = dict[str, npt.NDArray[np.floating]]
Describe = Callable[[Any, Shape], tuple[Callable[..., Any], dict[str, object]]]

RESERVED = frozenset(
    {"CATEGORIES", "CHUNK", "CLASSES", "COLUMNS", "DTYPE", "MISSING_TEXTS", "OUTPUTS", "SHAPES"}
    | {"TEXT", "WEIGHTS", "classify", "encode", "network", "np", "predict"}
    | {*functions_of(layer_functions), *functions_of(file_functions)}
    | {*functions_of(table_encoding)}
)
"""Names that the functions of a user's own layers must not have in a file."""

ADVICE = (
    "give the class a method to_numpy(self) that returns a function of x and of the arrays of "
    "self.weights by their names, or its source as a text, and a dict of further arguments"
)


class Forward:
    """The forward pass of a network as source code, collected layer by layer.

    Attributes
    ----------
    lines : list of str
        Statements within a function.
    arrays : dict of str to dict of str to array
        The arrays of each layer that has some, by the name of the layer.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.arrays: dict[str, Arrays] = {}
        self._used: set[str] = set()
        self._own: dict[str, str] = {}
        self._depth = 0

    @property
    def functions(self) -> list[str]:
        """The sources of all functions that the lines call, those of a user's own layers last."""
        known = functions_of(layer_functions)
        called = set[str]().union(*map(names_in, self._own.values())) & set(known)
        used = with_called(self._used | called, known)
        return [*(source_of(known[name]) for name in used), *self._own.values()]

    def use(self, function: str) -> None:
        """Write a function of `handloom.interop.numpy.layer_functions` that other lines call."""
        self._used.add(function)

    def add_layers(self, named: Iterable[tuple[str, Layer]], x: str, shape: Shape) -> None:
        """Add layers, one after another.

        Parameters
        ----------
        named : iterable of (str, Layer)
            The layers with their names in the network.
        x : str
            The variable that they change.
        shape : tuple of int
            The shape of a row of it.

        Raises
        ------
        ModelError
            If a layer has no counterpart.
        """
        for name, layer in named:
            self._add(name, layer, x, shape)
            shape = layer.output_shape(shape)

    def add_own(self, name: str, part: Any, x: str, comment: str) -> None:
        """Add the call of the function that ``part.to_numpy()`` returns.

        Parameters
        ----------
        name : str
            The name of the layer.
        part : object
            The layer; its own class defines ``to_numpy``.
        x : str
            The variable that it changes.
        comment : str
            The comment of the line.

        Raises
        ------
        ModelError
            If the function cannot be written.
        """
        try:
            function, settings = part.to_numpy()
            if callable(function):
                source = source_of(function)
            else:
                source = without_annotations(str(function))
        except (OSError, SyntaxError, TypeError, ValueError) as error:
            raise ModelError(
                f"layer {name}: to_numpy of {type(part).__name__} failed: {error}: {ADVICE}"
            ) from error
        own = source.removeprefix("def ").partition("(")[0].strip()
        if own in RESERVED or self._own.get(own, source) != source:
            raise ModelError(
                f"layer {name}: the function {own!r} of to_numpy must have another name: a "
                "different function of the file has it"
            )
        self._own[own] = source
        self._call(name, own, {**getattr(part, "weights", {}), **settings}, x, comment)

    def _add(self, name: str, layer: Layer, x: str, shape: Shape) -> None:
        kind, after = type(layer), row_shape(layer.output_shape(shape))
        if "to_numpy" in vars(kind):
            self.add_own(name, layer, x, after)
        elif type(layer) is Residual:
            self._add_residual(name, layer, x, shape)
        elif kind is Dropout:
            self.lines.append(f"    # {in_comment(name)}: nothing, except in training")
        elif kind in DESCRIBED:
            function, settings = DESCRIBED[kind](layer, shape)
            self.use(function.__name__)
            self._call(name, function.__name__, {**layer.weights, **settings}, x, after)
        else:
            raise ModelError(f"layer {name}: {kind.__name__} has no counterpart in NumPy: {ADVICE}")

    def _add_residual(self, name: str, layer: Residual, x: str, shape: Shape) -> None:
        """Add a block ``F`` and its shortcut ``S``, with a variable of its own for the shortcut."""
        self._depth += 1  # of blocks within blocks
        skip = f"skip{self._depth if self._depth > 1 else ''}"
        added = "S(x)" if len(layer.shortcut) else "x"
        self.lines.append(f"    {skip} = {x}  # {in_comment(name)}: F(x) + {added}")
        for variable, branch in ((skip, "shortcut"), (x, "block")):
            chain = layer.branches[branch]
            named = [(f"{name}.{branch}.{inner}", each) for inner, each in chain.named]
            self.add_layers(named, variable, shape)
        self.lines.append(f"    {x} = {x} + {skip}  # {row_shape(layer.output_shape(shape))}")
        self._depth -= 1

    def _call(
        self, name: str, function: str, arguments: Mapping[str, Any], x: str, comment: str
    ) -> None:
        """Add a line; arrays among the arguments become weights, other values literals."""
        arrays: Arrays = {}
        passed = []
        for key, value in arguments.items():
            if isinstance(value, np.ndarray):
                if value.dtype.kind != "f":
                    raise ModelError(
                        f"layer {name}: argument {key!r} of {function} must be an array of floats, "
                        f"as weights are, got {value.dtype}: pass it as a tuple"
                    )
                arrays[key] = value
                continue
            try:
                passed.append(f"{key}={literal(value)}")
            except TypeError as error:
                raise ModelError(f"layer {name}: argument {key!r} of {function}: {error}") from None
        if arrays:
            self.arrays[name] = arrays
            passed.insert(0, f"**WEIGHTS[{literal(name)}]")
        else:
            comment = f"{in_comment(name)}: {comment}"
        self.lines.append(
            call(f"{x} = {function}", [x, *passed], indent=4, comment=in_comment(comment))
        )


def _of(function: Callable[..., Any], *attributes: str) -> Describe:
    """Return the function with attributes of the layer as its arguments."""

    def describe(layer: Any, shape: Shape) -> tuple[Callable[..., Any], dict[str, object]]:
        return function, {name: getattr(layer, name) for name in attributes}

    return describe


def _convolution(layer: Conv2D, shape: Shape) -> tuple[Callable[..., Any], dict[str, object]]:
    """Return a stride that is not 1, and the numbers of zeros around an image if there are some."""
    windows = Windows.over(layer.kind, shape, layer.size, layer.stride, layer.padding)
    top, below, left, right = windows.margins
    settings: dict[str, object] = {} if layer.stride == 1 else {"stride": layer.stride}
    if any(windows.margins):
        settings["padding"] = ((top, below), (left, right))
    return layer_functions.conv2d, settings


def _batch_norm(layer: BatchNorm, shape: Shape) -> tuple[Callable[..., Any], dict[str, object]]:
    of_rows, of_images = layer_functions.batch_norm, layer_functions.batch_norm2d
    return of_rows if len(shape) == 1 else of_images, {"epsilon": layer.epsilon}


def _embedding(layer: Embedding, shape: Shape) -> tuple[Callable[..., Any], dict[str, object]]:
    return layer_functions.embedding, {"columns": layer.index_columns}


DESCRIBED: Mapping[type[Layer], Describe] = {
    Dense: _of(layer_functions.dense),
    Conv2D: _convolution,
    ReLU: _of(layer_functions.relu),
    LeakyReLU: _of(layer_functions.leaky_relu, "slope"),
    ELU: _of(layer_functions.elu, "alpha"),
    Tanh: _of(layer_functions.tanh),
    Sigmoid: _of(layer_functions.sigmoid),
    SiLU: _of(layer_functions.silu),
    GELU: _of(layer_functions.gelu),
    Softmax: _of(layer_functions.softmax),
    BatchNorm: _batch_norm,
    LayerNorm: _of(layer_functions.layer_norm, "epsilon"),
    MaxPool2D: _of(layer_functions.max_pool2d, "size", "stride"),
    AveragePool2D: _of(layer_functions.average_pool2d, "size", "stride"),
    GlobalAveragePool2D: _of(layer_functions.global_average_pool2d),
    Flatten: _of(layer_functions.flatten),
    Reshape: _of(layer_functions.reshape, "shape"),
    Embedding: _embedding,
}
"""The function of each layer, and its arguments beside the layer's arrays."""
