"""The loss of a network before its training: that of guessing, if its initial weights are good."""

import numpy as np

from handloom.errors import HandloomError
from handloom.losses import SoftmaxCrossEntropy
from handloom.network import Sequential
from handloom.randomness import Stream
from handloom.reporting.run import ReportedRun

ROWS = 256
"""The number of training rows that are measured."""


def first_loss(run: ReportedRun) -> float | None:
    """Return the loss of the initial weights, which the seed gives again, or None.

    The rows run through the network as in a training step, so that batch normalization has the
    statistics of a batch.
    """
    seed = run.settings.get("seed")
    if run.model is None or run.train is None or not isinstance(seed, int):
        return None
    if run.model.output_activation != "softmax" or not run.train.has_classes:
        return None
    rows = run.train.take(np.linspace(0, len(run.train) - 1, min(ROWS, len(run.train))).astype(int))
    own = run.model.network
    try:
        # a network of its own, since building anew changes weights
        network = Sequential.from_config(own.config())
        network.build(own.input_shape, seed=seed, dtype=own.parameters.dtype)
        x = np.empty((len(rows), *network.input_shape), network.parameters.dtype)
        run.model.transform(rows.inputs[:], x.reshape(len(x), -1))
        logits = network.without_activation("softmax").forward(
            x, training=True, stream=Stream(seed)
        )
        value, _ = SoftmaxCrossEntropy()(logits, rows.targets)
    except HandloomError:  # such as a layer of the user's
        return None
    return float(value)
