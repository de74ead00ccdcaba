"""A report in a real browser: without a network or scripts, by keyboard, narrow, in a notebook."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import network

import handloom
from handloom import Adam, Dataset, LayerNorms, Splits, Trainer, silhouettes
from handloom.reporting.report import report_of_several
from handloom.reporting.run import ReportedRun

pytest.importorskip("PIL")
pytest.importorskip("pytest_playwright")

pytestmark = pytest.mark.browser

HACK = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"
NAMES = (HACK, *(f"class {k}" for k in range(9)))
AXE = Path(os.environ.get("HANDLOOM_NPM", "build/npm")) / "node_modules/axe-core/axe.min.js"


def hostile(data: Dataset) -> Dataset:
    return Dataset(data.inputs, data.targets, NAMES, HACK)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shapes = silhouettes(rows=2000, test_rows=300)
    splits = Splits(hostile(shapes.train), hostile(shapes.test))
    own = network(splits.train, 24)
    trainer = Trainer(own, Adam(), 5e-3, epochs=5, batch_size=50, callbacks=[LayerNorms()])
    history = trainer.fit(splits.train, 0.1)
    report = handloom.report(trainer.model(), splits, history, title=HACK)
    return report.save(tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture
def page(offline_page: Any, page_file: Path) -> Any:
    offline_page.goto(page_file.as_uri())
    return offline_page


def test_hostile_names_run_nothing(page: Any) -> None:
    assert page.title() == f"Training report: {HACK}"
    assert page.locator("h1").inner_text() == f"Training report: {HACK}"
    assert page.evaluate("document.querySelectorAll('img[src=x]').length") == 0


def test_the_policy_forbids_other_scripts_and_the_network(page_file: Path, browser: Any) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    page.evaluate(
        """() => { window.refused = []; document.addEventListener('securitypolicyviolation',
           (event) => window.refused.push(event.effectiveDirective)); }"""
    )
    page.evaluate(
        """async () => {
          const script = document.createElement('script');
          script.textContent = 'document.title = "hacked"';
          document.body.append(script);
          const image = document.createElement('img');
          image.src = 'http://127.0.0.1:9/x.png';
          document.body.append(image);
          const link = document.createElement('button');
          link.setAttribute('onclick', 'document.title = "hacked"');
          document.body.append(link);
          link.click();
          await fetch('http://127.0.0.1:9/').catch(() => null);
        }"""
    )
    assert "hacked" not in page.evaluate("document.title.replace(/<.*>/g, '')")
    page.wait_for_function("window.refused.length >= 4")
    assert set(page.evaluate("window.refused")) == {
        *("script-src-elem", "img-src", "script-src-attr", "connect-src"),
    }
    page.close()


def test_a_chart_reads_off_zooms_and_changes_its_axis(page: Any) -> None:
    chart = page.locator("figure[data-chart=loss]")
    plot, readout = chart.locator(".plot"), chart.locator("output")
    plot.focus()
    page.keyboard.press("ArrowRight")
    assert readout.inner_text().startswith("epoch 1: training ")
    page.keyboard.press("End")
    assert readout.inner_text().startswith("epoch 5: ")
    page.keyboard.press("+")
    zoom = chart.get_by_role("button", name="Show all epochs")
    assert zoom.is_visible()
    page.keyboard.press("Escape")
    assert zoom.is_hidden()
    axis = chart.get_by_role("button", name="Logarithmic axis")
    before = plot.locator("path").first.get_attribute("d")
    axis.click()
    assert axis.get_attribute("aria-pressed") == "true"
    assert plot.locator("path").first.get_attribute("d") != before
    chart.get_by_role("button", name="validation").click()
    assert plot.locator("path").count() == 1


def test_a_chart_is_zoomed_by_the_mouse(page: Any) -> None:
    chart = page.locator("figure[data-chart=accuracy]")
    chart.scroll_into_view_if_needed()
    box = chart.locator(".plot").bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 100)
    assert chart.locator(".selection").count() == 1
    page.mouse.up()
    zoom = chart.get_by_role("button", name="Show all epochs")
    zoom.click()
    assert zoom.is_hidden()


def test_the_chart_of_the_script_is_the_one_of_python(page_file: Path, browser: Any) -> None:
    """The values of the lines are the same; only the width differs."""

    def heights(scripts: bool) -> list[float]:
        context = browser.new_context(java_script_enabled=scripts)
        page = context.new_page()
        page.goto(page_file.as_uri())
        path = page.locator("figure[data-chart=loss] path").first.get_attribute("d")
        context.close()
        points = path.replace("M", "").split("L")
        return [float(each.split()[1]) for each in points]

    assert np.allclose(heights(True), heights(False), atol=0.15)


def test_a_cell_opens_its_images_by_keyboard(page: Any) -> None:
    cells = page.locator("table.matrix td a")
    cells.first.focus()
    page.keyboard.press("ArrowDown")
    opened = page.locator(page.evaluate("document.activeElement.getAttribute('href')"))
    assert opened.is_hidden()
    page.keyboard.press("Enter")
    assert opened.is_visible()
    assert opened.locator("svg.thumbnail").count() >= 1
    cells.first.click()
    assert opened.is_hidden()


def test_without_scripts_a_page_is_complete(page_file: Path, browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert page.locator("figure.chart svg path").count() >= 7
    cell = page.locator("table.matrix td a").first
    target = page.locator(cell.get_attribute("href"))
    cell.click()
    assert target.is_visible()
    page.locator("figure.chart summary").first.click()
    assert page.locator("figure.chart table").first.is_visible()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(page: Any, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def violations_of(browser: Any, file: Path, scheme: str = "light", width: int = 1280) -> list[Any]:
    """Return the findings of axe-core about a page with a cell and a table opened."""
    if not AXE.is_file():
        return []
    context = browser.new_context(
        bypass_csp=True, color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    page = context.new_page()
    page.goto(file.as_uri())
    for closed in ("table.matrix td.mistake a", "figure.chart summary"):
        if page.locator(closed).count():
            page.locator(closed).first.click()
    page.add_script_tag(path=AXE)
    violations = page.evaluate("axe.run().then((result) => result.violations)")
    context.close()
    return [(each["id"], each["impact"], each["nodes"][0]["html"][:200]) for each in violations]


@pytest.mark.skipif(
    not AXE.is_file(), reason="axe-core is not installed: make test-browser does it"
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_has_nothing_to_say(page_file: Path, browser: Any, scheme: str, width: int) -> None:
    assert not violations_of(browser, page_file, scheme, width)


def test_a_notebook_shows_it_in_a_frame(page_file: Path, browser: Any, tmp_path: Path) -> None:
    """Links and scripts work in the frame, whose styles do not reach the notebook."""
    html = page_file.read_text("utf-8")

    class Shown(handloom.Report):
        def __init__(self) -> None:
            self.html = html

    (tmp_path / "notebook.html").write_text(
        f"<!doctype html><title>n</title><h1>Notebook</h1>{Shown()._repr_html_()}", "utf-8"
    )
    page = browser.new_page()
    page.goto((tmp_path / "notebook.html").as_uri())
    frame = page.frame_locator("iframe")
    link = frame.locator("table.matrix td a").first
    target = frame.locator(link.get_attribute("href"))
    link.click()
    assert target.is_visible()
    assert frame.locator("h1").is_visible()
    assert page.locator("h1").inner_text() == "Notebook"
    assert frame.locator("figure[data-chart=loss] output").count() == 1
    page.close()


def test_several_runs_are_compared_in_a_browser(
    offline_page: Any, browser: Any, tmp_path: Path
) -> None:
    shapes = silhouettes(rows=300, test_rows=100)
    runs = []
    for units in (4, 8):
        trainer = Trainer(network(shapes.train, units), Adam(), 5e-3, epochs=2, batch_size=50)
        history, model = trainer.fit(shapes.train), trainer.model()
        measured = handloom.evaluate(model, shapes.test)
        runs.append(
            ReportedRun(
                f"{HACK} {units}",
                model,
                history=history,
                results={"test_accuracy": measured.accuracy, "test_loss": measured.loss},
                probabilities=measured.probabilities,
                test=shapes.test,
            )
        )
    file = report_of_several(runs).save(tmp_path / "runs.html")
    assert not violations_of(browser, file)
    offline_page.goto(file.as_uri())
    assert offline_page.title() == "Comparison of 2 runs"
    assert offline_page.locator("#curves figure").count() == 3
    assert offline_page.locator("#classes tbody tr").count() == 10
    offline_page.set_viewport_size({"width": 718, "height": 900})
    offline_page.emulate_media(media="print")
    table = offline_page.locator("#results table").first
    assert table.evaluate("each => getComputedStyle(each.rows[1].cells[1]).whiteSpace") == "normal"
    assert offline_page.evaluate("document.documentElement.scrollWidth") <= 718
