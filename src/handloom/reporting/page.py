"""Page: one HTML file of sections, which loads nothing and runs the library's scripts alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from handloom.markup import Code, Element, Node, element, json_code, render, trusted
from handloom.reporting import assets
from handloom.reporting.section import Omission, Section

BEGINNING = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta http-equiv="Content-Security-Policy" '
    'content="default-src &#x27;none&#x27;; style-src &#x27;sha256-'
)
"""The beginning of every page, by which it is told from files of others."""


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes
    ----------
    title : str
    lead : Node
        The text under the title.
    sections : sequence of Section
    omissions : sequence of Omission
        The sections that could not be made.
    definitions : Node
        Elements that are not shown and that several sections refer to, such as images.
    """

    title: str
    lead: Node
    sections: Sequence[Section]
    omissions: Sequence[Omission] = ()
    definitions: Node = None

    def html(self) -> str:
        """Return the page as HTML, which is the same for the same sections."""
        style = assets.styles(name for each in self.sections for name in each.styles)
        script = assets.scripts(name for each in self.sections for name in each.scripts)
        policy = (
            f"default-src 'none'; style-src {assets.content_hash(style)}; "
            f"script-src {assets.content_hash(script)}; img-src data:; base-uri 'none'; "
            "form-action 'none'"
        )
        head = trusted(
            "head",
            trusted("meta", charset="utf-8"),
            trusted("meta", http_equiv="Content-Security-Policy", content=policy),
            trusted("meta", name="viewport", content="width=device-width, initial-scale=1"),
            trusted("meta", name="color-scheme", content="light dark"),
            trusted("meta", name="referrer", content="no-referrer"),
            element("title", self.title),
            trusted("style", Code(style)),
        )
        body = element(
            "body",
            element("a", "Skip to the content", href="#content", class_="skip"),
            element(
                "header",
                element("h1", self.title),
                element("div", self.lead, class_="lead"),
                class_="top",
            ),
            self._contents(),
            element(
                "main",
                [_section(each) for each in self.sections],
                _omitted(self.omissions),
                element(
                    "a",
                    "↑",
                    element("span", " Contents"),
                    href="#contents",
                    class_="to-contents",
                    aria_label="Up to the contents",
                ),
                id="content",
                tabindex=-1,
            ),
            self.definitions,
            [_data(each) for each in self.sections],
            trusted("script", Code(script)),
        )
        document = trusted("html", head, body, lang="en")
        return f"<!doctype html>\n{render(document)}\n"

    def _contents(self) -> Element:
        links = [
            element("li", element("a", each.title, href=f"#{each.id}")) for each in self.sections
        ]
        return element(
            "nav",
            element("h2", "On this page", id="contents"),
            element("ol", links),
            aria_labelledby="contents",
        )


def _section(section: Section) -> Element:
    heading = f"{section.id}-title"
    return element(
        "section",
        element("h2", section.title, id=heading),
        section.body,
        id=section.id,
        aria_labelledby=heading,
    )


def _omitted(omissions: Sequence[Omission]) -> Node:
    if not omissions:
        return None
    rows = [element("li", element("b", each.title), f": {each.reason}") for each in omissions]
    return _section(Section("omitted", "Not on this page", element("ul", rows)))


def _data(section: Section) -> Node:
    if section.data is None:
        return None
    code = json_code(section.data)
    return trusted("script", code, type="application/json", id=f"data-{section.id}")
