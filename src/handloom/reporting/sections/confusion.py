"""Confusion: which class is predicted for which, and the images behind every cell."""

import numpy as np
import numpy.typing as npt

from handloom.markup import Element, Node, element
from handloom.metrics import precision_and_recall
from handloom.reporting.captions import table_caption
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.sections.tables import two_bars
from handloom.reporting.wording import counted, percent

TITLE = "Confusion matrix: what is taken for what"

SHOWN = 18
"""The largest number of images behind a cell that are in the page."""

MOST_CLASSES = 30
"""The largest number of classes of a matrix that fits a page."""

LEVELS = 6
"""The number of shades of a cell."""

Counts = npt.NDArray[np.int64]


def confusion(run: ReportedRun) -> Section | Omission:
    """Return the confusion matrix of a run, and precision and recall."""
    matrix = run.confusion
    if matrix is None:
        return Omission(TITLE, run.why_missing("test", "predictions"))
    names = run.class_names
    body: list[Node] = [element("p", _summary(matrix, names))]
    tables: list[Node] = [_classes(matrix, names)]
    if len(names) <= MOST_CLASSES:
        tables.insert(0, _matrix(run, matrix))
        body.append(element("a", "Skip the matrix", href="#after-matrix", class_="skip"))
    body += [
        element("div", tables, class_="columns wide"),
        element("div", _cells(run, matrix), id="after-matrix", tabindex=-1),
    ]
    return Section("confusion", TITLE, body, scripts=("confusion",), styles=("confusion", "images"))


def _summary(matrix: Counts, names: tuple[str, ...]) -> str:
    wrong = matrix - np.diag(np.diag(matrix))
    total = int(wrong.sum())
    if not total:
        return "Every test row is predicted correctly."
    true, predicted = divmod(int(wrong.argmax()), len(names))
    return (
        f"{total:,} of {int(matrix.sum()):,} test rows are predicted wrongly. The most frequent "
        f"mistake: {names[true]} taken for {names[predicted]}, "
        f"{counted(int(wrong[true, predicted]), 'time')}."
    )


def _matrix(run: ReportedRun, matrix: Counts) -> Element:
    names = run.class_names
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    head = [
        element(
            "tr",
            element("th", element("span", "true class"), scope="col", rowspan=2, class_="corner"),
            element("th", "predicted class", scope="colgroup", colspan=len(names)),
            class_="above",
        ),
        element(
            "tr",
            [element("th", element("span", name), scope="col") for name in names],
        ),
    ]
    rows = [
        element(
            "tr",
            element("th", name, scope="row"),
            [
                _cell(run, true, predicted, int(matrix[true, predicted]), shares[true, predicted])
                for predicted in range(len(names))
            ],
        )
        for true, name in enumerate(names)
    ]
    opens = None
    if run.thumbnails is not None:
        opens = element("span", " Open a cell to see the images behind it.", class_="on-screen")
    return element(
        "div",
        element(
            "table",
            table_caption(
                "Rows are true classes, columns predicted ones. Blue cells are correct, orange "
                "cells are mistakes, the stronger the color, the more of the class; orange is "
                "darker, and strongest from a quarter of the class on.",
                opens,
            ),
            element("thead", head),
            element("tbody", rows),
            class_="matrix",
        ),
        class_="scroll",
        tabindex=0,
        role="region",
        aria_label="Confusion matrix",
    )


def _cell(run: ReportedRun, true: int, predicted: int, count: int, share: float) -> Element:
    kind = "correct" if true == predicted else "mistake"
    # mistakes are rare: a tenth of a class is already dark, as the caption says
    strength = share if true == predicted else min(1.0, 4 * share) ** 0.7
    level = 0 if not count else max(1, min(LEVELS, round(strength * LEVELS)))
    content: Node = str(count) if count else element("span", "0", class_="zero")
    if count and run.thumbnails is not None:
        names = run.class_names
        spoken = f"{counted(count, 'image')} of {names[true]} predicted as {names[predicted]}"
        content = element(
            "a",
            str(count),
            href=f"#cell-{true}-{predicted}",
            id=f"of-{true}-{predicted}",
            aria_label=spoken,
            title=spoken,
        )
    return element("td", content, class_=f"{kind} level-{level}")


def _cells(run: ReportedRun, matrix: Counts) -> Node:
    """Return the lists of images behind the cells, of which the opened one is shown."""
    if run.thumbnails is None:
        return None
    cells = [
        _images(run, int(true), int(predicted))
        for true, predicted in zip(*np.nonzero(matrix), strict=True)
    ]
    return element("div", cells, class_="cells")


def _images(run: ReportedRun, true: int, predicted: int) -> Element:
    assert run.test is not None
    assert run.predicted is not None
    assert run.probabilities is not None
    names = run.class_names
    rows = np.flatnonzero((run.test.targets == true) & (run.predicted == predicted))
    sure = run.probabilities[rows, predicted]
    wrong = true != predicted
    order = np.argsort(-sure if wrong else sure, kind="stable")[:SHOWN]
    which = "most" if wrong else "least"
    few = (
        f" Shown are {len(order)} of {len(rows):,}, the {which} confident ones."
        if len(order) < len(rows)
        else ""
    )
    title = (
        f"{names[true]}, predicted as {names[predicted]}" if wrong else f"{names[true]}, correct"
    )
    assert run.thumbnails is not None
    items = [
        element(
            "li",
            run.thumbnails.of(row, ""),
            element("span", f"row {row}", class_="soft"),
            element("span", percent(float(run.probabilities[row, predicted]))),
        )
        for row in rows[order].tolist()
    ]
    return element(
        "div",
        element("h3", f"{title}: {counted(len(rows), 'image')}"),
        element(
            "p",
            f"With the probability of {names[predicted]} that the network gave.{few}",
            class_="soft",
        ),
        element("ul", items, class_="gallery"),
        element("p", element("a", "Back to the matrix", href=f"#of-{true}-{predicted}")),
        id=f"cell-{true}-{predicted}",
        class_="cell-images",
        tabindex=-1,
    )


def _classes(matrix: Counts, names: tuple[str, ...]) -> Element:
    precision, recall = precision_and_recall(matrix)
    head = [element("th", text, scope="col") for text in ("class", "rows", "precision", "recall")]
    head.append(element("th", element("span", "as bars", class_="hidden-text"), scope="col"))
    rows = [
        element(
            "tr",
            element("th", name, scope="row"),
            element("td", f"{int(count):,}"),
            element("td", percent(float(p)) if np.isfinite(p) else "-"),
            element("td", percent(float(r)) if np.isfinite(r) else "-"),
            element("td", two_bars(float(np.nan_to_num(p)), float(np.nan_to_num(r)))),
        )
        for name, count, p, r in zip(names, matrix.sum(axis=1), precision, recall, strict=True)
    ]
    return element(
        "div",
        element(
            "table",
            table_caption(
                "Precision of a class: how many rows predicted as it belong to it (upper bar). "
                "Recall: how many rows of the class are predicted as it (lower bar).",
            ),
            element("thead", element("tr", head)),
            element("tbody", rows),
        ),
        class_="scroll",
        tabindex=0,
        role="region",
        aria_label="Precision and recall",
    )
