"""Changes in the section, in a real browser: undo and redo, excluded classes, names, one screen."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.random_networks import outputs_of
from tests.reporting.alive.test_playground_in_a_browser import (
    NAMES,
    drag,
    mlp,
    open_report,
    pixels_of,
    settle,
)

pytest.importorskip("PIL")
pytest.importorskip("pytest_playwright")

pytestmark = pytest.mark.browser


@pytest.fixture
def page(offline_page: Any, tmp_path: Path) -> Any:
    open_report(offline_page, mlp(), tmp_path)
    return offline_page


def button(page: Any, name: str) -> Any:
    return page.get_by_role("button", name=name)


def state(page: Any) -> tuple[Any, ...]:
    """Return the visible state: pixels, their name, the chosen images, the units that are off."""
    settle(page)
    return (
        pixels_of(page).round(2).tolist(),
        page.locator("#alive-start").inner_text(),
        page.locator("[data-image][aria-pressed=true]").evaluate_all(
            "all => all.map(b => b.title)"
        ),
        page.locator("[data-image][aria-pressed=true]").count(),
        page.locator("#alive-off-units").inner_text(),
    )


def switch(page: Any, layer: str, unit: int) -> None:
    page.locator(f"[data-layer='{layer}'] .alive-units").click(
        position={"x": 25 * unit + 12, "y": 9}
    )


def test_undo_and_redo_restore_whole_states(page: Any) -> None:
    images = page.get_by_role("group", name="Test images").get_by_role("button")
    steps: list[Callable[[], object]] = [
        lambda: switch(page, "2.relu", 3),
        lambda: images.nth(2).click(),
        lambda: button(page, "Turn the image to the right").click(),
        lambda: drag(page, (0.1, 0.1), (0.9, 0.5)),
        lambda: button(page, "Clear the image").click(),
        lambda: switch(page, "0.dense", 1),
        lambda: button(page, "Switch all on").click(),
    ]
    states = [state(page)]
    for step in steps:
        step()
        states.append(state(page))
    assert all(a != b for a, b in itertools.pairwise(states))
    for before in states[-2::-1]:
        button(page, "Undo").click()
        assert state(page) == before
    assert button(page, "Undo").get_attribute("aria-disabled") == "true"
    button(page, "Undo").click(force=True)  # nothing is left
    assert state(page) == states[0]
    page.locator("#alive-board").focus()
    for key, after in zip(["Control+y", "Control+Shift+Z"] * 4, states[1:], strict=False):
        page.keyboard.press(key)
        assert state(page) == after
    assert button(page, "Redo").get_attribute("aria-disabled") == "true"
    page.keyboard.press("Control+z")
    assert state(page) == states[-2]


def test_a_changed_image_is_said_to_be_changed(page: Any) -> None:
    start = page.locator("#alive-start")
    name = start.inner_text()
    assert name.startswith("Test image ")
    turn = button(page, "Turn the image to the right by 15°")
    turn.click()
    turn.click()
    assert start.inner_text().startswith(f"{name}; changed; turned 30° to the right")
    button(page, "Clear the image").click()
    assert start.inner_text() == "A drawing of your own"
    assert page.locator("[data-image][aria-pressed=true]").count() == 0
    drag(page, (0.5, 0.5))
    for _ in range(9):
        button(page, "Move the image up").click()
    assert start.inner_text() == "A drawing of your own; a part of it left the frame"


def test_an_output_that_is_off_excludes_its_class(page: Any) -> None:
    model = mlp()
    pixels = pixels_of(page).reshape(model.row_shape)
    logits = np.array(list(outputs_of(model, pixels).values())[-1])
    canvas = page.locator("[data-layer='3.dense'] .alive-units")
    canvas.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    settle(page)
    cells = page.locator("#alive-predictions td:nth-child(3)")
    assert cells.nth(1).inner_text() == "excluded"
    logits[1] = -np.inf
    expected = 100 * np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    shown = [float(cells.nth(k).inner_text().removesuffix(" %")) for k in (0, 2)]
    np.testing.assert_allclose(shown, expected[[0, 2]], atol=0.15)
    assert NAMES[int(expected.argmax())] in page.locator("#alive-verdict").inner_text()
    for key in ("Home", "Enter", "End", "Enter"):
        page.keyboard.press(key)
    settle(page)
    assert page.locator("#alive-verdict").inner_text() == "every class is excluded"


def test_an_empty_board_has_no_class(page: Any) -> None:
    verdict = page.locator("#alive-verdict")
    settle(page)
    assert verdict.inner_text().endswith(" %")
    button(page, "Clear the image").click()
    settle(page)
    assert verdict.inner_text() == "nothing drawn"
    assert page.locator(".prediction-top").count() == 0


def test_image_verdict_and_test_images_are_on_one_screen(page: Any) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    page.evaluate("document.getElementById('alive').scrollIntoView()")
    for part in (".alive-images", "#alive-board", "#alive-predictions", "#alive-all-on"):
        box = page.locator(part).bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 720, part


def test_switch_all_on_keeps_the_focus(page: Any) -> None:
    switch(page, "2.relu", 3)
    button(page, "Switch all on").focus()
    page.keyboard.press("Enter")
    settle(page)
    assert page.evaluate("document.activeElement.id") == "alive-all-on"


def test_test_images_are_one_tab_stop(page: Any) -> None:
    images = page.locator("[data-image]")
    assert images.evaluate_all("all => all.filter(each => each.tabIndex === 0).length") == 1
    images.first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert images.nth(1).get_attribute("aria-pressed") == "true"
    page.keyboard.press("End")
    assert images.last.evaluate("each => each === document.activeElement")


@pytest.mark.parametrize("key", ["Home", "End", "PageUp", "PageDown"])
def test_keys_of_the_pen_do_not_scroll(page: Any, key: str) -> None:
    page.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    page.locator("#alive-board").focus()
    settle(page)
    before = page.evaluate("scrollY")
    page.keyboard.press(key)
    settle(page)
    assert page.evaluate("scrollY") == before
    pen = page.evaluate("playground.board.pen")
    assert {"Home": pen["x"] == 0, "End": pen["x"] == 9, "PageUp": pen["y"] == 0}.get(
        key, pen["y"] == 11
    )


def test_a_unit_is_announced_with_its_layer(page: Any) -> None:
    page.locator("#alive-board").focus()
    canvas = page.locator("[data-layer='2.relu'] .alive-units")
    while not canvas.evaluate("each => each === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.locator("#alive-live", has_text="2.relu, unit 1: ").wait_for(state="attached")
    button(page, "Mirror the image").click()
    page.locator("#alive-live", has_text="Mirrored. ").wait_for(state="attached")
