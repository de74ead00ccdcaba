"""Weight initializers: functions from a shape and a random generator to initial values."""

from __future__ import annotations  # numpy.random is loaded when it is used

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from handloom.errors import ConfigurationError, refuse_class, require_known, require_number


class Initializer(Protocol):
    """A function that returns the initial values of an array."""

    def __call__(
        self, shape: tuple[int, ...], generator: np.random.Generator
    ) -> npt.NDArray[np.float64]:
        """Return initial values of the shape."""
        ...


@dataclass(frozen=True)
class Zeros:
    """Initialize with zeros, for biases; with zero weights too, hidden units would stay equal."""

    def __call__(
        self,
        shape: tuple[int, ...],
        generator: np.random.Generator,
    ) -> npt.NDArray[np.float64]:
        """Return zeros of the shape."""
        return np.zeros(shape)


@dataclass(frozen=True)
class Ones:
    """Initialize with ones, for scales."""

    def __call__(
        self,
        shape: tuple[int, ...],
        generator: np.random.Generator,
    ) -> npt.NDArray[np.float64]:
        """Return ones of the shape."""
        return np.ones(shape)


@dataclass(frozen=True)
class ScaledNormal:
    """Normal initializer: ``scale * N(0, 1)``, independent of the layer's width.

    Parameters
    ----------
    scale : float
        The standard deviation, above 0.
    """

    scale: float = 0.01

    def __post_init__(self) -> None:
        require_number("scale", self.scale, minimum=0.0, exclusive=True)

    def __call__(
        self, shape: tuple[int, ...], generator: np.random.Generator
    ) -> npt.NDArray[np.float64]:
        """Return normal draws of the shape."""
        return self.scale * generator.standard_normal(shape)


@dataclass(frozen=True)
class He:
    """He (Kaiming) initializer: ``N(0, 2 / d)``, keeps the mean square through ReLU layers.

    ``d`` is the number of products that add up to one output: ``K K c`` for a kernel of shape
    ``(K, K, c, f)``.

    Source: He, Zhang, Ren, Sun, "Delving Deep into Rectifiers: Surpassing Human-Level Performance
    on ImageNet Classification", ICCV 2015.
    """

    def __call__(
        self, shape: tuple[int, ...], generator: np.random.Generator
    ) -> npt.NDArray[np.float64]:
        """Return normal draws of shape ``(d, h)`` or ``(K, K, c, f)``."""
        return math.sqrt(2.0 / _fan_in(shape)) * generator.standard_normal(shape)


@dataclass(frozen=True)
class Glorot:
    """Glorot (Xavier) initializer: ``U(-a, a)``, ``a = sqrt(6 / (d + h))``, for tanh or softmax.

    ``d`` is the number of products that add up to one output, ``h`` the number of those that one
    input has a share in: ``K K c`` and ``K K f`` for a kernel of shape ``(K, K, c, f)``.

    Source: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010.
    """

    def __call__(
        self, shape: tuple[int, ...], generator: np.random.Generator
    ) -> npt.NDArray[np.float64]:
        """Return uniform draws of shape ``(d, h)`` or ``(K, K, c, f)``."""
        limit = math.sqrt(6.0 / (_fan_in(shape) + _fan_out(shape)))
        return generator.uniform(-limit, limit, shape)


def _fan_in(shape: tuple[int, ...]) -> int:
    return math.prod(shape[:-1])


def _fan_out(shape: tuple[int, ...]) -> int:
    return math.prod(shape[:-2]) * shape[-1]


INITIALIZERS: dict[str, type[Zeros | Ones | ScaledNormal | He | Glorot]] = {
    "zeros": Zeros,
    "ones": Ones,
    "scaled_normal": ScaledNormal,
    "he": He,
    "glorot": Glorot,
}


@dataclass(frozen=True)
class Unavailable:
    """The initializer of a loaded layer that a file names only, since it is a user's own.

    Loaded weights need no initializer; drawing new ones is refused.

    Parameters
    ----------
    name : str
        The name of its class or function.
    """

    name: str

    def __call__(
        self, shape: tuple[int, ...], generator: np.random.Generator
    ) -> npt.NDArray[np.float64]:
        """Refuse to draw.

        Raises
        ------
        ConfigurationError
        """
        raise ConfigurationError(
            f"the initializer {self.name} is not known after loading: pass weights to build, or "
            f"make the layer with the initializer again"
        )


CUSTOM = "custom"
"""The kind, in files, of an initializer that is not one of `INITIALIZERS`."""


def initializer(value: str | dict[str, object] | Initializer) -> Initializer:
    """Return an initializer from its name, its configuration, or an object.

    Raises
    ------
    ConfigurationError
        If the name is unknown, or the value is a class, or no function.
    """
    if isinstance(value, str):
        value = {"kind": value}
    if not isinstance(value, dict):
        return _checked(value)
    if value.keys() == {"kind", "name"} and value["kind"] == CUSTOM:
        return Unavailable(str(value["name"]))
    options = {str(key): option for key, option in value.items() if key != "kind"}
    kind = str(value.get("kind"))
    require_known("initializer", kind, INITIALIZERS)
    try:
        return INITIALIZERS[kind](**options)  # type: ignore[arg-type]
    except TypeError as error:
        raise ConfigurationError(f"initializer {kind!r}: {error}") from None


def _checked(value: object) -> Initializer:
    """Return an initializer; refuse a class, and anything that cannot be called."""
    refuse_class("an initializer", value)
    if not callable(value):
        raise ConfigurationError(
            f"an initializer must be a name, an object such as He(), or a function of a shape and "
            f"a generator, got {type(value).__name__}; arrays of weights are for build(weights=...)"
        )
    checked: Initializer = value
    return checked


def initializer_config(value: Initializer) -> dict[str, object]:
    """Return the configuration of an initializer, as `initializer` takes it.

    Of one that is not in `INITIALIZERS` it holds only the name, since loaded weights need none.
    """
    for kind, own in INITIALIZERS.items():
        if type(value) is own:
            return {"kind": kind, **vars(value)}
    if isinstance(value, Unavailable):
        return {"kind": CUSTOM, "name": value.name}
    return {"kind": CUSTOM, "name": getattr(value, "__name__", type(value).__name__)}
