"""Scales: ticks lie within, are round, and the ends hold every value."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from handloom.charts.scales import Scale, bounds, tick_text
from handloom.reporting import assets

ENDS = [
    *((0.18, 7.8), (2.0, 7.0), (1.1, 9.0), (3.0, 3.3), (1e-9, 2e-9), (5.0, 1e6), (1e-12, 30.0)),
    *((1.5e-4, 9e-4), (0.95, 1.0), (0.001, 1.0), (1e-4, 1e-3)),
]


@pytest.mark.parametrize("ends", [(0.0, 1.0), (-3.0, 7.5), (1e-9, 2e-9), (5.0, 1e6)])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_ticks_are_within_the_scale(ends: tuple[float, float], logarithmic: bool) -> None:
    if logarithmic and ends[0] <= 0:
        return
    scale = Scale(*ends, 0.0, 100.0, logarithmic)
    ticks = scale.ticks()
    assert 2 <= len(ticks) <= 12
    assert all(-1e-6 <= scale(tick) <= 100.0 + 1e-6 for tick in ticks)
    assert ticks == sorted(ticks)


@pytest.mark.parametrize("values", [[0.0], [3.0], [-1.0, 2.0], [0.0, 0.0], [1e-12, 5.0], []])
def test_the_ends_hold_every_value_and_differ(values: list[float]) -> None:
    low, high = bounds(values, logarithmic=False)
    assert low < high
    assert all(low <= value <= high for value in values)
    assert low >= 0.0 or min(values) < 0.0


def test_values_that_are_not_finite_do_not_count() -> None:
    assert bounds([np.nan, np.inf, None, 1.0], logarithmic=False) == bounds(
        [1.0], logarithmic=False
    )
    assert bounds([-1.0, 0.0, 10.0], logarithmic=True)[0] > 0.0


def test_a_logarithmic_axis_has_labels_where_the_lines_are() -> None:
    assert Scale(0.18, 7.8, 0.0, 1.0, True).ticks() == [0.2, 0.5, 1.0, 2.0, 5.0]
    assert Scale(1.1, 9.0, 0.0, 1.0, True).ticks() == [1.5, 2.0, 3.0, 5.0, 7.0]
    assert Scale(1e-3, 10.0, 0.0, 1.0, True).ticks() == [1e-3, 1e-2, 0.1, 1.0, 10.0]
    texts = ["1.5e-4", "1e5", "0", "0.25"]
    assert [tick_text(value) for value in (1.5e-4, 1e5, 0.0, 0.25)] == texts


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize("logarithmic", [False, True])
def test_the_script_has_the_same_ticks(logarithmic: bool) -> None:
    script = Path(assets.__file__).parent / "scripts/scales.js"
    code = (
        script.read_text("utf-8")
        + f"; console.log(JSON.stringify({json.dumps(ENDS)}.map(([low, high]) =>"
        + f"newScale(low, high, 0, 1, {json.dumps(logarithmic)}).ticks(5)"
        + ".map((value) => [value, tickText(value)]))))"
    )
    ended = subprocess.run(["node", "-e", code], check=True, capture_output=True, text=True)
    for ends, shown in zip(ENDS, json.loads(ended.stdout), strict=True):
        ticks = Scale(*ends, 0.0, 1.0, logarithmic).ticks()
        assert shown == [[value, tick_text(value)] for value in ticks], ends
