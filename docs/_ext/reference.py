"""The pages of the API reference, made from the docstrings of the public names.

A room has a page; each of its classes has one too, and its functions and constants are on the page
of the room.
"""

import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from public import ROOMS, Entry, entries, rooms
from sphinx.application import Sphinx

FOLDER = Path(__file__).parents[1] / "reference"
ARRAY = re.compile(r"~numpy\.ndarray\[tuple\[~typing\.Any, \.\.\.\], ~numpy\.dtype\[(.+?)\]\]")


def write_pages(app: Sphinx) -> None:
    """Write the pages of rooms and classes, and remove those of names that are gone."""
    texts = {room: room_page(room, names) for room, names in rooms().items()}
    public = [entry for names in rooms().values() for entry in names]
    texts |= {entry.full_name: class_page(entry) for entry in public if entry.is_class}
    for name, text in texts.items():
        page = FOLDER / f"{name}.rst"
        if not page.is_file() or page.read_text() != text:  # else it would be parsed again
            page.write_text(text)
    for page in FOLDER.glob("*.rst"):
        if page.stem not in texts:
            page.unlink()


def room_page(room: str, listed: list[Entry]) -> str:
    """Return a room: its classes in a table, everything else in full."""
    classes = [entry for entry in listed if entry.is_class]
    page = [heading(ROOMS[room]), f".. automodule:: {room}\n"]
    if classes:
        names = [c.name if c.module == room else f"~{c.full_name}" for c in classes]
        page += [directive("autosummary", "", ["nosignatures"], names)]
        page += [directive("toctree", "", ["hidden"], [c.full_name for c in classes])]
    for entry in listed:
        if not entry.is_class:
            kind = "autofunction" if inspect.isfunction(entry.value) else "autodata"
            options = [] if kind == "autofunction" else ["no-value"]
            page.append(directive(kind, entry.full_name, options))
    return "\n".join(page)


def class_page(entry: Entry) -> str:
    """Return a class: its derivation, and its docstrings, those of private bases included."""
    assert inspect.isclass(entry.value)
    page = [heading(entry.name)]
    if entry.derivation:
        page.append(f"The derivation: :doc:`/derivations/{entry.derivation}`.\n")
    kind = "autoexception" if issubclass(entry.value, BaseException) else "autoclass"
    public = {id(other.value) for other in entries().values()}
    elsewhere = [
        base.__name__
        for base in entry.value.__mro__[1:]
        if id(base) in public or not base.__module__.startswith("handloom")
        if Protocol not in base.__bases__  # which autodoc cannot compare with
    ]
    options = ["members", f"inherited-members: {', '.join(elsewhere)}"]
    if entry.value.__bases__ != (object,):
        options.append("show-inheritance")
    page.append(directive(kind, entry.full_name, options))
    return "\n".join(page)


def heading(text: str) -> str:
    """Return the title of a page."""
    return f"{text}\n{'=' * len(text)}\n"


def directive(name: str, argument: str, options: Iterable[str], lines: Iterable[str] = ()) -> str:
    """Return a directive of reStructuredText; an option may have a value after a colon."""
    named = [option if ":" in option else f"{option}:" for option in options]
    indented = [f"   {line}" for line in (*(f":{option}" for option in named), "", *lines)]
    return "\n".join([f".. {name}:: {argument}", *indented, ""])


def leave_out(
    app: Sphinx, what: str, name: str, value: object, skip: bool, options: object
) -> bool | None:
    """Leave out what a base of scikit-learn puts into our classes."""
    return True if str(getattr(value, "__module__", "")).startswith("sklearn") else None


def shorten(
    app: Sphinx,
    what: str,
    name: str,
    value: object,
    options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Write an array's type as the code does: ``NDArray[floating]``."""
    short = r"~numpy.typing.NDArray[\1]"
    return signature and ARRAY.sub(short, signature), returns and ARRAY.sub(short, returns)


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before they are looked for."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-skip-member", leave_out)
    app.connect("autodoc-process-signature", shorten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
