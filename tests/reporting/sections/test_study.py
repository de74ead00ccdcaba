"""The study as a story, told from the measurements of its runs."""

from typing import Any

import pytest
from tests.helpers.pages import Parsed, parsed

from handloom.reporting.report import report_of_several
from handloom.reporting.run import ReportedRun
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
    layer = LayerProbe("3.relu", 0.0, 0.0, dead=0.97)
    history.diagnosis.records.append(ProbeRecord(len(losses) - 1, losses[-1], (layer,)))
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
    assert rows[2][-1] == "50"  # the step at which it diverged, counted from 1
    assert "60 steps on batches of 6,000 rows" in page.by_id("optimizers").whole_text


def test_the_collapse_is_told_with_its_numbers(page: Parsed) -> None:
    text = " ".join(page.by_id("collapse").whole_text.split())
    assert "at step 50 its loss has jumped" in text
    assert "went from 8 down to 5. Then a gradient of norm 11 came" in text
    assert "97\xa0% of the units of 3.relu are dead".replace("\xa0", " ") in text
    assert "changed the weights by 40\xa0% of their norm".replace("\xa0", " ") in text
    assert len(list(page.by_id("collapse").all("figure"))) == 3


def test_the_best_weights_are_worth_what_the_run_lost(page: Parsed) -> None:
    text = " ".join(page.by_id("best").whole_text.split())
    assert "For adam-seed0 the copy is worth 69 percentage points" in text


def test_the_notebook_stands_beside_the_means(page: Parsed) -> None:
    rows = {row.whole_text.split()[0]: row for row in page.by_id("notebook").all("tr")}
    accuracy = MODELS["sgd"].reference_accuracy
    assert accuracy is not None
    assert f"{100 * accuracy:.1f}" in rows["sgd"].whole_text
    assert "81.0" in rows["sgd"].whole_text  # of the best weights of two seeds
    assert "adam-steady" not in rows


def test_a_study_without_a_collapse_says_so() -> None:
    runs = [run_of("adam", 0, [2.3, 1.0], best_test_accuracy=0.8, best_step=19, diverged_at=None)]
    runs.append(run_of("adam", 1, [2.3, 1.0], best_test_accuracy=0.8, best_step=19))
    omitted = parsed(report_of_several(runs).html).by_id("omitted").whole_text
    assert "no run of it diverged" in omitted
