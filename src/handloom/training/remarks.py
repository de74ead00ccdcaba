"""Remarks: likely mistakes that are seen before a training, each a warning and a note."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.data.transforms import Scale, Transform
from handloom.layers import ReLU, Sigmoid, Softmax, Tanh
from handloom.losses import Loss
from handloom.network import Sequential
from handloom.schedules import (
    CosineDecay,
    ExponentialDecay,
    LinearDecay,
    OneCycle,
    Schedule,
    StepDecay,
    Warmup,
    planned_steps,
)

ENDS_EARLY = 0.5
"""The fraction of a training before which the end of a schedule is a likely mistake."""

DECAYED = 1e-6
"""The learning rate relative to the first one below which a training stands still."""

SAMPLED_IMAGES = 256
"""The number of images, from the first, in which the largest value is searched."""

RANGES: Mapping[type, tuple[float, float]] = {
    ReLU: (0.0, np.inf),
    Sigmoid: (0.0, 1.0),
    Tanh: (-1.0, 1.0),
    Softmax: (0.0, 1.0),
}
"""The ranges of the outputs of layers."""


def remarks(
    network: Sequential,
    loss: Loss,
    transform: Transform,
    train: Dataset,
    rate: Schedule,
    steps: int,
) -> Iterator[str]:
    """Yield the likely mistakes of a training.

    Parameters
    ----------
    network : Sequential
        Built.
    loss : Loss
    transform : Transform
    train : Dataset
    rate : schedule
    steps : int
        The number of steps of the whole training.
    """
    yield from _schedule(rate, steps)
    yield from _masks(transform, train.inputs)
    yield from _range(network, loss, train)


def _schedule(rate: Schedule, steps: int) -> Iterator[str]:
    """Find a schedule whose steps were probably meant as epochs."""
    decay = rate
    while isinstance(decay, Warmup):
        decay = decay.then
    name, end = type(decay).__name__, planned_steps(rate)
    if isinstance(decay, CosineDecay | LinearDecay | OneCycle) and end is not None:
        if end < ENDS_EARLY * steps:
            yield (
                f"{name} ends after {end} of {steps} steps: steps counts optimizer steps, not "
                f"epochs"
            )
    elif isinstance(decay, StepDecay | ExponentialDecay):
        smallest = DECAYED * decay.learning_rate
        first = min(_warmup_steps(rate), steps)
        reached = bisect_left(range(steps), True, lo=first, key=lambda step: rate(step) < smallest)
        if reached < steps:
            option = "every counts" if isinstance(decay, StepDecay) else "factor is that of"
            yield (
                f"{name} has divided the learning rate by more than {1 / DECAYED:,.0f} after "
                f"{reached} of {steps} steps: {option} optimizer steps, not epochs"
            )


def _warmup_steps(rate: Schedule) -> int:
    """Return the number of steps of the warmup."""
    return rate.steps + _warmup_steps(rate.then) if isinstance(rate, Warmup) else 0


def _masks(transform: Transform, inputs: npt.NDArray[np.generic]) -> Iterator[str]:
    """Find images of 0 and 1 that are scaled as if they were bytes from 0 to 255."""
    if inputs.dtype != np.uint8 or transform != Scale():
        return
    first = inputs[:SAMPLED_IMAGES]  # of a mapped file, a few pages
    if first.max(initial=0) == 1:
        yield (
            "the largest value of the uint8 images is 1, and Scale() maps 0 and 1 to -1 and -0.99: "
            "pass transform=AsFloat(), or multiply the images by 255"
        )


def _range(network: Sequential, loss: Loss, train: Dataset) -> Iterator[str]:
    """Find continuous targets that the last layer cannot output."""
    last = network.layers[-1]
    applied = getattr(loss, "output_activation", "identity")
    if train.has_classes or type(last) not in RANGES or applied != "identity":
        return
    low, high = RANGES[type(last)]
    smallest, largest = float(train.targets.min()), float(train.targets.max())
    if smallest < low or largest > high:
        outputs = f"between {low:g} and {high:g}" if np.isfinite(high) else f"at least {low:g}"
        yield (
            f"the network ends in {type(last).__name__}, whose outputs are {outputs}, and the "
            f"targets are between {smallest:.4g} and {largest:.4g}: remove the last layer, or "
            f"scale the targets to its range"
        )
