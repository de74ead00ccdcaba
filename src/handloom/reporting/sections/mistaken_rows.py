"""Mistakes of a classification of tables: the rows that are most confidently wrong."""

import numpy as np

from handloom.markup import Node, element
from handloom.reporting.raw_rows import raw_rows
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.wording import percent

TITLE = "Mistakes: the most confident ones"
SHOWN = 10


def mistaken_rows(run: ReportedRun) -> Section | Omission | None:
    """Return the most confident mistakes of a run, with the cells of their rows."""
    if run.test is None or run.predicted is None or not run.test.has_classes:
        return Omission(TITLE, run.why_missing("test", "predictions"))
    assert run.probabilities is not None
    predicted, true = run.predicted, run.test.targets
    wrong = np.flatnonzero(predicted != true)
    if not len(wrong):
        return None
    sure = run.probabilities[wrong, predicted[wrong]]
    rows = wrong[np.argsort(-sure, kind="stable")[:SHOWN]]
    names = run.class_names
    told: list[tuple[str, list[Node]]] = [
        ("true", [element("b", names[true[row]]) for row in rows]),
        ("predicted", [element("b", names[predicted[row]], class_="wrong") for row in rows]),
        ("probability", [percent(float(run.probabilities[row, predicted[row]])) for row in rows]),
    ]
    text = (
        f"{int((sure > 0.9).sum()):,} of the {len(wrong):,} wrong predictions have a probability "
        "above 90 %. Is the label of such a row wrong, is the row rare, or is a column missing "
        "that would tell the classes apart?"
    )
    caption = (
        "The wrong predictions with the highest probability of the predicted class, with the cells "
        "of their rows in the table."
    )
    table = raw_rows(run, rows, told, caption, label="Most confident mistakes")
    return Section("mistakes", TITLE, [element("p", text), table])
