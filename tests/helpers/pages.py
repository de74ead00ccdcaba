"""Reading the pages of reports: elements, texts and addresses, as a browser would see them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = ("br", "hr", "img", "input", "link", "meta", "wbr")


@dataclass
class Parsed:
    """An element of a page."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    children: list["Parsed"] = field(default_factory=list)

    def all(self, tag: str | None = None) -> Iterator["Parsed"]:
        """Yield the elements inside of this one, in their order."""
        for child in self.children:
            if tag in (None, child.tag):
                yield child
            yield from child.all(tag)

    @property
    def whole_text(self) -> str:
        """The text in this element and those inside of it, without scripts and styles."""
        inner = (each.whole_text for each in self.children if each.tag not in ("script", "style"))
        return " ".join([self.text, *inner])

    def by_id(self, name: str) -> "Parsed":
        """Return the element with an id."""
        return next(each for each in self.all() if each.attributes.get("id") == name)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Parsed("page", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Parsed(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].text += data


def parsed(html: str) -> Parsed:
    """Return the elements of a page, each of which must be closed."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert len(reader._open) == 1, f"<{reader._open[-1].tag}> is not closed"
    return reader.root
