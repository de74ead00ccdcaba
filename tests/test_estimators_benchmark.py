"""The benchmark of the estimators: paired scores of unseen rows, and who converged."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("scipy")

from benchmarks import estimators
from benchmarks.estimators import Run, compare, scores_table, summarize, table, tasks

DOCS = Path(__file__).parents[1] / "docs"
TASKS = {task.name: task for task in tasks()}


def test_both_are_fitted_on_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimators, "REST", 0.0)
    task = replace(TASKS["wine"], parameters={"hidden_layer_sizes": (4,), "max_iter": 5})
    runs = compare(task, 2)
    assert all(run.their_score == pytest.approx(run.our_score, abs=0.05) for run in runs)
    assert not any(run.converged for run in runs)
    assert "| 0 of 2 |" in table([summarize(task, runs)])


def test_continuous_targets_are_standardized_by_training_rows() -> None:
    _, _, y, y_test = TASKS["diabetes"].load(0)
    assert (y.mean(), y.std()) == pytest.approx((0.0, 1.0))
    assert y_test.mean() != pytest.approx(0.0, abs=1e-6)


def test_scores_are_compared_in_pairs() -> None:
    """Handloom is worse by 0.01 with every split, far within the deviation over splits."""
    runs = [
        Run(seed, 0.8 + 0.02 * seed, 0.79 + 0.02 * seed + 0.0001 * (seed % 2), 2.0, 1.0, 9, 9, True)
        for seed in range(5)
    ]
    result = summarize(TASKS["wine"], runs)
    mean, low, high = result["difference"]
    assert low < mean < high < 0.0
    assert not result["not_lower"]
    assert result["their_deviation"] > 3 * abs(mean)
    assert "| -0.0100 (-0.0101 to -0.0098) | 5 of 5 |" in table([result])


def test_the_guide_has_the_scores_of_converged_fits() -> None:
    results = json.loads((DOCS / "performance/estimators.json").read_text())["results"]
    assert scores_table(results) in (DOCS / "guides/migration.md").read_text()
    for result in results:
        runs = [Run(**run) for run in result["runs"]]
        assert all(run.converged for run in runs)
        difference = summarize(TASKS[result["task"]], runs)["difference"]
        assert difference == pytest.approx(result["difference"])
        assert difference[1] <= 0.0 <= difference[2]  # as the guide says of all of them
