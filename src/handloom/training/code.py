"""Code: checksums of functions and classes, and the values that their code refers to."""

import dis
import hashlib
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache, cached_property, lru_cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from handloom.training.simple_values import simple_text

LIBRARY = __name__.partition(".")[0]

PYTHON = str(sys.implementation.cache_tag)
"""The version of the bytecode, of which a checksum of code depends."""


class Code:
    """The code of functions.

    Parameters
    ----------
    functions : iterable of (str, function)
        The functions by name, as `class_functions` returns them.

    Attributes
    ----------
    digest : str
        The version of Python, and the SHA-256 of bytecode, constants and names, of the functions
        and of the functions of the same module that they call. It does not depend on comments,
        line numbers and docstrings. Empty without functions.
    globals : dict of str to str
        The simple values of the global variables that they read.
    bound : dict of str to object
        The default arguments and the variables of enclosing functions.
    """

    def __init__(self, functions: Iterable[tuple[str, FunctionType]] = ()) -> None:
        self.globals: dict[str, str] = {}
        self.bound: dict[str, object] = {}
        self._functions: dict[tuple[str, str], FunctionType] = {}
        functions = list(functions)
        for name, function in functions:
            own = f"{name} " if len(functions) > 1 else ""
            self.bound.update({f"{own}{n}": value for n, value in _bound(function)})
            self._add(name, function)
        parts = [(name, _content(function)) for name, function in sorted(self._functions.items())]
        digest = f"{PYTHON} {hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"
        self.digest = digest if parts else ""

    def _add(self, name: str, function: FunctionType) -> None:
        """Add a function, and those of its module that it calls."""
        key = (name, function.__qualname__)
        if key in self._functions:
            return
        self._functions[key] = function
        for read in sorted(_names_read(function.__code__)):
            value = function.__globals__.get(read)
            if isinstance(value, FunctionType) and value.__module__ == function.__module__:
                self._add(read, value)
            elif read in function.__globals__ and not read.startswith("__"):
                text = simple_text(value)
                if text is not None:
                    self.globals[read] = text


def class_functions(class_: type) -> list[tuple[str, FunctionType]]:
    """Return the functions of a class and its bases, except those of the library, by name."""
    return [
        (name, function)
        for base in reversed(class_.__mro__)
        if not is_library(base) and not (base is not class_ and is_installed(base))
        for name, value in sorted(vars(base).items())
        for function in _functions_of(value)
    ]


def set_by_library(class_: type) -> set[str]:
    """Return the attributes that library classes among the bases set, other than their arguments.

    They are the library's running state, such as the number of steps of an optimizer.
    """
    bases = [_set_and_arguments(base) for base in class_.__mro__ if is_library(base)]
    names: set[str] = set().union(*(names for names, _ in bases))
    return names.difference(*(arguments for _, arguments in bases))


@cache  # of the library's few classes, whose many methods would be read at each checkpoint
def _set_and_arguments(base: type) -> tuple[frozenset[str], frozenset[str]]:
    """Return the attributes that a class sets, and the variables of its constructor."""
    functions = [function for value in vars(base).values() for function in _functions_of(value)]
    names = {
        str(each.argval)
        for function in functions
        for each in dis.get_instructions(function.__code__)
        if each.opname == "STORE_ATTR"
    }
    constructors = [each.__code__ for each in functions if each.__name__ == "__init__"]
    arguments = {name for code in constructors for name in code.co_varnames}
    return frozenset(names), frozenset(arguments)


def is_library(value: object) -> bool:
    """Return whether a function, class or object is one of this library."""
    made = value if isinstance(value, type | FunctionType) else type(value)
    return str(made.__module__).partition(".")[0] == LIBRARY


def is_installed(class_: type) -> bool:
    """Return whether a class is of Python or of an installed package, not of the user's files."""
    root = str(class_.__module__).partition(".")[0]
    file = getattr(sys.modules.get(root), "__file__", None)
    if root == "__main__":
        return False
    if file is None:
        return root in sys.builtin_module_names or root in sys.stdlib_module_names
    return any(Path(file).is_relative_to(folder) for folder in _installation_folders())


@cache
def _installation_folders() -> list[Path]:
    """Return the folders of Python's own modules and of installed packages."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return [Path(path) for name in names if (path := sysconfig.get_path(name))]


def _functions_of(value: Any) -> Iterator[FunctionType]:
    """Yield the functions of an entry of a class: a method, property or decorated function."""
    if isinstance(value, property):
        value = [each for each in (value.fget, value.fset, value.fdel) if each is not None]
    elif isinstance(value, staticmethod | classmethod):
        value = [value.__func__]
    elif isinstance(value, cached_property):
        value = [value.func]
    else:
        value = [getattr(value, "__wrapped__", value)]
    yield from (each for each in value if isinstance(each, FunctionType))


def _bound(function: FunctionType) -> Iterator[tuple[str, object]]:
    """Yield default arguments and variables of enclosing functions, by name."""
    code = function.__code__
    positional = code.co_varnames[: code.co_argcount]
    defaults = function.__defaults__ or ()
    yield from zip(positional[len(positional) - len(defaults) :], defaults, strict=True)
    yield from (function.__kwdefaults__ or {}).items()
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            value = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
        if name != "__class__":
            yield name, value


def _content(function: FunctionType) -> object:
    """Return the code of a function as nested values whose text is the same in each process."""
    return _code(function.__code__, function.__doc__)


def _code(code: CodeType, doc: str | None = None) -> object:
    constants = [None if doc is not None and each == doc else each for each in code.co_consts]
    return (
        code.co_code,
        [_constant(each) for each in constants],
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags,
    )


def _constant(value: object) -> object:
    if isinstance(value, CodeType):
        return _code(value)
    if isinstance(value, tuple):
        return [_constant(each) for each in value]
    if isinstance(value, frozenset):  # ordered differently in each process
        return sorted(map(repr, value))
    return repr(value)


@lru_cache(maxsize=1024)
def _names_read(code: CodeType) -> frozenset[str]:
    """Return the global names that code reads, inner functions included."""
    names = {
        str(each.argval)
        for each in dis.get_instructions(code)
        if each.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    inner = [_names_read(each) for each in code.co_consts if isinstance(each, CodeType)]
    return frozenset(names.union(*inner))
