"""The reference study as a story: three optimizers on one network, and one of them that fails."""

import math
from collections.abc import Sequence

from handloom.data.sources.published import NAME
from handloom.markup import Node, element
from handloom.reporting.epochs import steps_per_epoch
from handloom.reporting.groups import groups_of
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.sections.comparison import charts_section, together
from handloom.reporting.sections.tables import scrolling_table, two_bars
from handloom.reporting.wording import counted, number, percent
from handloom.studies.reference import MODELS

Runs = Sequence[ReportedRun]

TEST_ROWS = 10_000
"""The number of test rows of Fashion-MNIST, where they are missing."""


def model_of(run: ReportedRun) -> str:
    """Return the name of the model of the study that a run trained."""
    return str(run.settings.get("model"))


def is_study(runs: Runs) -> bool:
    """Return whether all runs belong to the reference study."""
    return all("study" in run.settings and model_of(run) in MODELS for run in runs)


def in_order(runs: Runs) -> list[ReportedRun]:
    """Return the runs of the study in the order of its models, then of the seeds."""
    names = list(MODELS)
    return sorted(runs, key=lambda run: (names.index(model_of(run)), str(run.settings.get("seed"))))


def optimizers(runs: Runs) -> Section:
    """Return the results and the curves of the optimizers."""
    rows: list[list[Node]] = [
        [
            linked(run, model_of(run)),
            str(run.settings.get("seed", "-")),
            _optimizer(run),
            _percent(run.results.get("test_accuracy")),
            _percent(run.results.get("best_test_accuracy")),
            _at(run, best_step(run)),
            _at(run, diverged_at(run)),
        ]
        for run in runs
    ]
    table = scrolling_table(
        "Accuracy on the test set, with the weights of the last step and with the best weights.",
        ("model", "seed", "optimizer", "last step", "best weights", "best at", "diverged at"),
        rows,
        label="Results of the study",
    )
    charts = [
        chart
        for chart in (
            together(runs, "loss", "Training loss, with penalty", _LOSS, logarithmic=True),
            together(runs, "accuracy", "Training accuracy", _ACCURACY),
            together(runs, "learning_rate", "Learning rate", _rates(runs)),
        )
        if chart is not None
    ]
    return charts_section(
        "optimizers",
        "Three optimizers on one network",
        charts,
        [_intro(runs), table, _pages(runs)],
    )


_LOSS = (
    "On a logarithmic axis a steady gain is a straight line. A jump upward undoes many steps at "
    "once."
)
_ACCURACY = "The fraction of the training rows that are predicted correctly."


def _rates(runs: Runs) -> str:
    """Return from where to where the learning rate of each model goes."""
    models: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        if run.history is None or not len(run.history):
            continue
        first, last = MODELS[model_of(run)].schedule(0), run.history["learning_rate"][-1]
        names = models.setdefault((number(first, 2), number(float(last), 2)), [])
        if model_of(run) not in names:
            names.append(model_of(run))
    sentences = [
        f"{' and '.join(names)}: from {first} to {last}"
        + (", one line over the other." if len(names) > 1 else ".")
        for (first, last), names in models.items()
    ]
    return " ".join(["The size of a step, which a schedule makes smaller.", *sentences])


def linked(run: ReportedRun, text: str) -> Node:
    """Return text that links to the page of a run, if there is one beside this page."""
    return text if run.page is None else element("a", text, href=run.page)


def _pages(runs: Runs) -> Node:
    """Return how to get the pages of the runs, where they are missing."""
    if all(run.page is not None for run in runs):
        return element("p", "The name of a model leads to the page of its run.", class_="soft")
    return element(
        "p",
        "A page about one run, with its network: ",
        element("code", "handloom report FOLDER/runs/NAME"),
        ".",
        class_="soft",
    )


def _intro(runs: Runs) -> Node:
    steps = max((len(run.history) * steps_per_epoch(run) for run in runs if run.history), default=0)
    size = runs[0].settings.get("batch_size", 0)
    rows = f"batches of {size:,} rows" if isinstance(size, int) and size else "all rows at once"
    per_epoch = {steps_per_epoch(run) for run in runs if run.history}
    epochs = f", {counted(max(per_epoch), 'step')} to an epoch" if len(per_epoch) == 1 else ""
    return element(
        "p",
        f"The same small network (two hidden layers) learns {runs[0].dataset} in {steps:,} "
        f"steps{epochs}, on {rows}: with plain gradient descent (sgd), with momentum, and with "
        f"Adam at two learning rates.{_widths(runs)} Widths and rates differ "
        "with the optimizer, as in the notebook: compare each model with itself over the steps, "
        "and the two of Adam with each other. The loss is the "
        "cross-entropy of the predictions. Training adds a penalty (L2) for large weights and "
        "biases of the first layer. Losses with penalty are those that training makes smaller; "
        "losses without it compare with guessing.",
    )


def _widths(runs: Runs) -> str:
    """Return the widths of the hidden layers, if they differ."""
    models: dict[int, list[str]] = {}
    for name in dict.fromkeys(model_of(run) for run in runs):
        models.setdefault(MODELS[name].units, []).append(name)
    if len(models) < 2:
        return ""
    shares = [f"{', '.join(names)} {units}" for units, names in models.items()]
    return f" Hidden layers are as wide as in the notebook: {'; '.join(shares)} units."


def _optimizer(run: ReportedRun) -> str:
    model = MODELS[model_of(run)]
    kind = "Adam" if model_of(run).startswith("adam") else "SGD"
    momentum = getattr(model.optimizer(), "momentum", 0.0)
    return f"{kind}, rate {model.schedule(0):g}" + (f", momentum {momentum:g}" if momentum else "")


def best_step(run: ReportedRun) -> int | None:
    """Return the step of the best weights, counted from 1."""
    return _step_of(run, "best_step")


def diverged_at(run: ReportedRun) -> int | None:
    """Return the step at which a run diverged, counted from 1."""
    return _step_of(run, "diverged_at")


def _step_of(run: ReportedRun, result: str) -> int | None:
    """Return a step among the results, counted from 1."""
    step = run.results.get(result)
    return step + 1 if isinstance(step, int) else None


def best_weights(runs: Runs) -> Section | Omission:
    """Return the section about the gain of the best weights over the last ones."""
    title = "What the best weights are worth"
    rows: list[list[Node]] = []
    gains = []
    for run in runs:
        last, best = run.results.get("test_accuracy"), run.results.get("best_test_accuracy")
        if isinstance(last, float) and isinstance(best, float):
            gains.append((best - last, run))
            row: list[Node] = [
                linked(run, run.name),
                percent(last),
                percent(best),
                _points(best - last),
            ]
            rows.append([*row, two_bars(best, last)])
    if not rows:
        return Omission(title, "the study has no results yet.")
    gain, run = max(gains, key=lambda each: each[0])
    selected = str(run.results.get("best_selected_by", "loss")).replace("_", " ")
    return Section(
        "best",
        title,
        [
            element(
                "p",
                f"Each training keeps a copy of the weights with the lowest {selected} so far. "
                + _worth(run, gain)
                + " A copy costs the memory of one more set of weights.",
            ),
            scrolling_table(
                "Accuracy on the test set: with the last weights (orange), the best ones (blue).",
                ("run", "last", "best", "difference", ""),
                rows,
                label="Best weights",
            ),
        ],
        styles=("charts", "confusion"),
    )


def _chance(run: ReportedRun) -> float:
    """Return two binomial standard errors of the accuracy on the test rows."""
    accuracy, rows = run.results["test_accuracy"], TEST_ROWS if run.test is None else len(run.test)
    assert isinstance(accuracy, float)
    return 2.0 * math.sqrt(accuracy * (1.0 - accuracy) / rows)


def _worth(run: ReportedRun, gain: float) -> str:
    """Return a sentence about the gain of the copy for the run that gains most by it."""
    if gain <= _chance(run):
        return "Here no run did better with it than with its last weights, beyond chance."
    return (
        f"For {run.name} it is worth {100 * gain:.1f} percentage points: training went on after "
        "its best step, and lost what it had."
    )


def notebook(runs: Runs) -> Section | Omission:
    """Return the metrics that the notebook reported beside those of runs on the same data."""
    title = "Beside the notebook"
    if other := sorted({run.dataset for run in runs} - {NAME}):
        return Omission(title, f"its figures are of {NAME}, and these of {', '.join(other)}.")
    rows = []
    groups = groups_of(runs)
    several = any(len(group.runs) > 1 for group in groups)
    for group in groups:
        name = model_of(group.runs[0])
        reference = MODELS[name]
        if reference.reference_accuracy is None:
            continue
        last, best = group.spread("test_accuracy"), group.spread("best_test_accuracy")
        loss = group.spread("test_loss")
        rows.append(
            [
                name,
                percent(reference.reference_accuracy),
                "-" if last is None else percent(last[0]),
                "-" if best is None else percent(best[0]),
                f"{reference.reference_loss:.3f}",
                "-" if loss is None else f"{loss[0]:.3f}",
            ]
        )
    remarks = {
        remark
        for run in runs
        if diverged_at(run) is not None
        and (remark := getattr(MODELS[model_of(run)], "on_divergence", ""))
    }
    return Section(
        "notebook",
        title,
        [
            element(
                "p",
                "Handloom began with a notebook that trained these networks once, for 1,100 steps "
                "on all rows. Its figures are of one run each; "
                + ("those here are means over the seeds." if several else "so are those here."),
            ),
            scrolling_table(
                "Test accuracy and loss. The notebook has no adam-steady, which is our addition.",
                ("model", "notebook", "last step", "best weights", "notebook, loss", "loss"),
                rows,
                label="The notebook's figures",
            ),
            [element("p", remark) for remark in sorted(remarks)],
        ],
    )


def _percent(value: object) -> str:
    return percent(value) if isinstance(value, float) else "-"


def _points(difference: float) -> str:
    sign = "+" if difference >= 0 else "\u2212"
    return f"{sign}{100 * abs(difference):.1f}"


def _at(run: ReportedRun, step: int | None) -> str:
    """Return a step, and its epoch where that has several."""
    if step is None:
        return "-"
    steps = steps_per_epoch(run)
    return f"step {step:,}" + (f" (epoch {math.ceil(step / steps)})" if steps > 1 else "")
