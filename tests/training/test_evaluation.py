"""Evaluation: metrics of the original rows, and those of several views."""

import numpy as np
import pytest
from tests.helpers.training import features, network

from handloom import SGD, Adam, DataError, Dataset, Model, Trainer, View, evaluate, silhouettes
from handloom.data.test_time_augmentation import MIRRORED, MIRRORED_AND_MOVED
from handloom.layers import softmax

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
