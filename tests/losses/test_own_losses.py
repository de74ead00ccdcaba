"""Messages about a loss of a user's own that does not keep its contract."""

from typing import Any

import numpy as np
import pytest

from handloom import SGD, DataError, Dataset, Dense, MeanSquaredError, Sequential, Trainer
from handloom.errors import ModelError
from handloom.losses import RowLoss, Targets
from handloom.parameters import Array

X = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
DATA = Dataset(X, X[:, :2].copy())


class Squares(RowLoss):
    output_activation = "identity"

    def check_targets(self, predictions: Array, targets: Targets, weights: Any) -> Targets:
        return targets.astype(predictions.dtype)

    def row_losses(self, predictions: Array, targets: Any, gradient: Array) -> Array:
        np.multiply(predictions - targets, 2.0, out=gradient)
        return np.asarray(((predictions - targets) ** 2).sum(axis=1))


class Rebinds(Squares):
    def row_losses(self, predictions: Array, targets: Any, gradient: Array) -> Array:
        gradient = 2.0 * (predictions - targets)  # noqa: F841 - the mistake
        return np.asarray(((predictions - targets) ** 2).sum(axis=1))


class OfEachOutput(Squares):
    def row_losses(self, predictions: Array, targets: Any, gradient: Array) -> Array:
        super().row_losses(predictions, targets, gradient)
        return np.asarray((predictions - targets) ** 2)


class OfAllRows(Squares):
    def row_losses(self, predictions: Array, targets: Any, gradient: Array) -> Any:
        return super().row_losses(predictions, targets, gradient).sum()


def fit(loss: RowLoss) -> None:
    network = Sequential([Dense(2)]).build((4,), seed=0)
    Trainer(network, SGD(), 0.01, epochs=3, batch_size=5, loss=loss).fit(DATA)


def test_a_loss_that_does_not_write_its_gradient_is_named() -> None:
    fit(Squares())
    with pytest.raises(ModelError, match=r"the loss Rebinds must overwrite .*gradient\[\.\.\.\] ="):
        fit(Rebinds())


@pytest.mark.parametrize(("loss", "shape"), [(OfEachOutput(), r"\(5, 2\)"), (OfAllRows(), r"\(\)")])
def test_row_losses_of_another_shape_are_named(loss: RowLoss, shape: str) -> None:
    expected = rf"row_losses of {type(loss).__name__} must .* shape \(5,\), got shape {shape}"
    with pytest.raises(DataError, match=expected):
        fit(loss)


def test_a_subclass_of_a_loss_has_a_kind_of_its_own() -> None:
    class Halved(MeanSquaredError):  # noqa: N818 - an error of predictions
        pass

    assert Halved.kind == "halved"
