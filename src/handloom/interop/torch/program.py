"""The text of a Python file that has a model as a module of PyTorch, for people to read."""

from collections.abc import Mapping
from textwrap import indent

from handloom.data.transforms import AsFloat, Scale
from handloom.errors import ModelError
from handloom.interop.models import scaled_target
from handloom.interop.source.description import description
from handloom.interop.source.outputs import names_source, restored
from handloom.interop.source.table import IMPORT, encoder_source
from handloom.interop.source.text import in_docstring, literal, row_shape, sequence
from handloom.interop.torch.sources import ModuleSource
from handloom.model import Model

LAYERS = "layers"
"""The attribute of the network in the file that holds its layers."""

OUTPUTS = {
    "softmax": "torch.softmax(outputs, dim=1)",
    "sigmoid": "torch.sigmoid(outputs)",
    "exp": "torch.exp(outputs)",
    "identity": "outputs",
    "sort": "outputs.sort(dim=1).values",
}
"""From the outputs of a network to predictions, by `handloom.Model.output_activation`."""

WORDS = {
    "softmax": ("probabilities", "logits"),
    "sigmoid": ("probabilities", "logits"),
    "exp": ("values", "logarithms of the values"),
    "identity": ("outputs", "outputs"),
    "sort": ("quantiles, ascending,", "quantiles in any order"),
}
"""The words for predictions, and for the outputs of a network."""

FILE = '''\
"""A network in PyTorch, trained with Handloom. It needs PyTorch and safetensors alone.

{description}

To predict, with the file of weights beside this one:

    from {module} import load

    network = load()
    network.predict({rows})  # {predicted} of shape (n, {k})

To train it further, call network.train(), and give network.forward prepared rows: it returns
{outputs}.
"""

{imported}from hashlib import sha256
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

WEIGHTS = Path(__file__).with_name({weights})
SHA256 = {digest}  # of that file

{names}
{classes}

class Network(nn.Module):
    """The layers, and the preparation of {raw}."""

    def __init__(self):
        super().__init__()
        self.layers = {layers}
{to_dtype}
    def prepare(self, {rows}):
        """Return {raw} as the input of the first layer."""
{prepare}

    def forward(self, x):
        """Return {outputs}, shape (n, {k}), of prepared rows."""
        return self.layers(x)

    @torch.inference_mode()
    def predict(self, {rows}):
        """Return {predicted} of shape (n, {k}), in evaluation mode."""
        modes = {{module: module.training for module in self.modules()}}
        self.eval()
        try:
            parts = {parts}.split(1000)
            outputs = torch.cat([{output} for part in parts])
            return {prediction}
        finally:
            for module, training in modes.items():
                module.training = training


def load(path=None):
    """Return the network with the weights of a safetensors file, by default WEIGHTS."""
    content = Path(path or WEIGHTS).read_bytes()
    if path is None and sha256(content).hexdigest() != SHA256:
        raise ValueError(
            f"the weights in {{WEIGHTS}} are not those that were exported with this file: export "
            "the model again, or pass load the path of weights of your own"
        )
    network = Network()
    network.load_state_dict(safetensors.torch.load(content))
    return network.eval()
{encoder}'''

CHECKED = '''

def checked(rows):
    """Return rows as a tensor, or refuse them if they are unlike those of the training."""
    rows = as_tensor(rows)
    if rows.shape[1:] != {shape}:
        raise ValueError(f"expected rows of shape {shape}, got {{tuple(rows.shape)}}")
    if {unlike}:
        raise ValueError(f"expected rows of {dtype}, as in the training, got {{rows.dtype}}")
    if not rows.isfinite().all():
        raise ValueError("expected finite numbers, got NaN or infinity")
{indices}    return rows


def as_tensor(rows):
    """Return rows as a tensor: a tensor, an array, a frame of numbers, or lists."""
    if isinstance(rows, torch.Tensor) or not hasattr(rows, "__array__"):
        return torch.as_tensor(rows)
    rows = rows.__array__()
    # PyTorch has no other byte order, negative strides or long floats, and warns of read-only ones
    dtype = "float64" if rows.dtype == "longdouble" else rows.dtype.newbyteorder("=")
    return torch.as_tensor(rows.astype(dtype, order="C", copy=not rows.flags.writeable))
'''
"""The functions that a file has if it takes arrays, not the columns of a table."""

CHECKED_INDICES = """\
{columns}
    indices = rows[:, columns]
    if ((indices < 0) | (indices % 1 != 0)).any():
        raise ValueError(f"columns {{columns}} must hold indices, whole numbers of at least 0")
"""
"""The check of columns of indices: PyTorch would cut off fractions, of -0.5 too."""


def program(
    model: Model,
    source: ModuleSource,
    *,
    module: str,
    weights: str,
    digest: str,
    figures: Mapping[str, float] | None = None,
) -> str:
    """Return the text of the file.

    Parameters
    ----------
    model : Model
    source : ModuleSource
        That of the layers before the output activation.
    module, weights : str
        The name of the file without ``.py``, and that of the file of weights beside it.
    digest : str
        The SHA-256 of the file of weights, in hexadecimal digits. ``load`` compares it: the two
        files may be of different exports.
    figures : mapping of str to float, optional
        Figures of the model on a test set.

    Raises
    ------
    ModelError
        If the transform is not one of Handloom's.
    """
    columns = model.columns
    predicted, outputs = WORDS[model.output_activation]
    prediction = OUTPUTS[model.output_activation]
    if (target := scaled_target(model)) is not None:
        prediction = restored(target, f"{prediction}.double()", "torch.exp")
    return FILE.format(
        description="\n".join(map(in_docstring, description(model, figures))),
        module=in_docstring(module),
        imported="" if columns is None else f"{IMPORT}\n",
        predicted=predicted,
        outputs=outputs,
        k=len(model.class_names),
        weights=literal(weights),
        digest=literal(digest),
        names=names_source(model),
        classes="".join(f"\n\n{each}" for each in source.classes),
        rows="rows" if columns is None else "table",
        raw=f"{model.row_dtype} rows of shape {row_shape(model.row_shape)}"
        if columns is None
        else "raw rows of a table",
        layers=indent(source.call, " " * 8).lstrip(),
        to_dtype="        self.double()\n" * (model.network.parameters.dtype == "float64"),
        prepare=indent(_preparation(model), " " * 8),
        parts="as_tensor(rows)" if columns is None else "self.prepare(table)",
        output="self(self.prepare(part))" if columns is None else "self(part)",
        prediction=prediction,
        encoder=_check(model) if columns is None else f"\n\n{encoder_source(columns)}\n",
    )


def _check(model: Model) -> str:
    """Return the function that checks rows: PyTorch would take many others without an error."""
    columns, indices = model.network.index_columns, ""
    if columns:
        indices = CHECKED_INDICES.format(columns=sequence(columns, "columns = ", indent=4))
    return CHECKED.format(
        indices=indices,
        shape=literal(model.row_shape),
        unlike="rows.dtype != torch.uint8"
        if model.row_dtype == "uint8"
        else "rows.dtype == torch.uint8 or rows.is_complex()",
        dtype=model.row_dtype,
    )


def _preparation(model: Model) -> str:
    """Return the lines that prepare rows."""
    dtype, transform = model.network.parameters.dtype, model.transform
    like = "next(self.parameters())" if model.network.parameters.values.size else f"torch.{dtype}"
    rows = "checked(rows)"
    if model.columns is not None:  # flat rows of a table are float32, whatever the network's dtype
        rows = "torch.tensor(encode(table), dtype=torch.float32)"
    steps = [f"{rows}.to({like})"]
    if type(transform) is Scale:
        steps.append(f"(x - {transform.shift!r}) / {transform.divisor!r}")
    elif type(transform) is not AsFloat:
        raise ModelError(
            f"the transform {type(transform).__name__} has no counterpart in PyTorch, expected "
            "Scale or AsFloat: export the model with transform=AsFloat(), and prepare its rows "
            "before predict"
        )
    if model.row_shape != model.network.input_shape:
        steps.append(f"x.reshape(-1, {', '.join(map(str, model.network.input_shape))})")
    return "\n".join([*(f"x = {step}" for step in steps[:-1]), f"return {steps[-1]}"])
