"""The sections of a page, by the kind of data that a network was trained on.

A kind of data brings its own sections: to add one, write a `Kind`, and put it in front of those
that would also match.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.sections.alive import alive
from handloom.reporting.sections.overview import overview

MakeSection = Callable[[ReportedRun], Section | Omission | None]
"""A function from a run to a section, to the reason why it is omitted, or to None where it would
have no content."""


@dataclass(frozen=True)
class Kind:
    """A kind of data.

    Attributes
    ----------
    name : str
    matches : callable
        Whether a run has such data.
    sections : tuple of callable
        The sections in their order.
    """

    name: str
    matches: Callable[[ReportedRun], bool]
    sections: tuple[MakeSection, ...]


IMAGES = Kind("images", ReportedRun.classifies_images, (overview, alive))
OTHER = Kind("other", lambda _: True, (overview,))

KINDS: Sequence[Kind] = (IMAGES, OTHER)
"""The kinds of data; the first one that matches is used."""


def kind_of(run: ReportedRun) -> Kind:
    """Return the kind of data of a run."""
    return next(kind for kind in KINDS if kind.matches(run))
