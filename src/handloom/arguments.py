"""Arguments of constructors: those that a class does not have get an error with advice."""

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from pathlib import PurePath
from typing import Any, ClassVar, ParamSpec, Self, TypeVar, cast

from handloom.errors import ArgumentError, did_you_mean
from handloom.text import printable

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
    "bias_regularizer": "biases_l2",
    "l1": "weights_l1",
    "l2": "weights_l2",
    "weight_regularizer_l1": "weights_l1",
    "weight_regularizer_l2": "weights_l2",
    "bias_regularizer_l1": "biases_l1",
    "bias_regularizer_l2": "biases_l2",
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

    def __repr__(self) -> str:
        return as_call(self)


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


Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Function = TypeVar("Function", bound=Callable[..., Any])


def advises_on_arguments(
    advice: Mapping[str, str],
) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Decorate a function: arguments that it does not have are refused with advice.

    Parameters
    ----------
    advice : mapping of str to str
        Sentences by the names of arguments of other libraries.

    Returns
    -------
    callable
        The decorator. The function raises an `ArgumentError` then.
    """

    def wrap(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        known = [*inspect.signature(function).parameters]

        @wraps(function)
        def checked(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
            if unknown := [name for name in named if name not in known]:
                raise ArgumentError(
                    unknown_argument(function.__name__, "argument", unknown[0], known[1:], advice)
                )
            return function(*arguments, **named)

        return checked

    return wrap


def shows_call(example: str) -> Callable[[Function], Function]:
    """Decorate a function: the error about a missing or excess argument shows a right call.

    Parameters
    ----------
    example : str
        The right call.

    Returns
    -------
    callable
        The decorator. The function raises an `ArgumentError` then.
    """

    def wrap(function: Function) -> Function:
        @wraps(function)
        def checked(*arguments: Any, **named: Any) -> Any:
            try:
                return function(*arguments, **named)
            except TypeError:  # only then, since these calls may be frequent
                try:
                    inspect.signature(function).bind(*arguments, **named)
                except TypeError as error:
                    raise ArgumentError(f"{error}: write {example}") from None
                raise

        return cast("Function", checked)  # of the same type

    return wrap


def unknown_argument(
    owner: str, kind: str, name: str, known: Collection[str], advice: Mapping[str, str]
) -> str:
    """Return the error message of an unknown argument, with advice or the closest name."""
    message = f"{owner} has no {kind} {name!r}"
    return (
        f"{message}: {advice[name]}" if name in advice else f"{message}.{did_you_mean(name, known)}"
    )


LONGEST_ARGUMENT = 80
"""The most characters of an argument in `as_call`."""


def as_call(value: object, *, implied: Collection[str] = ()) -> str:
    """Return the call that makes an object: its class, and all arguments that are not defaults.

    Arguments are those of its ``config()``, and attributes of their name for others.

    Parameters
    ----------
    value : object
        Such as a layer, an optimizer or a callback.
    implied : collection of str
        Arguments that follow from others, which are left out.

    Returns
    -------
    str
        ``"Dense(32, biases_l2=0.001)"``
    """
    try:
        config = dict(value.config())  # type: ignore[attr-defined]
    except Exception:  # of the user's own, or it has none
        config = {}
    written = []
    constructor = inspect.signature(type(value).__init__)
    for parameter in [*constructor.parameters.values()][1:]:
        name, default = parameter.name, parameter.default
        argument = config[name] if name in config else getattr(value, name, inspect)
        if argument is inspect or name in implied:
            continue  # it is not known, or is ``*args`` or ``**options``
        if default is not parameter.empty and _same(argument, default):
            continue
        by_name = default is not parameter.empty or parameter.kind is parameter.KEYWORD_ONLY
        written.append(f"{name}={_as_text(argument)}" if by_name else _as_text(argument))
    return printable(f"{type(value).__name__}({', '.join(written)})")


def _same(argument: object, default: object) -> bool:
    """Return whether an argument, or its description, is the default."""
    if isinstance(argument, list) and isinstance(default, tuple):
        argument = tuple(argument)
    try:
        return argument in (default, {"kind": default})
    except Exception:  # of arrays, or an own ``__eq__``
        return False


def _as_text(argument: object) -> str:
    if isinstance(argument, dict) and argument.keys() == {"kind"}:
        argument = argument["kind"]
    if isinstance(argument, PurePath):
        argument = str(argument)
    text = repr(argument)
    return text if len(text) <= LONGEST_ARGUMENT else f"{type(argument).__name__} ..."
