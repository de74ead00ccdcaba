"""Statements about chance in the guides and reports, computed from the distributions they name."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")

from benchmarks.statistics import of_another
from tests.helpers.gradients import Float64

from handloom import SoftmaxCrossEntropy
from handloom.data.photos.familiarity import FEWEST_ROWS, _coarse, _distances, familiarity_of
from handloom.metrics import reliability
from handloom.reporting.sections.calibration import beyond_chance
from handloom.training.evaluation_metrics import QuantileMetrics

DOCS = Path(__file__).parents[2] / "docs"


def calibrated(rows: int, draws: np.random.Generator) -> tuple[Float64, Float64]:
    """Return confidences, and predictions that are correct with these probabilities."""
    confidence = 0.5 + 0.5 * draws.beta(3, 1, rows)
    return confidence, (draws.random(rows) < confidence).astype(np.float64)


@pytest.mark.parametrize("rows", [200, 2_000])
def test_a_calibrated_model_has_the_calibration_error_of_chance(rows: int) -> None:
    draws = np.random.default_rng(0)
    each = [reliability(*calibrated(rows, draws)) for _ in range(200)]
    chance = np.mean([one.chance for one in each])
    assert chance == pytest.approx(np.mean([one.error for one in each]), rel=0.05)
    assert chance > 0.4 / math.sqrt(rows)


def test_a_calibrated_model_is_rarely_called_too_confident_or_too_modest() -> None:
    draws = np.random.default_rng(0)
    signs = [beyond_chance(*calibrated(100, draws)) for _ in range(1000)]
    assert np.mean(np.abs(signs)) == pytest.approx(0.05, abs=0.03)
    assert beyond_chance(np.ones(20), np.zeros(20)) == 1
    assert beyond_chance(np.full(20, 0.6), np.ones(20)) == -1
    assert beyond_chance(np.ones(20), np.ones(20)) == 0


@pytest.mark.parametrize(("rows", "probability"), [(36, 0.99), (100, 0.99), (60, 0.02), (200, 0.9)])
def test_few_errors_of_a_confident_model_are_no_sign_of_modesty(
    rows: int, probability: float
) -> None:
    """Where all rows are right, their differences tell nothing about the variance of chance."""
    draws, given = np.random.default_rng(0), np.full(rows, probability)
    outcomes = (draws.random((2000, rows)) < probability).astype(np.float64)
    assert np.mean([beyond_chance(given, each) != 0 for each in outcomes]) < 0.1


def test_quantiles_cover_their_fraction_within_two_standard_errors() -> None:
    n, draws = 500, np.random.default_rng(0)
    for q, right in ((0.1, -1.2815516), (0.9, 1.2815516)):
        shares = [
            QuantileMetrics.of((q,), draws.standard_normal((n, 1)), np.full((n, 1), right)).coverage
            for _ in range(400)
        ]
        near = np.abs(np.ravel(shares) - q) <= 2 * math.sqrt(q * (1 - q) / n)
        assert near.mean() == pytest.approx(0.95, abs=0.03)
    ties = np.repeat([0.0, 1.0], [70, 30])[:, None]
    assert QuantileMetrics.of((0.5,), ties, np.zeros((100, 1))).coverage == (0.7,)


def test_equal_settings_with_three_seeds_differ_by_more_than_their_spread_in_three_of_ten() -> None:
    first, second = np.random.default_rng(0).standard_normal((2, 20_000, 3))
    spread = np.sqrt((first.var(axis=1, ddof=1) + second.var(axis=1, ddof=1)) / 2)
    differ = np.abs(first.mean(axis=1) - second.mean(axis=1)) > spread
    assert differ.mean() == pytest.approx(0.3, abs=0.02)


def test_differences_of_two_recalls_are_within_two_standard_errors_by_chance() -> None:
    recall, rows = 0.8, 100
    first, second = np.random.default_rng(0).binomial(rows, recall, (2, 20_000)) / rows
    bound = 2 * math.sqrt(2 * recall * (1 - recall) / rows)
    assert np.mean(np.abs(first - second) <= bound) == pytest.approx(0.95, abs=0.02)


def test_class_weights_multiply_the_odds_by_their_ratio() -> None:
    share, weights = 0.05, (0.6, 10.0)
    targets = np.array([0, 1])
    row_weights = np.array([(1 - share) * weights[0], share * weights[1]])
    odds = share / (1 - share) * weights[1] / weights[0]
    constant = np.array([[0.0, math.log(odds)]] * 2)
    _, dlogits = SoftmaxCrossEntropy()(constant, targets, row_weights)
    np.testing.assert_allclose(dlogits.sum(axis=0), 0.0, atol=1e-15)  # the loss is convex


def test_one_more_seed_of_the_study_has_the_interval_of_its_page() -> None:
    page = (DOCS / "reference-study.md").read_text()
    rows = page.partition("## Results on all rows")[2]
    for model, reported in (("sgd", 0.837), ("momentum", 0.812)):
        seeds = re.findall(rf"^\| {model} \| [012] \| ([\d.]+)", rows, re.MULTILINE)
        _, low, high = of_another([float(seed) for seed in seeds])
        assert f"{low:.3f} to {high:.3f}" in page
        assert (low < reported < high) == (model == "momentum")


def test_a_deviation_of_three_seeds_is_known_to_a_factor_of_half_to_six() -> None:
    """``2 s^2 / sigma^2`` has a chi-squared distribution, whose quantiles are ``-2 ln(1 - p)``."""
    low, high = (math.sqrt(2 / (-2 * math.log(1 - p))) for p in (0.975, 0.025))
    assert (round(low, 1), round(high)) == (0.5, 6)


def test_ratios_of_rounds_spread_more_than_seconds_and_have_the_range_of_the_page() -> None:
    results = json.loads((DOCS / "performance/results.json").read_text())
    page = (DOCS / "performance.md").read_text()
    seconds, ratios = [], []
    for part in ("full batch", "mini-batch", "one core"):
        for job in results[part].values():
            rounds = {name: np.log(each["rounds"]) for name, each in job.items()}
            own = rounds.pop("handloom[fast]")
            seconds += [own.std(ddof=1)] * len(rounds)
            ratios += [(own - other).std(ddof=1) for other in rounds.values()]
            low, high = np.exp([f(own - rounds["jax"]) for f in (np.min, np.max)])
            middle = job["handloom[fast]"]["median"] / job["jax"]["median"]
            assert re.search(rf"{middle:.2f}(\*\*)? \({low:.2f} to {high:.2f}\)", page)
    spread, of_seconds = (100 * math.sqrt(np.mean(np.square(each))) for each in (ratios, seconds))
    assert f"spread by {spread:.0f} % where Handloom's seconds spread by {of_seconds:.0f} %" in page


def test_narrow_layers_take_longer_than_the_model_of_a_step_predicts() -> None:
    pytest.importorskip("scipy")
    from benchmarks.scale import compared
    from benchmarks.step_model import grid

    one, _ = compared(json.loads((DOCS / "performance/scale.json").read_text())["steps"])
    relative = one.seconds / one.fit.seconds(grid()) - 1
    widths = np.array([job.hidden[0] for job in grid()])
    medians = {width: round(100 * float(np.median(relative[widths == width]))) for width in widths}
    narrow = medians.pop(32)
    assert -7 <= min(medians.values()) <= max(medians.values()) <= 0
    page = (DOCS / "performance.md").read_text()
    assert f"layers of 32 units take {narrow} % longer than predicted (median)" in page


def test_familiarity_of_few_images_calls_more_of_the_new_ones_unfamiliar() -> None:
    draws = np.random.default_rng(0)
    fractions = []
    for _ in range(20):
        patterns = draws.standard_normal((6, 64))

        levels = 128 + 20 * draws.standard_normal((FEWEST_ROWS + 200, 6)) @ patterns
        images = np.clip(levels, 0, 255).astype(np.uint8).reshape(-1, 8, 8)
        own = familiarity_of(images[:FEWEST_ROWS], None)
        assert own is not None
        new = _distances(_coarse(images[FEWEST_ROWS:]), own.means, own.whitening)
        fractions.append(np.mean(new > own.limit))
    assert np.mean(fractions) == pytest.approx(0.06, abs=0.02)
