"""Weight decay, L1, label smoothing and dropout follow their equations."""

import numpy as np
import pytest
from sklearn.base import clone
from tests.estimators.helpers import classes, classifier, weights_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = classes(3)


def test_weight_decay_shrinks_weights_whatever_the_batch() -> None:
    for batch in (1, 4, 12):
        made = classifier(
            solver="sgd", momentum=0, alpha=0, learning_rate_init=1e-12, weight_decay=1e10,
            batch_size=batch, max_iter=1, activation="identity",
        )  # fmt: skip
        start = made.fit(X[:12], y[:12]).coefs_[0]
        untouched = classifier(learning_rate_init=1e-12, alpha=0, max_iter=1).fit(X[:12], y[:12])
        np.testing.assert_allclose(start, untouched.coefs_[0] * 0.99 ** (12 // batch), rtol=1e-6)
        np.testing.assert_allclose(made.intercepts_[0], untouched.intercepts_[0], rtol=1e-6)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_the_proximal_step_of_l1_makes_weights_0_for_any_batch(solver: str) -> None:
    made = classifier(
        solver=solver, momentum=0.0, alpha=0, learning_rate_init=0.01, proximal_l1=0.3,
        batch_size=12, max_iter=30,
    )  # fmt: skip
    zeros = [np.mean(weights == 0.0) for weights in made.fit(X, y).coefs_]
    assert min(zeros) > 0.05
    assert max(zeros) < 1.0
    dense = clone(made).set_params(proximal_l1=0.0, l1=0.3).fit(X, y)
    assert all((weights != 0.0).all() for weights in dense.coefs_)


def test_l1_makes_weights_small_and_counts_in_the_loss() -> None:
    unpenalized = classifier(solver="lbfgs", max_iter=60, alpha=0).fit(X, y)
    sparse = classifier(solver="lbfgs", max_iter=60, alpha=0, l1=3.0).fit(X, y)
    total = sum(np.abs(array).sum() for array in sparse.coefs_)
    assert total < 0.5 * sum(np.abs(array).sum() for array in unpenalized.coefs_)
    cross_entropy = -np.log(sparse.predict_proba(X)[np.arange(120), y]).mean()
    assert sparse.loss_ == pytest.approx(cross_entropy + 3.0 * total / 120)


@pytest.mark.parametrize("k", [2, 3])
def test_label_smoothing_gives_a_share_of_every_target_to_all_classes(k: int) -> None:
    rows, targets = classes(k)
    unsmoothed = classifier(solver="lbfgs", max_iter=30, alpha=0).fit(rows, targets)
    made = clone(unsmoothed).set_params(label_smoothing=0.2).fit(rows, targets)
    smoothed = 0.8 * np.eye(k)[targets] + 0.2 / k
    cross_entropy = -(smoothed * made.predict_log_proba(rows)).sum(axis=1).mean()
    assert made.loss_ == pytest.approx(cross_entropy, rel=1e-9)
    assert made.predict_proba(rows).min() > 10 * unsmoothed.predict_proba(rows).min()


def test_dropout_draws_in_training_alone() -> None:
    made = classifier(hidden_layer_sizes=(8, 6), dropout=[0.5, 0.0]).fit(X, y)
    assert [layer.kind for layer in made.network_.layers].count("dropout") == 1
    assert np.array_equal(made.predict_proba(X), made.predict_proba(X))
    assert not np.array_equal(
        weights_of(made), weights_of(classifier(hidden_layer_sizes=(8, 6)).fit(X, y))
    )
