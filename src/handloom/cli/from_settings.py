"""Options of a command from settings: a field is an option of its name, type, default and help."""

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
    """Give a command an option for each field of some settings, in place of its ``**values``.

    Parameters
    ----------
    settings : dataclass instance
        Its fields were made by `handloom.recipes.option.option`; its values are the defaults.
    *names : str
        The fields that become options; by default all.
    """
    options = [
        _parameter(option, getattr(settings, option.name))
        for option in options_of(type(settings))
        if not names or option.name in names
    ]

    def give(command: Command) -> Command:
        *own, _ = inspect.signature(command).parameters.values()
        # typer reads the signature and calls by keyword, so that **values receives the options
        command.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]
        return command

    return give


def _parameter(option: Field[Any], default: Any) -> inspect.Parameter:
    kind: Any = option.type
    spelling: dict[str, Any] = {}
    if get_origin(kind) is tuple:  # items with commas in one word
        item = get_args(kind)[0]
        kind, default = str | None, ",".join(map(str, default)) or None
        spelling = {"metavar": f"<{item.__name__},...>", "callback": _split(item)}
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, typer.Option(help=help_of(option), **spelling)],
    )


def _split(item: type[Item]) -> Callable[[typer.CallbackParam, str | None], tuple[Item, ...]]:
    """Return the callback by which typer converts items with commas."""
    sort = "whole numbers" if item is int else "names"

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
                f"{option.opts[0]} takes {sort} with commas, got {text!r}"
            ) from None

    return split
