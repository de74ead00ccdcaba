"""The text of the Python file that predicts with a model and imports NumPy alone."""

from collections.abc import Mapping

from handloom.data.transforms import AsFloat, Scale
from handloom.errors import ModelError
from handloom.interop.models import scaled_target
from handloom.interop.numpy import file_functions
from handloom.interop.numpy.forward import ADVICE, Forward
from handloom.interop.numpy.weights import weights_source
from handloom.interop.source.description import description, output_of
from handloom.interop.source.functions import source_of
from handloom.interop.source.module_names import import_line
from handloom.interop.source.outputs import names_source, restored
from handloom.interop.source.table import IMPORT, encoder_source
from handloom.interop.source.text import in_comment, in_docstring, literal, row_shape
from handloom.model import Model
from handloom.parallel.partition import prediction_rows

READING = (
    "Read it from top to bottom: the layers as functions, the network line by line, predictions,",
    "and at the end the weights as text.",
)

OUTPUTS = {
    "softmax": "softmax(outputs)",
    "sigmoid": "sigmoid(outputs)",
    "exp": "np.exp(outputs)",
    "identity": "outputs",
    "sort": "np.sort(outputs, axis=1)",
}
"""The expression of each output activation; see `handloom.predictions.OUTPUT_ACTIVATIONS`."""


def file_text(model: Model, name: str, figures: Mapping[str, float] | None = None) -> str:
    """Return the text of the file.

    Parameters
    ----------
    model : Model
    name : str
        The name of the module, for the example in its first lines.
    figures : mapping of str to float, optional
        Figures of the model, such as its accuracy, by name.

    Raises
    ------
    ModelError
        If a layer or the transform has no counterpart in NumPy.
    """
    forward = Forward()
    network = _network(model, forward)
    weights = weights_source(forward.arrays, model.network.parameters.dtype)
    prediction = _prediction(model, forward)
    first = "" if model.columns is None else f"{IMPORT}\n\n"
    sections = [
        f"{_docstring(model, name, figures)}\n\n{first}import numpy as np\n\n{_constants(model)}",
        _titled("The layers", forward.functions),
        _titled("The network", [network]),
        *_table(model),
        _titled("Predictions", prediction),
        _titled("The weights", weights),
    ]
    return "\n\n\n".join(sections) + "\n"


def _table(model: Model) -> list[str]:
    """Return the section that encodes the raw rows of a table, if the model takes them."""
    if model.columns is None:
        return []
    return [_titled("The rows of the table, as numbers", [encoder_source(model.columns)])]


def _titled(title: str, parts: list[str]) -> str:
    return "\n\n\n".join([f"# {title}\n# {'-' * len(title)}", *parts])


def _docstring(model: Model, name: str, figures: Mapping[str, float] | None) -> str:
    lines = [
        "A trained neural network in plain NumPy: to predict, and to read.",
        "",
        *(f"    {line}" if line else "" for line in description(model, figures)),
        "",
        "Use it in Python 3.10 or later, where nothing but NumPy has to be installed:",
        "",
        *(f"    {line}" if line else "" for line in _example(model, name)),
        "",
        *READING,
    ]
    return "\n".join(['"""' + in_docstring(lines[0]), *map(in_docstring, lines[1:]), '"""'])


def _example(model: Model, name: str) -> list[str]:
    """Return example code that uses the file."""
    result = "probabilities" if model.classes else "predictions"
    imported, own = import_line(name)
    lines = [imported, ""]
    if model.columns is not None:
        mark = model.columns.decimal_mark
        delimiter = ', delimiter=";"' if mark is not None and mark.mark == "," else ""
        lines = [
            "import csv",
            imported,
            "",
            'with open("rows.csv", encoding="utf-8-sig", newline="") as file:',
            f"    rows = list(csv.DictReader(file{delimiter}))",
        ]
    lines.append(f"{result} = {own}.predict(rows)  # shape (n, {len(model.class_names)})")
    if model.classes:
        lines.append(f"names = {own}.classify(rows)  # the most probable class of each row")
    return lines


def _constants(model: Model) -> str:
    chunk = prediction_rows(model.before_loss.largest_activation)
    return "\n".join(
        [
            names_source(model),
            f"DTYPE = np.{model.network.parameters.dtype}  # of all arithmetic",
            f"CHUNK = {chunk}  # rows that go through the network at once",
        ]
    )


def _network(model: Model, forward: Forward) -> str:
    """Return the function of the forward pass, in the order of the layers."""
    network, shape = model.before_loss, model.row_shape
    _add_transform(model, forward)
    if network.input_shape != shape:
        sizes = ", ".join(map(str, network.input_shape))
        forward.lines.append(
            f"    x = x.reshape(len(x), {sizes})  # {row_shape(network.input_shape)}"
        )
    forward.add_layers(network.named_layers(), "x", network.input_shape)
    after = row_shape(model.network.output_shape)
    kind = "logits" if model.output_activation in ("softmax", "sigmoid") else "outputs"
    return "\n".join(
        [
            "def network(x):",
            f'    """Return the {kind} {after} of rows {row_shape(shape)}."""',
            *forward.lines,
            "    return x",
        ]
    )


def _add_transform(model: Model, forward: Forward) -> None:
    transform, after = model.transform, row_shape(model.row_shape)
    if "to_numpy" in vars(type(transform)):
        forward.add_own("transform", transform, "x", after)
    elif type(transform) is Scale:
        shift, divisor = transform.shift, transform.divisor
        if model.row_dtype == "uint8":
            after += f", bytes as {-shift / divisor:.3g} to {(255 - shift) / divisor:.3g}"
        forward.lines.append(f"    x = (x.astype(DTYPE) - {shift!r}) / {divisor!r}  # {after}")
    elif type(transform) is AsFloat:
        forward.lines.append(f"    x = x.astype(DTYPE)  # {after}")
    else:
        raise ModelError(
            f"the transform {type(transform).__name__} has no counterpart in NumPy: {ADVICE}"
        )


def _prediction(model: Model, forward: Forward) -> list[str]:
    """Return the functions that predict."""
    shape = f"(n, {len(model.class_names)})"
    if model.columns is None:
        rows = f"rows {row_shape(model.row_shape)} of {model.row_dtype}"
        first = f"check_rows(rows, {literal(model.row_shape)}, {literal(model.row_dtype)})"
        parts = [source_of(file_functions.check_rows)]
    else:
        rows, first = "raw rows of the table", "np.array(encode(rows), np.float32)"
        parts = []
    if model.output_activation in ("softmax", "sigmoid"):
        forward.use(model.output_activation)
    predict = [
        "def predict(rows):",
        f'    """Return {in_docstring(output_of(model))}, shape {shape}, of {rows}."""',
        f"    rows = {first}",
        "    starts = range(0, max(len(rows), 1), CHUNK)",
        "    outputs = np.concatenate([network(rows[i : i + CHUNK]) for i in starts])",
        *_last_lines(model),
    ]
    parts.append("\n".join(predict))
    if model.binary_classes:
        parts.append("\n".join(CLASSIFY_TWO))
    elif model.classes:
        parts.append("\n".join(CLASSIFY))
    return parts


CLASSIFY = (
    "def classify(rows):",
    '    """Return the name of the most probable class of each row."""',
    "    return [CLASSES[index] for index in predict(rows).argmax(axis=1)]",
)

CLASSIFY_TWO = (
    "def classify(rows):",
    '    """Return the name of the more probable class of each row."""',
    "    return [CLASSES[int(p > 0.5)] for p in predict(rows)[:, 0]]",
)


def _last_lines(model: Model) -> list[str]:
    """Return the lines from the network's outputs to predictions in the units of the target."""
    outputs = OUTPUTS[model.output_activation]
    if (target := scaled_target(model)) is None:
        return [f"    return {outputs}"]
    name = in_comment(literal(target.name))
    return [
        f"    outputs = {outputs}.astype(np.float64)",
        f"    return {restored(target, 'outputs', 'np.exp')}  # in the units of {name}",
    ]
