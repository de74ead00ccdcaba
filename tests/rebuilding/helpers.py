"""Layers and transforms of one's own that are written in ways in which a file cannot hold them."""

import threading
from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom import Dense, Flatten, Layer, Model, ReLU, Sequential
from handloom.data import AsFloat, Scale, Transform
from handloom.parameters import Array

Rng = np.random.Generator | None
Rows = npt.NDArray[np.generic]
Config = Mapping[str, Any]


class Factor(Layer):
    """y = factor * x, saved as it should be."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor

    def config(self) -> dict[str, object]:
        return {"factor": self.factor}

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        return np.multiply(x, self.factor, dtype=x.dtype)

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return np.multiply(dy, self.factor, dtype=dy.dtype)


class AnyArguments(Factor):
    """Takes any arguments, so that no configuration seems to omit one."""

    def __init__(self, *factors: float) -> None:
        super().__init__(prod(factors))

    config = Layer.config


class NamedArguments(Factor):
    """Has a constructor of its own, and the configuration of its base class."""

    def __init__(self, **options: float) -> None:
        super().__init__(options.get("factor", 1.0))
        self.power = options.get("power", 1.0)

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        return super().forward(x) ** self.power


class ForgetsOne(NamedArguments):
    def config(self) -> dict[str, object]:
        return {"factor": self.factor}


class ForgetsOneOfTraining(ForgetsOne):
    """Its output in inference does not depend on the attribute."""

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        return super().forward(x) if training else np.array(x)


class SetAfterwards(Factor):
    """Has an attribute that is set after the constructor, over that of the class."""

    shift = 0.0

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        return np.add(super().forward(x), self.shift, dtype=x.dtype)


class Swaps(Factor):
    def __init__(self, factor: float, shift: float) -> None:
        super().__init__(factor)
        self.shift = shift

    def config(self) -> dict[str, object]:
        return {"factor": self.factor, "shift": self.shift}

    @classmethod
    def from_config(cls, config: Config, make: Callable[[object], Layer]) -> "Swaps":
        return cls(config["shift"], config["factor"])

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        return np.add(super().forward(x), self.shift, dtype=x.dtype)


class AnotherClass(Factor):
    @classmethod
    def from_config(cls, config: Config, make: Callable[[object], Layer]) -> Any:
        return Factor(**config)


class Table(Factor):
    """Has an array; its configuration rounds it."""

    def __init__(self, table: Sequence[float] = (1.0,)) -> None:
        super().__init__()
        self.table = np.array(table)

    def config(self) -> dict[str, object]:
        return {"table": [round(each, 1) for each in self.table.tolist()]}


class Closure(Factor):
    """Keeps its option in a function, which no attribute shows."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self._function: Callable[[Array], Array] = lambda x: x * x.dtype.type(factor)

    def config(self) -> dict[str, object]:
        return {"factor": 1.0}

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        y: Array = self._function(x)
        return y


class Projection(Factor):
    """Draws in its constructor, from the global generator."""

    config = Layer.config

    def __init__(self) -> None:
        super().__init__()
        self.directions = np.random.standard_normal(3)  # noqa: NPY002


class NotForJson(Factor):
    def config(self) -> dict[str, object]:
        return {"factor": np.float32(self.factor)}


class ConfigRaises(Factor):
    def config(self) -> dict[str, object]:
        return {"factor": self.missing}  # type: ignore[attr-defined]


class Outer(Layer):
    """A layer around one of the library's, and one of its own."""

    def __init__(self, inner: Sequence[Layer]) -> None:
        super().__init__()
        self.inner = list(inner)

    def config(self) -> dict[str, object]:
        return {"inner": [{"kind": each.kind, **each.config()} for each in self.inner]}

    @classmethod
    def from_config(cls, config: Config, make: Callable[[object], Layer]) -> "Outer":
        return cls([make(entry) for entry in config["inner"]])

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        for each in self.inner:
            x = each.forward(x, training=training)
        return x

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        for each in self.inner[::-1]:
            dy = each.backward(dy)  # type: ignore[assignment]
        return dy


class Stateful(Factor):
    """Right, and hard to check: it draws in inference, counts there, and holds a lock."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__(factor)
        self.calls: list[int] = []
        self.mask: Array | None = None

    config = Factor.config

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        self.calls.append(len(x))
        noise = 1e-3 * np.random.standard_normal(x.shape)  # noqa: NPY002
        if training:
            self.mask = noise
        return super().forward(x + noise.astype(x.dtype))


class Counting(Factor):
    """Right, with attributes that its constructor sets and that its passes and its build change."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__(factor)
        self.calls, self.mean = 0, 0.0
        self.shapes: dict[tuple[int, ...], int] = {}
        self.was_built, self.is_training, self.is_inferring = False, True, True

    config = Factor.config

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, Any]:
        self.was_built = True
        return {}

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        self.calls += 1
        self.mean, self.is_training, self.is_inferring = float(x.mean()), training, not training
        self.shapes[x.shape] = self.shapes.get(x.shape, 0) + 1
        return super().forward(x)


class Locked(Factor):
    def __init__(self, factor: float = 1.0) -> None:
        super().__init__(factor)
        self.lock = threading.Lock()

    config = Factor.config


class Whole(Factor):
    """Takes whole numbers only."""

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        if (x != np.round(x)).any():
            raise ValueError("whole numbers are expected")
        return super().forward(x)


class OwnTransform:
    """A transform of one's own, saved as it should be."""

    def __init__(self, power: float = 1.0) -> None:
        self.power = power

    def __call__(self, inputs: Rows, out: Array) -> Array:
        np.copyto(out, inputs.reshape(out.shape), casting="unsafe")
        np.power(np.abs(out), self.power, out=out)
        return out

    def to_config(self) -> dict[str, Any]:
        return {"name": "own", "power": self.power}


class CountingRows(OwnTransform):
    """Right, with an attribute that each call changes."""

    def __init__(self, power: float = 1.0) -> None:
        super().__init__(power)
        self.rows = 0

    def __call__(self, inputs: Rows, out: Array) -> Array:
        self.rows += len(inputs)
        return super().__call__(inputs, out)

    def to_config(self) -> dict[str, Any]:
        return {"name": "counting_rows", "power": self.power}


class Forgetful(OwnTransform):
    def to_config(self) -> dict[str, Any]:
        return {"name": "forgetful"}


class Inherits(OwnTransform):
    def __init__(self, power: float = 1.0, shift: float = 0.0) -> None:
        super().__init__(power)
        self.shift = shift


class Nameless(OwnTransform):
    def to_config(self) -> dict[str, Any]:
        return {"power": self.power}


class ArrayForJson(OwnTransform):
    def to_config(self) -> dict[str, Any]:
        return {"name": "array", "power": np.array(self.power)}


class Tripled(Scale):
    def __call__(self, inputs: Rows, out: Array) -> Array:
        super().__call__(inputs, out)
        out *= 3.0
        return out


class Negative(AsFloat):
    def __call__(self, inputs: Rows, out: Array) -> Array:
        return np.negative(super().__call__(inputs, out), out=out)


class TripledByName(Tripled):
    def to_config(self) -> dict[str, Any]:
        return {**super().to_config(), "name": "tripled"}


def model_of(*layers: Layer, transform: Transform | None = None, columns: int = 4) -> Model:
    """Return an untrained model of flat rows."""
    network = Sequential([*layers, Dense(2)]).build((columns,), seed=1)
    transform = transform or AsFloat()
    return Model(network, transform, ("a", "b"), (columns,), "float32", output_activation="softmax")


def around(layer: Layer, x: Array) -> Model:
    """Return a model of one layer and a flatten."""
    network = Sequential([layer, Flatten(), ReLU()]).build(x.shape[1:], seed=1)
    names = [str(index) for index in range(network.output_shape[0])]
    return Model(network, AsFloat(), tuple(names), x.shape[1:], "float32", output_activation="exp")


def kept_weights(folder: Path, name: str = "model-weights.npz") -> Array:
    """Return the weights of the first layer that a refused save kept."""
    with np.load(folder / name) as arrays:
        return np.asarray(arrays["0.dense.weights"])
