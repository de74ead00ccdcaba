"""Dead units: ReLUs whose output is 0 for every row, sought on many rows."""

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from handloom.layers import Dropout, Layer
from handloom.network import Sequential
from handloom.parameters import Array

Mask = npt.NDArray[np.bool_]


def inactive(y: Array) -> Mask:
    """Return the units that are 0 for every row of a ReLU's output, shape (n, units, ...)."""
    largest = y.max(axis=tuple(axis for axis in range(y.ndim) if axis != 1))
    unit: Mask = largest <= 0.0
    return unit


def dead_fractions(
    network: Sequential, chunks: Iterable[Array], *, go_on: Callable[[], bool]
) -> tuple[dict[str, float], int]:
    """Return the fraction of dead units of each ReLU layer, and the number of rows they are of.

    A unit that is active for a single row is not dead, so more rows find fewer dead units, and
    where none is left the search ends.

    Parameters
    ----------
    network : Sequential
        A replica: its buffers are overwritten. Dropout is inactive, and layers that normalize use
        the statistics of a chunk, as in a step.
    chunks : iterable of array, shape (n, *input_shape)
    go_on : callable
        Returns whether there is time for another chunk; the first one is always measured.

    Returns
    -------
    fractions : dict of str to float
    rows : int
    """
    layers = [(n, each) for n, each in network.named_layers() if not isinstance(each, Dropout)]
    rectifiers = [index for index, (_, each) in enumerate(layers) if each.kind == "relu"]
    layers = layers[: rectifiers[-1] + 1] if rectifiers else []
    dead, rows = dict[str, Mask](), 0
    for x in chunks:
        if rows and not (any(mask.any() for mask in dead.values()) and go_on()):
            break
        _add(layers, x, dead)
        rows += len(x)
    network.take_statistics()  # they are not those of a step
    return {name: float(mask.mean()) for name, mask in dead.items()}, rows


def _add(layers: list[tuple[str, Layer]], x: Array, dead: dict[str, Mask]) -> None:
    """Run rows through layers, and keep the units that are dead on them too."""
    for name, layer in layers:
        rng = np.random.default_rng(0) if layer.stochastic else None  # not of the training
        x = layer.forward(x, training=True, rng=rng)
        if layer.kind == "relu":
            dead[name] = dead.get(name, True) & inactive(x)
