"""A layer of a user's own brings its function, or is refused by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import handloom
from handloom import Dense, Layer, Model, ModelError, Sequential
from handloom.data.transforms import AsFloat
from handloom.initializers import Ones
from handloom.parameters import Array, ParameterSpec

Own = tuple[Callable[..., Array] | str, dict[str, Any]]


def gain_and_power(x: Array, gain: Array, *, exponent: float) -> Array:
    """Own layer: gain * sigmoid(x) ** exponent."""
    return gain * sigmoid(x) ** exponent  # type: ignore[name-defined,no-any-return] # noqa: F821


class Power(Layer):
    """gain * sigmoid(x) ** exponent."""

    def __init__(self, exponent: float) -> None:
        super().__init__()
        self.exponent = exponent

    def config(self) -> dict[str, object]:
        return {"exponent": self.exponent}

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, ParameterSpec]:
        return {"gain": ParameterSpec(input_shape, Ones())}

    def forward(self, x: Array, *, training: bool = False, rng: object = None) -> Array:
        y: Array = self.weights["gain"] * (1.0 / (1.0 + np.exp(-x))) ** self.exponent
        return y

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        raise NotImplementedError

    def to_numpy(self) -> Own:
        return gain_and_power, {"exponent": self.exponent}


def model_with(*layers: Layer) -> Model:
    network = Sequential([*layers, Dense(2)]).build((3,), seed=0)
    return Model(network, AsFloat(), ("a", "b"), (3,), "float32")


def test_its_function_is_written_with_those_that_it_calls(tmp_path: Path) -> None:
    exported = handloom.to_numpy(model_with(Power(1.5), Power(2.0)), tmp_path / "model.py")
    assert exported.largest_difference == 0.0
    text = exported.path.read_text()
    assert text.count("def gain_and_power(x, gain, *, exponent):") == 1
    assert text.count("def sigmoid(x):") == 1
    assert 'x = gain_and_power(x, **WEIGHTS["1.power"], exponent=2.0)  # (n, 3)' in text


class Inherits(Power):
    """A subclass that may override forward: the method does not count."""


class SameName(Power):
    """A function with the name of one of the file."""

    def to_numpy(self) -> Own:
        return "def predict(x, gain):\n    return x", {}


class NameOfTables(Power):
    """A function with the name of one in the files of tables."""

    def to_numpy(self) -> Own:
        return "def read_number(x, gain):\n    return x", {}


class NoFunction(Power):
    """Source that is no function."""

    def to_numpy(self) -> Own:
        return "import os", {}


class Decorated(Power):
    """A function that is changed by another one, which the file does not have."""

    def to_numpy(self) -> Own:
        return "@doubled\ndef scaled(x, gain):\n    return x", {}


class OtherNames(Power):
    """A function that needs a module."""

    def to_numpy(self) -> Own:
        return "def scaled(x, gain):\n    return math.pi * x", {}


class Objects(Power):
    """An argument that is no literal."""

    def to_numpy(self) -> Own:
        return "def scaled(x, gain, how):\n    return x", {"how": object()}


class Indices(Power):
    """An array that is no weight."""

    def to_numpy(self) -> Own:
        return "def chosen(x, gain, index):\n    return x[:, index]", {"index": np.arange(3)}


class Wrong(Power):
    """A function that computes something else, which the comparison shows."""

    def to_numpy(self) -> Own:
        return "def halved(x, gain):\n    return x / 2", {}


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Inherits, r"layer 0\.inherits: Inherits has no counterpart in NumPy: give the class"),
        (SameName, "layer 0.samename: the function 'predict' of to_numpy must have another name"),
        (NameOfTables, "the function 'read_number' of to_numpy must have another name"),
        (NoFunction, "layer 0.nofunction: to_numpy of NoFunction failed: expected the source"),
        (Decorated, "expected a function without decorators"),
        (OtherNames, "does not run: NameError.*math"),
        (Indices, "layer 0.indices: argument 'index' of chosen must be an array of floats"),
        (Objects, "layer 0.objects: argument 'how' of scaled: expected a text, number"),
    ],
)
def test_it_is_refused_by_name(tmp_path: Path, layer: type[Power], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        handloom.to_numpy(model_with(layer(2.0)), tmp_path / "model.py")
    assert not list(tmp_path.iterdir())


def test_a_wrong_function_shows_as_a_difference(tmp_path: Path) -> None:
    exported = handloom.to_numpy(model_with(Wrong(2.0)), tmp_path / "model.py")
    assert exported.largest_difference is not None
    assert exported.largest_difference > 0.01
    assert "differ from those of the model by at most" in str(exported)
