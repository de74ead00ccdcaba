"""Command-line options from the fields of settings: name, type, default and help."""

import inspect
from collections.abc import Callable
from dataclasses import Field
from typing import Annotated, Any, TypeVar, get_args, get_origin

import typer

from handloom.errors import ConfigurationError
from handloom.recipes.option import help_of, options_of

Command = TypeVar("Command", bound=Callable[..., None])
Item = TypeVar("Item", int, str)


def options_from(settings: object, *names: str) -> Callable[[Command], Command]:
    """Decorate a command with an option for each field of the settings, as its ``**values``.

    Parameters
    ----------
    settings : dataclass instance
        The fields are made by `handloom.recipes.option.option`; the values are the defaults.
    *names : str
        The fields that become options; by default all.

    Returns
    -------
    callable
        The decorator.
    """
    options = [
        _parameter(option, getattr(settings, option.name))
        for option in options_of(type(settings))
        if not names or option.name in names
    ]

    def decorate(command: Command) -> Command:
        *own, _ = inspect.signature(command).parameters.values()
        # typer reads the signature and calls by keyword, so that **values receives the options
        command.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]
        return command

    return decorate


def _parameter(option: Field[Any], default: Any) -> inspect.Parameter:
    kind: Any = option.type
    spelling: dict[str, Any] = {}
    if get_origin(kind) is tuple:  # comma-separated items in one argument
        item = get_args(kind)[0]
        kind, default = str | None, ",".join(map(str, default)) or None
        spelling = {"metavar": f"<{item.__name__},...>", "callback": split_items(item)}
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, typer.Option(help=help_of(option), **spelling)],
    )


def split_items(item: type[Item]) -> Callable[[typer.CallbackParam, str | None], tuple[Item, ...]]:
    """Return the typer callback that converts comma-separated items."""
    kind = "whole numbers" if item is int else "names"

    def split(option: typer.CallbackParam, text: str | None) -> tuple[Item, ...]:
        if text is None:
            return ()
        words = [word.strip() for word in text.split(",")]
        try:
            if not all(words):
                raise ValueError
            return tuple(map(item, words))
        except ValueError:
            raise ConfigurationError(
                f"{option.opts[0]} must be {kind} separated by commas, got {text!r}"
            ) from None

    return split
