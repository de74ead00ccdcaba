"""Section: the contract between a page and one of its parts.

A section is made by a function of a `handloom.reporting.run.ReportedRun`, in a file of its own in
``sections/``, and is listed in `handloom.reporting.registry`. It is complete without scripts, which
add comforts such as zoom.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handloom.markup import Node


@dataclass(frozen=True)
class Section:
    """A part of a page with a heading.

    Attributes
    ----------
    id : str
        A word, the address of the section in the page: ``#curves``.
    title : str
        The heading.
    body : Node
        Its content.
    data : mapping of str to JSON, or None
        Data of its scripts, which they read with ``Handloom.data("curves")``.
    scripts, styles : tuple of str
        The files in ``scripts/`` and ``styles/`` that it needs beside the common ones, without
        their suffix: names of `handloom.reporting.assets`.
    """

    id: str
    title: str
    body: Node
    data: Mapping[str, Any] | None = None
    scripts: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Omission:
    """A section that cannot be made; the page lists it with the reason.

    Attributes
    ----------
    title : str
        The heading that the section would have.
    reason : str
        The reason why it cannot be made, in a sentence.
    """

    title: str
    reason: str
