"""A small chart draws its lines with an axis that fits them."""

import re

import numpy as np

from handloom.charts.small_chart import Line, small_chart
from handloom.markup import render


def drawn(*lines: Line) -> str:
    return render(small_chart("loss", lines))


def test_each_line_has_a_name_a_color_and_a_pattern() -> None:
    page = drawn(Line("training", [1, 2], [2.0, 1.0]), Line("validation", [1, 2], [2.0, 1.5]))
    assert page.count("<path") == 2
    assert ">training<" in page
    assert ">validation<" in page
    assert len(set(re.findall(r'<path [^>]*stroke="(#\w+)"', page))) == 2
    assert page.count('stroke-dasharray="6 3"') == 2  # of the line, and of its sample


def test_a_line_alone_needs_no_legend() -> None:
    assert ">training<" not in drawn(Line("training", [1, 2], [2.0, 1.0]))


def test_the_end_of_each_line_is_told_to_those_who_do_not_see_it() -> None:
    assert 'aria-label="loss by epoch: training ends at 0.25"' in drawn(
        Line("training", [1, 2], [2.0, 0.25])
    )


def test_a_value_that_is_not_finite_is_a_gap() -> None:
    (path,) = re.findall(r'<path d="([^"]*)"', drawn(Line("a", [1, 2, 3], [1.0, np.nan, 2.0])))
    assert path.count("M") == 2
    assert "nan" not in path


def test_an_axis_of_very_different_values_is_logarithmic() -> None:
    page = drawn(Line("a", [1, 2, 3, 4], [1e6, 2.0, 1.5, 1.0]))
    assert ">100<" in page
    assert ">1<" in page


def test_a_single_point_and_nothing_are_drawn() -> None:
    assert "<circle" in drawn(Line("a", [1], [0.5]))
    assert "<path" in drawn(Line("a", [], []))
