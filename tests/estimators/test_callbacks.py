"""Callbacks watch and stop a fit; one that fails leaves the model that there was."""

import numpy as np
import pytest
from tests.estimators.helpers import Broken, Watch, classes, classifier

from handloom import BestWeights, MLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = classes(3)


def test_callbacks_watch_and_stop() -> None:
    watch = Watch(3)
    made = classifier(callbacks=[watch]).fit(X, y)
    assert (made.n_iter_, len(watch.rates)) == (3, 3)
    assert all(0.0 <= accuracy <= 1.0 for accuracy in watch.accuracies)
    best = BestWeights("loss")
    classifier(callbacks=[best]).fit(X, y)
    assert best.epoch == 7
    with pytest.raises(ValueError, match=r"must be a handloom\.Callback"):
        classifier(callbacks=[print]).fit(X, y)


def test_a_fit_that_a_callback_breaks_leaves_the_model_that_there_was() -> None:
    rows, targets = classes()
    made = MLPClassifier(max_iter=3, random_state=0)
    made.fit(rows, targets)
    before, labels, losses = made.predict_proba(rows), made.classes_, list(made.loss_curve_)
    made.set_params(callbacks=[Broken()])
    with pytest.raises(RuntimeError, match="of the caller's own"):
        made.fit(rows[:, :2], np.arange(len(rows)) % 7)
    np.testing.assert_array_equal(made.predict_proba(rows), before)
    np.testing.assert_array_equal(made.classes_, labels)
    assert made.loss_curve_ == losses
