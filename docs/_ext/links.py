"""Links between pages and the reference, which nobody writes by hand.

A derivation and its classes lead to each other; a guide that names a class leads to it; a docstring
may name a class of another module, or a function that is not in the reference, and leads to it too.
"""

import inspect

import sources
from docutils import nodes
from public import ROOMS, Entry, entries, rooms
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

LINKABLE = (nodes.paragraph, nodes.entry, nodes.strong, nodes.emphasis)  # no link, no title


def lead_to_reference(app: Sphinx, docname: str, source: list[str]) -> None:
    """Add links: to rooms on the page of the reference, to classes on their derivation."""
    folder, _, page = docname.rpartition("/")
    if docname == "reference/README":
        source[0] += "".join(f"\n{summary(room, names)}\n" for room, names in rooms().items())
        source[0] += "\n```{toctree}\n:hidden:\n\n" + "\n".join(ROOMS) + "\n```\n"
    if folder == "derivations":
        classes = [entry for entry in entries().values() if entry.derivation == page]
        if classes:
            title, rest = source[0].split("\n", 1)
            source[0] = f"{title}\n\nIn the reference: {links_to(classes)}.\n{rest}"


def summary(room: str, names: list[Entry]) -> str:
    """Return a room in one paragraph of links."""
    return f"[**{ROOMS[room]}**]({room}.rst): {links_to(names)}"


def links_to(names: list[Entry]) -> str:
    """Return links to public names, as Markdown."""
    return ", ".join(f"{{py:obj}}`~{entry.full_name}`" for entry in names)


def link_names(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Lead each class that a guide names to its page in the reference."""
    if docname.startswith("reference/"):
        return
    for literal in list(doctree.findall(nodes.literal)):
        name = literal.astext().partition("(")[0]
        entry = entries().get(name)
        if entry is None or not entry.is_class or not isinstance(literal.parent, LINKABLE):
            continue
        target = documented(name)
        assert target is not None
        literal.replace_self(link_to(app, docname, target, literal.deepcopy()))


def lead_on(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, text: nodes.Element
) -> nodes.reference | None:
    """Lead a name that Sphinx does not find to the reference, or else to its definition.

    Docstrings name public classes of other modules (`Optimizer`), and functions that are not in the
    reference, but on the page of the source (`adam_step`).
    """
    if node.get("refdomain") != "py":
        return None
    target = documented(node["reftarget"]) or defined(node["reftarget"], context_of(node))
    if target is None:
        return None
    return link_to(app, node["refdoc"], target, text)


def link_to(
    app: Sphinx, docname: str, target: tuple[str, str], text: nodes.Element
) -> nodes.reference:
    """Return a link from a page to an anchor on another one."""
    page, anchor = target
    uri = f"{app.builder.get_relative_uri(docname, page)}#{anchor}"
    return nodes.reference("", "", text, refuri=uri, internal=True)


def documented(name: str) -> tuple[str, str] | None:
    """Return the page and the anchor of a public name or of a member of it, if it is one."""
    first, dot, member = name.removeprefix("handloom.").partition(".")
    entry = entries().get(first)
    if entry is None or (member and not hasattr(entry.value, member)):
        return None
    page = entry.full_name if entry.is_class else entry.room
    return f"reference/{page}", entry.full_name + dot + member


def context_of(node: addnodes.pending_xref) -> str:
    """Return the module, or the class with its module, whose docstring a name stands in."""
    name = node.get("py:class") or ""
    entry = entries().get(name)
    if entry is not None and inspect.isclass(entry.value):
        return f"{entry.value.__module__}.{name}"
    return node.get("py:module") or ""


def defined(name: str, context: str) -> tuple[str, str] | None:
    """Return the page and the anchor of a definition: of the nearest one, if there are several."""
    definitions = [full for full in sources.definitions() if f".{full}".endswith(f".{name}")]
    for near in (f"{context}.", f"{context.rpartition('.')[0]}.", "handloom."):
        own = [full for full in definitions if full.startswith(near) and ".fused." not in full]
        if len(own) == 1:
            return sources.definitions()[own[0]]
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at pages before they are parsed, and at names once all pages are known."""
    app.connect("source-read", lead_to_reference)
    app.connect("missing-reference", lead_on)
    app.connect("doctree-resolved", link_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
