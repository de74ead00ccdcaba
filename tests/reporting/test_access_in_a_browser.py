"""A report for a projector, a finger, paper and a screen reader, in a real browser."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.training import network

import handloom
from handloom import Adam, LayerNorms, Trainer, silhouettes

pytest.importorskip("PIL")
pytest.importorskip("pytest_playwright")

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = silhouettes(rows=1500, test_rows=300)
    own = network(data.train, 24)
    trainer = Trainer(own, Adam(), 5e-3, epochs=5, batch_size=50, callbacks=[LayerNorms()])
    history = trainer.fit(data.train, 0.1)
    report = handloom.report(trainer.model(), data, history)
    return report.save(tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture
def page(offline_page: Any, page_file: Path) -> Any:
    offline_page.goto(page_file.as_uri())
    offline_page.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    return offline_page


def chart_of(page: Any, key: str = "loss") -> Any:
    return page.locator(f"figure[data-chart={key}]")


def test_lines_differ_without_color_as_in_their_legend(page: Any) -> None:
    chart = chart_of(page)
    script = "all => all.map(each => each.getAttribute('stroke-dasharray'))"
    patterns = chart.locator(".plot path").evaluate_all(script)
    assert len(set(patterns)) == 2
    assert chart.locator(".legend line").evaluate_all(script) == patterns


def test_a_chart_with_one_line_names_it(browser: Any, tmp_path: Path) -> None:
    data = silhouettes(rows=200, test_rows=50)
    trainer = Trainer(network(data.train, 4), Adam(), 5e-3, epochs=2, batch_size=50)
    history = trainer.fit(data.train)
    page = browser.new_page()
    file = handloom.report(trainer.model(), data, history).save(tmp_path / "report.html")
    page.goto(file.as_uri())
    assert chart_of(page).locator(".legend").inner_text() == "training"
    assert chart_of(page).locator(".legend button").count() == 0
    page.close()


def test_all_lines_hidden_keep_the_axis_and_print_all(page: Any) -> None:
    chart = chart_of(page)
    ticks = chart.locator("g text").all_inner_texts()
    for name in ("training", "validation"):
        chart.get_by_role("button", name=name, exact=True).click()
    assert chart.locator(".plot path").count() == 0
    assert chart.locator("text=no line is shown").count() >= 1
    assert chart.locator("g text").all_inner_texts() == ticks
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert chart.locator(".plot path").count() == 2
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert chart.locator(".plot path").count() == 0


def test_zoomed_lines_stay_within_the_axes(page: Any) -> None:
    chart = chart_of(page)
    chart.locator(".plot").focus()
    for key in ("End", "+"):
        page.keyboard.press(key)
    clip = chart.locator(".plot svg.clip")
    assert clip.locator("path").count() == 2
    assert clip.evaluate("each => getComputedStyle(each).overflow") == "hidden"


def test_zoom_and_axis_are_announced(page: Any) -> None:
    chart = chart_of(page)
    chart.get_by_role("button", name="Logarithmic axis").click()
    assert chart.locator("output").inner_text() == "logarithmic axis on"
    chart.locator(".plot").focus()
    page.keyboard.press("-")
    page.keyboard.press("+")
    assert chart.locator("output").inner_text() == "epoch 2 to 4"
    page.keyboard.press("Home")
    assert chart.locator("output").inner_text().startswith("epoch 2: ")
    page.keyboard.press("-")
    assert chart.locator("output").inner_text() == "epoch 1 to 4"
    assert chart.get_by_text("Values of the chart Loss as a table").count() == 1


def test_a_tap_reads_values_that_stay(browser: Any, page_file: Path) -> None:
    context = browser.new_context(
        has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844}
    )
    page = context.new_page()
    page.goto(page_file.as_uri())
    plot = chart_of(page).locator(".plot")
    plot.tap(position={"x": 330, "y": 100})
    assert chart_of(page).locator("output").inner_text().startswith("epoch 5: training ")
    assert "Tap a chart" in page.locator(".charts-hint").first.inner_text()
    drawn = page.locator(".cloud svg.map").bounding_box()
    assert drawn["x"] + drawn["width"] <= 390
    board = page.locator("#alive-board").bounding_box()
    assert 390 - board["x"] - board["width"] >= 48  # a finger scrolls beside it
    table = page.locator("#alive-predictions").bounding_box()
    assert 0 <= table["y"] - board["y"] - board["height"] < 30
    context.close()


def test_the_matrix_is_one_tab_stop_and_escape_returns_to_the_cell(page: Any) -> None:
    links = page.locator("table.matrix a")
    assert links.evaluate_all("all => all.filter(each => each.tabIndex === 0).length") == 1
    links.nth(0).focus()
    page.keyboard.press("Enter")
    opened = page.locator(".cell-images.opened")
    first = opened.get_attribute("id")
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    assert opened.count() == 0
    assert "#" not in page.url
    assert links.nth(0).evaluate("each => each === document.activeElement")
    page.keyboard.press("Enter")
    assert opened.get_attribute("id") == first
    links.nth(0).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert opened.get_attribute("id") != first
    page.go_back()
    page.wait_for_function("id => document.querySelector('.opened')?.id === id", arg=first)
    opened.get_by_role("button", name="Close").click()
    assert links.nth(0).evaluate("each => each === document.activeElement")


def test_a_projector_has_larger_type(page: Any) -> None:
    def sizes() -> tuple[float, float]:
        """Return the size of text, and of the text of an axis as it is seen."""
        return tuple(
            page.evaluate(
                """() => {
                  const svg = document.querySelector('.plot svg');
                  const text = svg.querySelector('text');
                  const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
                  const size = (each) => parseFloat(getComputedStyle(each).fontSize);
                  return [size(document.body), size(text) * scale];
                }"""
            )
        )

    page.set_viewport_size({"width": 1280, "height": 720})
    body, axis = sizes()
    assert axis >= 13
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.wait_for_timeout(100)
    assert sizes()[0] > 1.2 * body
    assert sizes()[1] > 1.2 * axis


def test_text_twice_as_large(page: Any) -> None:
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    page.set_viewport_size({"width": 1281, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 1281
    matrix, classes = page.locator("#confusion .columns > *").all()
    assert classes.bounding_box()["y"] >= matrix.bounding_box()["y"] + 400
    assert page.locator(".alive-images button").first.bounding_box()["width"] > 80


def test_paper_has_no_controls(page: Any) -> None:
    page.emulate_media(media="print")
    for hidden in (".charts-hint", ".to-contents", "button:not(.series-button)", "summary"):
        assert page.locator(f"{hidden} >> visible=true").count() == 0, hidden
    for color in page.locator(".matrix td").evaluate_all(
        "all => all.map(each => getComputedStyle(each).color)"
    ):
        assert max(map(int, re.findall(r"\d+", color))) < 100  # dark on white paper
    cell = page.locator(".matrix .correct").first
    assert cell.evaluate("each => getComputedStyle(each).printColorAdjust") == "exact"
    assert not re.search("click|arrow keys|open a cell", page.locator("body").inner_text(), re.I)
    live = page.locator(".alive-input")
    assert live.evaluate("each => getComputedStyle(each).breakInside") == "avoid"
    share = page.locator("#alive-verdict .prediction-share")
    assert re.fullmatch(r"[\d.]+ %", share.inner_text())
    assert share.evaluate("each => getComputedStyle(each).whiteSpace") == "nowrap"


def test_forced_colors_show_what_is_pressed(page: Any) -> None:
    page.emulate_media(forced_colors="active")
    style = "(each, name) => getComputedStyle(each)[name]"
    pressed = page.locator("[data-image][aria-pressed=true]").first
    other = page.locator("[data-image][aria-pressed=false]").first
    assert pressed.evaluate(style, "borderColor") != other.evaluate(style, "borderColor")
    assert pressed.evaluate(style, "outlineStyle") == "none"
    pressed.focus()
    page.keyboard.press("ArrowRight")
    focused = page.locator(":focus")
    assert focused.evaluate(style, "outlineStyle") == "solid"
    assert focused.evaluate(style, "outlineOffset") == "3px"
    assert focused.evaluate(style, "borderColor") == other.evaluate(style, "borderColor")
    bar = page.locator(".prediction-bar i").first
    assert bar.evaluate("each => getComputedStyle(each).forcedColorAdjust") == "none"


def test_a_link_leads_to_the_contents(page: Any) -> None:
    page.evaluate("scrollTo(0, 3000)")
    page.get_by_role("link", name="Up to the contents").click()
    page.wait_for_function("scrollY < 400")


def test_the_epochs_of_the_layers_are_those_that_there_are(page: Any) -> None:
    assert "after the epochs 1, 2, 4 and 5." in chart_of(page, "updates").inner_text()
