"""The sections of a report about a table: errors, rows that a person recognizes, importance."""

import copy
import math
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from tests.helpers.pages import Parsed, parsed

import handloom
from handloom import (
    Adam,
    Dataset,
    Dense,
    Embedding,
    Model,
    Pinball,
    ReLU,
    Sequential,
    Splits,
    Trainer,
    evaluate,
    moons,
    split_frame,
)
from handloom.data.transforms import AsFloat
from handloom.markup import render
from handloom.metrics import roc_auc
from handloom.reporting.registry import TABLE_CLASSES, TABLE_VALUES, kind_of
from handloom.reporting.row_labels import lines_of, row_labels
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Section
from handloom.reporting.sections.notes import notes
from handloom.reporting.sections.threshold import roc_curve
from handloom.training.evaluation import mae_of_the_median
from handloom.training.run_description import RunDescription
from handloom.training.table_outputs import columns_of_table

pd = pytest.importorskip("pandas")
pytestmark = pytest.mark.filterwarnings("ignore:.*very skewed:handloom.DataWarning")

HOSTILE = "<script>alert('town')</script>"


def flats(rows: int = 400, town: str = "town") -> Any:
    """Return a table with missing values, categories, booleans and a skewed target."""
    generator = np.random.default_rng(0)
    size = generator.uniform(20, 180, rows).round(1)
    towns = generator.choice(np.array(["Bern", "Genf", None]), rows, p=[0.5, 0.4, 0.1])
    price = 1000 * size * np.exp(generator.normal(0, 1.0, rows)) * np.where(towns == "Genf", 2, 1)
    return pd.DataFrame(
        {
            "size": np.where(generator.random(rows) < 0.1, np.nan, size),
            town: towns,
            "balcony": generator.random(rows) < 0.5,
            "price": price.round(),
        }
    )


def trained(train: Dataset, *, classes: bool = False, epochs: int = 5) -> Model:
    embedded = {} if train.columns is None else train.columns.embedded
    first = [Embedding(embedded)] if embedded else []
    units = len(train.class_names)
    network = Sequential([*first, Dense(16), ReLU(), Dense(units)])
    network.build(train.input_shape, seed=0)
    loss = "softmax_cross_entropy" if classes else "mean_squared_error"
    options: dict[str, Any] = {"epochs": epochs, "batch_size": 40, "backend": "numpy"}
    trainer = Trainer(network, Adam(), 1e-2, loss=loss, **options)
    trainer.fit(train)
    return trainer.model()


def page_of(model: Model, data: Dataset | Splits) -> Parsed:
    return parsed(handloom.report(model, data).html)


def ids(page: Parsed) -> list[str]:
    return [each.attributes["id"] for each in page.by_id("content").all("section")]


def table_rows(section: Parsed, label: str) -> list[list[str]]:
    """Return the cells of the table in the scrolling box with a label."""
    box = next(each for each in section.all() if each.attributes.get("aria-label") == label)
    return [
        [cell.whole_text.strip() for cell in row.children if cell.tag in ("th", "td")]
        for row in box.all("tr")
    ]


@pytest.fixture(scope="module")
def splits() -> Splits:
    return split_frame(flats(), "price", seed=0)


@pytest.fixture(scope="module")
def model(splits: Splits) -> Model:
    return trained(splits.train)


@pytest.fixture(scope="module")
def page(model: Model, splits: Splits) -> Parsed:
    return page_of(model, splits)


def test_a_regression_has_its_sections_and_speaks_of_no_accuracy(page: Parsed) -> None:
    shown = ["overview", "columns", "network", "row"]
    shown += ["predicted", "residuals", "importance", "dependence"]
    assert [each for each in ids(page) if each not in ("omitted", "provenance")] == shown
    for each in shown:
        text = page.by_id(each).whole_text.lower()
        assert "accuracy" not in text
        assert "guessing" not in text


def test_errors_are_those_of_the_evaluation_beside_those_of_the_mean(
    page: Parsed, model: Model, splits: Splits
) -> None:
    metrics = evaluate(model, splits.test).regression
    assert metrics is not None
    rows = {row[0]: row[1:] for row in table_rows(page.by_id("predicted"), "Errors of price")}
    assert rows["R^2"][0] == f"{metrics.r2:.3f}"
    assert float(rows["its square root"][0].replace(",", "")) == pytest.approx(
        math.sqrt(metrics.mse), rel=1e-3
    )
    target = model.columns.target  # type: ignore[union-attr]
    assert target is not None
    mean = np.abs(target.restore(splits.test.targets) - target.mean).mean()
    assert float(rows["mean absolute error"][1].replace(",", "")) == pytest.approx(mean, rel=1e-3)
    median = mae_of_the_median(model, splits.train, splits.test)
    assert float(rows["mean absolute error"][2].replace(",", "")) == pytest.approx(median, rel=1e-3)
    assert median < mean
    overview = page.by_id("overview").whole_text
    squared = float(np.square(splits.test.targets).mean())  # the mean of the training rows is 0
    assert f"Mean squared error, standardized {evaluate(model, splits.test).loss:.4g}" in overview
    assert f"predicting the mean: {squared:.4g}" in overview
    assert f"{round(metrics.mae, -3):,.0f}"[:2] in page.by_id("overview").whole_text


def test_a_skewed_positive_target_has_logarithmic_axes(page: Parsed) -> None:
    assert "axes are logarithmic" in page.by_id("predicted").whole_text
    x = np.random.default_rng(0).standard_normal((200, 2))
    linear = Dataset(x, x[:, :1] + 10.0, ("y",))
    text = page_of(trained(linear), linear).by_id("predicted").whole_text
    assert "logarithmic" not in text


def test_the_largest_errors_are_rows_of_the_raw_table(page: Parsed) -> None:
    head, *rows = table_rows(page.by_id("residuals"), "Largest errors of price")
    assert head == ["line", "true price", "predicted", "residual", "size", "town", "balcony"]
    assert len(rows) == 10
    raw = flats()
    for _, true, _, _, size, town, balcony in rows:
        row = raw[raw["price"] == float(true.replace(",", ""))].iloc[0]
        assert size == ("-" if pd.isna(row["size"]) else f"{row['size']:g}")
        assert town == (row["town"] or "-")
        assert balcony == str(row["balcony"])


def test_importance_is_of_the_columns_of_the_table(page: Parsed) -> None:
    _, *rows = table_rows(page.by_id("importance"), "Permutation importance of the columns")
    assert {row[0] for row in rows} == {"size", "town", "balcony"}
    assert rows[0][0] == "size"


def test_dependence_has_categories_missing_values_and_units(page: Parsed) -> None:
    section = page.by_id("dependence")
    rows = table_rows(section, "Dependence on town")
    assert [row[0] for row in rows[1:]] == ["Bern", "Genf", "no value"]
    low, high = (float(row[2].replace(",", "")) for row in rows[1:3])
    assert 20_000 < low < high
    assert "Without a value:" in section.whole_text


def test_columns_that_are_embedded_are_shown_alike() -> None:
    splits = split_frame(flats(), "price", embed=True)
    page = page_of(trained(splits.train), splits)
    rows = table_rows(page.by_id("dependence"), "Dependence on town")
    assert [row[0] for row in rows[1:]] == ["Bern", "Genf", "no value"]


def test_names_and_cells_are_text() -> None:
    frame = flats(town=HOSTILE)
    frame[HOSTILE] = frame[HOSTILE].replace("Bern", "<img src=x onerror=alert(1)>")
    splits = split_frame(frame, "price")
    html = handloom.report(trained(splits.train), splits).html
    assert "<script>alert" not in html
    assert "<img" not in html
    assert HOSTILE in parsed(html).by_id("importance").whole_text


@pytest.fixture(scope="module")
def binary() -> tuple[Model, Splits]:
    frame = flats()
    frame["expensive"] = np.where(frame.pop("price") > 100_000, "yes", "no")
    splits = split_frame(frame, "expensive")
    return trained(splits.train, classes=True), splits


def test_two_classes_have_a_threshold_and_mistakes_with_their_cells(
    binary: tuple[Model, Splits],
) -> None:
    model, splits = binary
    page = page_of(model, splits)
    shown = ["confusion", "mistakes", "threshold", "calibration", "importance", "dependence"]
    assert [each for each in ids(page) if each in shown] == shown
    probabilities = model.predict(splits.test.inputs)
    area = roc_auc(splits.test.targets, probabilities[:, 1])
    assert f"ROC curve is {area:.3f}" in page.by_id("threshold").whole_text
    rows = {row[0]: row for row in table_rows(page.by_id("threshold"), "Metrics by threshold")}
    accuracy = ((probabilities[:, 1] > 0.5) == splits.test.targets).mean()
    assert rows["50 %"][4] == f"{100 * accuracy:.1f}\u00a0%"
    head, *mistakes = table_rows(page.by_id("mistakes"), "Most confident mistakes")
    assert head[1:] == ["true", "predicted", "probability", "size", "town", "balcony"]
    assert splits.test.row_numbers is not None
    lines = (splits.test.row_numbers + 2).tolist()  # the first one has the names
    for line, true, predicted, *_ in mistakes:
        own = splits.test.targets[lines.index(int(line))]
        assert true == splits.test.class_names[own] != predicted
    assert "decrease of the accuracy" in page.by_id("importance").whole_text


def test_three_classes_have_no_threshold_and_a_line_for_each() -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((200, 3))
    data = Dataset(x, np.digitize(x[:, 0], [-0.5, 0.5]), ("low", "middle", "high"))
    page = page_of(trained(data, classes=True), data)
    assert "threshold" not in ids(page)
    legend = next(each for each in page.by_id("dependence").all("ul"))
    assert [each.whole_text.strip() for each in legend.all("li")] == ["low", "middle", "high"]


def test_rows_of_floats_have_numbered_features_and_toys_their_names() -> None:
    x = np.random.default_rng(0).standard_normal((100, 2)).astype(np.float32)
    data = Dataset(x, x, ("first", "second"))
    page = page_of(trained(data), data)
    rows = table_rows(page.by_id("residuals"), "Largest errors of second")
    assert rows[0][4:] == ["feature 1", "feature 2"]
    assert rows[1][4] == str(x[int(rows[1][0]), 0])
    toy = moons(200, test_rows=100)
    page = page_of(trained(toy.train, classes=True), toy)
    assert "x1" in page.by_id("importance").whole_text


def test_the_columns_are_those_of_the_training_rows(page: Parsed, splits: Splits) -> None:
    learned = splits.train.columns
    assert learned is not None
    section = page.by_id("columns")
    for each in learned.inputs:
        assert each.name in section.whole_text
    assert f"from {len(splits.train):,} training rows" in section.whole_text
    assert "The target is price." in section.whole_text


@pytest.mark.slow
def test_a_page_of_many_rows_is_small_and_says_that_it_shows_a_sample() -> None:
    x = np.random.default_rng(0).standard_normal((20_000, 3)).astype(np.float32)
    data = Dataset(x, x[:, :1] * x[:, 1:2], ("y",))
    model = trained(data.take(slice(1000)), epochs=1)
    html = handloom.report(model, data).html
    assert "of the 20,000 test rows: a random sample" in html
    assert len(html) < 200_000
    assert html == handloom.report(model, data).html


@pytest.mark.slow
def test_many_columns_are_looked_at_first_and_the_rest_are_named() -> None:
    x = np.random.default_rng(0).standard_normal((300, 40))
    data = Dataset(x, x[:, 35:36] * 3.0, ("y",))
    page = page_of(trained(data, epochs=20), data)
    section = page.by_id("importance")
    rows = table_rows(section, "Permutation importance of the columns")
    assert len(rows) == 31
    assert rows[1][0] == "feature 36"
    assert "Of 40 columns the 30 above were measured" in section.whole_text


def identity(weight: float = 1.0) -> Model:
    network = Sequential([Dense(1)]).build((1,))
    network.parameters.weights["0.dense.weights"][...] = weight
    return Model(network, AsFloat(), ("y",), (1,), "float32", "t", "identity")


def test_what_cannot_be_shown_says_why() -> None:
    x = np.linspace(0.0, 1.0, 20, dtype=np.float32)[:, None]
    with pytest.warns(handloom.DivergenceWarning):
        text = page_of(identity(math.nan), Dataset(x, x, ("y",))).by_id("omitted").whole_text
    assert text.count("some predictions are not finite") == 5
    constant = page_of(identity(), Dataset(x, np.ones_like(x), ("y",)))
    assert "all targets are the same" in constant.by_id("omitted").whole_text
    exact = page_of(identity(), Dataset(x, x, ("y",)))
    assert "off by 0 on average" in exact.by_id("predicted").whole_text


def test_quantiles_and_images_are_no_such_tables(model: Model, splits: Splits) -> None:
    assert kind_of(ReportedRun("a", model, test=splits.test)) is TABLE_VALUES
    x = np.random.default_rng(0).random((50, 2))
    data = Dataset(x, x[:, :1], ("y",))
    network = Sequential([Dense(2)]).build((2,), seed=0)
    trainer = Trainer(network, Adam(), 1e-2, epochs=1, loss=Pinball([0.1, 0.9]))
    trainer.fit(data)
    run = ReportedRun("a", trainer.model(), test=data)
    assert kind_of(run) not in (TABLE_CLASSES, TABLE_VALUES)
    assert handloom.report(trainer.model(), data).html


@pytest.mark.filterwarnings("ignore:.*converge")
def test_models_of_estimators_have_the_same_sections() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_diabetes(return_X_y=True, as_frame=True)
    regressor = handloom.MLPRegressor(max_iter=2, random_state=0).fit(x, y)
    page = page_of(regressor.to_model(), Dataset(x, y.to_numpy()[:, None], ("progression",)))
    assert "s5" in page.by_id("importance").whole_text
    classifier = handloom.MLPClassifier(max_iter=2, random_state=0)
    made = classifier.fit(x, y > 150).to_model()
    assert made.binary_classes is not None
    page = page_of(made, Dataset(x, (y > 150).to_numpy(), made.binary_classes))
    assert "threshold" in ids(page)


def test_the_area_is_that_of_the_evaluation_where_probabilities_are_rounded_to_one(
    binary: tuple[Model, Splits],
) -> None:
    model, splits = copy.deepcopy(binary)
    model.network.parameters.vector[...] *= 30
    measured = evaluate(model, splits.test).binary
    assert measured is not None
    rounded = roc_auc(splits.test.targets, model.predict(splits.test.inputs)[:, 1])
    assert f"{rounded:.3f}" != f"{measured.roc_auc:.3f}"
    text = page_of(model, splits).by_id("threshold").whole_text
    assert f"ROC curve is {measured.roc_auc:.3f}" in text


def test_the_roc_curve_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(0)
    targets = generator.integers(0, 2, 300)
    scores: npt.NDArray[np.float64] = generator.random(300).round(2)
    false, true, _ = metrics.roc_curve(targets, scores, drop_intermediate=False)
    own = roc_curve(targets, scores)
    np.testing.assert_allclose(own[0], false, atol=1e-12)
    np.testing.assert_allclose(own[1], true, atol=1e-12)


def rare(rows: int = 1000, share: float = 0.05) -> Dataset:
    """Return two classes of unequal size that the columns do not tell apart."""
    x = np.random.default_rng(0).standard_normal((rows, 2))
    return Dataset(x, (np.arange(rows) % int(1 / share) == 0).astype(np.int64), ("no", "fraud"))


def of_constant(probability: float, data: Dataset) -> Model:
    """Return a model whose probability of the second class is a constant."""
    network = Sequential([Dense(2)]).build((2,), dtype=np.float64)
    network.parameters.weights["0.dense.weights"][...] = 0.0
    logit = math.log(probability / (1.0 - probability))
    network.parameters.weights["0.dense.biases"][...] = [0.0, logit]
    return Model(network, AsFloat(), data.class_names, (2,), "float64", "t", "softmax")


def pages_of(probability: float) -> Parsed:
    data = rare()
    model = of_constant(probability, data)
    trainer = Trainer(model.network, Adam(), 1e-9, epochs=1, batch_size=100, backend="numpy")
    history = trainer.fit(data)
    return parsed(handloom.report(model, Splits(data, data), history).html)


def test_a_model_that_never_predicts_the_rare_class_is_not_called_fine() -> None:
    page = pages_of(0.05)
    entropy = -(0.05 * math.log(0.05) + 0.95 * math.log(0.95))
    shown = f"predicting the shares of the classes: {entropy:.3f}"
    assert shown in page.by_id("overview").whole_text
    assert "on 1,000 test rows, standard error 0.69 points" in page.by_id("overview").whole_text
    text = page.by_id("notes").whole_text
    assert "predicts no for every test row" in text
    assert "share of that class, 95.0" in text
    assert "found no problem" not in text


def test_the_loss_of_the_shares_of_one_class_has_no_sign() -> None:
    data = rare()
    one = data.take(np.flatnonzero(data.targets == 0))
    page = parsed(handloom.report(of_constant(0.05, data), one).html)
    assert "predicting the shares of the classes: 0.000" in page.by_id("overview").whole_text


def test_probabilities_worse_than_the_shares_are_called_no_better_than_a_constant() -> None:
    page = pages_of(0.4)  # as balanced class weights make them
    text = page.by_id("notes").whole_text
    assert "no better than a constant: their loss is 0.531" in text
    assert "Class weights" in text
    calibration = page.by_id("calibration").whole_text
    assert "The probability of fraud is 40.0" in calibration
    assert "too high" in calibration
    assert "too modest" not in calibration


def test_a_share_of_the_rare_class_within_chance_is_about_right() -> None:
    assert "about right" in pages_of(0.055).by_id("calibration").whole_text


def test_few_of_many_categories_are_said_to_be_few_and_sorted_by_frequency() -> None:
    generator = np.random.default_rng(0)
    kinds = np.array([f"kind {index:02}" for index in range(30)])
    shares = 1.0 / np.arange(30, 0, -1)
    kind = generator.choice(kinds, 900, p=shares / shares.sum())
    frame = pd.DataFrame({"kind": kind, "y": generator.standard_normal(900)})
    splits = split_frame(frame, "y", embed=True)
    section = page_of(trained(splits.train, epochs=1), splits).by_id("dependence")
    assert "Shown are the 20 most frequent of 30 categories" in section.whole_text
    rows = table_rows(section, "Dependence on kind")[1:]
    fractions = [float(row[1].split("\u00a0")[0]) for row in rows]
    assert fractions == sorted(fractions, reverse=True)
    column = next(each for each in columns_of_table(trained(splits.train), splits.test))
    own = [column.category(each) for each in column.indices_of(splits.test.inputs[:]).tolist()]
    assert fractions[0] == pytest.approx(100 * own.count(rows[0][0]) / len(own), abs=0.06)


def test_rows_are_named_by_the_lines_of_their_file_where_they_are_known() -> None:
    x = np.random.default_rng(0).standard_normal((40, 2)).astype(np.float32)
    data = Dataset(x, x[:, :1], ("y",))
    assert lines_of(data, [3]) is None
    assert row_labels(data, [3]) == ["row 3"]
    vars(data)["row_numbers"] = np.arange(100, 140)
    assert lines_of(data, [0, 3]) == [102, 105]  # the head is line 1
    assert row_labels(data, [3]) == ["line 105"]


def test_the_report_does_not_count_rows_that_it_cannot_know() -> None:
    data = rare(200)
    network = Sequential([Dense(4), ReLU(), Dense(2)]).build((2,), seed=0)
    trainer = Trainer(network, Adam(), 1e-2, epochs=1, batch_size=20, backend="numpy")
    history = trainer.fit(data, validation=0.1)
    page = parsed(handloom.report(trainer.model(), Splits(data, data), history).html)
    text = page.by_id("overview").whole_text
    assert "the report was passed 200 training rows of 2 classes; rows held out" in text


@pytest.mark.parametrize("restores", [True, False])
def test_a_note_on_overfitting_says_whose_weights_the_model_has(restores: bool) -> None:
    generator = np.random.default_rng(0)
    data = Dataset(generator.standard_normal((60, 8)), np.arange(60) % 2, ("no", "yes"))
    network = Sequential([Dense(64), ReLU(), Dense(2)]).build((8,), seed=0)
    trainer = Trainer(network, Adam(), 0.01, epochs=60, batch_size=10)
    history = trainer.fit(data, validation=0.3)
    settings = {"kind": "settings"} if restores else {}
    description = RunDescription(settings, "points", None, 1)
    run = ReportedRun("run", trainer.model(), history=history, description=description)
    text = render(cast(Section, notes(run)).body)
    assert "The network seems to overfit" in text
    assert ("The model of this page has the weights of epoch" in text) == restores
