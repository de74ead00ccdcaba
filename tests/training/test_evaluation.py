"""Evaluation: metrics of the original rows, and those of several views."""

import numpy as np
import pytest
from tests.helpers.training import features, network

from handloom import (
    SGD,
    Adam,
    DataError,
    Dataset,
    Dense,
    MeanAbsoluteError,
    Model,
    Sequential,
    Trainer,
    View,
    evaluate,
    silhouettes,
    split_frame,
)
from handloom.data.test_time_augmentation import MIRRORED, MIRRORED_AND_MOVED
from handloom.data.transforms import AsFloat
from handloom.layers import softmax
from handloom.training.evaluation import mae_of_the_median, predicting_the_mean

DATA = silhouettes(rows=600, test_rows=200)


def model(data: Dataset = DATA.train) -> Model:
    trainer = Trainer(network(data), Adam(), 3e-3, epochs=4, batch_size=50)
    trainer.fit(data)
    return trainer.model()


def test_views_are_reported_apart_and_change_no_other_figure() -> None:
    made = model()
    of_rows, with_views = evaluate(made, DATA.test), evaluate(made, DATA.test, MIRRORED_AND_MOVED)
    assert of_rows.of_views is None
    assert with_views.of_views is not None
    assert (with_views.loss, with_views.accuracy) == (of_rows.loss, of_rows.accuracy)
    assert np.array_equal(with_views.probabilities, of_rows.probabilities)
    assert np.array_equal(with_views.confusion, of_rows.confusion)
    assert with_views.of_views.loss != of_rows.loss
    assert with_views.of_views.confusion.sum() == len(DATA.test)


@pytest.mark.parametrize("views", [MIRRORED, MIRRORED_AND_MOVED, [View(down=2, right=-1)]])
def test_what_is_predicted_of_views_is_the_softmax_of_their_mean_logits(
    views: tuple[View, ...],
) -> None:
    made = model()
    logits = np.mean(
        [
            made.before_loss.predict(np.asarray(view(DATA.test.inputs)), made.transform)
            for view in views
        ],
        axis=0,
    )
    evaluation = evaluate(made, DATA.test, views).of_views
    assert evaluation is not None
    np.testing.assert_allclose(evaluation.probabilities, softmax(logits), rtol=1e-4, atol=1e-6)
    assert evaluation.accuracy == np.mean(logits.argmax(axis=1) == DATA.test.targets)


def test_one_view_of_images_as_they_are_is_the_evaluation_itself() -> None:
    evaluation = evaluate(model(), DATA.test, [View()])
    assert evaluation.of_views is not None
    assert evaluation.of_views.loss == evaluation.loss
    assert np.array_equal(evaluation.of_views.probabilities, evaluation.probabilities)


def test_features_have_no_views() -> None:
    data = features()
    with pytest.raises(DataError, match="views are of images"):
        evaluate(model(data), data, MIRRORED)


def test_a_trained_model_is_evaluated_without_the_penalty() -> None:
    data = features()
    made = network(data, l2=0.1)
    trainer = Trainer(made, SGD(), 0.1, epochs=5)
    trainer.fit(data)
    results = evaluate(trainer.model(), data)
    probabilities = made.predict(data.inputs)
    chosen = probabilities[np.arange(len(data)), data.targets]
    assert results.loss == pytest.approx(-np.log(chosen).mean(), rel=1e-5)
    assert results.accuracy == np.mean(probabilities.argmax(axis=1) == data.targets)
    assert results.confusion.sum() == len(data)


def test_the_loss_of_a_regression_is_named_as_what_it_is() -> None:
    pandas = pytest.importorskip("pandas")
    x = np.random.default_rng(0).standard_normal(200)
    splits = split_frame(pandas.DataFrame({"x": x, "y": 1e3 * x + 5e3}), "y", seed=0)
    net = Sequential([Dense(1)]).build((1,), seed=0)
    trainer = Trainer(net, Adam(), 1e-2, epochs=1, loss=MeanAbsoluteError())
    trainer.fit(splits.train)
    measured = evaluate(trainer.model(), splits.test)
    predicted = trainer.model().predict(splits.test.inputs)
    assert measured.loss == pytest.approx(np.square(predicted - splits.test.targets).mean())
    assert "(mean squared error, standardized)" in repr(measured)
    assert "mean squared error, standardized" in measured._repr_html_()
    assert "RMSE" in measured._repr_html_()


def test_no_constant_has_a_smaller_absolute_error_on_its_rows_than_the_median() -> None:
    y = np.exp(np.random.default_rng(0).standard_normal((101, 1)))
    data = Dataset(y, y, ("y",))
    net = Sequential([Dense(1)]).build((1,))
    made = Model(net, AsFloat(), ("y",), (1,), "float64", "linear", "identity")
    error = mae_of_the_median(made, data, data)
    assert error == pytest.approx(np.abs(y - np.median(y)).mean())
    assert error < predicting_the_mean(made, data, data).mae
