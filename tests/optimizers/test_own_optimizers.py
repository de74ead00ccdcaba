"""Messages about an optimizer of a user's own that does not keep its contract."""

from collections.abc import Mapping

import numpy as np
import pytest

from handloom import Dataset, Dense, Sequential, Trainer
from handloom.errors import ModelError
from handloom.optimizers import Optimizer
from handloom.parameters import Array

X = np.random.default_rng(0).standard_normal((20, 784)).astype(np.float32)
DATA = Dataset(X, (X[:, 0] > 0).astype(int))


class KeepsItsVector(Optimizer):
    v: Array | None = None

    def config(self) -> dict[str, object]:
        return {}

    def update(
        self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
    ) -> None:
        self.v = dw.copy() if self.v is None else 0.9 * self.v + dw
        w -= rate * self.v


def test_an_optimizer_that_keeps_its_own_vectors_is_told_of_state_names() -> None:
    network = Sequential([Dense(100), Dense(2)]).build((784,), seed=0)
    with pytest.raises(ModelError, match=r"update of KeepsItsVector failed: .* in state_names"):
        Trainer(network, KeepsItsVector(), 0.01, epochs=3).fit(DATA)


class Rebinds(Optimizer):
    def config(self) -> dict[str, object]:
        return {}

    def update(
        self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
    ) -> None:
        w = w - rate * dw


def test_an_optimizer_that_makes_a_new_array_of_the_weights_is_named_as_the_cause() -> None:
    network = Sequential([Dense(10), Dense(2)]).build((784,), seed=0)
    history = Trainer(network, Rebinds(), 0.1, epochs=60).fit(DATA)
    assert history.notes[-1].startswith("No measured step changed a weight, although the gradient")
    assert "Rebinds is to change w, it must do so in place, as w -= rate * dw;" in history.notes[-1]


class NotInitialized(KeepsItsVector):
    def __init__(self, share: float = 1.0) -> None:
        self.share = share


def test_an_optimizer_without_the_initialization_of_its_base_class_is_told_so() -> None:
    network = Sequential([Dense(2)]).build((784,), seed=0)
    message = r"NotInitialized has no attribute 'bindings': its __init__ must call super\(\)\.__in"
    with pytest.raises(ModelError, match=message):
        Trainer(network, NotInitialized(), 0.01, epochs=1).fit(DATA)
