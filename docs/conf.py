"""The site: guides, derivations and decisions as they are, and a reference from the docstrings.

`make docs` builds it. Every warning is an error, a name that leads nowhere included.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import numpydoc.xref
import public
import sources
from pygments.lexers.special import TextLexer
from sphinx.highlighting import lexers

from handloom import __version__

project = "Handloom"
author = "the authors of Handloom"
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.linkcode",
    "numpydoc",
    "contents",
    "links",
    "mathml",
    "reference",
    "sources",
]
exclude_patterns = ["_ext"]

# pages are Markdown as GitHub reads it
myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = {"math"}
myst_heading_anchors = 3
html_math_renderer = "mathml"

# notebooks run when the site is built, in their own folder
nb_execution_mode = "force"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
highlight_language = "text"  # literal blocks of docstrings are equations

# docstrings
default_role = "py:obj"
autosummary_generate = False  # our extension writes the pages
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"  # but for our own names
numpydoc.xref.DEFAULT_LINKS.clear()  # to Python's documentation, which is on the network
numpydoc_xref_aliases = {name: entry.full_name for name, entry in public.entries().items()}
python_use_unqualified_type_names = True
maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"
linkcode_resolve = sources.link_to_source

# names of other packages are text: links to them would need their inventories from the network
OTHERS = (
    "abc|collections|contextlib|dataclasses|enum|matplotlib|np|npt|numpy|os|pathlib|torch|typing"
)
nitpick_ignore_regex = [("py:.*", rf"({OTHERS})\..*")]
# of annotations in quotes, which name what is imported late
nitpick_ignore = [("py:class", name) for name in ("Figure", "PillowImage", "Path", "tuple[str")]

html_theme = "furo"
html_title = f"Handloom {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False

# the picture of the rooms is drawn by GitHub; here it is shown as the text that it is
lexers["mermaid"] = TextLexer()
