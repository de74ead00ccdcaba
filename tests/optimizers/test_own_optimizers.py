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
