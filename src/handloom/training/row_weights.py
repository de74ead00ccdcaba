"""Row weights of a training: sample weights times class weights, also of validation rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from handloom.data.conversion import convert_weights
from handloom.data.dataset import Dataset
from handloom.data.fingerprint import checksum
from handloom.errors import ConfigurationError, DataError
from handloom.parameters import Array
from handloom.training.checks import check_weights
from handloom.training.class_weights import Weights, class_weights, row_weights
from handloom.training.training_data import TrainingData


@dataclass(frozen=True)
class RowWeights:
    """The weights of the rows of a training.

    Attributes
    ----------
    train, validation : array, shape (n,), or None
        The products of sample weights and class weights; None if all are 1.
    sample_weights : array, shape (n,), or None
        Those of the training rows, without class weights.
    of_classes : array of float64, shape (k,), or None
        The weight of each class.
    """

    train: Array | None = None
    validation: Array | None = None
    sample_weights: Array | None = None
    of_classes: Weights | None = None

    @classmethod
    def of(
        cls,
        train: Dataset,
        validation: Dataset | None,
        data: TrainingData,
        dtype: npt.DTypeLike,
    ) -> "RowWeights":
        """Return the weights of the rows of ``data``, which were split into ``train, validation``.

        Balanced class weights are those of the training rows, also for validation rows.

        Raises
        ------
        ConfigurationError, DataError
            If weights are invalid, or those of all rows of a part are zero.
        """
        if validation is None and data.validation_weights is not None:
            raise ConfigurationError("validation_weights are of validation rows: pass validation")
        own = _converted("sample_weights", data.sample_weights, len(train), dtype)
        held_out = None
        if validation is not None:
            held_out = _converted(
                "validation_weights", data.validation_weights, len(validation), dtype
            )
        if data.class_weight is None:
            return cls(own, held_out, own)
        of_classes = class_weights(data.class_weight, train, own)
        weights = row_weights(train.targets, own, of_classes, dtype)
        if validation is not None:
            held_out = row_weights(validation.targets, held_out, of_classes, dtype)
            if not held_out.any():
                raise DataError(
                    "class_weight must give a validation row a weight above zero, got zero for all "
                    "of them"
                )
        return cls(weights, held_out, own, of_classes)

    def fingerprints(self, class_names: tuple[str, ...]) -> Mapping[str, Any]:
        """Return the entries of the row weights in the configuration, as JSON."""
        by_name = None
        if self.of_classes is not None:
            by_name = dict(zip(class_names, self.of_classes.tolist(), strict=True))
        return {
            "sample_weights": _fingerprint(self.sample_weights),
            "class_weight": by_name,
            "validation_weights": _fingerprint(self.validation),
        }


def _fingerprint(weights: Array | None) -> str | None:
    return None if weights is None else checksum(weights)


def _converted(
    name: str, weights: npt.ArrayLike | None, rows: int, dtype: npt.DTypeLike
) -> Array | None:
    """Return a checked copy of sample weights in the dtype of the network."""
    if weights is None:
        return None
    converted: Array = convert_weights(weights, name).astype(dtype)
    check_weights(name, converted, rows)
    return converted
