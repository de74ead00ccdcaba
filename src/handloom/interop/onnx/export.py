"""to_onnx: from a model to a file of ONNX."""

from pathlib import Path

import numpy.typing as npt

from handloom.files import write_bytes
from handloom.interop.exported import Exported
from handloom.interop.models import model_of, scaled_target
from handloom.interop.onnx.columns import add_restored_target
from handloom.interop.onnx.comparison import NotComparedError, compared_in_runtime
from handloom.interop.onnx.files import model_bytes, require_package
from handloom.interop.onnx.graph import OLDEST_OPSET, Graph
from handloom.interop.onnx.layers import add_layers
from handloom.interop.onnx.metadata import metadata_of, predictions_name
from handloom.interop.onnx.predictions import add_output_activation
from handloom.interop.onnx.preparation import add_input
from handloom.interop.replaced import require_replaceable
from handloom.model import Model
from handloom.training.loaded_run import LoadedRun


def to_onnx(
    model: Model | LoadedRun,
    path: str | Path,
    *,
    opset: int = OLDEST_OPSET,
    dtype: npt.DTypeLike | None = None,
    rows: object | None = None,
) -> Exported:
    """Write a model as a file of ONNX, which runtimes in many languages predict with.

    The file takes rows as `handloom.Model.predict` does: the preparation is part of it. Its input
    ``"input"`` has shape (n, ...), for any n: bytes stay ``uint8``, features have the dtype of the
    file. Its outputs, of shape (n, k), are ``"logits"``, those of the network before the output
    activation, and the predictions: ``"probabilities"`` of classes, or the ``"values"`` of a
    regression, quantiles in ascending order.

    A model of a table has an input for each raw column instead, shape (n, 1), named like the
    column: float64 for numbers and booleans, NaN where they are missing; texts for categories,
    empty where they are missing. `handloom.interop.onnx.feeds` makes them of a frame. Values are in
    the units of the target column. An output that has the name of a column gets a number:
    ``"values_2"``.

    Its metadata has the names of classes or outputs as a JSON list (``class_names`` or
    ``output_names``), and the description of the model, so that `handloom.from_onnx` makes the same
    model of it.

    Where onnxruntime is installed, the predictions of the file are compared with those of the
    model, before the file is written, atomically.

    Parameters
    ----------
    model : Model or LoadedRun
        A model, or a run with one.
    path : path
        The file, usually ``*.onnx``. An earlier export is replaced, another file never.
    opset : int
        The version of ONNX's standard operators, from 17 to the newest one that the installed
        package knows. Older runtimes need an older one.
    dtype : {"float32", "float64"}, optional
        The dtype of the arithmetic; by default that of the network. In float64, convolution and
        average pooling are composed of slices and products, since onnxruntime has no float64
        version; that is exact and slower.
    rows : array-like, shape (n, ...), or frame, optional
        Rows for the comparison, as `handloom.Model.predict` takes them, raw rows of a table; by
        default made-up ones.

    Returns
    -------
    Exported
        The path, the largest difference, and the names of the outputs.

    Raises
    ------
    MissingExtraError
        If the package onnx is not installed.
    ConfigurationError
        If an option is invalid, or a layer cannot be made again from its configuration.
    ModelError
        If a layer or the transform has no counterpart, or the weights exceed 2 GB.
    FileError
        If the file cannot be written, or is another one than an earlier export.
    """
    require_package()
    require_replaceable(Path(path))
    own = model_of(model)
    graph = Graph(own.network.parameters.dtype if dtype is None else dtype, opset)
    add_model(graph, own)
    content = model_bytes(graph, metadata_of(own, graph.dtype))
    exported = _compared(Path(path), content, own, graph, rows)
    write_bytes(Path(path), content)
    return exported


def add_model(graph: Graph, model: Model) -> None:
    """Add the inputs, the nodes and the outputs of a model to an empty graph.

    Raises
    ------
    ModelError
        If a layer or the transform has no counterpart.
    """
    x = add_input(graph, model)
    network, shape = model.network, model.network.output_shape
    named = network.named_layers()
    # an activation at the end keeps the shape; the model applies it once
    before, activation = (named[:-1], named[-1:]) if network.output_activation else (named, [])
    logits = add_layers(graph, before, x, network.input_shape)
    graph.output("logits", logits, shape)
    predicted = add_layers(graph, activation, logits, shape)
    if not activation:
        (outputs,) = shape
        predicted = add_output_activation(graph, model.output_activation, logits, outputs)
    if (target := scaled_target(model)) is not None:
        predicted = add_restored_target(graph, target, predicted)
    graph.output(predictions_name(model), predicted, shape)


def _compared(
    path: Path, content: bytes, model: Model, graph: Graph, rows: object | None
) -> Exported:
    """Return the result of the export, after the comparison of its predictions."""
    outputs = tuple(each.name for each in graph.outputs)
    try:
        figures = compared_in_runtime(content, model, graph.inputs, rows)
    except NotComparedError as error:
        return Exported(path, "onnx", not_compared=str(error), outputs=outputs)
    return Exported(path, "onnx", *figures, outputs=outputs)
