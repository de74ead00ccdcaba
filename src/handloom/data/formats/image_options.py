"""Options of a folder of images: size, color, test rows, and files that cannot be read."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self, get_args

from handloom.errors import (
    ConfigurationError,
    require_bool,
    require_count,
    require_known,
    require_number,
)

Fit = Literal["pad", "crop", "stretch"]
Color = Literal["gray", "rgb", "rgba"]

MAX_SIDE = 4096
"""The maximum height and width that images are resized to."""


@dataclass(frozen=True)
class ImageOptions:
    """The options of a folder of images.

    Parameters
    ----------
    size : int or tuple of int, optional
        The size of all images: an int for squares, or ``(y, x)``. By default all files must have
        one size.
    fit : {"pad", "crop", "stretch"}
        How an image of another aspect ratio becomes one of this size: centered on black, without
        its ends, or distorted.
    color : {"gray", "rgb", "rgba"}, optional
        The color of all images; by default the least that holds all files.
    test : float, optional
        The fraction of each class that becomes the test part, for a folder without one.
    seed : int
        The seed of the choice of test rows.
    skip_bad : bool
        Whether files that are not images, or damaged, are skipped.

    Raises
    ------
    ConfigurationError
        If a value is invalid, or ``fit`` or ``seed`` would be ignored.
    """

    size: int | tuple[int, int] | None = None
    fit: Fit = "pad"
    color: Color | None = None
    test: float | None = None
    seed: int = 0
    skip_bad: bool = False

    def __post_init__(self) -> None:
        if self.size is not None:
            self._set("size", _checked_size(self.size))
        require_known("fit", self.fit, get_args(Fit))
        if self.color is not None:
            require_known("color", self.color, get_args(Color))
        if self.test is not None:
            _check_test(self.test)
        require_count("seed", self.seed, minimum=0)
        require_bool("skip_bad", self.skip_bad)
        if self.fit != "pad" and self.size is None:
            raise ConfigurationError(
                f"fit={self.fit!r} (--fit {self.fit}) would be ignored without size= (--size)"
            )
        if self.seed and self.test is None:
            raise ConfigurationError(f"seed={self.seed} would be ignored without test=")

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def shape(self) -> tuple[int, int] | None:
        """The size of all images as ``(y, x)``, if it is set."""
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def to_json(self) -> dict[str, Any]:
        """Return the options that are not the default, for JSON."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        defaults = {each.name: each.default for each in fields(self)}
        changed = {name: value for name, value in values.items() if value != defaults[name]}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in changed.items()
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the options that `to_json` returned.

        Raises
        ------
        ConfigurationError
            If an option is unknown or invalid.
        """
        for name in values:
            require_known("option of a folder of images", name, [each.name for each in fields(cls)])
        options = dict(values)
        if isinstance(options.get("size"), list):
            options["size"] = tuple(options["size"])
        return cls(**options)


def _check_test(test: object) -> None:
    """Refuse anything but a fraction between 0 and 1; percents and decimal commas get a hint."""
    try:
        if 0.0 < require_number("test", test) < 1.0:
            return
    except ConfigurationError:
        pass
    text = str(test).replace("%", "").replace(",", ".").strip()
    try:
        value = require_number("test", 0.0 if isinstance(test, bool) else float(text))
    except ValueError:
        value = 0.0
    percents = 1.0 <= value < 100.0 and test != 1
    meant = value / 100 if percents or "%" in str(test) else value
    hint = f"; for {value:g} %" if meant != value else "; for this"
    hint = f"{hint} write {meant:g}" if 0.0 < meant < 1.0 else ""
    raise ConfigurationError(
        f"test (--test) must be a fraction between 0 and 1, such as 0.2, got {test!r}{hint}"
    )


def _checked_size(size: object) -> int | tuple[int, int]:
    sides = size if isinstance(size, tuple | list) else (size, size)
    if len(sides) != 2:
        raise ConfigurationError(f"size must be a whole number or (y, x), got {size!r}")
    height, width = (require_count("size", side) for side in sides)
    if max(height, width) > MAX_SIDE:
        raise ConfigurationError(f"size must be at most {MAX_SIDE}, got {max(height, width)}")
    return height if height == width else (height, width)
