"""The sections of a page, by the kind of data that a network was trained on.

A kind of data brings its own sections: to add one, write a `Kind`, and put it in front of those
that would also match.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from handloom.reporting.groups import first_of_each
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.sections.alive import alive
from handloom.reporting.sections.boundary import boundary
from handloom.reporting.sections.calibration import calibration
from handloom.reporting.sections.collapse import collapse
from handloom.reporting.sections.columns import columns
from handloom.reporting.sections.comparison import (
    classes,
    commands,
    curves_together,
    differences,
    results,
)
from handloom.reporting.sections.confusion import confusion
from handloom.reporting.sections.curves import curves
from handloom.reporting.sections.dependence import dependence
from handloom.reporting.sections.embedding import embedding
from handloom.reporting.sections.importance import importance
from handloom.reporting.sections.mistaken_rows import mistaken_rows
from handloom.reporting.sections.mistakes import mistakes
from handloom.reporting.sections.network import network
from handloom.reporting.sections.notes import notes
from handloom.reporting.sections.overview import overview
from handloom.reporting.sections.own_row import own_row
from handloom.reporting.sections.predicted import predicted
from handloom.reporting.sections.provenance import provenance
from handloom.reporting.sections.residuals import residuals
from handloom.reporting.sections.study import best_weights, is_study, notebook, optimizers
from handloom.reporting.sections.threshold import threshold
from handloom.reporting.sections.weights import weights

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


IMAGES = Kind(
    "images",
    ReportedRun.classifies_images,
    (
        overview,
        notes,
        curves,
        network,
        alive,
        confusion,
        mistakes,
        calibration,
        weights,
        embedding,
        provenance,
    ),
)
TABLE_CLASSES = Kind(
    "tables of classes",
    ReportedRun.classifies_tables,
    (
        overview,
        columns,
        notes,
        curves,
        network,
        boundary,
        own_row,
        confusion,
        mistaken_rows,
        threshold,
        calibration,
        importance,
        dependence,
        provenance,
    ),
)
TABLE_VALUES = Kind(
    "tables of continuous values",
    ReportedRun.predicts_values_of_tables,
    (
        overview,
        columns,
        notes,
        curves,
        network,
        boundary,
        own_row,
        predicted,
        residuals,
        importance,
        dependence,
        provenance,
    ),
)
OTHER = Kind(
    "other",
    lambda _: True,
    (overview, columns, notes, curves, network, boundary, own_row, provenance),
)

KINDS: Sequence[Kind] = (IMAGES, TABLE_CLASSES, TABLE_VALUES, OTHER)
"""The kinds of data; the first one that matches is used."""


MakeComparison = Callable[[Sequence[ReportedRun]], Section | Omission | None]
"""A function from several runs to a section of the page that compares them."""

COMPARISON: Sequence[MakeComparison] = (results, differences, curves_together, classes, commands)
STUDY: Sequence[MakeComparison] = (
    optimizers,
    collapse,
    best_weights,
    notebook,
    first_of_each(classes),
    commands,
)


def comparison_of(runs: Sequence[ReportedRun]) -> Sequence[MakeComparison]:
    """Return the sections of the page about several runs."""
    return STUDY if is_study(runs) else COMPARISON


def kind_of(run: ReportedRun) -> Kind:
    """Return the kind of data of a run."""
    return next(kind for kind in KINDS if kind.matches(run))
