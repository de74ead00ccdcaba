"""The benchmarks of the study: one rounding grows, and the notebook's arithmetic goes on."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("scipy")

from benchmarks import notebook, rounding
from benchmarks.notebook import evaluated, scaled, trained
from benchmarks.records.page import between
from benchmarks.rounding import Perturbed, moved, perturbed
from benchmarks.statistics import deviation, of_another
from benchmarks.textbook import Textbook

from handloom import silhouettes
from handloom.initializers import ScaledNormal
from handloom.model import Model
from handloom.studies.reference import MODELS, run
from handloom.training import evaluate

DOCS = Path(__file__).parents[1] / "docs"
FEW = silhouettes(200, test_rows=100)


def test_weights_are_moved_by_one_rounding() -> None:
    weights = ScaledNormal(0.01)((50, 20), np.random.default_rng(0)).astype(np.float32).ravel()
    difference = np.abs(moved(weights, 1) - weights)
    assert (difference <= np.spacing(np.abs(weights))).all()
    assert 0.5 < np.mean(difference > 0) < 0.8  # two of three directions
    assert (moved(weights, 0) == weights).all()
    assert (moved(weights, 1) != moved(weights, 2)).any()


@pytest.mark.slow
def test_a_rounding_grows_at_a_high_rate(tmp_path: Path) -> None:
    runs = [
        perturbed("sgd", FEW, index, tmp_path, seed=0, steps=60, batch_size=0) for index in (0, 1)
    ]
    unmoved, other = (run.differences for run in runs)
    assert set(unmoved.values()) == {0.0}
    assert 0 < other["0"] < 1e-6
    assert max(other.values()) > 20 * other["0"]
    plain = run("sgd", FEW, steps=60, seed=0)
    assert runs[0].accuracy == plain.last.accuracy  # comparing changes nothing
    again = perturbed("sgd", FEW, 1, tmp_path, seed=0, steps=60, batch_size=0)
    assert again == runs[1]  # as in its file
    assert "| sgd | 2 |" in rounding.table({"sgd": runs})
    rounding.draw({"sgd": runs}, tmp_path / "rounding.png")
    assert (tmp_path / "rounding.png").exists()


@pytest.mark.parametrize(
    "name", ["adam", *(pytest.param(name, marks=pytest.mark.long) for name in ("sgd", "momentum"))]
)
def test_a_stopped_training_goes_on_to_the_same_end(name: str, tmp_path: Path) -> None:
    for folder in ("whole", "stopped"):
        (tmp_path / folder).mkdir()
    whole = trained(name, 0, FEW, 6, tmp_path / "whole", "float64")
    trained(name, 0, FEW, 4, tmp_path / "stopped", "float64")
    assert trained(name, 0, FEW, 6, tmp_path / "stopped", "float64") == whole
    log, other = (
        (tmp_path / folder / f"{name}-seed0.csv").read_text() for folder in ("whole", "stopped")
    )
    assert log == other
    assert log.splitlines()[0] == "epoch,rate,loss,penalty"
    assert len(log.splitlines()) == 7


def textbook(order: np.ndarray) -> Textbook:
    """Return a small network whose outputs are in another order."""
    generator = np.random.default_rng(1)
    arrays = [0.1 * generator.standard_normal((784, 8)), np.zeros(8)]
    arrays += [0.1 * generator.standard_normal((8, 10))[:, order], np.zeros(10)]
    return Textbook(arrays, l2=5e-4)


def test_the_order_of_rows_and_labels_changes_roundings_alone() -> None:
    """So neither explains how a full-batch training differs from the notebook, but by chaos."""
    x, targets = scaled(FEW.train, "float64")
    generator = np.random.default_rng(0)
    rows, labels = generator.permutation(len(x)), generator.permutation(10)
    first, other = textbook(np.arange(10)), textbook(np.argsort(labels))
    for _ in range(5):
        for each, inputs, classes in ((first, x, targets), (other, x[rows], labels[targets[rows]])):
            _, gradients = each.loss_and_gradients(inputs, classes)
            each.sgd(gradients, 0.05)
    assert other.weights[0] == pytest.approx(first.weights[0], rel=1e-9, abs=1e-12)
    assert other.weights[1][:, labels] == pytest.approx(first.weights[1], rel=1e-9, abs=1e-12)
    figures = evaluated(first, x, targets)
    assert evaluated(other, x, labels[targets]) == pytest.approx(figures, rel=1e-9)


def test_the_evaluation_is_that_of_the_library() -> None:
    study = run("momentum", FEW, steps=5)
    network = study.model.network
    arrays = list(network.parameters.weights.values())
    x, targets = scaled(FEW.test, "float64")
    figures = evaluated(Textbook(arrays, l2=5e-4), x, targets)
    assert isinstance(study.model, Model)
    expected = evaluate(study.model, FEW.test)
    assert figures["accuracy"] == expected.accuracy
    assert figures["loss"] == pytest.approx(expected.loss, rel=1e-5)


def test_the_study_says_what_one_rounding_did() -> None:
    saved = json.loads((DOCS / "records/rounding.json").read_text())
    assert (saved["rows"], saved["batch_size"], saved["steps"]) == (60_000, 6000, 1100)
    runs = {name: [Perturbed(**one) for one in each] for name, each in saved["runs"].items()}
    page = (DOCS / "reference-study.md").read_text()
    assert between(page, "rounding") == rounding.table(runs)
    for name, reported, loss in (("sgd", 0.837, 0.449), ("momentum", 0.812, 0.527)):
        _, low, high = of_another([one.accuracy for one in runs[name]])
        assert f"{low:.3f} to {high:.3f}" in page
        assert low < reported < high
        _, low, high = of_another([one.loss for one in runs[name]])
        assert f"{low:.3f} to {high:.3f}" in page
        assert (low < loss < high) == (name == "momentum")  # as the page says
    assert sum(one.accuracy > 0.3 for one in runs["adam"]) == 4  # as the page says
    for each in runs.values():
        for one in each[1:]:
            assert one.differences["1100"] > 0.5
    after = {
        steps: [np.median([one.differences[steps] for one in runs[name][1:]]) for name in runs]
        for steps in ("39", "80")
    }
    assert [f"{each:.2f}" for each in after["39"]] == ["0.23", "0.84", "0.25"]
    assert "sgd, adam: 0.23 and 0.25) or by more (momentum: 0.84)" in page
    assert (f"{min(after['80']):.2f}", f"{max(after['80']):.2f}") == ("0.63", "0.97")


def test_on_all_rows_the_notebook_is_within_what_another_rounding_gives() -> None:
    stats = pytest.importorskip("scipy.stats")
    saved = json.loads((DOCS / "records/rounding-all-rows.json").read_text())
    assert (saved["rows"], saved["batch_size"], saved["steps"]) == (60_000, 0, 1100)
    runs = {name: [Perturbed(**one) for one in each] for name, each in saved["runs"].items()}
    page = (DOCS / "reference-study.md").read_text()
    assert between(page, "rounding on all rows") == rounding.table(runs)
    collapsed = [one for one in runs["sgd"] if one.accuracy < 0.2]
    assert [(one.accuracy, round(one.loss, 3)) for one in collapsed] == [(0.1, 2.303)]
    assert collapsed[0].differences["44"] < 1
    assert collapsed[0].differences["50"] > 30
    others = [one for one in runs["sgd"] if one.accuracy >= 0.2]
    for values, reported, digits in (
        ([one.accuracy for one in others], 0.837, "0.847 ± 0.005 (0.837 to 0.853)"),
        ([one.loss for one in others], 0.449, "0.423 ± 0.016"),
    ):
        assert f"{np.mean(values):.3f} ± {deviation(values):.3f}" in digits
        assert digits in page
        _, low, high = of_another(values)
        assert f"{low:.3f} to {high:.3f}" in page
        assert low < reported < high
    low, high = stats.beta.ppf([0.025, 0.975], [1, 2], [11, 10])
    assert f"between {low * 100:.1f} and {high * 100:.0f} % (95 %, Clopper and Pearson)" in page
    spread = np.var([0.8530, 0.8522, 0.8505], ddof=1) / np.var(
        [one.accuracy for one in others], ddof=1
    )
    low, high = np.sqrt(spread / stats.f.ppf([0.975, 0.025], 2, len(others) - 1))
    assert f"{low:.2f} to {high:.1f} times that of roundings" in page


def test_the_notebook_lies_within_the_seeds_of_its_own_arithmetic() -> None:
    stats = pytest.importorskip("scipy.stats")
    saved = json.loads((DOCS / "records/notebook.json").read_text())
    assert (saved["rows"], saved["epochs"], saved["dtype"]) == (60_000, 1100, "float64")
    page = (DOCS / "reference-study.md").read_text()
    assert between(page, "notebook") == notebook.table(saved["results"])
    in_float32 = {"sgd": [0.8530, 0.8522, 0.8505], "momentum": [0.8160, 0.8193, 0.8168]}
    for name, own in in_float32.items():
        each = saved["results"][name]
        for metric, reported in zip(
            ("accuracy", "loss"),
            (MODELS[name].reference_accuracy, MODELS[name].reference_loss),
            strict=True,
        ):
            values = [one[metric] for one in each]
            assert reported is not None
            assert min(values) < reported < max(values)
        accuracies = [one["accuracy"] for one in each]
        _, low, high = of_another(accuracies)
        assert f"{low:.3f} to {high:.3f}" in page
        assert all(f"| {name} | {seed} | {value:.4f} |" in page for seed, value in enumerate(own))
        welch = stats.ttest_ind(own, accuracies, equal_var=False).confidence_interval()
        assert f"{100 * welch.low:.1f} to {100 * welch.high:+.1f}" in page
    assert all(one["accuracy"] < 0.15 for one in saved["results"]["adam"])  # near guessing
