"""The walkthrough of a network of the user's own: one step on a copy, from rows and targets."""

import copy

import numpy as np

from handloom.data import Dataset
from handloom.errors import ConfigurationError, ModelError, require_instance, require_number
from handloom.losses import Loss, SoftmaxCrossEntropy
from handloom.losses.base import output_activation_of
from handloom.network import Sequential
from handloom.network_contents import WritesRows
from handloom.optimizers import SGD, Optimizer
from handloom.parameters import Array
from handloom.randomness import Purpose, Stream
from handloom.training.parts import as_loss, as_optimizer
from handloom.walkthroughs.equations import number
from handloom.walkthroughs.pages import Walkthrough
from handloom.walkthroughs.step import Example, step


def walkthrough(
    network: Sequential,
    x: object,
    y: object,
    *,
    optimizer: Optimizer | str | None = None,
    loss: Loss | str | None = None,
    learning_rate: float = 0.1,
    transform: WritesRows | None = None,
    seed: int = 0,
) -> Walkthrough:
    """Explain one training step of a network, array by array.

    The library's own layers, loss and optimizer make the step, on a copy of the network in float64:
    the network, the optimizer and their arrays stay as they are. ``print`` shows the result.

    Parameters
    ----------
    network : Sequential
        A built network.
    x : array-like, shape (n, ...)
        Few rows of the network's input: transformed rows. With a transform, raw rows.
    y : array-like, shape (n,) or (n, k)
        The targets of the rows: classes, or continuous targets.
    optimizer : Optimizer or str, optional
        By default `SGD`. A copy of it makes its first step.
    loss : Loss or str, optional
        By default `SoftmaxCrossEntropy`, for classes; for continuous targets it must be set.
    learning_rate : float
        The rate of the step.
    transform : Transform, optional
        Preprocesses raw rows for the network; ``model.transform`` is that of a trained model.
    seed : int
        The seed of the layers that draw, such as `Dropout`.

    Returns
    -------
    Walkthrough

    Raises
    ------
    ConfigurationError
        If an argument is invalid, or targets are continuous and there is no loss.
    ModelError
        If the network is not built, the shape of a row is not ``input_shape``, there are fewer rows
        than a layer needs, or loss or gradient is not finite.
    DataError
        If rows or targets are invalid.
    """
    require_instance("network", network, Sequential)
    rate = require_number("learning_rate", learning_rate, minimum=0.0)
    used = SGD() if optimizer is None else copy.deepcopy(as_optimizer(optimizer))
    rows = network.as_rows(x, transform)
    if len(rows) < network.fewest_rows:
        raise ModelError(f"the network needs at least {network.fewest_rows} rows, got {len(rows)}")
    data = Dataset(rows, y, _class_names(network, y))
    chosen = as_loss(loss)
    if chosen is None and not data.has_classes:
        raise ConfigurationError(
            "continuous targets need a loss: pass loss=..., such as MeanSquaredError(); classes "
            "are integers"
        )
    whole = _in_float64(network)
    example = _example(whole, rows, data, chosen or SoftmaxCrossEntropy(), seed)
    parts = step(example, used.bind(whole.parameters), rate)
    return Walkthrough(
        f"One step of {used}, learning rate r = {number(rate)}, step = 1", tuple(parts)
    )


def _class_names(network: Sequential, y: object) -> tuple[str, ...] | None:
    """Return a name for each output if the targets are classes, of which few rows lack some."""
    outputs = network.output_shape[0]
    targets = np.asarray(y)
    few = targets.ndim == 1 and targets.dtype.kind in "iu" and outputs > 1
    return tuple(map(str, range(outputs))) if few else None


def _in_float64(network: Sequential) -> Sequential:
    """Return a copy of a network in float64, with the same values."""
    weights = {name: own.astype(np.float64) for name, own in network.parameters.weights.items()}
    copied = copy.deepcopy(network)
    return copied.build(network.input_shape, dtype=np.float64, weights=weights)


def _example(network: Sequential, x: Array, data: Dataset, loss: Loss, seed: int) -> Example:
    activation = output_activation_of(loss, network.output_activation)
    return Example(
        network.without_activation(activation).layers,
        network.parameters,
        x.astype(np.float64),
        data.targets if data.has_classes else data.targets.astype(np.float64),
        loss,
        Stream(seed).at(Purpose.LAYER),
    )
