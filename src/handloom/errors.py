"""The errors that Handloom raises, and the words they share."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from math import isfinite


class HandloomError(Exception):
    """What every error of this library descends from; its message is meant for a person."""


class DataError(HandloomError, ValueError):
    """A dataset, file or image is not what it should be."""


class ModelError(HandloomError, ValueError):
    """A network, model folder or run cannot be built, read or used as asked."""


class ConfigurationError(HandloomError, ValueError):
    """An option has a value that means nothing."""


class CheckError(HandloomError, AssertionError):
    """A layer or a loss does not keep the contract of its kind."""


class MissingExtraError(HandloomError, ImportError):
    """An optional dependency is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}: install Handloom with the extra {extra!r}, "
            f"which brings it (in a clone: pip install '.[{extra}]')"
        )


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, what is known, and which known name is nearest.

    Parameters
    ----------
    kind : str
        What the name stands for, in the singular: ``"optimizer"``.
    name : str
        The name that was given.
    known : iterable of str
        The names that would have been right.

    Returns
    -------
    str
        A message for an error.
    """
    choices = sorted(known)
    return f"unknown {kind} {name!r}; known are: {', '.join(choices)}.{did_you_mean(name, choices)}"


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return ``" Did you mean ...?"``, or nothing where no known name is near."""
    short, choices = str(name).lower(), list(known)
    nearest = [choice for choice in choices if _abbreviates(short, choice)]
    nearest = nearest or get_close_matches(short, choices, n=1, cutoff=0.5)
    return f" Did you mean {nearest[0]!r}?" if nearest else ""


def _abbreviates(short: str, name: str) -> bool:
    """Return whether each word of one name begins the same word of the other: val_loss does."""
    begun, words = short.split("_"), name.split("_")
    return len(begun) == len(words) and all(begun) and all(map(str.startswith, words, begun))


def require_known(kind: str, name: str, known: Collection[str]) -> None:
    """Refuse a name that is not among those that are known; see `unknown_name`.

    Raises
    ------
    ConfigurationError
        If the name is unknown.
    """
    if name not in known:
        raise ConfigurationError(unknown_name(kind, name, known))


def require_instance(what: str, value: object, kind: type) -> None:
    """Refuse an object of another class.

    Raises
    ------
    ConfigurationError
        Naming the class.
    """
    if not isinstance(value, kind):
        raise ConfigurationError(
            f"{what} must be an object of a class of {kind.__name__}, got {value!r}"
        )


def require_number(
    what: str,
    value: object,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    exclusive: bool = False,
) -> float:
    """Return a finite number within bounds, as a float, or say which bound it breaks.

    Parameters
    ----------
    what : str
        The parameter's name, for the message.
    value : object
        The value to check; a bool is not taken for a number.
    minimum, maximum : float, optional
        The bounds, allowed themselves unless ``exclusive`` (which shuts out the minimum alone).
    exclusive : bool
        The minimum itself is not allowed.

    Raises
    ------
    ConfigurationError
        If the value is no finite number or lies outside the bounds.
    """
    words = []
    if minimum is not None:
        words.append(f"{'above' if exclusive else 'at least'} {minimum:g}")
    if maximum is not None:
        words.append(f"at most {maximum:g}")
    expected = " ".join(["a finite number", " and ".join(words)]).strip()
    try:
        number = float("nan") if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    low = minimum is not None and (number <= minimum if exclusive else number < minimum)
    high = maximum is not None and number > maximum
    if not isfinite(number) or low or high:
        raise ConfigurationError(f"{what} must be {expected}, got {value!r}")
    return number


def require_fraction(what: str, value: object) -> float:
    """Return a number from 0 to below 1, or say what was given instead.

    Raises
    ------
    ConfigurationError
        If it is none.
    """
    number = require_number(what, value, minimum=0.0)
    if number >= 1.0:
        raise ConfigurationError(f"{what} must be below 1, got {value!r}")
    return number


def require_bool(what: str, value: object) -> bool:
    """Return a value that must be True or False.

    Raises
    ------
    ConfigurationError
        If it is anything else.
    """
    if not isinstance(value, bool):
        raise ConfigurationError(f"{what} must be True or False, got {value!r}")
    return value


def require_count(what: str, value: object, *, minimum: int = 1) -> int:
    """Return a whole number of at least ``minimum``, or say what was given instead.

    Raises
    ------
    ConfigurationError
        If the value is no whole number (a bool is none) or is too small.
    """
    whole = hasattr(value, "__index__") and not isinstance(value, bool)
    if not whole or value.__index__() < minimum:  # type: ignore[attr-defined]
        raise ConfigurationError(
            f"{what} must be a whole number of at least {minimum}, got {value!r}"
        )
    return int(value.__index__())  # type: ignore[attr-defined]
