"""The source of the lines after the network: the names of its outputs, and their units."""

from handloom.data.table_target import TableTarget
from handloom.interop.source.text import literal, sequence
from handloom.model import Model


def names_source(model: Model) -> str:
    """Return the line, or lines, that define ``CLASSES`` or, if there are none, ``OUTPUTS``."""
    start = "CLASSES = " if model.classes else "OUTPUTS = "
    return sequence(model.classes or model.class_names, start)


def restored(target: TableTarget, outputs: str, exp: str) -> str:
    """Return an expression for predictions in the units of the target, as `TableTarget.restore`.

    Parameters
    ----------
    target : TableTarget
        Of a regression.
    outputs : str
        The expression for the network's outputs, which are float64.
    exp : str
        The name of the exponential function.

    Returns
    -------
    str
        Such as ``"np.exp(outputs * 0.5 + 12.0)"``.
    """
    values = f"{outputs} * {literal(target.scale)} + {literal(target.mean)}"
    return f"{exp}({values})" if target.scaling == "log" else values
