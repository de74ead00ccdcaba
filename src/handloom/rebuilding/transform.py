"""The proof for a transform."""

from collections.abc import Mapping
from contextlib import nullcontext, suppress
from math import prod
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from handloom.data.transforms import TRANSFORMS, Transform, transform_from_config
from handloom.errors import ConfigurationError, require_own_config
from handloom.rebuilding.attributes import compare_objects
from handloom.rebuilding.outputs import copied, require_equal_output, row, same_random_numbers
from handloom.rebuilding.stored import made_again


def check_transform(
    transform: Transform, row_shape: tuple[int, ...], row_dtype: str, dtype: npt.DTypeLike
) -> dict[str, Any]:
    """Return the settings of a transform, proven to make the same transform again.

    Parameters
    ----------
    transform : Transform
    row_shape, row_dtype : tuple of int, str
        The shape and the dtype of a stored row.
    dtype : dtype
        That of the network.

    Raises
    ------
    ConfigurationError
        Naming the transform, the difference, and the remedy.
    """
    class_ = type(transform)
    name = f"transform {class_.__name__}"
    custom = class_ not in TRANSFORMS.values()
    with same_random_numbers() if custom else nullcontext(), np.errstate(all="ignore"):
        config = _config(name, transform)
        classes = cast(Mapping[str, type[Transform]], {config["name"]: class_} if custom else {})

        def make(stored: Any) -> Transform:
            return transform_from_config(stored, classes)

        again = made_again(name, transform, config, make)

        def output(part: Transform) -> npt.NDArray[np.floating]:
            out = np.zeros((1, prod(row_shape)), dtype)
            part(row(row_shape, np.dtype(row_dtype)), out)
            return out

        def used() -> tuple[Transform, Transform]:
            other = made_again(name, transform, config, make)
            before = copied(other)
            with suppress(Exception):  # it may not take the row
                output(other)
            return before, other

        compare_objects(name, transform, again, used)
        original = copied(transform)
        require_equal_output(name, lambda: output(original), lambda: output(again))
    return config


def _config(name: str, transform: Transform) -> dict[str, Any]:
    """Return the settings of a transform, which name its own class."""
    class_ = type(transform)
    try:
        config = dict(transform.to_config())
    except Exception as error:
        raise ConfigurationError(f"{name}: to_config() failed: {error!r}") from error
    if not isinstance(config.get("name"), str):
        raise ConfigurationError(f"{name}: to_config() must hold a string 'name', got {config!r}")
    stands_for = TRANSFORMS.get(config["name"], class_)
    if stands_for is not class_:
        raise ConfigurationError(
            f"{name}: to_config() must return a 'name' of its own, since {config['name']!r} is "
            f"that of {stands_for.__name__}: write to_config with another name, and load with "
            f"transforms={{name: {class_.__name__}}}"
        )
    require_own_config(name, transform, "to_config")
    return config
