"""The text of a Python file that has a model as a module of PyTorch, for people to read."""

import json
from collections.abc import Sequence
from textwrap import indent, wrap

from handloom.data.transforms import AsFloat, Scale
from handloom.errors import ModelError
from handloom.interop.torch.sources import ModuleSource
from handloom.model import Model
from handloom.text import printable

WIDTH = 96

OUTPUTS = {
    "softmax": "torch.softmax(outputs, dim=1)",
    "sigmoid": "torch.sigmoid(outputs)",
    "exp": "torch.exp(outputs)",
    "identity": "outputs",
    "sort": "outputs.sort(dim=1).values",
}
"""From the outputs of a network to predictions, by `handloom.Model.output_activation`."""

WORDS = {
    "softmax": ("probabilities of the classes", "logits"),
    "sigmoid": ("probabilities", "logits"),
    "exp": ("values", "logarithms of the values"),
    "identity": ("values", "values"),
    "sort": ("quantiles, ascending", "quantiles in any order"),
}
"""The words for predictions, and for the outputs of a network."""

FILE = '''\
"""{facts}

    network = load()
    network.predict(rows)  # {predicted}, shape (n, {k})

`network.forward` takes prepared rows and returns {outputs}, for a training that goes on: call
`network.train()` before it. PyTorch and safetensors are all that this file needs.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

WEIGHTS = Path(__file__).with_name({weights})

{names}
{classes}

class Network(nn.Module):
    """The layers, and the preparation of {rows}."""

    def __init__(self):
        super().__init__()
        self.layers = {layers}
{to_dtype}
    def prepare(self, rows):
        """Return {rows} as the input of the first layer, shape (n, {entries})."""
{prepare}

    def forward(self, x):
        """Return {outputs}, shape (n, {k}), of prepared rows."""
        return self.layers(x)

    @torch.inference_mode()
    def predict(self, rows):
        """Return {predicted}, shape (n, {k}), of {rows}."""
        self.eval()
        parts = torch.as_tensor(rows).split(1000)
        outputs = torch.cat([self(self.prepare(part)) for part in parts])
        return {activation}


def load(path=WEIGHTS):
    """Return the network with the weights of a safetensors file."""
    network = Network()
    network.load_state_dict(load_file(path))
    return network.eval()
'''


def program(model: Model, source: ModuleSource, weights: str) -> str:
    """Return the text of the file.

    Parameters
    ----------
    model : Model
    source : ModuleSource
        That of the layers before the output activation.
    weights : str
        The name of the file of weights, in the same folder.

    Raises
    ------
    ModelError
        If the transform is not one of Handloom's.
    """
    network = model.network
    k = len(model.class_names)
    predicted, outputs = _names_of_outputs(model)
    return FILE.format(
        facts=_facts(model),
        predicted=predicted,
        outputs=outputs,
        k=k,
        weights=_quoted(weights),
        names=_assigned(
            "CLASSES" if model.predicts_classes or model.binary_classes else "OUTPUTS",
            model.binary_classes or model.class_names,
        ),
        classes="".join(f"\n\n{each}" for each in source.classes),
        rows=f"{model.row_dtype} rows, shape (n, {', '.join(map(str, model.row_shape))})",
        layers=indent(source.call, " " * 8).lstrip(),
        to_dtype="" if network.parameters.dtype == "float32" else "        self.double()\n",
        entries=", ".join(map(str, network.input_shape)),
        prepare=indent(_preparation(model), " " * 8),
        activation=OUTPUTS[model.output_activation],
    )


def _names_of_outputs(model: Model) -> tuple[str, str]:
    """Return the words for predictions, and for the outputs in front of the activation."""
    if model.binary_classes:
        return "the probability of the second class", "its logit"
    if model.output_activation == "identity" and model.network.output_activation is not None:
        return "probabilities", "probabilities"
    return WORDS[model.output_activation]


def _facts(model: Model) -> str:
    """Return what is known of the model, as the first paragraphs of a docstring."""
    network = model.network
    lines = [
        f"A network of {len(network.parameters):,} parameters, trained with Handloom on "
        f"{_quotable(model.trained_on)}."
    ]
    if any(type(layer).__name__ == "BatchNorm" and layer.ghost_batch for layer in network.layers):
        lines.append(
            "Its batch norm was trained on groups of rows of a batch (ghost batches); that of "
            "PyTorch takes all rows of a batch, which makes no difference to predictions."
        )
    return "\n\n".join("\n".join(wrap(line, WIDTH)) for line in lines)


def _quotable(text: str) -> str:
    """Return a text that a docstring can hold as it is."""
    return printable(text).replace("\\", "/").replace('"', "'")


def _assigned(name: str, texts: Sequence[str]) -> str:
    """Return the assignment of a tuple of texts, on several lines if it is long."""
    quoted = [_quoted(each) for each in texts]
    whole = f"{name} = ({', '.join(quoted)}{',' * (len(quoted) == 1)})"
    if len(whole) <= WIDTH:
        return whole
    return "\n".join([f"{name} = (", *(f"    {each}," for each in quoted), ")"])


def _quoted(text: str) -> str:
    """Return a text as a literal of Python, between double quotes."""
    return json.dumps(printable(text))


def _preparation(model: Model) -> str:
    """Return the lines that prepare rows."""
    dtype = model.network.parameters.dtype
    lines = [f"x = torch.as_tensor(rows).to(torch.{dtype})"]
    if model.network.parameters.values.size:
        lines = ["x = torch.as_tensor(rows).to(next(self.parameters()))  # dtype and device"]
    transform = model.transform
    if type(transform) is Scale:
        lines.append(f"x = (x - {transform.shift!r}) / {transform.divisor!r}")
    elif type(transform) is not AsFloat:
        raise ModelError(
            f"the transform {type(transform).__name__} has no counterpart in PyTorch, expected "
            "Scale or AsFloat: export the model with transform=AsFloat(), and prepare its rows "
            "before predict"
        )
    if model.row_shape == model.network.input_shape:
        lines.append("return x")
    else:
        shape = ", ".join(map(str, model.network.input_shape))
        lines.append(f"return x.reshape(-1, {shape})")
    return "\n".join(lines)
