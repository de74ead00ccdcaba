"""Arguments that a constructor does not have, and methods of other libraries, get advice."""

import copy
import inspect
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np
import pytest

from handloom import (
    Adam,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Layer,
    MaxPool2D,
    ReLU,
    Residual,
    Sequential,
    Trainer,
)
from handloom.errors import ArgumentError, HandloomError
from handloom.parameters import Array

NETWORK: Any = Sequential([Dense(3)]).build(4)

WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "layers one by one": (
        lambda: Sequential(Dense(32), Dense(10)),  # type: ignore[call-arg, arg-type]
        r"got Dense\(10\)\. .*Sequential\(\[Dense\(32\), ReLU\(\), Dense\(10\)\]\)",
    ),
    "inputs and outputs": (lambda: Dense(32, 64), r"got 64\. .* write Dense\(64\)"),  # type: ignore[call-arg, arg-type]
    "activation": (
        lambda: Dense(10, activation="relu"),  # type: ignore[call-arg]
        r"got activation\. An activation is a layer of its own: Dense\(10\), ReLU\(\)",
    ),
    "stride of a pool": (
        lambda: MaxPool2D(2, 2),  # type: ignore[call-arg]
        r"takes size, and by keyword only: stride; got 2\. .* write stride=\.\.\.",
    ),
    "stride of a convolution": (
        lambda: Conv2D(8, 3, 1),  # type: ignore[call-arg]
        r"got 1\. Write Conv2D\(filters, size, stride=1, padding=0\)",
    ),
    "kernel size": (
        lambda: Conv2D(8, kernel_size=3),  # type: ignore[call-arg]
        r"got kernel_size\. It is called 'size' here",
    ),
    "no biases": (
        lambda: Dense(3, bias=False),  # type: ignore[call-arg]
        r"got bias\. It always has biases$",
    ),
    "inner layers one by one": (
        lambda: Residual(Dense(3), ReLU()),  # type: ignore[arg-type]
        r"must be sequences of layers: pass Residual\(\[Dense\(8\), ReLU\(\)\]\)",
    ),
    "p": (lambda: Dropout(p=0.5), r"takes rate; got p\. It is called 'rate' here"),  # type: ignore[call-arg]
    "eps": (lambda: BatchNorm(eps=1e-3), r"It is called 'epsilon' here"),  # type: ignore[call-arg]
    "misspelled": (lambda: Dense(3, weight="he"), r"Did you mean 'weights'\?"),  # type: ignore[call-arg]
    "nothing is taken": (lambda: ReLU(True), r"ReLU takes no arguments; got True$"),  # type: ignore[call-arg]
    "lr of an optimizer": (lambda: Adam(lr=1e-3), "The learning rate is an argument of Trainer"),  # type: ignore[call-arg]
    "lr of a trainer": (
        lambda: Trainer(NETWORK, Adam(), lr=1e-3),  # type: ignore[call-arg]
        "Trainer has no option 'lr'. Did you mean 'learning_rate'",
    ),
    "fit": (lambda: NETWORK.fit([0], [0]), r"trainer\.fit\(Dataset\(inputs, targets\)\)"),
    "compile": (lambda: NETWORK.compile(optimizer="adam"), r"trainer = Trainer\(network, Adam"),
    "summary": (lambda: Sequential([Dense(3)]).summary(), r"network\.build\(\(784,\), seed=0\)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_the_spelling_of_another_library_gets_the_one_here(case: str) -> None:
    act, message = WRONG[case]
    with pytest.raises(HandloomError, match=message):
        act()


def test_they_are_the_errors_of_python_too() -> None:
    with pytest.raises(TypeError, match="activation"):
        Dense(10, activation="relu")  # type: ignore[call-arg]
    with pytest.raises(AttributeError, match="no attribute 'fit'"):
        NETWORK.fit()
    assert not hasattr(NETWORK, "fit")
    assert getattr(NETWORK, "anything", 3) == 3
    with pytest.raises(AttributeError, match=r"Sequential has no attribute 'anything'$"):
        _ = NETWORK.anything


class Own(Layer):
    def __init__(self, share: float, *, activation: str = "none") -> None:
        super().__init__()
        self.share, self.activation = share, activation
        if share < 0:
            raise TypeError("of the constructor itself")

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        return x

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return dy


def renamed(init: Callable[..., None]) -> Callable[..., None]:
    """Decorate a constructor: it takes ``portion`` for ``share`` too."""

    @wraps(init)
    def either(self: Own, *arguments: Any, **options: Any) -> None:
        if "portion" in options:
            options["share"] = options.pop("portion")
        init(self, *arguments, **options)

    return either


class Wrapped(Own):
    __init__ = renamed(Own.__init__)


@dataclass(eq=False)
class AsDataclass(Own):
    share: float
    size: int = 3

    def __post_init__(self) -> None:
        super().__init__(self.share)


def test_a_layer_of_ones_own_profits_and_is_not_disturbed() -> None:
    assert Own(0.5, activation="relu").activation == "relu"
    with pytest.raises(ArgumentError, match=r"Own takes share, .*got shar\. Did you mean 'share'"):
        Own(shar=0.5)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"^of the constructor itself$") as caught:
        Own(-1.0)
    assert not isinstance(caught.value, HandloomError)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        Own()  # type: ignore[call-arg]
    assert Wrapped(portion=0.25).share == 0.25
    assert AsDataclass(0.5, size=4).size == 4
    assert [*inspect.signature(AsDataclass).parameters] == ["share", "size"]


def test_signatures_and_copies_stay() -> None:
    assert [*inspect.signature(Dense).parameters][:2] == ["units", "weights"]
    options = ["beta1", "beta2", "epsilon", "weight_decay", "proximal_l1"]
    assert [*inspect.signature(Adam).parameters] == options
    assert str(inspect.signature(ReLU)) == "()"
    layer = Own(0.5, activation="relu")
    for copied in (copy.copy(layer), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):  # noqa: S301
        assert (copied.share, copied.activation) == (0.5, "relu")
    x = np.ones((2, 4), np.float32)
    again = pickle.loads(pickle.dumps(NETWORK))  # noqa: S301
    np.testing.assert_array_equal(again.predict(x), NETWORK.predict(x))
