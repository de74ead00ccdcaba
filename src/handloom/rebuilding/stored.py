"""Stored configurations: the description of an object in a file, and the object made from it."""

import json
from collections.abc import Callable
from typing import TypeVar

from handloom.errors import ConfigurationError

Part = TypeVar("Part")


def made_again(name: str, original: Part, config: object, make: Callable[[object], Part]) -> Part:
    """Make an object from its configuration, after a way through a file.

    Parameters
    ----------
    name : str
        The name of the object, for messages.
    original : object
    config : object
        The configuration that the original returned.
    make : callable
        Makes an object from a configuration.

    Raises
    ------
    ConfigurationError
        If the configuration is not JSON, or nothing can be made from it.
    """
    kind = type(original).__name__
    try:
        stored = json.loads(json.dumps(config, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"{name}: the configuration of {kind} must hold values for JSON only, finite "
            f"numbers, strings, lists and dicts, got {config!r}: {error}"
        ) from None
    try:
        return make(stored)
    except Exception as error:
        raise ConfigurationError(
            f"{name}: {kind} cannot be made again from its configuration: {error}. The "
            f"configuration must hold what the constructor, or from_config, takes"
        ) from error
