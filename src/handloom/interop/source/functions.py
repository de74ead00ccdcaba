"""The source of functions that are written into an exported file, and of those that they call.

They are ordinary functions of this library, typed and tested. A file has their text without the
annotations, so that it needs no import for them.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from handloom.interop.source.text import call

Functions = Mapping[str, Callable[..., object]]


def functions_of(module: object) -> Functions:
    """Return the functions that a module defines, by name, in their order."""
    own = getattr(module, "__name__", None)
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == own
    }


def with_called(names: Iterable[str], known: Functions) -> list[str]:
    """Return the names of functions and of all those that they call, in the order of ``known``.

    Parameters
    ----------
    names : iterable of str
        Some keys of ``known``.
    known : mapping of str to function
        The functions that may be written.
    """
    needed, queue = set[str](), list(names)
    while queue:
        name = queue.pop()
        if name not in needed:
            needed.add(name)
            queue += names_in(source_of(known[name])) & set(known)
    return [name for name in known if name in needed]


@lru_cache(maxsize=128)
def source_of(function: Callable[..., object]) -> str:
    """Return the source of a function without annotations, and without a line break at its end.

    Raises
    ------
    OSError
        If it has none, such as a function that was typed into an interactive interpreter.
    """
    return without_annotations(textwrap.dedent(inspect.getsource(function)))


def without_annotations(source: str) -> str:
    """Return the source of a function without the annotations of arguments, result and variables.

    Raises
    ------
    SyntaxError
        If the source is not one function, or has decorators, which a file does not have.
    """
    parsed = ast.parse(source).body
    if len(parsed) != 1 or not isinstance(function := parsed[0], ast.FunctionDef):
        raise SyntaxError(f"expected the source of one function, got {source!r:.200}")
    if function.decorator_list:
        raise SyntaxError(f"expected a function without decorators, got {source!r:.200}")
    arguments = function.args
    for each in ast.walk(arguments):
        if isinstance(each, ast.arg):
            each.annotation = None
    lines = source.splitlines()
    for each in ast.walk(function):
        if isinstance(each, ast.AnnAssign) and _is_short(each):
            line = lines[each.lineno - 1].encode()
            start, stop = each.target.end_col_offset, each.annotation.end_col_offset
            lines[each.lineno - 1] = (line[:start] + line[stop:]).decode()
    body = lines[function.body[0].lineno - 1 :]
    parameters = [ast.unparse(arguments)] if arguments else []
    return "\n".join([call(f"def {function.name}", parameters) + ":", *body]).rstrip()


def _is_short(variable: ast.AnnAssign) -> bool:
    """Return whether this is ``y: Array = ...``, with the annotation on one line.

    Others stay: the annotation of a variable in a function is never evaluated.
    """
    same_line = variable.annotation.end_lineno == variable.lineno
    return same_line and bool(variable.simple) and variable.value is not None


def names_in(source: str) -> set[str]:
    """Return all names in source code."""
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
