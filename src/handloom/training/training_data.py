"""TrainingData: the rows of a training and their weights, as a user passes them."""

from dataclasses import dataclass

import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.training.class_weights import ClassWeight


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The rows of a training and their weights, not checked yet.

    Parameters
    ----------
    train : Dataset or None
        None on a rank to which the rows are sent.
    validation, sample_weights, validation_weights, class_weight
        As in `handloom.Trainer.fit`.
    """

    train: Dataset | None
    validation: Dataset | float | None = None
    sample_weights: npt.ArrayLike | None = None
    validation_weights: npt.ArrayLike | None = None
    class_weight: ClassWeight | None = None
