"""Docstrings that share the descriptions of parameters and attributes with another class."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

Documented = TypeVar("Documented", bound=type)

_SECTION = re.compile(r"^(\w+)\n-{3,}\n", re.MULTILINE)


def describes_options_of(
    source: type, *, attributes_except: Iterable[str] | None = None
) -> Callable[[Documented], Documented]:
    """Decorate a class: complete its docstring with the descriptions of another class.

    Each parameter of the constructor that the docstring does not describe is described as in
    ``source``, so that `help` shows all of them, and each description is written once.

    Parameters
    ----------
    source : type
        A class with a docstring in numpydoc format.
    attributes_except : iterable of str, optional
        The attributes of ``source`` that the class does not have; by default no attribute is added.

    Returns
    -------
    callable
        The decorator of the class.
    """

    def complete(cls: Documented) -> Documented:
        sections, theirs = _sections(cls.__doc__ or ""), _sections(source.__doc__ or "")
        if "Parameters" not in theirs:  # python -OO removes docstrings, or a dataclass makes one
            return cls
        names = list(inspect.signature(cls).parameters)
        entries = {
            **_entries(theirs["Parameters"], names),
            **_entries(sections.get("Parameters", ""), names),
        }
        in_order = sorted(entries, key=lambda group: names.index(group[0]))
        sections["Parameters"] = "\n".join(entries[group] for group in in_order)
        if attributes_except is not None:
            known = [name for group in _entries(theirs["Attributes"]) for name in group]
            kept = [name for name in known if name not in attributes_except]
            own = _entries(sections.get("Attributes", ""))
            attributes = {**_entries(theirs["Attributes"], kept), **own}
            sections["Attributes"] = "\n".join(attributes.values())
        cls.__doc__ = _joined(sections)
        return cls

    return complete


def _sections(docstring: str) -> dict[str, str]:
    """Return the sections of a docstring by title; the text before them has an empty title."""
    head, *parts = _SECTION.split(inspect.cleandoc(docstring))
    bodies = {title: body.strip() for title, body in zip(parts[::2], parts[1::2], strict=True)}
    return {"": head.strip(), **bodies}


def _entries(body: str, names: Iterable[str] | None = None) -> dict[tuple[str, ...], str]:
    """Return the entries of a section by their names, if all of them are among ``names``."""
    entries: dict[tuple[str, ...], str] = {}
    for entry in filter(None, re.split(r"\n(?=\S)", body)):
        group = tuple(entry.partition("\n")[0].partition(" : ")[0].split(", "))
        if names is None or set(group) <= set(names):
            entries[group] = entry
    return entries


def _joined(sections: Mapping[str, str]) -> str:
    titled = [f"{title}\n{'-' * len(title)}\n{body}" for title, body in sections.items() if title]
    return "\n\n".join([sections[""], *titled]) + "\n"
