"""The report of a table in a real browser: on a phone, with and without scripts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import handloom
from handloom import Adam, Dataset, Dense, MeanSquaredError, ReLU, Sequential, Trainer

pytest.importorskip("pytest_playwright")

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    x = np.random.default_rng(0).standard_normal((300, 12)).astype(np.float32)
    names = tuple(f"a long name of a column, {index}" for index in range(12))
    data = Dataset(x, np.exp(x[:, :1] * x[:, 1:2]), ("price",), column_names=names)
    network = Sequential([Dense(8), ReLU(), Dense(1)]).build((12,), seed=0)
    trainer = Trainer(network, Adam(), 1e-2, epochs=3, batch_size=50, loss=MeanSquaredError())
    history = trainer.fit(data)
    report = handloom.report(trainer.model(), data, history)
    return report.save(tmp_path_factory.mktemp("page") / "report.html")


def test_a_phone_scrolls_tables_not_the_page(offline_page: Any, page_file: Path) -> None:
    offline_page.set_viewport_size({"width": 390, "height": 800})
    offline_page.goto(page_file.as_uri())
    assert offline_page.evaluate("document.documentElement.scrollWidth") == 390


def test_charts_without_zoom_offer_none(offline_page: Any, page_file: Path) -> None:
    offline_page.goto(page_file.as_uri())
    assert offline_page.locator("#curves .charts-hint").count() == 1
    for section in ("predicted", "residuals", "dependence"):
        assert offline_page.locator(f"#{section} .charts-hint").count() == 0
        assert offline_page.locator(f"#{section} .plot svg[role=img]").count() >= 1


def test_it_is_complete_without_scripts(browser: Any, page_file: Path) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(page_file.as_uri())
    assert page.locator("#predicted .points").first.is_visible()
    page.locator("#dependence summary").first.click()
    assert page.locator("#dependence table").first.is_visible()
    page.close()
