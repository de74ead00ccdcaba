"""Losses of the user's own: that values and gradients of shards add up, and arguments are kept."""

from copy import deepcopy

import numpy as np

from handloom.errors import ConfigurationError
from handloom.losses import LOSSES, Loss
from handloom.model import Model
from handloom.operations import Array, Arrays

ROWS = 8
"""The number of training rows, from the first, on which a loss is called."""

ARGUMENTS = ("predictions", "targets", "weights")
"""Those that a loss only reads."""

TOLERANCE = 1e-3
"""The relative difference between a value and twice its half that rounding may make."""


def check_own_loss(loss: Loss, model: Model, arrays: Arrays) -> None:
    """Refuse a loss that is not divided by ``total_weight``, or that writes to its arguments.

    Copies of it are called on copies of a few rows, so that a loss with a state keeps it. A loss
    that draws random numbers, or is not finite, is not compared, and one that raises an error
    raises it again in the first step.

    Parameters
    ----------
    loss : Loss
    model : Model
        Its outputs are those that the loss takes.
    arrays : Arrays
        The training rows.

    Raises
    ------
    ConfigurationError
        Naming the loss.
    """
    if type(loss) in LOSSES.values():
        return
    try:
        with np.errstate(all="ignore"):
            written, measured = _measured(loss, model, arrays)
    except Exception:
        return
    if written is not None:
        raise ConfigurationError(
            f"the loss {_name(loss)} must not write to its {written}, which others read"
        )
    for whole, again, half in zip(*measured, strict=True):  # the values, then the gradients
        if not np.isfinite(whole).all() or not np.array_equal(whole, again):
            return
        if np.abs(2.0 * half - whole).max() > TOLERANCE * np.abs(whole).max():
            raise ConfigurationError(
                f"the loss {_name(loss)} must divide by total_weight, not by the number of rows: a "
                f"batch may be computed in parts"
            )


def _measured(
    loss: Loss, model: Model, arrays: Arrays
) -> tuple[str | None, list[tuple[Array, Array]]]:
    """Return the argument that a loss writes to, and what it returns of some rows.

    That is value and gradient of the rows for their weight, again, and for twice that.
    """
    outputs, targets = model.logits(arrays.inputs[:ROWS]), arrays.targets[:ROWS]
    weights = None if arrays.weights is None else arrays.weights[:ROWS]
    total = float(len(outputs) if weights is None else weights.sum(dtype=np.float64))
    measured: list[tuple[Array, Array]] = []
    kept = (outputs, targets, weights)
    for divisor in (total, total, 2.0 * total):
        passed, out = deepcopy(kept), np.zeros_like(outputs)
        value, _ = deepcopy(loss)(*passed, total_weight=divisor, out=out)
        for argument, array, before in zip(ARGUMENTS, passed, kept, strict=True):
            if before is not None and not np.array_equal(np.asarray(array), before, equal_nan=True):
                return argument, measured
        measured.append((np.array(value, np.float64), out))
    return None, measured


def _name(loss: Loss) -> str:
    return getattr(loss, "__name__", type(loss).__name__)
