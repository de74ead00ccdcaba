"""Line charts: the table beside a chart leaves out rows, but none that matters, and says so."""

from tests.helpers.pages import Parsed, parsed

from handloom.markup import render
from handloom.reporting.charts.line_chart import LineChart, Mark, Series


def figure(*series: Series, marks: tuple[Mark, ...] = ()) -> Parsed:
    chart = LineChart("loss", "Loss", "", "loss", series, marks)
    return parsed(render(chart.figure("curves")))


def test_a_table_has_the_marked_the_lowest_and_the_highest_row() -> None:
    x = [float(epoch) for epoch in range(1, 101)]
    y: list[float | None] = [1.0] * 100
    y[35], y[76], y[54] = 0.25, 9.0, None
    (table,) = figure(Series("a", x, y), marks=(Mark("x", 66, "best"),)).all("table")
    rows = [next(row.all("th")).text for row in table.all("tr")][1:]
    assert rows == sorted(rows, key=int)
    assert {"1", "36", "66", "77", "100"} <= set(rows)
    assert len(rows) == 15
    assert "one of every 9 recorded epochs is shown" in table.whole_text
    assert {cell.text for cell in table.all("td")} == {"1.000", "0.250", "9.000", "-"}


def test_a_short_table_is_whole() -> None:
    (table,) = figure(Series("a", [1.0, 2.0, 3.0], [1.0, 0.5, 0.25])).all("table")
    assert len(list(table.all("tr"))) == 4
    assert "shown" not in table.whole_text


def test_lines_of_a_group_have_one_color_and_different_patterns() -> None:
    lines = [Series(f"seed {k}", [1.0, 2.0], [1.0, 2.0 + k], group="both", dash=k) for k in (0, 1)]
    paths = list(figure(*lines).all("path"))
    assert {path.attributes["class"] for path in paths} == {"line series-0"}
    assert len({path.attributes.get("stroke-dasharray") for path in paths}) == 2


def test_the_label_of_a_value_makes_room_for_that_of_a_late_epoch() -> None:
    series = Series("a", [1.0, 2.0, 3.0], [1.0, 0.5, 0.8])
    ends = {}
    for best in (1, 3):
        drawn = figure(series, marks=(Mark("x", best, "best"), Mark("y", 0.7, "guessing")))
        texts = {each.text: each for each in drawn.all("text")}
        ends[best] = texts["best"].attributes["x"], texts["guessing"].attributes["text-anchor"]
    assert ends[1][1] == "end"
    assert ends[3][1] == "start"
