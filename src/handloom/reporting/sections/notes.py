"""Notes of the doctor: what the measurements of a training say about it."""

from handloom.reporting.captions import table_caption
from handloom.reporting.markup import Node, element
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.wording import number, without_paths
from handloom.training.findings import findings
from handloom.training.history import History

TITLE = "Notes of the doctor"


def notes(run: ReportedRun) -> Section | Omission:
    """Return the findings about a run, its remarks, and its layers at the end."""
    history = run.history
    if history is None:
        return Omission(TITLE, run.why_missing("history"))
    sentences = [f"{each}." for each in findings(history)]
    if history.divergence is not None:
        sentences.insert(0, str(history.divergence))
    known = {sentence.rstrip(".") for sentence in sentences}
    sentences += [each for each in history.notes if each.rstrip(".") not in known]
    body: list[Node] = [
        element("div", element("p", without_paths(sentence)), class_="note")
        for sentence in dict.fromkeys(sentences)
    ]
    if not body:
        body.append(
            element(
                "p",
                "Nothing stands out: the loss fell below that of guessing, and the layers pass "
                "their signals on."
                if history.layers
                else "The layers of this training were not measured.",
            )
        )
    return Section("notes", TITLE, [body, _layers(history)])


def _layers(history: History) -> Node:
    """Return the last measurements of every layer, as a table."""
    if not history.layers:
        return None
    last = history.layers[-1]
    columns = {
        "output": [number(each.output, 3) for each in last.layers],
        "gradient": [number(each.gradient, 3) for each in last.layers],
        "update": [number(each.update, 3) for each in last.layers],
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
    return element(
        "div",
        element(
            "table",
            table_caption(
                f"Each layer after epoch {last.epoch + 1}, on {rows_measured} training rows. "
                "Output and gradient are root mean squares; the update is relative to the weights.",
            ),
            element("thead", element("tr", head)),
            element("tbody", rows),
        ),
        class_="scroll",
        tabindex=0,
        role="region",
        aria_label="Measurements of the layers",
    )


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.0f} %"
