"""The errors that Handloom raises, and checks of arguments that raise them."""

import inspect
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from inspect import Parameter, signature
from math import isfinite
from typing import Any

from handloom.text import printable


class HandloomError(Exception):
    """Base class of all errors of this library; the message is meant for people.

    Control characters are escaped in it: it may quote the names of a foreign file.
    """

    def __str__(self) -> str:
        return printable(super().__str__(), lines=True)


class DataError(HandloomError, ValueError):
    """A dataset, file or image is invalid."""


class ModelError(HandloomError, ValueError):
    """A network, model folder or run cannot be built, read or used."""


class ConfigurationError(HandloomError, ValueError):
    """An option has an invalid value."""


class ArgumentError(ConfigurationError, TypeError):
    """A constructor was called with arguments that it does not have."""


class MissingMethodError(ModelError, AttributeError, TypeError):
    """A name was looked up, or an object called, as in other libraries only."""


class MissingArrayError(ModelError, KeyError):
    """An array was looked up by a name that none has."""

    def __str__(self) -> str:
        return printable(str(self.args[0]))  # a KeyError would quote it


class RankError(HandloomError, RuntimeError):
    """Another rank of a distributed training has failed."""


class DivergenceWarning(UserWarning):
    """A training diverged, or the outputs of a model are not finite."""


class DataWarning(UserWarning):
    """A dataset was read, but not as its files are: some were skipped, converted or turned."""


class CheckError(HandloomError, AssertionError):
    """A layer or a loss violates the contract of its base class."""


class MissingExtraError(HandloomError, ImportError):
    """An optional dependency is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}: install Handloom with the extra {extra!r}, "
            f"which contains it (in a clone: pip install '.[{extra}]')"
        )


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Return an error message with the unknown name, the known names and the closest of them.

    Parameters
    ----------
    kind : str
        The kind of thing that the name stands for, in the singular: ``"optimizer"``.
    name : str
        The unknown name.
    known : iterable of str
        The valid names.

    Returns
    -------
    str
        The error message.
    """
    choices = sorted(known)
    return f"unknown {kind} {name!r}; known are: {', '.join(choices)}.{did_you_mean(name, choices)}"


LEAST_CONTAINED = 4
"""The least number of characters of a name that hints at a longer one."""


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return ``" Did you mean ...?"``, or an empty string where no known name is close."""
    short, choices = str(name).lower(), list(known)
    nearest = [choice for choice in choices if _abbreviates(short, choice)]
    nearest = nearest or get_close_matches(short, choices, n=1, cutoff=0.6)
    nearest = nearest or [choice for choice in choices if _contains(short, choice.lower())]
    return f" Did you mean {nearest[0]!r}?" if nearest else ""


def _contains(one: str, other: str) -> bool:
    """Return whether one name holds the whole other one, as weight_in_kg holds weight."""
    shorter, longer = sorted((one, other), key=len)
    return len(shorter) >= LEAST_CONTAINED and shorter in longer


def _abbreviates(short: str, name: str) -> bool:
    """Return whether each word of ``short`` begins that word of ``name``, as in val_loss.

    So do initials: mse abbreviates mean_squared_error.
    """
    begun, words = short.split("_"), name.split("_")
    if len(begun) == 1 and len(words) > 1:
        return short == "".join(word[:1] for word in words)
    return len(begun) == len(words) and all(begun) and all(map(str.startswith, words, begun))


COLORS, LEAST_SIDE = (1, 3, 4), 8
"""The numbers of channels (gray, RGB, RGBA) and the least side of an image."""


def has_channels_last(row_shape: tuple[int, ...]) -> bool:
    """Return whether the shape of a row looks like an image (y, x, c), not (c, y, x)."""
    return len(row_shape) == 3 and row_shape[2] in COLORS and min(row_shape[:2]) >= LEAST_SIDE


def require_known(kind: str, name: str, known: Collection[str]) -> None:
    """Refuse a name that is not among those that are known; see `unknown_name`.

    Raises
    ------
    ConfigurationError
        If the name is unknown.
    """
    if not isinstance(name, str) or name not in known:
        raise ConfigurationError(unknown_name(kind, name, known))


def require_instance(name: str, value: object, kind: type) -> None:
    """Refuse an object of another class.

    Raises
    ------
    ConfigurationError
        Naming the class.
    """
    refuse_class(name, value)
    if not isinstance(value, kind):
        described = repr(value)
        if len(described) > 80:  # such as the table of a network
            described = type(value).__name__
        raise ConfigurationError(f"{name} must be an instance of {kind.__name__}, got {described}")


def refuse_class(name: str, value: object) -> None:
    """Refuse a class in place of an instance.

    Raises
    ------
    ConfigurationError
        With the call that makes an instance.
    """
    if isinstance(value, type):
        raise ConfigurationError(
            f"{name} must be an instance, got the class {value.__name__}: pass "
            f"{value.__name__}({_required_arguments(value)})"
        )


def _required_arguments(kind: type) -> str:
    """Return the arguments that a constructor requires, such as ``"gamma=..., step=..."``."""
    try:
        parameters = signature(kind).parameters.values()
    except (TypeError, ValueError):  # compiled classes may have none
        return ""
    kinds = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    required = [
        each.name for each in parameters if each.kind in kinds and each.default is each.empty
    ]
    return ", ".join(f"{each}=..." for each in required)


def require_number(
    name: str,
    value: object,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    exclusive: bool = False,
) -> float:
    """Return a finite number within bounds, as a float.

    Parameters
    ----------
    name : str
        The parameter's name, for the message.
    value : object
        The value to check; a bool or a string, also one of NumPy's, is not a number.
    minimum, maximum : float, optional
        The bounds, both inclusive; ``exclusive`` excludes the minimum.
    exclusive : bool
        Whether the minimum itself is excluded.

    Returns
    -------
    float

    Raises
    ------
    ConfigurationError
        If the value is not a finite number within the bounds.
    """
    bounds = []
    if minimum is not None:
        bounds.append(f"{'above' if exclusive else 'at least'} {minimum:g}")
    if maximum is not None:
        bounds.append(f"at most {maximum:g}")
    expected = " ".join(["a finite number", " and ".join(bounds)]).strip()
    try:
        kind = getattr(getattr(value, "dtype", None), "kind", "f")  # of NumPy's values
        invalid = isinstance(value, bool | str | bytes) or kind not in "iuf"
        number = float("nan") if invalid else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    low = minimum is not None and (number <= minimum if exclusive else number < minimum)
    high = maximum is not None and number > maximum
    if not isfinite(number) or low or high:
        raise ConfigurationError(f"{name} must be {expected}, got {value!r}")
    return number


def require_fraction(name: str, value: object) -> float:
    """Return a number of at least 0 and below 1.

    Raises
    ------
    ConfigurationError
        If the value is not such a number.
    """
    number = require_number(name, value)
    if not 0.0 <= number < 1.0:
        raise ConfigurationError(f"{name} must be at least 0 and below 1, got {value!r}")
    return number


def require_numeric(name: str, dtype: Any) -> None:
    """Refuse arrays of complex numbers, dates and times, text, records or Python objects.

    Parameters
    ----------
    name : str
        The array's name, for the message.
    dtype : dtype
        Of the array.

    Raises
    ------
    DataError
        Naming the dtype.
    """
    if dtype.kind not in "biuf":
        raise DataError(f"{name} must be numeric, got dtype {dtype}")


def require_bool(name: str, value: object) -> bool:
    """Return the value, a bool or one of NumPy's, as a bool.

    Raises
    ------
    ConfigurationError
        If the value is not True or False.
    """
    kind = type(value)
    of_numpy = kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_")
    if not isinstance(value, bool) and not of_numpy:
        raise ConfigurationError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def require_count(name: str, value: object, *, minimum: int = 1) -> int:
    """Return a whole number of at least ``minimum``, as an int.

    Raises
    ------
    ConfigurationError
        If the value is not a whole number (a bool is not one) or is too small.
    """
    whole = hasattr(value, "__index__") and not isinstance(value, bool)
    if not whole or value.__index__() < minimum:  # type: ignore[attr-defined]
        raise ConfigurationError(
            f"{name} must be a whole number of at least {minimum}, got {value!r}"
        )
    return int(value.__index__())  # type: ignore[attr-defined]


def checked_classes(parameter: str, classes: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return custom classes by name, an empty mapping for None.

    Parameters
    ----------
    parameter : str
        The name of the parameter, for the message.
    classes : mapping of str to class, or None

    Raises
    ------
    ConfigurationError
        If it is no mapping, or a value is no class.
    """
    if classes is None:
        return {}
    if not isinstance(classes, Mapping) or not all(isinstance(c, type) for c in classes.values()):
        raise ConfigurationError(
            f"{parameter} must be a mapping from names to classes, {{'name': Class}}, got "
            f"{classes!r}"
        )
    return classes


def omitted_arguments(class_: type, config: Mapping[str, object]) -> list[str]:
    """Return the arguments of a class's constructor that a configuration does not hold."""
    parameters = [*inspect.signature(class_.__init__).parameters.values()][1:]  # type: ignore[misc]
    return [
        each.name
        for each in parameters
        if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD) and each.name not in config
    ]


def require_complete_config(name: str, value: object, config: Mapping[str, object]) -> None:
    """Refuse a configuration that omits arguments of the constructor.

    Raises
    ------
    ConfigurationError
        Naming them.
    """
    if omitted := omitted_arguments(type(value), config):
        raise ConfigurationError(
            f"{name}: config() of {type(value).__name__} must return all arguments of its "
            f"constructor, but {', '.join(omitted)} is missing: without it, the object cannot be "
            f"made again from a file"
        )


def require_own_config(name: str, value: object, method: str = "config") -> None:
    """Refuse an object whose class has a constructor of its own, but inherits its configuration.

    Parameters
    ----------
    name : str
        The name of the object, for the message.
    value : object
    method : str
        The name of the method that returns the configuration.

    Raises
    ------
    ConfigurationError
        If a class defines a constructor with parameters, and only a base class defines the method,
        which cannot know of these parameters.
    """
    for class_ in type(value).__mro__:
        if method in vars(class_):
            return
        constructor = vars(class_).get("__init__")
        if constructor is not None and len(inspect.signature(constructor).parameters) > 1:
            raise ConfigurationError(
                f"{name}: the class {class_.__name__} has a constructor with parameters and no "
                f"{method} of its own: without it, the object cannot be made again from a file. "
                f"Write {method}(), which returns all arguments of the constructor"
            )
