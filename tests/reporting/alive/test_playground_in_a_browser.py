"""The section in a real browser: drawing, switching units off, the keyboard, no network."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.random_networks import outputs_of, random_model

from handloom import Dataset, Model
from handloom.data.transforms import Scale
from handloom.layers import BatchNorm, Conv2D, Dense, Flatten, Layer, MaxPool2D, ReLU, Reshape
from handloom.reporting import report

pytest.importorskip("PIL")
pytest.importorskip("pytest_playwright")

pytestmark = pytest.mark.browser

NAMES = ("a <b>bold</b> shirt", "bag & belt", "coat")


def trained(shape: tuple[int, ...], *layers: Layer) -> Model:
    rng = np.random.default_rng(5)
    size = int(np.prod(shape))
    network = random_model((size,), [*layers, Dense(3)], rng).network
    return Model(network, Scale(), NAMES, shape, "uint8")


def mlp() -> Model:
    return trained((12, 10), Dense(20), BatchNorm(), ReLU())


def cnn() -> Model:
    convolution = Conv2D(4, 3, padding="same")
    return trained((3, 12, 10), Reshape((3, 12, 10)), convolution, MaxPool2D(2), ReLU(), Flatten())


def open_report(page: Any, model: Model, folder: Path) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 256, (30, *model.row_shape), np.uint8)
    report(model, Dataset(inputs, np.arange(30) % 3, NAMES, "rows")).save(folder / "report.html")
    page.goto((folder / "report.html").as_uri())
    settle(page)


def settle(page: Any) -> None:
    """Wait for two pictures of the screen: the network runs before the first of them."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def pixels_of(page: Any) -> np.ndarray:
    return np.array(page.evaluate("Array.from(playground.board.drawing.pixels)"), np.float32)


def probabilities(page: Any) -> np.ndarray:
    """Return the probabilities in the table, in percent."""
    settle(page)
    cells = page.locator("#alive-predictions td:nth-child(3)").all_inner_texts()
    return np.array([float(cell.removesuffix(" %")) for cell in cells])


def expected(page: Any, model: Model, **off: list[int]) -> np.ndarray:
    """Return NumPy's probabilities for the pixels on the board, in percent."""
    pixels = pixels_of(page)
    logits = list(outputs_of(model, pixels.reshape(model.row_shape), off).values())[-1]
    exponentials = np.exp(logits - logits.max())
    return np.asarray(100 * exponentials / exponentials.sum())


def assert_as_numpy(page: Any, model: Model, **off: list[int]) -> None:
    np.testing.assert_allclose(probabilities(page), expected(page, model, **off), atol=0.15)


def drag(page: Any, *points: tuple[float, float]) -> None:
    """Paint a line over the board, by the mouse; points are fractions of its size."""
    page.locator("#alive-board").scroll_into_view_if_needed()
    box = page.locator("#alive-board").bounding_box()
    for index, (x, y) in enumerate(points):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        if index == 0:
            page.mouse.down()
    page.mouse.up()


@pytest.mark.parametrize("make", [mlp, cnn])
def test_drawing_changes_activations_and_probabilities(
    offline_page: Any, make: Any, tmp_path: Path
) -> None:
    model = make()
    open_report(offline_page, model, tmp_path)
    assert_as_numpy(offline_page, model)
    before = probabilities(offline_page)
    pictures = [each.screenshot() for each in offline_page.locator(".alive-units").all()]
    drag(offline_page, (0.1, 0.1), (0.9, 0.5), (0.2, 0.9))
    assert_as_numpy(offline_page, model)
    assert np.abs(probabilities(offline_page) - before).max() > 0.2
    for canvas, picture in zip(offline_page.locator(".alive-units").all(), pictures, strict=True):
        assert canvas.screenshot() != picture


def test_the_brush_the_eraser_and_undo(offline_page: Any, tmp_path: Path) -> None:
    page = offline_page
    open_report(page, mlp(), tmp_path)
    first = pixels_of(page)
    page.get_by_role("button", name="Clear the image").click()
    assert set(pixels_of(page)) == {0}
    drag(page, (0.5, 0.1), (0.5, 0.9))
    assert max(pixels_of(page)) == pytest.approx(255, abs=0.1)
    page.get_by_label("Gray").fill("20")
    drag(page, (0.5, 0.1), (0.5, 0.9))
    assert max(pixels_of(page)[25:95]) == pytest.approx(51, abs=0.1)
    page.get_by_label("Eraser").check()
    page.get_by_label("Brush").fill("8")
    drag(page, (0.5, 0.0), (0.5, 1.0))
    assert sum(pixels_of(page)) < 500
    for _ in range(4):
        page.get_by_role("button", name="Undo").click()
    assert pixels_of(page) == pytest.approx(first)


def test_moves_turns_and_images(offline_page: Any, tmp_path: Path) -> None:
    page, model = offline_page, mlp()
    open_report(page, model, tmp_path)

    def pixels() -> np.ndarray:
        return pixels_of(page).reshape(12, 10)

    first = pixels()
    page.get_by_role("button", name="Move the image left").click()
    np.testing.assert_array_equal(pixels()[:, :-1], first[:, 1:])
    assert not pixels()[:, -1].any()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Mirror").click()
    np.testing.assert_array_equal(pixels(), first[:, ::-1])
    page.get_by_role("button", name="Undo").click()
    for _ in range(24):  # a whole turn, without any loss
        page.get_by_role("button", name="Turn the image to the right").click()
    np.testing.assert_allclose(pixels(), first, atol=1e-3)
    page.get_by_role("group", name="Test images").get_by_role("button").nth(1).click()
    assert np.abs(pixels() - first).max() > 50
    assert_as_numpy(page, model)


@pytest.mark.parametrize("name", ["0.dense", "1.batch_norm", "2.relu"])
def test_a_unit_that_is_switched_off(offline_page: Any, name: str, tmp_path: Path) -> None:
    page, model = offline_page, mlp()
    open_report(page, model, tmp_path)
    before = probabilities(page)
    canvas = page.locator(f"[data-layer='{name}'] .alive-units")
    positions = [3, 4, 5]
    for unit in positions:
        canvas.click(position={"x": 25 * unit + 12, "y": 10})
    assert_as_numpy(page, model, **{name: positions})
    assert page.locator("#alive-off-units").inner_text().split("\n") == [
        f"{name} {u}" for u in positions
    ]
    canvas.click(position={"x": 25 * 4 + 12, "y": 10})
    assert_as_numpy(page, model, **{name: [3, 5]})
    page.get_by_role("button", name="Switch all on").click()
    np.testing.assert_array_equal(probabilities(page), before)
    assert page.locator("#alive-off").is_hidden()


def test_an_excluded_class_is_named(offline_page: Any, tmp_path: Path) -> None:
    page = offline_page
    open_report(page, mlp(), tmp_path)
    page.locator("[data-layer='3.dense'] .alive-units").focus()
    for key in ("ArrowRight", "Enter"):
        page.keyboard.press(key)
    name = f"{NAMES[1]}, excluded; switch it on"
    page.locator("#alive-live", has_text=f"{NAMES[1]} excluded. ").wait_for(state="attached")
    button = page.get_by_role("button", name=name, exact=True)
    assert button.inner_text() == f"{NAMES[1]}, excluded"
    button.click()
    assert page.locator("#alive-off").is_hidden()


def test_the_list_of_units_that_are_off_shows_whole_rows(offline_page: Any, tmp_path: Path) -> None:
    page = offline_page
    open_report(page, mlp(), tmp_path)
    for unit in range(20):
        page.evaluate("unit => playground.switchUnit('1.batch_norm', unit)", unit)
    settle(page)
    boxes = page.locator("#alive-off-units").evaluate(
        """list => {
          list.scrollTop = 1000;
          const around = list.getBoundingClientRect();
          return [...list.children].map(each => each.getBoundingClientRect())
            .map(each => [each.top - around.top, around.bottom - each.bottom]);
        }"""
    )
    rows = {round(above): round(below) for above, below in boxes}
    assert len(rows) > 3
    for above, below in rows.items():
        assert min(above, below) >= -1 or min(above, below) <= -25


def test_nothing_drawn_has_no_percentages(offline_page: Any, tmp_path: Path) -> None:
    page = offline_page
    open_report(page, mlp(), tmp_path)
    page.get_by_role("button", name="Clear the image").click()
    settle(page)
    table = page.locator("#alive-predictions")
    assert "nothing drawn" in table.inner_text()
    assert "%" not in table.inner_text()
    drag(page, (0.5, 0.1), (0.5, 0.9))
    settle(page)
    assert table.inner_text().count("%") == 4


def test_a_channel_that_is_switched_off(offline_page: Any, tmp_path: Path) -> None:
    page, model = offline_page, cnn()
    open_report(page, model, tmp_path)
    canvas = page.locator("[data-layer='1.conv2d'] .alive-units")
    canvas.focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert_as_numpy(page, model, **{"1.conv2d": [3]})


def test_the_keyboard_paints_and_switches_and_hears_the_prediction(
    offline_page: Any, tmp_path: Path
) -> None:
    page, model = offline_page, mlp()
    open_report(page, model, tmp_path)
    page.get_by_role("button", name="Clear the image").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    while page.evaluate("document.activeElement.id") != "alive-board":
        page.keyboard.press("Shift+Tab")
    for key in ("ArrowUp", "Space", "Shift+ArrowLeft", "Shift+ArrowLeft", "ArrowDown"):
        page.keyboard.press(key)
    pixels = pixels_of(page)
    assert pixels.reshape(12, 10)[5, 3:6].min() > 200
    assert_as_numpy(page, model)
    canvas = page.locator("[data-layer='2.relu'] .alive-units")
    while not canvas.evaluate("each => each === document.activeElement"):
        page.keyboard.press("Tab")
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert_as_numpy(page, model, **{"2.relu": [2]})
    top = NAMES[int(probabilities(page).argmax())]
    sentence = f"2.relu 2 off. {top}, {probabilities(page).max():.1f} %"
    page.locator("#alive-live", has_text=sentence).wait_for(state="attached")


def test_a_unit_shows_its_value_and_its_weights(offline_page: Any, tmp_path: Path) -> None:
    page, model = offline_page, mlp()
    open_report(page, model, tmp_path)
    page.locator("[data-layer='0.dense'] .alive-units").hover(position={"x": 25 + 12, "y": 10})
    tip = page.locator("[data-layer='0.dense'] .alive-tip")
    pixels = pixels_of(page)
    value = outputs_of(model, pixels.reshape(12, 10))["0.dense"][1]
    shown = tip.inner_text().splitlines()[0]
    assert shown.startswith("unit 1: ")
    assert float(shown.removeprefix("unit 1: ")) == pytest.approx(value, rel=2e-3)
    assert tip.locator("canvas").count() == 1
    page.locator("[data-layer='3.dense'] .alive-units").hover(position={"x": 12, "y": 10})
    tip = page.locator("[data-layer='3.dense'] .alive-tip")
    assert tip.inner_text().startswith(f"unit 0, {NAMES[0]}: ")  # its name, not its markup
    assert tip.locator("canvas").count() == 0


def test_colors_paint_all_channels(offline_page: Any, tmp_path: Path) -> None:
    page, model = offline_page, cnn()
    open_report(page, model, tmp_path)
    page.get_by_role("button", name="Clear the image").click()
    page.get_by_label("Color").fill("#ff8000")
    page.get_by_label("Brush").fill("4")
    drag(page, (0.5, 0.5))
    pixels = pixels_of(page)
    np.testing.assert_allclose(pixels.reshape(3, 12, 10)[:, 6, 5], [255, 128, 0])
    assert_as_numpy(page, model)


def test_few_layers_first_and_all_on_request(offline_page: Any, tmp_path: Path) -> None:
    page = offline_page
    open_report(page, mlp(), tmp_path)
    assert page.locator(".alive-units:visible").count() == 4
    page.get_by_label("All 4 layers").uncheck()
    assert page.locator(".alive-units:visible").count() == 2
    page.get_by_label("All 4 layers").check()
    settle(page)
    assert page.locator(".alive-units").nth(1).bounding_box()["width"] > 300


def test_a_page_as_narrow_as_a_telephone(offline_page: Any, tmp_path: Path) -> None:
    offline_page.set_viewport_size({"width": 390, "height": 800})
    open_report(offline_page, cnn(), tmp_path)
    assert offline_page.evaluate("document.getElementById('alive').scrollWidth") <= 390


def test_a_finger_paints(browser: Any, tmp_path: Path) -> None:
    context = browser.new_context(has_touch=True, viewport={"width": 390, "height": 800})
    page = context.new_page()
    open_report(page, mlp(), tmp_path)
    page.get_by_role("button", name="Clear the image").tap()
    page.get_by_role("button", name="Draw with the finger").tap()
    page.locator("#alive-board").tap(position={"x": 100, "y": 100})
    assert pixels_of(page).max() > 100
    page.locator("[data-layer='2.relu'] .alive-units").tap(position={"x": 12, "y": 10})
    assert page.locator("#alive-off-units").inner_text() == "2.relu 0"
    context.close()


def test_a_finger_scrolls_over_the_board_until_it_is_to_draw(browser: Any, tmp_path: Path) -> None:
    context = browser.new_context(
        has_touch=True, is_mobile=True, viewport={"width": 390, "height": 800}
    )
    page = context.new_page()
    open_report(page, mlp(), tmp_path)
    board = page.locator("#alive-board")
    fingers = context.new_cdp_session(page)

    def swipe() -> tuple[float, bool]:
        """Swipe up over the board; return how far the page scrolls, and whether that paints."""
        board.evaluate("each => each.scrollIntoView({ block: 'center', behavior: 'instant' })")
        before, pixels = page.evaluate("scrollY"), pixels_of(page)
        box = board.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + 0.8 * box["height"]
        for step in range(12):
            kind = "touchStart" if step == 0 else "touchMove"
            point = {"x": x, "y": y - 10 * step}
            fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
            settle(page)
        fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        return page.evaluate("scrollY") - before, bool((pixels_of(page) != pixels).any())

    far, painted = swipe()
    assert far > 50
    assert not painted
    toggle = page.get_by_role("button", name="Draw with the finger")
    toggle.tap()
    assert toggle.get_attribute("aria-pressed") == "true"
    assert swipe() == (0, True)
    toggle.tap()
    assert not swipe()[1]
    context.close()


def test_a_mouse_needs_no_button_to_draw(offline_page: Any, tmp_path: Path) -> None:
    open_report(offline_page, mlp(), tmp_path)
    assert offline_page.locator("#alive-finger").is_hidden()


def test_without_scripts_pictures_remain(browser: Any, tmp_path: Path) -> None:
    model = mlp()
    inputs = np.zeros((3, 12, 10), np.uint8)
    path = report(model, Dataset(inputs, np.arange(3), NAMES, "rows")).save(tmp_path / "a.html")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.locator(".alive-still img:visible").count() == 3
    assert page.locator("#alive-stage").is_hidden()
    context.close()
