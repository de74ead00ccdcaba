"""Checks before a training: data, sample weights and network must match."""

import math

import numpy as np
import numpy.typing as npt

from handloom.data.augment import check_images
from handloom.data.dataset import Dataset
from handloom.errors import ConfigurationError, DataError, ModelError
from handloom.losses import LOSSES, ClassificationLoss, Loss, output_names_of
from handloom.network import Sequential
from handloom.randomness import Stream
from handloom.training.datasets import check_same_names, check_same_rows, require_dataset
from handloom.training.options import TrainingOptions
from handloom.training.training_data import TrainingData


def check_data(
    network: Sequential, part: str, data: Dataset, output_names: tuple[str, ...]
) -> None:
    """Refuse rows or classes that the network was not built for.

    Parameters
    ----------
    network : Sequential
    part : str
        The name of the data, for messages.
    data : Dataset
    output_names : tuple of str
        The names of the outputs that the loss takes.

    Raises
    ------
    DataError
        With the part of the data, and the sizes that differ.
    ModelError
        If the network is not built.
    """
    if not network.built:
        size = math.prod(data.input_shape)
        raise ModelError(f"build the network first: network.build(({size},), seed=0)")
    check_rows(network, part, data.input_shape)
    if network.output_shape != (len(output_names),):
        kind = "class" if data.has_classes else "target"
        if output_names != data.class_names:
            kind = "quantile of the target"
        raise DataError(
            f"the network's output must have shape ({len(output_names)},), one entry for each "
            f"{kind} of the {part} rows, got {network.output_shape}{_advice(network, data)}"
        )


def _advice(network: Sequential, data: Dataset) -> str:
    if data.has_classes and network.output_shape == (1,):
        return (
            "; integers are classes: for continuous targets pass targets.astype('float32'), "
            "also for BinaryCrossEntropy"
        )
    if not data.has_classes and data.targets.shape[1] == 1:
        return "; targets of floating-point numbers are continuous: for classes pass .astype(int)"
    return ""


def check_rows(network: Sequential, part: str, shape: tuple[int, ...]) -> None:
    """Refuse rows that do not fit the input of the network.

    A network of flat rows takes rows of any shape, flattened. Otherwise shapes must agree, except
    for axes of size 1: images (28, 28) fit a network of images (1, 28, 28).

    Raises
    ------
    DataError
        With the part of the data, and both shapes.
    """
    expected = network.input_shape
    if math.prod(shape) != math.prod(expected):
        raise DataError(
            f"the {part} rows must have {math.prod(expected)} features, for which the "
            f"network was built, got {math.prod(shape)} (shape {shape})"
        )
    if 1 in (len(shape), len(expected)) or _long_axes(shape) == _long_axes(expected):
        return
    channels_last = shape[-1:] + shape[:-1] == expected
    hint = ": pass channels_last=True to Dataset" if channels_last else ""
    raise DataError(
        f"the {part} rows must have shape {expected}, for which the network was built, "
        f"got {shape}{hint}"
    )


def _long_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size > 1)


def check_trainable(network: Sequential, loss: Loss, train: Dataset) -> None:
    """Refuse a network that cannot learn: no trainable weights, or a softmax of one output.

    Raises
    ------
    ConfigurationError, ModelError
        With the remedy.
    """
    if not len(network.parameters):
        raise ModelError(
            "the network has no trainable weights: every layer is frozen, or has no weights"
        )
    applied = getattr(loss, "output_activation", None)
    one = network.output_shape == (1,) and applied == "softmax"
    if one and (train.has_classes or (train.targets != 1).any()):  # a single class is certain
        raise ConfigurationError(
            f"{type(loss).__name__} needs two outputs or more, since the softmax of a single "
            f"output is always 1, got a network with one: use loss=BinaryCrossEntropy(), or two "
            f"outputs, one for each class"
        )


def check_batches(network: Sequential, options: TrainingOptions, rows: int) -> None:
    """Refuse batches with fewer rows than a layer that couples rows needs.

    Raises
    ------
    ConfigurationError
        With the fewest rows, and the rows that there are.
    """
    size, fewest = options.rows_per_batch(rows), network.fewest_rows
    if size < fewest:
        layers = ", ".join(name for name, layer in network.named_layers() if layer.couples_rows)
        raise ConfigurationError(
            f"a batch must have at least {fewest} rows, over which {layers} computes statistics, "
            f"got {size} ({rows} training rows, batch_size={options.batch_size})"
        )


def check_weights(name: str, weights: npt.NDArray[np.floating], rows: int) -> None:
    """Refuse sample weights unless there is one per row, all finite, none negative, not all zero.

    Raises
    ------
    DataError
        With the shape or the values that are expected.
    """
    if weights.shape != (rows,):
        raise DataError(f"{name} must have shape ({rows},), got {weights.shape}")
    if not np.isfinite(weights).all() or weights.min() < 0 or weights.max() == 0:
        raise DataError(f"{name} must be finite, zero or more, and not all zero")


def split_and_check(
    network: Sequential, options: TrainingOptions, data: TrainingData
) -> tuple[Dataset, Dataset | None]:
    """Return training and validation rows, split if they must be, that suit each other.

    Parameters
    ----------
    network : Sequential
    options : TrainingOptions
    data : TrainingData

    Raises
    ------
    ConfigurationError
        If there are row weights and a fraction to split off, or the loss does not take the targets.
    DataError, ModelError
        If the rows do not suit the network, the batch size, the augmentation or each other.
    """
    train, validation = require_dataset("train", data.train), data.validation
    if validation is not None and not isinstance(validation, float | int | np.number):
        require_dataset("validation", validation)
    if validation is not None and not isinstance(validation, Dataset):
        for name in ("sample_weights", "validation_weights"):
            if getattr(data, name) is not None:
                raise ConfigurationError(
                    f"validation must be a Dataset if there are {name}, got a fraction"
                )
        train, validation = train.split(validation, Stream(options.seed))
    loss = options.chosen_loss
    check_data(network, "training", train, output_names_of(loss, train.class_names))
    if validation is not None:
        check_same_names(train, validation)
        names = output_names_of(loss, validation.class_names)
        check_data(network, "validation", validation, names)
        check_same_rows(train, validation)
    check_batches(network, options, len(train))
    if options.augment:
        check_images(train)
    if not train.has_classes and options.loss is None:
        if _are_one_hot(train.targets):
            raise ConfigurationError(
                f"the targets of {train.name} are one-hot rows of {train.targets.dtype}, which "
                f"are continuous targets: for classes pass targets.argmax(axis=1); for several "
                f"labels a row, loss=BinaryCrossEntropy()"
            )
        raise ConfigurationError(
            f"loss must be set for the continuous targets of {train.name}, "
            "for instance loss=MeanSquaredError(); if they are classes, pass integers: "
            "targets.astype(int), or targets.argmax(axis=1) of one-hot rows"
        )
    if train.has_classes and _takes_continuous_targets(options.chosen_loss):
        raise ConfigurationError(
            f"{type(options.loss).__name__} takes continuous targets, and those of {train.name} "
            "are classes: if they are not, pass targets.astype('float32'); else another loss, such "
            "as SoftmaxCrossEntropy()"
        )
    check_trainable(network, loss, train)
    if train.has_classes and np.count_nonzero(train.rows_per_class) < 2:
        raise DataError("the training rows must have at least two classes, got a single class")
    return train, validation


def _takes_continuous_targets(loss: Loss | None) -> bool:
    """Return whether a loss of the library takes continuous targets only."""
    return type(loss) in LOSSES.values() and not isinstance(loss, ClassificationLoss)


def _are_one_hot(targets: npt.NDArray[np.floating]) -> bool:
    """Return whether each row of targets, shape (n, k), holds a single 1 and zeros."""
    binary = ((targets == 0.0) | (targets == 1.0)).all()
    return targets.shape[1] > 1 and bool(binary) and bool((targets.sum(axis=1) == 1.0).all())
