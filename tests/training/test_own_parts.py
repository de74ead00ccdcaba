"""Records of own parts: of constant size and cost, however much a training collects."""

import time
from typing import Any

from handloom import Callback
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
    begun = own_parts({"callbacks": [part]})
    part.items += [Item(index) for index in range(9_000)]
    part.first.value = 1
    started = time.perf_counter()
    now = own_parts({"callbacks": [part]}, begun)
    assert time.perf_counter() - started < 2.0
    constant = constant_parts(begun, now)
    assert set(now) == set(begun) == {"callbacks 0", "callbacks 0.first"}
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
