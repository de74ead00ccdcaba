"""Options: fields of settings with a help text, for Python and the command line.

The help text is written once, at the field. `documented` adds it to the docstring of the settings,
and `handloom.cli.from_settings` makes a command-line option of the field.
"""

import inspect
import textwrap
from collections.abc import Sequence
from dataclasses import Field, field, fields
from typing import Any, TypeVar

Value = TypeVar("Value")
Described = TypeVar("Described")

WIDTH = 92  # of a docstring's text, so that `help(...)` fits a page of 100 columns


def option(default: Value, text: str) -> Value:
    """Return a dataclass field with a default and a help text.

    Parameters
    ----------
    default : object
        The default; immutable.
    text : str
        The help text, for users of Python and of the command line.

    Returns
    -------
    field
        A field for a dataclass, with the type of its default.
    """
    return field(default=default, metadata={"help": text})


def help_of(option: Field[Any]) -> str:
    """Return the help text of a field made by `option`."""
    return str(option.metadata["help"])


def options_of(settings: type[Any]) -> Sequence[Field[Any]]:
    """Return the fields of settings in the order of a call, keyword-only fields last."""
    return sorted(fields(settings), key=lambda option: bool(option.kw_only))


def documented(settings: type[Described]) -> type[Described]:
    """Add the parameters section to the docstring of settings, from the help texts."""
    text, raises, rest = inspect.cleandoc(settings.__doc__ or "").partition("Raises\n------\n")
    parameters = "".join(_parameter(option) for option in options_of(settings))
    settings.__doc__ = f"{text}Parameters\n----------\n{parameters}\n{raises}{rest}"
    return settings


def _parameter(option: Field[Any]) -> str:
    kind = inspect.formatannotation(option.type).removesuffix(" | None")
    default = "optional" if option.default is None else f"default {option.default!r}"
    text = textwrap.indent(textwrap.fill(help_of(option), WIDTH), "    ")
    return f"{option.name} : {kind}, {default}\n{text}\n"
