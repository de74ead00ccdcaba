"""The boundary over the epochs in a real browser: slider, play, phone, no scripts."""

import os
from pathlib import Path
from typing import Any

import pytest

from handloom import Adam, Dense, GridPredictions, Sequential, Tanh, Trainer, moons, report

pytest.importorskip("pytest_playwright")
pytestmark = pytest.mark.browser

AXE = Path(os.environ.get("HANDLOOM_NPM", "build/npm")) / "node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = moons(rows=100, test_rows=40)
    grid = GridPredictions(data.train)
    network = Sequential([Dense(8), Tanh(), Dense(2)]).build((2,), seed=0)
    trainer = Trainer(network, Adam(), 2e-2, epochs=6, batch_size=20, callbacks=[grid])
    history = trainer.fit(data.train)
    page = report(trainer.model(), data, history, grid=grid)
    return page.save(tmp_path_factory.mktemp("page") / "report.html")


def shown(page: Any) -> str:
    return str(page.locator(".boundary-plane .boundary-picture").get_attribute("href"))


def test_a_slider_shows_the_epochs(offline_page: Any, page_file: Path) -> None:
    page = offline_page
    page.goto(page_file.as_uri())
    slider = page.get_by_label("Epoch", exact=True)
    last = page.locator(".boundary-plane").screenshot()
    assert shown(page) == "#boundary-frame-6"
    assert page.locator(".boundary-panels").is_hidden()
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert shown(page) == "#boundary-frame-5"
    page.keyboard.press("Home")
    assert page.locator("#boundary-name").inner_text() == "before training"
    assert slider.get_attribute("aria-valuetext") == "before training"
    assert page.locator(".boundary-plane").screenshot() != last


def test_play_begins_again_and_ends_with_the_last_epoch(offline_page: Any, page_file: Path) -> None:
    page = offline_page
    page.goto(page_file.as_uri())
    page.get_by_role("button", name="Play").click()
    assert shown(page) == "#boundary-frame-0"
    pause = page.get_by_role("button", name="Pause")
    page.wait_for_function("() => document.querySelector('#boundary-slider').value === '2'")
    pause.click()
    still = shown(page)
    page.wait_for_timeout(500)
    assert shown(page) == still
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("() => document.querySelector('#boundary-play').textContent === 'Play'")
    assert shown(page) == "#boundary-frame-6"


@pytest.mark.parametrize("width", [400, 1280])
def test_it_fits_a_phone_and_has_no_barrier(page_file: Path, browser: Any, width: int) -> None:
    context = browser.new_context(bypass_csp=True, viewport={"width": width, "height": 800})
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if AXE.is_file():
        page.add_script_tag(path=AXE)
        found = page.evaluate("axe.run('#boundary').then((result) => result.violations)")
        assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found] == []
    context.close()


def test_without_scripts_there_are_panels(page_file: Path, browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert page.locator(".boundary-panels figure").count() == 6
    assert page.locator(".boundary-panels").is_visible()
    assert page.locator("#boundary-tools").is_hidden()
    context.close()
