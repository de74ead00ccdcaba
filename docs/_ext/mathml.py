"""Formulas as MathML, made when the site is built: reading needs no script and no network."""

from html import escape

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

CONVERTER = LatexToMathML()
logger = logging.getLogger(__name__)


def formula(translator: HTML5Translator, node: nodes.math) -> None:
    """Write a formula within a line."""
    translator.body.append(convert(node, block=False))
    raise nodes.SkipNode


def block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula on lines of its own."""
    translator.body.append(f'<div class="math">{convert(node, block=True)}</div>')
    raise nodes.SkipNode


def convert(node: nodes.math | nodes.math_block, *, block: bool) -> str:
    """Return a formula as MathML, or as text with a warning if it is not valid LaTeX."""
    try:
        latex = node.astext().strip()
        return str(CONVERTER.convert_with_local_state(latex, displaystyle=block))
    except LatexError as error:
        logger.warning("formula: %s", error, location=node)
        return f"<code>{escape(node.astext())}</code>"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer that `html_math_renderer` names."""
    app.add_html_math_renderer("mathml", (formula, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
