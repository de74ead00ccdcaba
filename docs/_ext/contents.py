"""The table of contents, read from the lists of links on the pages that lead to others.

So the pages stay plain Markdown, and nothing is listed twice. On the start page each section is a
part of the navigation, under its heading.
"""

import re

from sphinx.application import Sphinx

SECTION = re.compile(r"^## ", re.MULTILINE)
ENTRY = re.compile(r"^(?:-|\d+\.) \[[^\]]+\]\(([^)#]+)\.md\)", re.MULTILINE)


def add_contents(app: Sphinx, docname: str, source: list[str]) -> None:
    """Append to a page of links what the navigation is made from."""
    if docname.rpartition("/")[2] not in ("index", "README"):
        return
    for section in SECTION.split(source[0])[1:]:
        heading, _, text = section.partition("\n")
        if entries := ENTRY.findall(text):
            source[0] += toctree(entries, caption=heading if docname == "index" else "")


def toctree(entries: list[str], *, caption: str = "") -> str:
    """Return pages as part of the navigation, not shown on the page itself."""
    caption_line = f":caption: {caption}\n" if caption else ""
    return "\n```{toctree}\n:hidden:\n" + caption_line + "\n" + "\n".join(entries) + "\n```\n"


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at every page before it is parsed."""
    app.connect("source-read", add_contents)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
