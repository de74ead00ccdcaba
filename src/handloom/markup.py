"""Markup: elements of a page, or of a notebook's cell, whose text and attributes are escaped.

Every name of a user is hostile: a class, a column or a file may be called ``<script>``. So a page
is built of elements, never of strings, and `render` escapes each text once. Elements that run code
or load files are refused, except for those that `handloom.reporting.page` makes of the library's
own files.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Union

from handloom.text import printable

NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*")
"""The name of an element or an attribute."""

VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "wbr"})
"""Elements without content."""

REFUSED = frozenset({"base", "embed", "iframe", "link", "meta", "object", "script", "style"})
"""Elements that run or load something; `trusted` makes them."""

REFERENCES = frozenset({"href", "src"})
ADDRESS = re.compile(
    r"#[\w.-]+|data:image/png;base64,[A-Za-z0-9+/=]+|runs/(?!\.\.?/)[\w.%~-]+/report\.html",
    re.ASCII,
)
"""The addresses that an element may have: an element of the page, an image in it, or the page of a
run beside that of its study."""

Node = Union["Element", "Code", str, float, int, None, Iterable["Node"]]


@dataclass(frozen=True)
class Element:
    """An element; `element` makes one."""

    tag: str
    attributes: Mapping[str, str]
    children: tuple[Node, ...]


@dataclass(frozen=True)
class Code:
    """The text of a script or a style sheet, which is not escaped.

    Raises
    ------
    ValueError
        If it would end its element.
    """

    text: str

    def __post_init__(self) -> None:
        if re.search(r"</|<!--", self.text):
            raise ValueError("code in a page must not contain '</' or '<!--'")


def element(tag: str, *children: Node, **attributes: object) -> Element:
    """Return an element.

    Parameters
    ----------
    tag : str
    *children : Node
        Elements, texts and numbers; sequences are flattened, None is left out.
    **attributes : object
        ``class_`` is ``class``, ``aria_label`` is ``aria-label``. True is an attribute without a
        value; False and None leave it out.

    Raises
    ------
    ValueError
        If the element or an attribute could run code, or load anything from outside of the page.
    """
    if tag in REFUSED:
        raise ValueError(f"a section must not contain the element {tag!r}")
    return trusted(tag, *children, **attributes)


def trusted(tag: str, *children: Node, **attributes: object) -> Element:
    """Return an element that may run code, as the page's own script; see `element`."""
    if not NAME.fullmatch(tag):
        raise ValueError(f"{tag!r} is no name of an element")
    return Element(tag, _checked(attributes), children)


def _checked(attributes: Mapping[str, object]) -> dict[str, str]:
    checked = {}
    for key, value in attributes.items():
        name = key.rstrip("_").replace("_", "-")
        if not NAME.fullmatch(name) or name.lower().startswith("on") or name == "style":
            raise ValueError(f"a page must not have the attribute {name!r}")
        if value is None or value is False:
            continue
        text = "" if value is True else _number(value)
        if name in REFERENCES and not ADDRESS.fullmatch(text):
            raise ValueError(f"{name} must name an element or an image of the page, got {text!r}")
        checked[name] = text
    return checked


def table(head: Iterable[Node], rows: Iterable[Iterable[Node]], caption: Node = None) -> Element:
    """Return a table, for a page that styles tables, as notebooks do.

    Parameters
    ----------
    head : iterable of Node
        The headings of the columns; without any there is no head.
    rows : iterable of iterable of Node
        The cells; the first of each row is its heading.
    caption : Node, optional
        A line above the table.
    """
    headings = [element("th", text, scope="col") for text in head]
    below = element(
        "table",
        element("thead", element("tr", headings)) if headings else None,
        element("tbody", map(_row, rows)),
    )
    # an element `caption` would wrap at the width of a narrow table
    return below if caption is None else element("div", element("p", caption), below)


def _row(cells: Iterable[Node]) -> Element:
    first, *others = cells
    heading = element("th", first, scope="row")
    return element("tr", heading, [element("td", cell) for cell in others])


def render(node: Node) -> str:
    """Return a node as HTML."""
    parts: list[str] = []
    _write(node, parts)
    return "".join(parts)


def _write(node: Node, parts: list[str]) -> None:
    if node is None:
        return
    if isinstance(node, Code):
        parts.append(node.text)
    elif isinstance(node, str | float | int):
        parts.append(escape(printable(_number(node), lines=True)))
    elif isinstance(node, Element):
        attributes = "".join(
            f' {name}="{escape(printable(value))}"' for name, value in node.attributes.items()
        )
        parts.append(f"<{node.tag}{attributes}>")
        for child in node.children:
            _write(child, parts)
        if node.tag not in VOID:
            parts.append(f"</{node.tag}>")
    else:
        for child in node:
            _write(child, parts)


def _number(value: object) -> str:
    """Return a value as text; coordinates with at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def json_code(value: Any) -> Code:
    """Return a value as JSON that cannot end its element, whatever its texts.

    Raises
    ------
    ValueError
        If it holds NaN or infinity, which are not JSON.
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Code(text)
