"""Arguments of constructors: those that a class does not have get an error with advice."""

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from handloom.errors import ArgumentError, did_you_mean

BY_POSITION = "by position"
"""The key of advice about arguments that are passed by position."""

RENAMED: Mapping[str, str] = {
    "p": "rate",
    "out_features": "units",
    "out_channels": "filters",
    "kernel_size": "size",
    "pool_size": "size",
    "strides": "stride",
    "bias": "biases",
    "use_bias": "biases",
    "eps": "epsilon",
    "kernel_initializer": "weights",
    "kernel_regularizer": "weights_l2",
    "negative_slope": "slope",
}
"""Arguments of other libraries by their names there, with their names here."""


class _Signature:
    """The signature of a class: that of its constructor, and not of `__new__`."""

    def __get__(self, instance: object, class_: type[Any]) -> inspect.Signature:
        if instance is not None:
            raise AttributeError("an instance has no signature")
        whole = inspect.signature(class_.__init__)
        parameters = [*whole.parameters.values()][1:]
        return whole.replace(parameters=parameters, return_annotation=whole.empty)


class ChecksArguments:
    """Base class whose constructors refuse arguments that they do not have, with advice.

    Every other call is left to Python: a missing argument, and all that a constructor raises.
    """

    _argument_advice: ClassVar[Mapping[str, str]] = {}
    """Sentences by the name of an argument, and by `BY_POSITION`."""

    __signature__ = _Signature()

    def __new__(cls, *arguments: object, **options: object) -> Self:
        """Refuse arguments that the constructor does not have.

        Raises
        ------
        ArgumentError
            Naming them, and those that the constructor takes.
        """
        if arguments or options:  # a copy passes none
            check_arguments(cls, arguments, options)
        return super().__new__(cls)


def check_arguments(
    class_: type[ChecksArguments], arguments: tuple[object, ...], options: Mapping[str, object]
) -> None:
    """Refuse arguments that a constructor does not have; missing ones are allowed.

    Parameters
    ----------
    class_ : type
    arguments, options : tuple, mapping
        The arguments by position, and by keyword.

    Raises
    ------
    ArgumentError
        Naming them, and those that the constructor takes.
    """
    # of the function itself: one that is wrapped may take other arguments
    own = inspect.signature(class_.__init__, follow_wrapped=False)
    taken = [*own.parameters.values()][1:]
    kinds = {each.kind for each in taken}
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    first = [each.name for each in taken if each.kind in by_position]
    named = [each.name for each in taken if each.kind is each.KEYWORD_ONLY]
    excess = arguments[len(first) :] if inspect.Parameter.VAR_POSITIONAL not in kinds else ()
    unknown = [name for name in options if name not in (*first, *named)]
    if inspect.Parameter.VAR_KEYWORD in kinds:
        unknown = []
    if not excess and not unknown:
        return
    received = ", ".join([*map(_described, excess), *unknown])
    advice = _advice(class_._argument_advice, excess, unknown, first, named)
    message = f"{class_.__name__} takes {_listed(first, named)}; got {received}"
    raise ArgumentError(f"{message}. {advice}" if advice else message)


def _listed(first: list[str], named: list[str]) -> str:
    if not first:
        return f"keyword arguments only: {', '.join(named)}" if named else "no arguments"
    by_keyword = f", and by keyword only: {', '.join(named)}" if named else ""
    return f"{', '.join(first)}{by_keyword}"


def _described(value: object) -> str:
    text = repr(value)
    return type(value).__name__ if len(text) > 80 or text.startswith("<") else text


def _advice(
    sentences: Mapping[str, str],
    excess: tuple[object, ...],
    unknown: list[str],
    first: list[str],
    named: list[str],
) -> str:
    """Return the sentence about the first wrong argument; empty if there is none."""
    known = [*first, *named]
    key = BY_POSITION if excess else unknown[0]
    if sentence := sentences.get(key):
        return sentence
    if excess and first and named:
        return f"By position it takes {', '.join(first)} only: write {named[0]}=..."
    if not excess and RENAMED.get(key) in known:
        return f"It is called {RENAMED[key]!r} here"
    return "" if excess else did_you_mean(key, known).strip()
