"""The source on the site: a page for each file of the library, and links to its lines.

Pages link to files as they lie in the repository (``../../src/handloom/layers/dense.py``), which
leads somewhere on GitHub; on the site the same links lead to the pages made here. So does every
``[source]`` in the reference.
"""

import ast
import inspect
from collections.abc import Iterator
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.highlighting import PygmentsBridge

PACKAGE = Path(__file__).parents[2] / "src" / "handloom"


def page_of(file: Path) -> str:
    """Return the name of a file's page: ``source/layers/dense``."""
    return f"source/{file.relative_to(PACKAGE).with_suffix('').as_posix()}"


def anchor_of(line: int) -> str:
    """Return the anchor of a line, counted from 1."""
    return f"line-{line}"


@cache
def definitions() -> dict[str, tuple[str, str]]:
    """Return what the library defines: from full names to page and anchor."""
    pages = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
        module = module.removesuffix(".__init__")
        pages[module] = (page_of(file), anchor_of(1))
        for name, line in named_lines(ast.parse(file.read_text()), module):
            pages[name] = (page_of(file), anchor_of(line))
    return pages


def named_lines(scope: ast.AST, path: str) -> Iterator[tuple[str, int]]:
    """Yield each name that a module or a class defines, with its line."""
    for node in ast.iter_child_nodes(scope):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield f"{path}.{node.name}", node.lineno
        if isinstance(node, ast.ClassDef):
            yield from named_lines(node, f"{path}.{node.name}")
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if isinstance(target, ast.Name):
                yield f"{path}.{target.id}", target.lineno


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Make the pages."""
    highlighter = PygmentsBridge("html", app.config.pygments_style or "sphinx")
    for file in sorted(PACKAGE.rglob("*.py")):
        code = highlighter.highlight_block(
            file.read_text(), "python", linenos="inline", lineanchors="line"
        )
        title = file.relative_to(PACKAGE.parent).as_posix()
        body = f'<h1>{title}</h1>\n<div class="source">{code}</div>'
        yield page_of(file), {"title": title, "body": body, "furo_hide_toc": True}, "page.html"


def link_files(app: Sphinx, doctree: nodes.document) -> None:
    """Lead links to files of the library to their pages, before Sphinx makes downloads of them."""
    docname = app.env.docname
    for link in list(doctree.findall(addnodes.download_reference)):
        file = (Path(app.srcdir) / docname).parent.joinpath(link["reftarget"]).resolve()
        if file.is_relative_to(PACKAGE):
            uri = app.builder.get_relative_uri(docname, page_of(file))
            link.replace_self(nodes.reference("", "", *link.children, refuri=uri, internal=True))


def link_to_source(domain: str, info: dict[str, str]) -> str | None:
    """Return where an object of the reference is defined, as seen from the reference's pages."""
    value: Any = import_module(info["module"])
    for name in info["fullname"].split("."):
        value = inspect.getattr_static(value, name, None) or getattr(value, name, None)
    if isinstance(value, property | cached_property):
        value = value.fget if isinstance(value, property) else value.func
    if isinstance(value, classmethod | staticmethod):
        value = value.__func__
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return None
    value = inspect.unwrap(value)
    file = Path(inspect.getsourcefile(value) or "")
    if not file.is_relative_to(PACKAGE):
        return None
    return f"../{page_of(file)}.html#{anchor_of(inspect.getsourcelines(value)[1])}"


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the pages, the links, and the kinds of block that show no language."""
    app.connect("html-collect-pages", pages)
    app.connect("doctree-read", link_files, priority=100)
    for kind in ("output", "pencil"):
        app.add_lexer(kind, TextLexer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
