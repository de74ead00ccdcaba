"""A plane: points, lines and bars are where its axes have their values."""

import re

import numpy as np
import pytest

from handloom.markup import render
from handloom.reporting.charts.line_chart import BOTTOM, HEIGHT, LEFT, RIGHT, WIDTH
from handloom.reporting.charts.plane import Plane, horizontal, vertical


def plane(*, logarithmic: bool = False) -> Plane:
    low = 1.0 if logarithmic else 0.0
    return Plane(
        horizontal(low, 1000.0, logarithmic=logarithmic), vertical(0.0, 1.0), "size, m²", "price"
    )


def test_points_are_paths_with_a_dot_for_each() -> None:
    html = render(plane().points(np.array([0.0, 1000.0, 500.0]), np.array([0.0, 1.0, 0.5])))
    dots = re.findall(r"M([\d.]+) ([\d.]+)h0", html)
    assert len(dots) == 3
    assert {float(x) for x, _ in dots} == {LEFT, WIDTH - RIGHT, (LEFT + WIDTH - RIGHT) / 2}
    assert render(plane().points(np.zeros(0), np.zeros(0))) == ""


def test_logarithmic_axes_have_equal_ratios() -> None:
    scale = plane(logarithmic=True).x
    assert scale(10.0) - scale(1.0) == pytest.approx(scale(1000.0) - scale(100.0))


def test_bars_stand_on_the_axis() -> None:
    html = render(plane().bars([0.0, 500.0, 1000.0], [1.0, 0.0]))
    assert html.count("<rect") == 1
    y, height = (float(re.search(rf'{name}="([\d.]+)"', html)[1]) for name in (" y", "height"))  # type: ignore[index]
    assert y + height == HEIGHT - BOTTOM


def test_a_rug_shows_values_within_the_axis_alone() -> None:
    assert render(plane().rug([-5.0, 10.0, 900.0, 2000.0])).count("<line") == 2


def test_an_axis_of_one_value_has_a_width() -> None:
    for value in (0.0, 5.0, -3.0):
        scale = horizontal(value, value)
        assert scale.low < value < scale.high


@pytest.mark.parametrize(("high", "text"), [(1000.0, ">1000<"), (2e6, ">2e6<"), (0.5, ">0.5<")])
def test_ticks_have_exponents_in_none_or_all(high: float, text: str) -> None:
    chart = Plane(horizontal(0.0, high), vertical(0.0, 1.0), "x", "y")
    html = render(chart.figure("title", "caption", [], id_="a", spoken="nothing"))
    assert text in html
    assert 'aria-label="title: nothing"' in html
    assert not (">50000<" in html and "e5<" in html)
