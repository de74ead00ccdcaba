"""Notes of the doctor: findings from the measurements of a training."""

import math

import numpy as np

from handloom.markup import Node, element
from handloom.reporting.captions import table_caption
from handloom.reporting.constant import AgainstConstant, against_constant
from handloom.reporting.epochs import kept_epoch
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.wording import aligned, number, percent, without_paths
from handloom.training.findings import findings
from handloom.training.history import History

TITLE = "Diagnosis: notes of the doctor"


def notes(run: ReportedRun) -> Section | Omission:
    """Return the findings about a run, its remarks, and its layers at the end."""
    history = run.history
    if history is None:
        return Omission(TITLE, run.why_missing("history"))
    causes = findings(history)
    sentences = [f"{each}." for each in causes]
    if history.divergence is not None:
        sentences.insert(0, str(history.divergence))
    known = {sentence.rstrip(".") for sentence in sentences}
    sentences += [each for each in history.notes if each.rstrip(".") not in known]
    body: list[Node] = [
        element("div", element("p", without_paths(sentence)), class_="note")
        for sentence in dict.fromkeys(sentences)
    ]
    if any(each.symptom == "overfitting" for each in causes):
        body.append(_kept_before(run))
    if (always := _always_one_class(run)) is not None:
        body.append(element("div", element("p", always), class_="note"))
    against = against_constant(run)
    if against is not None and not against.better:
        body.append(element("div", element("p", _no_better(run, against)), class_="note"))
    if not body:
        body.append(element("p", _no_problem(run, history, against)))
    return Section("notes", TITLE, [body, _layers(history, len(run.class_names))])


def _kept_before(run: ReportedRun) -> Node:
    """Return that the model has the weights from before it overfitted, if it does."""
    kept = kept_epoch(run)
    if kept is None or not kept.best or run.best_model is not None:
        return None
    return element("p", f"The model of this page has the weights of epoch {kept.epoch}, the best.")


def _always_one_class(run: ReportedRun) -> str | None:
    """Return that all test rows of several classes are predicted as one, or None."""
    if run.confusion is None or np.count_nonzero(run.confusion.sum(axis=1)) < 2:
        return None
    predicted = run.confusion.sum(axis=0)
    if np.count_nonzero(predicted) > 1:
        return None
    only = int(predicted.argmax())
    share = percent(float(run.confusion[only, only] / predicted.sum()))
    return (
        f"The model predicts {run.class_names[only]} for every test row: its accuracy is the share "
        f"of that class, {share}, and it finds no row of another one. If others matter, choose a "
        "lower threshold for them, class weights, or columns that tell them apart."
    )


def _no_better(run: ReportedRun, against: AgainstConstant) -> str:
    """Return that the model is no better than the best constant prediction."""
    losses = f"{number(against.loss)}; {CONSTANTS[run.classifies]} has {number(against.constant)}"
    if not run.classifies:
        return (
            f"On the test rows the model is no better than a constant: its mean squared error is "
            f"{losses}."
        )
    return (
        "On the test rows the probabilities of the model are no better than a constant: their loss "
        f"is {losses}. Class weights move probabilities to the rare classes, which alone can do "
        f"this{_weighted(run)}: then judge by the classes that are predicted, and by a threshold."
    )


def _weighted(run: ReportedRun) -> str:
    """Return the class weights of the settings, if they are there."""
    weights = run.settings.get("class_weight")
    return f" (the settings have class_weight={weights!r})" if weights else ""


CONSTANTS = {
    True: "predicting the shares of the classes for every row",
    False: "predicting the mean for every row",
}
"""The best constant prediction: of classes, and of continuous targets."""


def _no_problem(run: ReportedRun, history: History, against: AgainstConstant | None) -> str:
    if not history.layers:
        return _not_measured(history)
    if against is None:
        constant = "predicting the mean" if run.predicts_values else "guessing"
        return f"The doctor found no problem: the training loss fell below that of {constant}."
    return (
        f"The doctor found no problem: on the test rows the loss is {number(against.loss)}, below "
        f"{number(against.constant)}, that of {CONSTANTS[run.classifies]}."
    )


def _not_measured(history: History) -> str:
    """Return that there are no measurements, and why."""
    skipped = history.diagnosis is not None and history.diagnosis.skipped
    why = ": the training was too short for the time that they take" if skipped else ""
    return f"The layers of this training were not measured{why}."


def _layers(history: History, classes: int) -> Node:
    """Return the last measurements of every layer, as a table."""
    if not history.layers:
        return None
    last = history.layers[-1]
    columns = {
        "output": _aligned([each.output for each in last.layers]),
        "gradient": _aligned([each.gradient for each in last.layers]),
        "update": _aligned([each.update for each in last.layers]),
        "dead": [_percent(each.dead) for each in last.layers],
        "saturated": [_percent(each.saturated) for each in last.layers],
    }
    shown = {name: cells for name, cells in columns.items() if any(cell != "-" for cell in cells)}
    head = [element("th", name, scope="col") for name in ("layer", *shown)]
    rows = [
        element(
            "tr",
            element("th", each.layer, scope="row"),
            [element("td", cells[index]) for cells in shown.values()],
        )
        for index, each in enumerate(last.layers)
    ]
    rows_measured = 0 if history.diagnosis is None else history.diagnosis.rows
    sought = f"{last.dead_rows or rows_measured:,}"
    explained = [
        element("li", element("b", name), f": {_EXPLAINED[name].format(sought)}")
        for name in shown
        if name in _EXPLAINED
    ]
    table = element(
        "div",
        element(
            "table",
            table_caption(
                f"Each layer after epoch {last.epoch + 1}, on {rows_measured} training rows.",
            ),
            element("thead", element("tr", head)),
            element("tbody", rows),
        ),
        class_="scroll",
        tabindex=0,
        role="region",
        aria_label="Measurements of the layers",
    )
    return [table, element("ul", explained, class_="soft"), _guessing(history, classes)]


_EXPLAINED = {
    "output": "the root mean square of what the layer passes on. About 1 is usual; far above 100 "
    "its weights have grown too large, near 0 it passes on hardly anything.",
    "gradient": "the root mean square of the gradient of the loss at that output. It is smaller "
    "where the network predicts well; a first layer with less than a hundredth of the last one "
    "learns hardly anything.",
    "update": "the change of the weights in the last step of the epoch, relative to the weights. "
    "About 0.001 is usual; above 0.01 training is often unstable, below 0.0001 slow, or at the end "
    "of a schedule.",
    "dead": "the share of units that output 0 for each of {} rows. Some are usual; above half is "
    "a likely cause where the loss is high.",
    "saturated": "the share of outputs where the derivative nearly vanishes. Some are usual; above "
    "half is a likely cause where the loss is high.",
}
"""Quantities, with their usual and unusual values; see `handloom.training.findings`. Dead units
have the number of rows for ``{}``."""


def _guessing(history: History, classes: int) -> Node:
    """Return why the best constant prediction is not ln k."""
    diagnosis = history.diagnosis
    if (
        diagnosis is None
        or classes < 2
        or f"{math.log(classes):.3f}" == f"{diagnosis.guessing:.3f}"
    ):
        return None
    return element(
        "p",
        f"On these {diagnosis.rows} rows the best constant prediction has the loss "
        f"{diagnosis.guessing:.3f}, not ln {classes} = {math.log(classes):.3f}, since they have "
        "more of some classes than of others.",
        class_="soft",
    )


def _aligned(values: list[float | None]) -> list[str]:
    return list(aligned(dict(enumerate(values)), 3).values())


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.0f} %"
