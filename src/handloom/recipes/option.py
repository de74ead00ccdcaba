"""An option: a field of settings with its help, for Python and the command line alike.

The help is written once, at the field. `documented` puts it into the docstring of the settings, and
the command line (`handloom.cli.from_settings`) makes an option of the field.
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
    """Return a field of a dataclass, with its help.

    Parameters
    ----------
    default : object
        The default, immutable.
    text : str
        Sentences that make sense to users of Python and of the command line.
    """
    return field(default=default, metadata={"help": text})


def help_of(option: Field[Any]) -> str:
    """Return the help of a field that `option` made."""
    return str(option.metadata["help"])


def options_of(settings: type[Any]) -> Sequence[Field[Any]]:
    """Return the fields of settings in the order of a call, those that are keyword-only last."""
    return sorted(fields(settings), key=lambda option: bool(option.kw_only))


def documented(settings: type[Described]) -> type[Described]:
    """Put the section of the parameters into the docstring of settings, from the help of each."""
    text, raises, rest = inspect.cleandoc(settings.__doc__ or "").partition("Raises\n------\n")
    parameters = "".join(_parameter(option) for option in options_of(settings))
    settings.__doc__ = f"{text}Parameters\n----------\n{parameters}\n{raises}{rest}"
    return settings


def _parameter(option: Field[Any]) -> str:
    kind = inspect.formatannotation(option.type).removesuffix(" | None")
    default = "optional" if option.default is None else f"default {option.default!r}"
    text = textwrap.indent(textwrap.fill(help_of(option), WIDTH), "    ")
    return f"{option.name} : {kind}, {default}\n{text}\n"
