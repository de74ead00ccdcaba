"""Captions of tables, which stay readable where a table is wider than the screen."""

from handloom.markup import Element, Node, element


def table_caption(*text: Node) -> Element:
    """Return a caption whose text is at most as wide as the screen."""
    return element("caption", element("span", *text))
