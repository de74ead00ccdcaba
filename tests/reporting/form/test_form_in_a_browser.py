"""A row of one's own in a real browser: the encoding, the predictions, the fields, the keyboard."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import handloom
from handloom import Adam, Dataset, Dense, Embedding, Model, ReLU, Sequential, Splits, Trainer
from handloom.data.cells import cells_of
from handloom.data.columns import Columns
from handloom.data.table import table_of
from handloom.losses import MeanSquaredError
from handloom.reporting.form.fields import described
from handloom.reporting.report import Report

pd: Any = pytest.importorskip("pandas")

pytest.importorskip("pytest_playwright")
pytestmark = pytest.mark.browser

AXE = Path(os.environ.get("HANDLOOM_NPM", "build/npm")) / "node_modules/axe-core/axe.min.js"
HOSTILE = "<img src=x onerror=\"document.title='hacked'\">"


def frame(rows: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "age": np.round(rng.uniform(0.4, 80, rows), 1),
            "fare": np.round(rng.lognormal(2.5, 1, rows), 4),
            "rooms": rng.integers(1, 9, rows),
            "sex": rng.choice(["male", "female"], rows),
            HOSTILE: rng.choice(["S", HOSTILE, "Q"], rows),
            "town": rng.choice([f"town {k}" for k in range(12)], rows),
            "alone": rng.random(rows) < 0.5,
            "known": 7.0,
        }
    )
    for column in ("age", HOSTILE, "town", "known"):
        table.loc[rng.random(rows) < 0.1, column] = None
    table["fate"] = np.where(rng.random(rows) < 0.2, "unknown", table["sex"])
    table["price"] = 200_000 + 1e3 * table["rooms"] - 500.0 * table["alone"]
    return table


def trained(target: str) -> tuple[Model, Splits, Report]:
    other = "price" if target == "fate" else "fate"
    train = Dataset.from_frame(frame(400, 0), target, embed=["town"], drop=[other])
    test = Dataset.from_frame(frame(60, 1), target, columns=train.columns)
    assert train.columns is not None
    outputs = len(train.class_names)
    network = Sequential([Embedding(train.columns.embedded), Dense(12), ReLU(), Dense(outputs)])
    network.build(train.input_shape, seed=0)
    loss = {} if target == "fate" else {"loss": MeanSquaredError()}
    trainer = Trainer(network, Adam(), 5e-3, epochs=4, batch_size=32, **loss)  # type: ignore[arg-type]
    history = trainer.fit(train)
    splits = Splits(train, test)
    return trainer.model(), splits, handloom.report(trainer.model(), splits, history)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Splits, Path]:
    model, splits, page = trained("fate")
    return model, splits, page.save(tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def price(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Splits, Path]:
    model, splits, page = trained("price")
    return model, splits, page.save(tmp_path_factory.mktemp("page") / "report.html")


def raw_cells(columns: Columns, table: Any) -> list[list[float | int | None]]:
    """Return the cells of a raw table as the page holds them."""
    (chunk,) = table_of(table).chunks()
    cells: list[list[float | int | None]] = []
    for each in columns.inputs:
        column = cells_of(chunk.columns[each.name])
        if each.kind == "category":
            cells.append(each.indices(column).tolist())
        else:
            pairs = zip(column.values.tolist(), column.missing, strict=True)
            cells.append([None if missing else value for value, missing in pairs])
    return [list(row) for row in zip(*cells, strict=True)]


def unlike_the_training_rows(rows: int = 200) -> Any:
    """Return a table with unseen categories, and values that are missing everywhere."""
    rng = np.random.default_rng(2)
    table = frame(rows, 3).astype(object)
    for column in table.columns:
        table.loc[rng.random(rows) < 0.2, column] = None
    for column in ("sex", HOSTILE, "town"):
        table.loc[rng.random(rows) < 0.2, column] = "nowhere"
    return table


@pytest.mark.filterwarnings("ignore::handloom.DataWarning")
@pytest.mark.parametrize("target", ["fate", "price"])
def test_rows_are_encoded_and_predicted_as_in_python(
    request: pytest.FixtureRequest, offline_page: Any, target: str
) -> None:
    model, splits, file = request.getfixturevalue("classes" if target == "fate" else "price")
    columns, raw = model.columns, unlike_the_training_rows()
    offline_page.goto(file.as_uri())
    cells = raw_cells(columns, raw)
    run = """(rows) => rows.map((cells) => [Array.from(encodeRow(rowForm.data.columns, cells)),
                                            predictRow(rowForm.network, rowForm.data, cells)])"""
    encoded, predicted = zip(*offline_page.evaluate(run, cells), strict=True)
    np.testing.assert_array_equal(np.array(encoded, np.float32), columns.transform(raw))
    expected = model.predict(raw)
    np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-4)
    assert described(columns.inputs) == offline_page.evaluate("rowForm.data.columns")
    assert len(splits.test) == 60


def settled(page: Any) -> str:
    return str(page.locator("#form-verdict").inner_text())


def test_a_form_starts_with_test_rows_and_follows_every_change(
    classes: tuple[Model, Splits, Path], offline_page: Any
) -> None:
    model, _, file = classes
    page, raw = offline_page, frame(60, 1)
    page.goto(file.as_uri())
    assert page.title().count("hacked") == 0
    assert page.locator(".form-still").is_hidden()
    assert page.locator("#form-truth").inner_text() == f"True for test line 2: {raw['fate'][0]}"
    page.get_by_role("button", name="Another test row").click()
    assert page.locator("#form-start").inner_text() == "Test line 3"
    page.get_by_role("spinbutton", name="age", exact=True).fill("3.5")
    page.get_by_role("combobox", name="sex", exact=True).select_option("female")
    page.get_by_role("combobox", name="town", exact=True).select_option("(another, unseen)")
    page.get_by_role("checkbox", name="alone", exact=True).set_checked(not raw["alone"][1])
    page.get_by_role("spinbutton", name="rooms", exact=True).fill("")
    assert page.locator("#form-start").inner_text().startswith("Test line 3, ")
    changed = raw.iloc[[1]].assign(age=3.5, sex="female", town="elsewhere", rooms=np.nan)
    changed["alone"] = ~raw["alone"][1:2]
    with pytest.warns(handloom.DataWarning):
        expected = model.predict(changed)[0]
    shown = page.locator("#form-predictions td:nth-child(3)").all_inner_texts()
    assert [float(each.removesuffix(" %")) for each in shown] == pytest.approx(
        100 * expected, abs=0.051
    )
    assert settled(page).startswith(model.class_names[int(expected.argmax())])
    page.get_by_role("button", name="Undo changes").click()
    assert page.locator("#form-start").inner_text() == "Test line 3"
    page.get_by_role("button", name="Typical row").click()
    assert page.locator("#form-start").inner_text() == "The typical row"
    assert page.locator("#form-truth").inner_text() == ""


def test_a_slider_moves_its_field_and_keys_step_it(
    price: tuple[Model, Splits, Path], offline_page: Any
) -> None:
    page = offline_page
    page.goto(price[2].as_uri())
    field = page.locator("[data-field]").first
    number = page.get_by_role("spinbutton", name="age", exact=True)
    number.fill("20")
    assert field.locator("[type=range]").input_value() == "20"
    before = page.locator(".form-value").inner_text()
    field.locator("[type=range]").fill("70")
    assert number.input_value() == "70"
    assert page.locator(".form-value").inner_text() != before
    number.press("ArrowUp")
    assert number.input_value() == "70.1"
    number.press("ArrowDown")
    number.press("ArrowDown")
    assert number.input_value() == "69.9"
    number.fill("")
    assert number.get_attribute("placeholder") == "missing"
    number.press_sequentially("-")
    assert page.locator(".form-value").inner_text() == "-"


def test_the_prediction_is_in_the_units_of_the_target(
    price: tuple[Model, Splits, Path], offline_page: Any
) -> None:
    model, _, file = price
    raw = frame(60, 1)
    offline_page.goto(file.as_uri())
    shown = float(offline_page.locator(".form-value").inner_text().replace(",", ""))
    assert shown == pytest.approx(float(model.predict(raw[:1])[0, 0]), rel=1e-5)
    truth = offline_page.locator("#form-truth").inner_text()
    assert truth == f"True for test line 2: {raw['price'][0]:,.6g}"


def test_features_without_a_table_have_number_fields(offline_page: Any, tmp_path: Path) -> None:
    data = handloom.moons(rows=40, test_rows=10)
    network = Sequential([Dense(4), ReLU(), Dense(2)]).build((2,), seed=0)
    model = Trainer(network, Adam(), 1e-2, epochs=1, batch_size=10)
    history = model.fit(data.train)
    trained = model.model()
    file = handloom.report(trained, data, history).save(tmp_path / "report.html")
    offline_page.goto(file.as_uri())
    offline_page.get_by_role("spinbutton", name="x1", exact=True).fill("0.25")
    offline_page.get_by_role("spinbutton", name="x2", exact=True).fill("-1")
    shown = offline_page.locator("#form-predictions td:nth-child(3)").all_inner_texts()
    expected = 100 * trained.predict(np.array([[0.25, -1.0]], np.float32))[0]
    assert [float(each.removesuffix(" %")) for each in shown] == pytest.approx(expected, abs=0.051)
    offline_page.get_by_role("spinbutton", name="x1", exact=True).fill("")
    assert settled(offline_page) == "x1 must be a number"


@pytest.mark.parametrize("width", [400, 1280])
def test_it_fits_a_phone_and_has_no_barrier(
    classes: tuple[Model, Splits, Path], browser: Any, width: int
) -> None:
    context = browser.new_context(bypass_csp=True, viewport={"width": width, "height": 800})
    page = context.new_page()
    page.goto(classes[2].as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if AXE.is_file():
        page.add_script_tag(path=AXE)
        found = page.evaluate("axe.run('#row').then((result) => result.violations)")
        assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found] == []
    context.close()


def test_without_scripts_there_is_a_table(
    classes: tuple[Model, Splits, Path], browser: Any
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(classes[2].as_uri())
    assert page.locator("#row .form-still table").is_visible()
    assert page.locator("#form-stage").is_hidden()
    context.close()
