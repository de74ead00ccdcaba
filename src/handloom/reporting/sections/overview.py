"""Overview: the network, its data, and how its training ended."""

import math

from handloom.markup import Node, element
from handloom.metrics import accuracy
from handloom.reporting.constant import UNEQUAL, are_unequal, loss_of_constant, shares_of_classes
from handloom.reporting.epochs import in_steps, kept_epoch, steps_per_epoch
from handloom.reporting.first_loss import first_loss
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Section
from handloom.reporting.wording import amount, counted, number, percent, seconds
from handloom.training.evaluation import evaluate
from handloom.training.history import History, StopReason

ENDS = {
    StopReason.MAX_EPOCHS: "All planned epochs were done.",
    StopReason.EARLY_STOPPING: "It stopped early, because the metric no longer improved.",
    StopReason.INTERRUPTED: "It was interrupted; the state reached was kept.",
    StopReason.TIME_LIMIT: "It reached its time limit; the state reached was kept.",
    StopReason.NON_FINITE_LOSS: (
        "It diverged: the loss was not finite. The last good weights are kept."
    ),
    StopReason.NON_FINITE_GRADIENT: (
        "It diverged: the gradient was not finite. The last good weights are kept."
    ),
    StopReason.NON_FINITE_WEIGHTS: (
        "It diverged: weights were not finite. The last good weights are kept."
    ),
}


def overview(run: ReportedRun) -> Section:
    """Return the overview of a run."""
    kept = _of_best_weights(run)
    return Section(
        "overview",
        "Results at a glance",
        [
            element("dl", [_fact(*each) for each in _facts(run, kept)], class_="facts"),
            [element("p", sentence) for sentence in _sentences(run, last=kept is not None)],
        ],
    )


def _fact(name: str, value: str, note: Node = None) -> Node:
    small = None if note is None else element("small", note)
    return element("div", element("dt", name), element("dd", value, small))


def _facts(run: ReportedRun, kept: float | None) -> list[tuple[str, str, Node]]:
    facts: list[tuple[str, str, Node]] = []
    measured, loss = run.results.get("test_accuracy"), run.results.get("test_loss")
    if measured is None and run.test is not None and run.predicted is not None:
        measured = accuracy(run.test.targets, run.predicted)
    rows = None if run.test is None else f"on {len(run.test):,} test rows"
    if isinstance(measured, float):
        name = "Test accuracy" if kept is None else "Test accuracy, last weights"
        facts.append((name, percent(measured, 2), _of_accuracy(run, rows, measured)))
        if kept is not None:
            facts.append(("Test accuracy, best weights", percent(kept, 2), _kept_at(run)))
    facts += _errors(run, rows)
    if isinstance(loss, float):
        facts.append((_name_of_loss(run), number(loss), _of_loss(run)))
    if run.model is not None:
        network = run.model.network
        layers = counted(
            sum(layer.trainable and bool(layer.weights) for layer in network.layers), "layer"
        )
        facts.append(("Parameters", f"{len(network.parameters):,}", f"in {layers} with weights"))
    if run.history is not None and len(run.history):
        time = float(run.history["seconds"].sum())
        epochs = len(run.history)
        steps = (
            f"{counted(epochs * steps_per_epoch(run), 'step')} " if run.history.diagnosis else ""
        )
        facts.append(("Training", counted(epochs, "epoch"), f"{steps}in {seconds(time)}"))
    return facts


def _errors(run: ReportedRun, rows: Node) -> list[tuple[str, str, Node]]:
    """Return R^2, root mean squared error and mean absolute error, in the units of the target."""
    results, measured = dict(run.results), run.regression
    if measured is not None:
        own = {"test_r2": measured.r2, "test_mse": measured.mse, "test_mae": measured.mae}
        results = {**own, **results}
    facts: list[tuple[str, str, Node]] = []
    if isinstance(value := results.get("test_r2"), float):
        facts.append(("Test R^2", number(value), "predicting the mean: 0"))
    if isinstance(value := results.get("test_mse"), float):
        facts.append(("Root mean squared error", amount(math.sqrt(value)), rows))
    if isinstance(value := results.get("test_mae"), float):
        facts.append(("Mean absolute error", amount(value), rows))
    return facts


def _of_accuracy(run: ReportedRun, rows: str | None, measured: float) -> str | None:
    """Return a note about the accuracy: rows, standard error, the largest class if sizes differ.

    The binomial standard error ``sqrt(p (1 - p) / n)`` is that of other test rows.
    """
    if run.test is None or not run.test.has_classes or rows is None:
        return rows
    if 0.0 < measured < 1.0:
        error = 100.0 * math.sqrt(measured * (1.0 - measured) / len(run.test))
        rows = f"{rows}, standard error {error:.2f} points"
    counts = run.test.rows_per_class
    if not are_unequal(counts):
        return rows
    largest = run.class_names[int(counts.argmax())]
    share = percent(counts.max() / counts.sum(), 1)
    return f"{rows}; always predicting {largest}: {share}"


def _name_of_loss(run: ReportedRun) -> str:
    """Return the name of the test loss: of a regression it is not that of the training."""
    if not run.predicts_values:
        return "Test loss"
    columns = None if run.model is None else run.model.columns
    of_table = columns is not None and columns.target is not None
    return "Mean squared error, standardized" if of_table else "Mean squared error"


def _of_loss(run: ReportedRun) -> str | None:
    """Return a note about the test loss: that of the best constant prediction."""
    constant = loss_of_constant(run)
    if run.predicts_values:
        return None if constant is None else f"predicting the mean: {number(constant)}"
    classes = len(run.class_names)
    if classes < 2:
        return None
    shares = shares_of_classes(run)
    if shares is not None and constant is not None and shares.max() * classes >= UNEQUAL:
        return f"predicting the shares of the classes: {constant:.3f}"
    return f"equal probabilities: ln {classes} = {math.log(classes):.3f}"


def _of_best_weights(run: ReportedRun) -> float | None:
    """Return the accuracy of the best weights, if they were kept beside the last ones."""
    kept = run.results.get("best_test_accuracy")
    if isinstance(kept, float):
        return kept
    if run.best_model is None or run.test is None or not run.classifies:
        return None
    return evaluate(run.best_model, run.test).accuracy


def _kept_at(run: ReportedRun) -> str | None:
    kept = kept_epoch(run)
    return None if kept is None else f"of epoch {kept.epoch}{in_steps(run, kept.epoch)}"


def _sentences(run: ReportedRun, *, last: bool) -> list[Node]:
    sentences = [f"A network was trained on {run.dataset}{_training_rows(run)}."]
    history = run.history
    if history is None:
        return [" ".join(sentences)]
    if history.diagnosis is not None and len(history):
        sentences.append(
            f"Its optimizer was {history.diagnosis.optimizer}, with "
            f"{counted(history.diagnosis.steps, 'step')} in an epoch. {_rates(history)}"
        )
    sentences.append(ENDS[history.stop_reason] if history.stop_reason else "It has not ended yet.")
    paragraphs: list[Node] = [" ".join(sentences)]
    if (kept := kept_epoch(run)) is not None:
        subject = "Best was" if kept.best else "The weights are those of"
        all_last = " All else on this page is of the last weights." if last else ""
        at = f"epoch {kept.epoch}{in_steps(run, kept.epoch)}"
        paragraphs.append(f"{subject} {at}: {kept.reason}.{all_last}")
    if (first := first_loss(run)) is not None:
        guess = math.log(len(run.class_names))
        paragraphs.append(
            f"Before the first step the loss was {first:.3f}; equal probabilities have "
            f"ln {len(run.class_names)} = {guess:.3f}. {_beginning(first, guess)}"
        )
    return paragraphs


def _training_rows(run: ReportedRun) -> str:
    """Return the number of training rows, and the type of their targets.

    Without a description the rows are those that a caller passed, of which a training may have held
    some out, or have used a part.
    """
    if run.train is None:
        return ""
    targets = f"with the continuous target {', '.join(run.class_names)}"
    if run.train.has_classes:
        targets = f"of {counted(len(run.class_names), 'class', 'classes')}"
    rows = f"{len(run.train):,} training rows"
    if run.description is None:
        validated = run.history is not None and run.history.validated
        held_out = "; rows held out for validation may be among them" if validated else ""
        return f"; the report was passed {rows} {targets}{held_out}"
    fraction = run.settings.get("validation_fraction")
    if not isinstance(fraction, float) or not fraction:
        return f": {rows} {targets}"
    return f": {rows} {targets}, of which {percent(fraction, 0)} were held out for validation"


def _rates(history: History) -> str:
    """Return the learning rate of the training, or those of its first and last epoch."""
    first, last = float(history["learning_rate"][0]), float(history["learning_rate"][-1])
    if first == last:
        return f"The learning rate was {number(first, 3)}."
    return (
        f"The learning rate was {number(first, 3)} at the end of the first epoch, and "
        f"{number(last, 3)} at that of the last."
    )


def _beginning(first: float, guess: float) -> str:
    """Return whether the first loss is near that of guessing.

    Outputs of the standard deviation s, before softmax, add about s² / 2 to it.
    """
    above = first - guess
    if above < -0.1:
        return (
            f"It is {-above:.2f} below: the initial weights favor the frequent classes by chance."
        )
    if above < 0.1:
        return "It is near: the initial weights favor no class."
    if above < 1.0:
        return (
            f"It is {above:.2f} above, which is usual: initial outputs of about unit size add "
            "about 0.5."
        )
    return (
        f"It is {above:.2f} above, which is far: the initial weights favor some classes by chance, "
        "and the first steps undo this."
    )
