"""Mistakes: the images that the network is most confident about, and wrong."""

import numpy as np

from handloom.markup import Element, element
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.wording import percent

TITLE = "Mistakes: the most confident ones"
SHOWN = 21


def mistakes(run: ReportedRun) -> Section | Omission | None:
    """Return the most confident mistakes of a run."""
    if run.test is None or run.predicted is None or run.thumbnails is None:
        return Omission(TITLE, run.why_missing("test", "predictions"))
    assert run.probabilities is not None
    wrong = np.flatnonzero(run.predicted != run.test.targets)
    if not len(wrong):
        return None
    sure = run.probabilities[wrong, run.predicted[wrong]]
    rows = wrong[np.argsort(-sure, kind="stable")[:SHOWN]].tolist()
    over_90 = int((sure > 0.9).sum())
    return Section(
        "mistakes",
        TITLE,
        [
            element(
                "p",
                f"{over_90:,} of the {len(wrong):,} wrong predictions have a probability above "
                "90 %. These are the most confident ones. Some labels may be wrong; which of these "
                "would you have got right?",
            ),
            element("ul", [_item(run, row) for row in rows], class_="gallery mistakes"),
        ],
        styles=("images",),
    )


def _item(run: ReportedRun, row: int) -> Element:
    assert run.test is not None
    assert run.predicted is not None
    assert run.probabilities is not None
    assert run.thumbnails is not None
    true, predicted = int(run.test.targets[row]), int(run.predicted[row])
    return element(
        "li",
        run.thumbnails.of(row, f"test row {row}"),
        element("span", "predicted ", element("b", run.class_names[predicted], class_="wrong")),
        element("span", percent(float(run.probabilities[row, predicted]))),
        element("span", "labeled ", element("b", run.class_names[true])),
        element(
            "span",
            f"{percent(float(run.probabilities[row, true]))} · row {row}",
            class_="soft",
        ),
    )
