"""Transforms: from stored inputs to the flat floating-point rows of a network.

A transform writes one batch at a time into a reused buffer, so images can stay ``uint8`` in memory.
Its only state is its settings, which are stored with a model as JSON.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from handloom.arguments import shows_call
from handloom.backend import Backend, UsesBackend
from handloom.errors import (
    ConfigurationError,
    DataError,
    checked_classes,
    require_known,
    require_number,
    unknown_name,
)
from handloom.operations import CastRows, ScaleRows, operation_of

Floats = npt.NDArray[np.floating]

CALL = (
    "model.predict(rows), which transforms them itself, or model.transform(rows, out), with an "
    "array out of floats of shape (n, d) for the result"
)
"""Advice about a call of a transform without ``out``."""


class Transform(Protocol):
    """The transform of a batch to network inputs."""

    def __call__(self, inputs: npt.NDArray[np.generic], out: Floats) -> Floats:
        """Write the transformed `inputs`, shape (n, ...), into `out`, shape (n, d); return it."""

    def to_config(self) -> dict[str, Any]:
        """Return the settings as a JSON object, which `transform_from_config` takes."""


@dataclass(frozen=True)
class Scale(UsesBackend):
    """Flatten and scale inputs: ``(x - shift) / divisor``.

    Parameters
    ----------
    shift, divisor : float
        Both 127.5 by default, which scales bytes to -1..1. The divisor must not be 0.

    Raises
    ------
    ConfigurationError
        If a value is not finite or the divisor is 0.
    """

    shift: float = 127.5
    divisor: float = 127.5
    _scale: ClassVar[Callable[..., None]]  # an attribute, not a setting

    def __post_init__(self) -> None:
        for option in ("shift", "divisor"):
            value = require_number(f"{option} of Scale", getattr(self, option))
            object.__setattr__(self, option, value)
        if self.divisor == 0.0:
            raise ConfigurationError("divisor of Scale must not be 0, got 0.0")

    @shows_call(CALL)
    def __call__(self, inputs: npt.NDArray[np.generic], out: Floats) -> Floats:
        """Write the scaled `inputs`, shape (n, ...), into `out`, shape (n, d), and return it.

        The arithmetic has the dtype of `out`, float32 or float64. Nothing of the size of `out` is
        allocated if `inputs` is contiguous.

        Raises
        ------
        DataError
            If `out` has another shape or is not floating-point.
        """
        self._scale(_flat(inputs, out), self.shift, self.divisor, out)
        return out

    def set_backend(self, backend: Backend) -> None:
        """Use the backend's `scale_rows`."""
        object.__setattr__(
            self, "_scale", backend.version_of(scale_rows)
        )  # the settings stay frozen

    def as_operation(self) -> ScaleRows:
        """Return the transform as a record."""
        return ScaleRows(self.shift, self.divisor)

    def to_config(self) -> dict[str, Any]:
        """Return the settings as a JSON object."""
        return {"name": "scale", "shift": self.shift, "divisor": self.divisor}


@dataclass(frozen=True)
class AsFloat:
    """Flatten inputs without scaling."""

    @shows_call(CALL)
    def __call__(self, inputs: npt.NDArray[np.generic], out: Floats) -> Floats:
        """Write `inputs`, shape (n, ...), into `out`, shape (n, d), and return it.

        Raises
        ------
        DataError
            If `out` has another shape or is not floating-point.
        """
        np.copyto(out, _flat(inputs, out), casting="same_kind")
        return out

    def as_operation(self) -> CastRows:
        """Return the transform as a record."""
        return CastRows()

    def to_config(self) -> dict[str, Any]:
        """Return the settings as a JSON object."""
        return {"name": "as_float"}


def scale_rows(inputs: npt.NDArray[np.generic], shift: float, divisor: float, out: Floats) -> None:
    """Write ``(inputs - shift) / divisor`` into ``out``; both have shape (n, d)."""
    np.subtract(inputs, shift, out=out, dtype=out.dtype, casting="same_kind")
    np.divide(out, divisor, out=out)


TRANSFORMS: Mapping[str, type[Scale] | type[AsFloat]] = {"scale": Scale, "as_float": AsFloat}


def given_rows(transform: object, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return rows of a dataset, or a copy for a transform of the user's own, perhaps in place."""
    return rows if operation_of(transform) is not None else rows.copy()


def transform_for(inputs: npt.NDArray[np.generic]) -> Transform:
    """Return the default transform of stored inputs: `Scale` for images of bytes, else `AsFloat`.

    Raises
    ------
    ConfigurationError
        If they are flat rows of bytes, which may be pixels or features.
    """
    if inputs.dtype == np.uint8 and inputs.ndim == 2:
        raise ConfigurationError(
            f"transform must be set for flat uint8 rows, got none for inputs of shape "
            f"{inputs.shape}: transform=Scale() for pixels, which it scales to -1..1, or "
            "transform=AsFloat() for features, which remain unchanged; files of images of shape "
            "(n, y, x), or of float32 features, need none"
        )
    return Scale() if inputs.dtype == np.uint8 else AsFloat()


def transform_from_config(
    config: Mapping[str, Any], custom: Mapping[str, type[Transform]] | None = None
) -> Transform:
    """Build a transform from the settings of `Transform.to_config`.

    Parameters
    ----------
    config : mapping
        The name of the transform, and the arguments of its constructor.
    custom : mapping of str to class, optional
        Custom transforms by name, in addition to Handloom's.

    Raises
    ------
    ConfigurationError
        If the name or a setting is unknown, a setting is missing or invalid, or a custom transform
        has the name of another one.
    """
    if not isinstance(config, Mapping):
        raise ConfigurationError(f"a transform must be described by an object, got {config!r}")
    custom = checked_classes("transforms", custom)
    for name, own in custom.items():
        if own is not TRANSFORMS.get(name, own):
            raise ConfigurationError(
                f"transforms must hold custom transforms by names of their own, got {name!r}, "
                f"which is that of {TRANSFORMS[name].__name__}"
            )
    settings = dict(config)
    name = str(settings.pop("name", None))
    if name not in {**TRANSFORMS, **custom}:
        raise ConfigurationError(
            f"{unknown_name('transform', name, {**TRANSFORMS, **custom})}; a custom transform is "
            f"loaded with transforms={{{name!r}: its class}}"
        )
    if name not in TRANSFORMS:
        try:
            made = custom[name](**settings)
        except TypeError as error:
            raise ConfigurationError(f"transform {name!r}: {error}") from None
        if made.to_config() != config:
            raise ConfigurationError(
                f"transforms must hold the classes that were saved, got {custom[name].__name__} by "
                f"{name!r}: to_config() of the transform that it makes is {made.to_config()!r}, "
                f"expected {config!r}"
            )
        return made
    known = set(TRANSFORMS[name]().to_config()) - {"name"}
    for setting in settings:
        require_known(f"setting of {name!r}", setting, known)
    if missing := known - set(settings):
        expected = ", ".join(sorted(known))
        raise ConfigurationError(
            f"the transform {name!r} must have the settings {expected}, "
            f"got no {', '.join(sorted(missing))}"
        )
    return TRANSFORMS[name](**settings)


def _flat(inputs: npt.NDArray[np.generic], out: Floats) -> npt.NDArray[np.generic]:
    """Return the inputs as flat rows, after a check that they fit into `out`."""
    shape = (len(inputs), math.prod(inputs.shape[1:]))
    if out.shape != shape or out.dtype.kind != "f":
        raise DataError(
            f"inputs of shape {inputs.shape} need a floating-point buffer of shape {shape}, "
            f"got {out.dtype} of shape {out.shape}"
        )
    return inputs.reshape(shape)
