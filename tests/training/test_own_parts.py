"""Records of own parts: of constant size, however much a training collects."""

from typing import Any

import numpy as np

from handloom import Callback, Dense, Layer, Residual
from handloom.training.own_parts import MOST, constant_parts, own_parts


class Item:
    """An own object."""

    def __init__(self, value: int) -> None:
        self.value = value


class Collects(Callback):
    """Has attributes that grow."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.factor = 2.0
        self.first = Item(0)


def test_what_a_training_collects_is_not_recorded() -> None:
    part = Collects()
    at_begin = own_parts({"callbacks": [part]})
    part.items += [Item(index) for index in range(9_000)]
    part.first.value = 1
    now = own_parts({"callbacks": [part]}, at_begin)
    constant = constant_parts(at_begin, now)
    assert set(now) == set(at_begin) == {"callbacks 0", "callbacks 0.first"}
    assert constant["callbacks 0"]["attributes"] == {"factor": "2.0"}
    assert constant["callbacks 0.first"]["attributes"] == {}
    assert constant["callbacks 0.first"]["running"] == ["value"]


def test_records_are_not_endless() -> None:
    assert len(own_parts({"loss": [Item(index) for index in range(9_000)]})) == MOST
    chain: Any = None
    for _ in range(50):
        item: Any = Item(0)
        item.inner = chain
        chain = item
    assert len(own_parts({"loss": chain})) < 10


class Outer(Layer):
    """An own layer around others."""

    def __init__(self, layers: list[Layer]) -> None:
        super().__init__()
        self.layers = layers

    def config(self) -> dict[str, Any]:
        return {"layers": [each.config() for each in self.layers]}

    def forward(
        self, x: Any, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Any:
        return x

    def backward(self, dy: Any, *, need_dx: bool = True) -> Any:
        return dy


def test_own_layers_in_a_layer_of_the_library_in_an_own_one_are_recorded() -> None:
    parts = own_parts({"layers": [Outer([Residual([Dense(4), Outer([])])])]})
    assert [part["kind"].endswith(":Outer") for part in parts.values()].count(True) == 2


def test_parts_of_the_library_and_of_python_have_no_record() -> None:
    from handloom import Adam, CosineDecay, EarlyStopping, SoftmaxCrossEntropy, Warmup

    parts: dict[str, object] = {
        "optimizer": Adam(),
        "learning_rate": Warmup(3, CosineDecay(0.1, 9)),
        "loss": SoftmaxCrossEntropy(),
        "callbacks": [EarlyStopping("loss")],
        "seed": 3,
    }
    assert own_parts(parts) == {}
