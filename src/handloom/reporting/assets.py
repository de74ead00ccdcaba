"""The scripts and style sheets of a page, in their order: package data, without any build step.

All scripts are plain files in one scope, so that ``tsc --checkJs`` can check them together. A
script adds to the object ``Handloom``, and starts when the page is read.
"""

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from importlib.resources import files

from handloom.errors import require_known

COMMON_SCRIPTS = ("core", "links")
NETWORK_SCRIPTS = (
    "network/tensors",
    "network/dense",
    "network/convolution",
    "network/pooling",
    "network/normalization",
    "network/activations",
    "network/embedding",
    "network/residual",
    "network/network",
)
"""The forward pass."""

RUN_SCRIPTS = (*NETWORK_SCRIPTS, "announcer", "predictions")
"""The common scripts of all sections in which a reader runs the network."""

ALIVE_SCRIPTS = (
    "roving",
    *RUN_SCRIPTS,
    "alive/canvases",
    "alive/pixels",
    "alive/tiles",
    "alive/change_history",
    "alive/board",
    "alive/tools",
    "alive/weights",
    "alive/layer_view",
    "alive/alive",
)
"""The section in which a reader runs the network on an image."""

FORM_SCRIPTS = (*RUN_SCRIPTS, "form/encoding", "form/field", "form/form")
"""The section in which a reader runs the network on a row of a table."""

NEEDED_BY = {"line_chart": ("scales", "chart_drawing"), "confusion": ("roving",)}
"""The scripts that another one uses."""

SCRIPTS = (
    *COMMON_SCRIPTS,
    "scales",
    "chart_drawing",
    "line_chart",
    "roving",
    "confusion",
    *ALIVE_SCRIPTS[1:],
    *FORM_SCRIPTS[len(RUN_SCRIPTS) :],
    "boundary",
)
"""The names of the scripts, in the order in which a page has them."""

COMMON_STYLES = ("base", "layout")
STYLES = (
    *COMMON_STYLES,
    "charts",
    "images",
    "network",
    "confusion",
    "calibration",
    "embedding",
    "comparison",
    "fit",
    "predictions",
    "alive",
    "form",
    "boundary",
    "print",
)
"""The names of the style sheets, in the order in which a page has them."""


def scripts(needed: Iterable[str]) -> str:
    """Return the common scripts and those that sections need, as one."""
    named = set(needed)
    used = {each for name in named for each in NEEDED_BY.get(name, ())}
    return _joined("scripts", "js", SCRIPTS, {*COMMON_SCRIPTS, *named, *used})


def styles(needed: Iterable[str]) -> str:
    """Return the common style sheets and those that sections need, as one."""
    return _joined("styles", "css", STYLES, {*COMMON_STYLES, "print", *needed})


def _joined(folder: str, suffix: str, order: tuple[str, ...], needed: set[str]) -> str:
    for name in needed:
        require_known(folder.removesuffix("s"), name, order)
    root = files("handloom.reporting").joinpath(folder)
    texts = [
        root.joinpath(f"{name}.{suffix}").read_text("utf-8") for name in order if name in needed
    ]
    return "\n".join(text.strip() for text in texts) + "\n"


def content_hash(text: str) -> str:
    """Return the source expression of a content security policy for the text of an element."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
