"""A row of one's own: a form of the input columns, and the prediction of the network for it."""

import numpy as np

from handloom.errors import ModelError
from handloom.markup import Node, element
from handloom.model import Model
from handloom.network import Sequential
from handloom.reporting.alive.network_export import export_network
from handloom.reporting.assets import FORM_SCRIPTS
from handloom.reporting.form.cells import cell_text
from handloom.reporting.form.fields import (
    MOST_FEATURES,
    MOST_FIELDS,
    described,
    fields_of,
    inputs_of,
)
from handloom.reporting.form.form import form
from handloom.reporting.form.rows import FilledRow, filled_rows, predicted_texts
from handloom.reporting.row_labels import row_labels
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.sections.tables import scrolling_table

TITLE = "A row of your own"

SHOWN = 6
"""The number of test rows that a page without scripts shows."""


def own_row(run: ReportedRun) -> Section | Omission | None:
    """Return the section in which the reader runs the network on a row; None for other data."""
    model = run.model
    if model is None:
        return Omission(TITLE, run.why_missing("model"))
    if len(model.row_shape) != 1 or model.row_dtype == "uint8":
        return None
    if run.test is None:
        return Omission(TITLE, run.why_missing("test"))
    inputs = inputs_of(model)
    kind, most = ("features", MOST_FEATURES) if model.columns is None else ("columns", MOST_FIELDS)
    if len(inputs) > most:
        reason = f"its rows have {len(inputs):,} {kind}, more than the {most} of a form."
        return Omission(TITLE, reason)
    rows = filled_rows(model, inputs, run.test)
    still = _still(run, model, rows)
    try:
        network = _exported(model)
    except ModelError as error:
        sentence = f"This page cannot run the network: {error}. It shows test rows instead."
        return Section("row", TITLE, [element("p", sentence), still])
    fields = fields_of(model, run.test if run.train is None else run.train)
    target = None if model.columns is None else model.columns.target
    outputs = run.class_names
    labels = row_labels(run.test, [each.index for each in rows])
    data = {
        "network": network,
        "columns": described(inputs),
        "typical": [each.typical for each in fields],
        "required": [not each.can_miss for each in fields],
        "rows": [
            {"name": f"test {name}", "cells": each.cells, "truth": ", ".join(each.truth)}
            for each, name in zip(rows, labels, strict=True)
        ],
        "classes": run.classifies,
        "names": list(outputs),
        "target": None
        if run.classifies or target is None
        else {"mean": target.mean, "scale": target.scale, "log": target.scaling == "log"},
    }
    body = [
        element("div", still, class_="form-still"),
        form(fields, outputs, classes=run.classifies),
    ]
    return Section("row", TITLE, body, data, FORM_SCRIPTS, ("predictions", "form"))


def _exported(model: Model) -> dict[str, object]:
    if type(model.network) is not Sequential:
        own = type(model.network).__name__
        raise ModelError(f"it is a {own}, a class of its own, expected Sequential")
    return export_network(model)


def _still(run: ReportedRun, model: Model, rows: list[FilledRow]) -> Node:
    """Return a table of test rows, one a column, for a page without scripts."""
    assert run.test is not None
    shown = rows[:: max(1, len(rows) // SHOWN)][:SHOWN]
    data = run.test.take(np.array([each.index for each in shown]))
    names = run.class_names
    predicted = predicted_texts(model, names, data, classes=run.classifies)
    target = None if model.columns is None else model.columns.target
    outputs = names if not run.classifies else ("class",) if target is None else (target.name,)
    lines: list[list[Node]] = [
        [encoding.name, *(cell_text(encoding, each.cells[column]) for each in shown)]
        for column, encoding in enumerate(inputs_of(model))
    ]
    for index, name in enumerate(outputs):
        lines.append(
            [element("b", f"predicted {name}"), *(element("b", row[index]) for row in predicted)]
        )
        if all(each.truth for each in shown):
            lines.append([f"true {name}", *(each.truth[index] for each in shown)])
    return scrolling_table(
        "Test rows, their predictions and their true targets; each column is a row.",
        ("", *row_labels(run.test, [each.index for each in shown])),
        lines,
        label="Test rows",
    )
