"""The reference study as a story: three optimizers on one network, and one of them that fails."""

from collections.abc import Sequence

from handloom.reporting.epochs import steps_per_epoch
from handloom.reporting.groups import groups_of
from handloom.reporting.markup import Element, Node, element
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.sections.comparison import charts_section, together
from handloom.reporting.sections.tables import scrolling_table
from handloom.reporting.wording import number, percent
from handloom.studies.reference import MODELS

Runs = Sequence[ReportedRun]


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
    rows = [
        [
            model_of(run),
            str(run.settings.get("seed", "-")),
            _optimizer(run),
            _percent(run.results.get("test_accuracy")),
            _percent(run.results.get("best_test_accuracy")),
            _step(best_step(run)),
            _step(diverged_at(run)),
        ]
        for run in runs
    ]
    table = scrolling_table(
        "Accuracy on the test set, with the weights of the last step and with the best weights.",
        ("model", "seed", "optimizer", "last step", "best weights", "at step", "diverged at"),
        rows,
        label="Results of the study",
    )
    charts = [
        chart
        for chart in (
            together(runs, "loss", "Training loss", _LOSS, logarithmic=True),
            together(runs, "accuracy", "Training accuracy", _ACCURACY),
            together(runs, "learning_rate", "Learning rate", _RATE),
        )
        if chart is not None
    ]
    return charts_section(
        "optimizers", "Three optimizers on one network", charts, [_intro(runs), table]
    )


_LOSS = (
    "On a logarithmic axis a steady gain is a straight line. A jump upward undoes many steps at "
    "once."
)
_ACCURACY = "The fraction of the training rows that are predicted correctly."
_RATE = "The four schedules fall slowly; what differs is where they begin."


def _intro(runs: Runs) -> Node:
    steps = max((len(run.history) * steps_per_epoch(run) for run in runs if run.history), default=0)
    size = runs[0].settings.get("batch_size", 0)
    rows = f"batches of {size:,} rows" if isinstance(size, int) and size else "all rows at once"
    return element(
        "p",
        f"The same small network (two hidden layers) learns {runs[0].dataset} in {steps:,} steps "
        f"on {rows}: with plain gradient descent (sgd), with momentum, and with Adam at two "
        "learning rates. Everything else is equal, up to the width of the layers that the notebook "
        "chose.",
    )


def _optimizer(run: ReportedRun) -> str:
    model = MODELS[model_of(run)]
    kind = "Adam" if model_of(run).startswith("adam") else "SGD"
    return f"{kind}, rate {model.schedule(0):g}"


def best_step(run: ReportedRun) -> int | None:
    """Return the step of the best weights, counted from 1."""
    return _in_steps(run, "best_step", "best_epoch")


def diverged_at(run: ReportedRun) -> int | None:
    """Return the step at which a run diverged, counted from 1."""
    return _in_steps(run, "diverged_at", "diverged_at")


def _in_steps(run: ReportedRun, step: str, epoch: str) -> int | None:
    if isinstance(at := run.results.get(step), int):
        return at + 1
    if isinstance(at := run.results.get(epoch), int):
        return (at + 1) * steps_per_epoch(run)
    return None


def best_weights(runs: Runs) -> Section | Omission:
    """Return what the best weights are worth beside the last ones."""
    title = "What the best weights are worth"
    rows: list[list[Node]] = []
    gains = []
    for run in runs:
        last, best = run.results.get("test_accuracy"), run.results.get("best_test_accuracy")
        if isinstance(last, float) and isinstance(best, float):
            gains.append((best - last, run))
            row: list[Node] = [run.name, percent(last), percent(best), _points(best - last)]
            rows.append([*row, _pair(last, best)])
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
                f"Each training keeps a copy of the weights with the lowest {selected} so far. For "
                f"most runs that is nearly the last step. For {run.name} the copy is worth "
                f"{100 * gain:.0f} percentage points: the training went on after its best step, "
                "and lost what it had. A copy costs the memory of one more set of weights.",
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


def _pair(last: float, best: float) -> Element:
    return element(
        "svg",
        element("rect", x=0, y=1, width=100 * best, height=6, class_="bar"),
        element("rect", x=0, y=9, width=100 * last, height=6, class_="bar other"),
        viewBox="0 0 100 16",
        class_="bars",
        aria_hidden="true",
    )


def notebook(runs: Runs) -> Section:
    """Return the metrics that the notebook reported beside those of the runs."""
    rows = []
    for group in groups_of(runs):
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
                number(reference.reference_loss, 3),
                "-" if loss is None else number(loss[0], 3),
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
        "Beside the notebook",
        [
            element(
                "p",
                "Handloom began with a notebook that trained these networks once, for 1,100 steps "
                "on all rows. Its figures are of one run each; those here are means over the "
                "seeds.",
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


def _step(step: int | None) -> str:
    return "-" if step is None else f"{step:,}"
