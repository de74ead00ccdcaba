"""Handloom: neural networks written by hand in Python and NumPy."""

import ast
from importlib import import_module
from pkgutil import get_data

# The public names are written once, in the stub beside this file, where type checkers read them.
_STUB = ast.parse(get_data(__name__, "__init__.pyi") or b"")
_HOMES = {
    name.name: statement.module or ""
    for statement in _STUB.body
    if isinstance(statement, ast.ImportFrom)
    for name in statement.names
}

__all__ = [  # without the estimators: `from handloom import *` needs no extra; without modules
    name
    for name, home in _HOMES.items()
    if name[0] != "_" and home not in ("handloom.estimators", __name__)
]


def __getattr__(name: str) -> object:
    """Load a public name when it is first used, so that `import handloom` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'handloom' has no attribute {name!r}")
    if _HOMES[name] == __name__:
        return import_module(f"{__name__}.{name}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
