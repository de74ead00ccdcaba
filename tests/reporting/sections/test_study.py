"""The study as a story, told from the measurements of its runs."""

from dataclasses import replace
from typing import Any

import pytest
from tests.helpers.pages import Parsed, parsed

from handloom.reporting.report import report_of_several
from handloom.reporting.run import ReportedRun
from handloom.reporting.sections.comparison import together
from handloom.reporting.sections.study import _worth
from handloom.studies.reference import MODELS
from handloom.studies.second_moments import COLUMN
from handloom.training import History, RunDescription
from handloom.training.diagnosis import Diagnosis, LayerProbe, ProbeRecord
from handloom.training.history import EpochRecord, LayerRecord


def run_of(name: str, seed: int, losses: list[float], **results: Any) -> ReportedRun:
    history = History()
    for epoch, loss in enumerate(losses):
        history.records.append(
            EpochRecord(epoch, loss, loss, 0.0, 0.5, 0.05, 0.1, recorded={COLUMN: 8.0 - epoch})
        )
        gradient = 11.0 if loss > 2.0 else 0.5
        history.layer_norms.append(LayerRecord(epoch, "0.dense.weights", 10.0, gradient, 4.0))
    history.diagnosis = Diagnosis("Adam", 10, rows=256)
    for epoch, dead in ((0, 0.16), (len(losses) - 1, 0.97)):
        layer = LayerProbe("3.relu", 0.0, 0.0, dead=dead)
        history.diagnosis.records.append(ProbeRecord(epoch, losses[epoch], (layer,)))
    settings = {"study": "reference", "model": name, "seed": seed, "batch_size": 6000}
    return ReportedRun(
        f"{name}-seed{seed}",
        history=history,
        description=RunDescription(settings, "fashion-mnist", None, 2),
        results={"dataset": "fashion-mnist", "test_accuracy": 0.8, "test_loss": 0.5, **results},
    )


@pytest.fixture(scope="module")
def page() -> Parsed:
    falling = [2.3, 1.0, 0.8, 0.7, 0.6, 0.5]
    collapsed = [2.3, 1.0, 0.8, 0.6, 2.4, 2.5]
    runs = [
        run_of("adam", 0, collapsed, best_test_accuracy=0.79, best_step=39, diverged_at=49),
        run_of("adam-steady", 0, falling, best_test_accuracy=0.8, best_step=59, diverged_at=None),
        run_of("sgd", 0, falling, best_test_accuracy=0.8, best_step=59, diverged_at=None),
        run_of("sgd", 1, falling, best_test_accuracy=0.82, best_step=59, diverged_at=None),
    ]
    runs[0].results["test_accuracy"] = 0.1  # type: ignore[index]
    return parsed(report_of_several(runs).html)


def test_the_models_come_in_the_order_of_the_study_with_their_results(page: Parsed) -> None:
    rows = [each.whole_text.split() for each in page.by_id("optimizers").all("tr")][1:5]
    assert [row[0] for row in rows] == ["sgd", "sgd", "adam", "adam-steady"]
    assert rows[2][-4:] == ["step", "50", "(epoch", "5)"]  # where it diverged, counted from 1
    assert (
        "60 steps, 10 steps to an epoch, on batches of 6,000 rows"
        in page.by_id("optimizers").whole_text
    )


def test_the_collapse_is_told_with_its_numbers(page: Parsed) -> None:
    text = " ".join(page.by_id("collapse").whole_text.split())
    assert "learns until step 40: its loss without penalty falls to 0.600" in text
    assert "At step 50 its loss, 2.400, is above that of guessing, 2.303" in text
    assert "Afterwards its loss stays at or above that of guessing" in text
    assert "went from 8 down to 5. At step 50 there are a gradient of norm 11 and a loss of" in text
    assert "the page cannot tell which came first" in text
    assert "the recorded gradient stays above the memory to the end" in text
    assert (
        "Dead units of 3.relu: 16\xa0% after epoch 1, 97\xa0% after epoch 6".replace("\xa0", " ")
        in text
    )
    assert "changed the weights by 40\xa0% of their norm (median)".replace("\xa0", " ") in text
    titles = [each.text for each in page.by_id("collapse").all("h3")]
    assert titles[0] == "The loss around it, without penalty"
    assert titles[2] == "Dead units of adam-seed0"


def test_a_recovery_after_the_collapse_is_told() -> None:
    losses = [2.3, 1.0, 0.6, 2.4, 1.4, 1.2, 3.9, 2.31]
    run = run_of("adam", 0, losses, best_step=29, diverged_at=39)
    text = " ".join(parsed(report_of_several([run, run]).html).by_id("collapse").whole_text.split())
    assert "it recovers in part: its lowest loss is 1.200 at step 60" in text
    assert (
        "Then it rises again, to 3.900 at step 70. At the end, step 80, its loss is 2.310" in text
    )
    assert "at step 50, 1 recorded epoch later" in text


def test_a_caption_names_the_rates_and_lines_that_coincide(page: Parsed) -> None:
    (caption,) = (
        " ".join(figure.whole_text.split())
        for figure in page.by_id("optimizers").all("figure")
        if figure.attributes["data-chart"] == "learning-rate"
    )
    assert "adam: from 0.05 to 0.05. adam-steady: from 0.005 to 0.05" in caption
    runs = [run_of(name, 0, [2.3, 1.0]) for name in ("sgd", "momentum")]
    text = parsed(report_of_several(runs).html).by_id("optimizers").whole_text
    assert "sgd and momentum: from 1 to 0.05, one line over the other" in text
    assert "momentum 0.5" in text


def test_the_pages_of_runs_are_linked_where_they_are() -> None:
    runs = [run_of("sgd", 0, [2.3, 1.0]), run_of("adam", 0, [2.3, 1.0])]
    runs[0] = replace(runs[0], page="runs/sgd%20%3Cb%3E/report.html")
    page = parsed(report_of_several(runs).html).by_id("optimizers")
    (link,) = page.all("a")
    assert (link.text, link.attributes["href"]) == ("sgd", "runs/sgd%20%3Cb%3E/report.html")
    assert "handloom report FOLDER/runs/NAME" in page.whole_text
    for address in ("runs/../../x/report.html", "runs/../report.html", "runs/a/other.html"):
        with pytest.raises(ValueError, match="href"):
            report_of_several([replace(runs[0], page=address), runs[1]])


def test_steps_that_are_all_recorded_are_told_apart() -> None:
    run = run_of("adam", 0, [2.3, 1.0, 0.6, 2.4, 1.4], diverged_at=3)
    assert run.history is not None
    assert run.history.diagnosis is not None
    run.history.diagnosis.steps = 1
    text = " ".join(parsed(report_of_several([run, run]).html).by_id("collapse").whole_text.split())
    assert "Both are measured before the weights change in that step" in text
    assert "cannot tell" not in text
    assert "mean over" not in text


def test_the_best_weights_are_worth_what_the_run_lost(page: Parsed) -> None:
    text = " ".join(page.by_id("best").whole_text.split())
    assert "For adam-seed0 it is worth 69.0 percentage points" in text


@pytest.mark.parametrize(("best", "told"), [(0.806, "beyond chance"), (0.81, "is worth 1.0")])
def test_a_gain_within_two_standard_errors_has_no_cause(best: float, told: str) -> None:
    """Of 10,000 rows and 80 % two binomial standard errors are 0.8 points."""
    run = run_of("sgd", 0, [2.3, 1.0], best_test_accuracy=best, best_step=9, diverged_at=None)
    assert told in _worth(run, best - 0.8)


def test_the_notebook_stands_beside_the_means(page: Parsed) -> None:
    rows = {row.whole_text.split()[0]: row for row in page.by_id("notebook").all("tr")}
    accuracy = MODELS["sgd"].reference_accuracy
    assert accuracy is not None
    assert f"{100 * accuracy:.1f}" in rows["sgd"].whole_text
    assert "81.0" in rows["sgd"].whole_text  # of the best weights of two seeds
    assert "adam-steady" not in rows


def test_figures_of_one_seed_are_called_no_means(page: Parsed) -> None:
    assert "are means over the seeds" in page.by_id("notebook").whole_text
    runs = [run_of(name, 0, [2.3, 1.0]) for name in ("sgd", "momentum")]
    assert "means" not in parsed(report_of_several(runs).html).by_id("notebook").whole_text


def test_a_study_without_a_collapse_says_so() -> None:
    runs = [run_of("adam", 0, [2.3, 1.0], best_test_accuracy=0.8, best_step=19, diverged_at=None)]
    runs.append(run_of("adam", 1, [2.3, 1.0], best_test_accuracy=0.8, best_step=19))
    omitted = parsed(report_of_several(runs).html).by_id("omitted").whole_text
    assert "no run of it diverged" in omitted


def test_lines_that_coincide_are_told() -> None:
    runs = [run_of("sgd", seed, [2.0, 1.0 - 0.1 * seed]) for seed in range(3)]
    rates, losses = (together(runs, name, "t", "c.") for name in ("learning_rate", "loss"))
    assert rates is not None
    assert rates.caption == "c. The lines coincide: all runs have the same values."
    assert losses is not None
    assert losses.caption == "c."
    other = [run_of("adam", seed, [3.0, 2.0]) for seed in range(2)]
    seeds = together([*runs[:1], *other], "loss", "t", "c.")
    assert seeds is not None
    assert seeds.caption == "c. The lines of all seeds of a setting coincide."
    alone = together(runs[:1], "learning_rate", "t", "c.")
    assert alone is not None
    assert alone.caption == "c."


def test_runs_on_other_data_stand_beside_no_figure_of_the_notebook() -> None:
    other = [run_of("sgd", 0, [2.3, 0.5], dataset="silhouettes")]
    page = parsed(report_of_several(other).html)
    assert "its figures are of fashion-mnist, and these of silhouettes" in page.whole_text
    assert "0.449" not in page.whole_text
