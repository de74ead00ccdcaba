"""The description of a model for the first lines of an exported file: plain text, as tables."""

from collections.abc import Mapping, Sequence

from handloom._version import __version__
from handloom.model import Model
from handloom.text import printable
from handloom.training.loaded_run import LoadedRun

MOST_NAMES = 30
"""The largest number of names of classes, outputs or columns that are listed."""


def description(model: Model, figures: Mapping[str, float] | None = None) -> list[str]:
    """Return lines that describe a model: its data, inputs, outputs and layers.

    They hold names of users, and are not yet escaped for a docstring.

    Parameters
    ----------
    model : Model
    figures : mapping of str to float, optional
        Figures by name, such as those of `figures_of`.
    """
    return [*_facts(model, figures or {}), "", *layer_table(model)]


def figures_of(subject: Model | LoadedRun) -> dict[str, float]:
    """Return the figures on the test set of a run that was read, by name; of a model none."""
    results = subject.results if isinstance(subject, LoadedRun) else None
    return {
        name.replace("_", " "): value
        for name, value in (results or {}).items()
        if name.startswith("test_") and isinstance(value, float)
    }


def _facts(model: Model, figures: Mapping[str, float]) -> list[str]:
    dtype = str(model.network.parameters.dtype)
    facts = {"trained on": printable(model.trained_on)}
    if model.columns is None:
        facts["input"] = f"rows of {model.row_dtype}, shape {model.row_shape}"
        columns = model.column_names or ()
    else:
        columns = tuple(each.name for each in model.columns.inputs)
        facts["input"] = f"raw rows of a table with {len(columns)} columns"
    if columns:
        facts["columns"] = _names(columns)
    facts["output"] = output_of(model)
    facts["classes" if model.classes else "outputs"] = _names(model.classes or model.class_names)
    facts["arithmetic"] = dtype
    facts.update({name: f"{value:.4g}" for name, value in figures.items()})
    facts["written by"] = f"Handloom {__version__}"
    width = max(map(len, facts)) + 2
    return [f"{f'{name}:':<{width}}{value}" for name, value in facts.items()]


def output_of(model: Model) -> str:
    """Return a description of the model's predictions, for people."""
    if model.binary_classes:
        return f"the probability of {printable(model.binary_classes[1])!r}"
    if model.predicts_classes:
        return f"probabilities of {len(model.classes)} classes (softmax)"
    if "sigmoid" in (model.output_activation, model.network.output_activation):
        return f"{len(model.class_names)} independent probabilities (sigmoid)"
    return {
        "exp": "the exponential of the network's outputs",
        "sort": "quantiles in ascending order",
    }.get(model.output_activation, "continuous values")


def layer_table(model: Model) -> list[str]:
    """Return the layers with the shape of an output row and the number of weights, aligned."""
    parameters = model.network.parameters
    rows = [
        ("layer", "output of a row", "weights"),
        ("input", str(model.network.input_shape), ""),
    ]
    for name, shape, _ in model.network.summary():
        own = [
            array.size for key, array in parameters.weights.items() if key.startswith(f"{name}.")
        ]
        rows.append((printable(name), str(shape), f"{sum(own):,}"))
    rows.append(("total", "", f"{parameters.values.size:,}"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}".rstrip()
        for row in rows
    ]


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return ", ".join(map(printable, names[:MOST_NAMES])) + more
