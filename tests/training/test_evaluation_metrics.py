"""Evaluation of regressions and of two classes, beside scikit-learn's metrics."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import continuous_targets, features, network

from handloom import (
    SGD,
    Adam,
    BinaryCrossEntropy,
    ConfigurationError,
    DataError,
    Dataset,
    Dense,
    MeanSquaredError,
    Model,
    ModelError,
    Pinball,
    Poisson,
    Sequential,
    Sigmoid,
    Trainer,
    View,
    evaluate,
)
from handloom.layers import Layer
from handloom.losses import RowLoss
from handloom.predictions import ascending

X = np.random.default_rng(0).standard_normal((200, 3)).astype(np.float32)
NOISY = X[:, :1] + np.random.default_rng(1).standard_normal((200, 1)) > 0.5
ROWS = Dataset(X, NOISY.astype(np.float32), ("ill",))


def model(data: Dataset, loss: RowLoss, *last: Layer, outputs: int = 1, epochs: int = 30) -> Model:
    layers = [Dense(outputs), *last]
    made = Sequential(layers).build((data.inputs.shape[1],), seed=0)
    trainer = Trainer(made, Adam(), 0.05, epochs=epochs, batch_size=50, loss=loss)
    trainer.fit(data)
    return trainer.model()


def test_a_regression_has_errors_and_residuals() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    data = continuous_targets()
    made = model(data, MeanSquaredError(), outputs=2)
    measured = evaluate(made, data)
    assert (measured.binary, measured.confusion.size, measured.probabilities.size) == (None, 0, 0)
    assert np.isnan(measured.accuracy)
    figures, predicted = measured.regression, made.predict(data.inputs)
    assert figures is not None
    np.testing.assert_allclose(figures.predictions, predicted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(figures.residuals, data.targets - predicted, rtol=1e-4, atol=1e-5)
    expected = [
        metrics.mean_squared_error(data.targets, predicted),
        metrics.mean_absolute_error(data.targets, predicted),
        metrics.r2_score(data.targets, predicted),
    ]
    assert [figures.mse, figures.mae, figures.r2] == pytest.approx(expected, rel=1e-5)
    assert measured.loss == figures.mse


def test_means_of_counts_are_evaluated_not_their_logarithms() -> None:
    counts = np.random.default_rng(2).poisson(np.exp(X[:, :1])).astype(np.float32)
    data = Dataset(X, counts, ("visits",))
    made = model(data, Poisson())
    figures = evaluate(made, Dataset(X, counts, ("other name",))).regression
    assert figures is not None
    np.testing.assert_allclose(figures.predictions, made.predict(X), rtol=1e-5)
    assert figures.r2 > 0.1


def test_constant_targets_have_no_r2() -> None:
    made = model(Dataset(X, X[:, :1], ("first",)), MeanSquaredError())
    figures = evaluate(made, Dataset(X[:5], np.full((5, 1), 2.0), ("first",))).regression
    assert figures is not None
    assert np.isnan(figures.r2)
    assert figures.mse > 0


@pytest.mark.parametrize("last", [[], [Sigmoid]])
@pytest.mark.parametrize("threshold", [None, 0.3])
def test_a_single_output_is_two_classes(last: list[type[Layer]], threshold: float | None) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    made = model(ROWS, BinaryCrossEntropy(), *(layer() for layer in last))
    measured, chances = evaluate(made, ROWS, threshold=threshold), made.predict(X)[:, 0]
    binary, y = measured.binary, NOISY[:, 0]
    assert binary is not None
    assert (binary.positive, binary.threshold) == ("ill", threshold or 0.5)
    assert binary.roc_auc == pytest.approx(metrics.roc_auc_score(y, chances), rel=1e-6)
    assert binary.brier == pytest.approx(metrics.brier_score_loss(y, chances), rel=1e-5)
    assert measured.loss == pytest.approx(metrics.log_loss(y, chances.astype(float)), rel=1e-5)
    predicted = chances > (threshold or 0.5)
    assert measured.accuracy == metrics.accuracy_score(y, predicted)
    assert np.array_equal(measured.confusion, metrics.confusion_matrix(y, predicted))
    np.testing.assert_allclose(measured.probabilities[:, 1], chances, rtol=1e-5)
    assert measured.regression is None


def test_the_first_class_may_be_the_positive_one() -> None:
    made = model(ROWS, BinaryCrossEntropy())
    names = evaluate(made, ROWS).class_names
    usual = evaluate(made, ROWS, threshold=0.7, positive=names[1])
    assert np.array_equal(usual.confusion, evaluate(made, ROWS, threshold=0.7).confusion)
    other = evaluate(made, ROWS, threshold=0.3 + 1e-9, positive=names[0])
    assert np.array_equal(other.confusion, usual.confusion)
    assert usual.binary is not None
    assert other.binary is not None
    assert other.binary.positive == names[0]
    assert other.binary.roc_auc == pytest.approx(usual.binary.roc_auc)
    assert other.binary.brier == pytest.approx(usual.binary.brier)
    with pytest.raises(
        ConfigurationError, match=r"unknown positive class 'il'.* Did you mean 'ill'"
    ):
        evaluate(made, ROWS, positive="il")


@pytest.mark.filterwarnings("ignore::handloom.DivergenceWarning")
@pytest.mark.parametrize("positive", [0, 1])
@pytest.mark.parametrize(("value", "threshold"), [(0.0, None), (np.nan, None), (np.nan, 0.3)])
def test_equal_or_lost_probabilities_are_of_the_first_class_whichever_is_positive(
    value: float, threshold: float | None, positive: int
) -> None:
    made = model(ROWS, BinaryCrossEntropy(), epochs=1)
    name = evaluate(made, ROWS).class_names[positive]
    made.network.parameters.vector[...] = value
    figures = evaluate(made, ROWS, threshold=threshold, positive=name)
    assert figures.confusion[:, 1].sum() == 0


def test_two_outputs_are_two_classes_too() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    data = features(classes=2)
    trainer = Trainer(network(data), SGD(), 0.01, epochs=2, batch_size=50)
    trainer.fit(data)
    measured = evaluate(trainer.model(), data)
    assert measured.binary is not None
    expected = metrics.roc_auc_score(data.targets, measured.probabilities[:, 1])
    assert measured.binary.roc_auc == pytest.approx(expected)
    assert measured.binary.positive == "1"
    all_second = evaluate(trainer.model(), data, threshold=1e-12)
    assert all_second.accuracy == pytest.approx(np.mean(data.targets == 1))
    three = features()
    other = Trainer(network(three), SGD(), 0.01, epochs=1)
    other.fit(three)
    assert evaluate(other.model(), three).binary is None
    with pytest.raises(ConfigurationError, match=r"threshold is for two classes, got 0\.4"):
        evaluate(other.model(), three, threshold=0.4)


def test_rows_of_a_single_class_have_no_roc_curve() -> None:
    made = model(ROWS, BinaryCrossEntropy(), epochs=1)
    binary = evaluate(made, Dataset(X[:9], np.ones((9, 1)), ("ill",))).binary
    assert binary is not None
    assert np.isnan(binary.roc_auc)
    assert binary.brier > 0


@pytest.mark.parametrize("threshold", [0.0, 1.0, -1, float("nan"), "half", True])
def test_thresholds_that_mean_nothing_are_refused(threshold: Any) -> None:
    made = model(ROWS, BinaryCrossEntropy(), epochs=1)
    with pytest.raises(ConfigurationError, match="threshold must be"):
        evaluate(made, ROWS, threshold=threshold)


def test_data_that_do_not_belong_to_the_model_are_refused() -> None:
    binary = model(ROWS, BinaryCrossEntropy(), epochs=1)
    with pytest.raises(DataError, match=r"must be 0 or 1, .* got 2"):
        evaluate(binary, Dataset(X, NOISY + 1.0, ("ill",)))
    with pytest.raises(
        ModelError, match=r"a model of continuous targets .* got classes .*astype\('float32'\)"
    ):
        evaluate(binary, Dataset(X, NOISY[:, 0].astype(int)))
    data = continuous_targets()
    regression = model(data, MeanSquaredError(), outputs=2, epochs=1)
    with pytest.raises(ConfigurationError, match="views are for predictions of classes"):
        evaluate(regression, data, [View(flip=True)])
    with pytest.raises(ConfigurationError, match="threshold is for two classes"):
        evaluate(regression, data, threshold=0.5)
    with pytest.raises(DataError, match="the model's targets first, second, got second, first"):
        evaluate(regression, Dataset(data.inputs, data.targets, ("second", "first")))
    classes = features()
    trainer = Trainer(network(classes), SGD(), 0.01, epochs=1)
    trainer.fit(classes)
    with pytest.raises(ModelError, match=r"a model of classes .* got continuous targets in"):
        evaluate(trainer.model(), Dataset(classes.inputs, np.ones((300, 3)), classes.class_names))
    quantiles = model(ROWS, Pinball([0.1, 0.9]), outputs=2, epochs=1)
    with pytest.raises(ModelError, match=r"several quantiles .* one continuous target, got 2"):
        evaluate(quantiles, Dataset(ROWS.inputs, np.ones((len(ROWS), 2))))
    with pytest.raises(ModelError, match=r"several quantiles .* handloom\.Pinball\(quantile\)"):
        evaluate(replace(quantiles, quantiles=None), ROWS)  # which quantiles?
    assert evaluate(model(ROWS, Pinball(0.9), epochs=1), ROWS).regression is not None


def test_several_quantiles_have_a_loss_and_a_coverage_each() -> None:
    quantiles = (0.1, 0.5, 0.9)
    made = model(ROWS, Pinball(quantiles), outputs=3, epochs=30)
    evaluation = evaluate(made, ROWS)
    metrics, predictions = evaluation.quantiles, made.predict(ROWS.inputs)
    assert metrics is not None
    assert metrics.quantiles == made.quantiles == quantiles
    for index, q in enumerate(quantiles):
        loss, _ = Pinball(q)(predictions[:, [index]], ROWS.targets)
        assert metrics.losses[index] == pytest.approx(loss, rel=1e-5)
        share = (ROWS.targets[:, 0] <= predictions[:, index]).mean()
        assert metrics.coverage[index] == pytest.approx(share, abs=2 / len(ROWS))
    assert evaluation.loss == pytest.approx(np.mean(metrics.losses), rel=1e-5)
    assert "below quantile 0.9" in repr(evaluation)
    assert "below quantile 0.9" in evaluation._repr_html_()


def test_outputs_are_sorted_into_the_array_that_is_passed() -> None:
    outputs = np.array([[3.0, 1.0, 2.0]])
    out = np.empty_like(outputs)
    assert ascending(outputs, out) is out
    assert (out.tolist(), outputs.tolist()) == ([[1.0, 2.0, 3.0]], [[3.0, 1.0, 2.0]])
    assert ascending(outputs).tolist() == [[1.0, 2.0, 3.0]]
    assert outputs[0, 0] == 3.0
