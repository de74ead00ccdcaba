"""The pinball loss: its quantiles, its kink, and several quantiles that never cross."""

from pathlib import Path

import numpy as np
import pytest

from handloom import (
    SGD,
    Adam,
    ConfigurationError,
    DataError,
    Dataset,
    Dense,
    Huber,
    MeanAbsoluteError,
    Model,
    Pinball,
    Sequential,
    Tanh,
    Trainer,
)
from handloom.losses import LOSSES, loss

QUANTILES = (0.1, 0.5, 0.9)
X = np.random.default_rng(0).uniform(-1, 1, (200, 2)).astype(np.float32)
Y = (X.sum(axis=1) + np.random.default_rng(1).exponential(1.0, 200) * X[:, 0]).astype(np.float32)
ROWS = Dataset(X, Y[:, None], ("price",))


def crossing() -> Sequential:
    """Return a network whose outputs are in descending order for most rows."""
    network = Sequential([Dense(8), Tanh(), Dense(3)]).build((2,), seed=1)
    network.parameters.weights["2.dense.biases"][...] = (3.0, 0.0, -3.0)
    return network


@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.8])
def test_values_agree_with_scikit_learn(quantile: float) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    (z, t), weights = rng.standard_normal((2, 40)), rng.uniform(0.5, 2.0, 40)
    for shares in (None, weights):
        expected = metrics.mean_pinball_loss(t, z, alpha=quantile, sample_weight=shares)
        assert Pinball(quantile)(z[:, None], t, shares)[0] == pytest.approx(expected, rel=1e-12)


def test_the_best_constant_is_the_quantile() -> None:
    t = np.random.default_rng(3).exponential(size=101)
    for q in (0.1, 0.5, 0.93):
        constants = np.sort(t)
        values = [Pinball(q)(np.full((101, 1), c), t)[0] for c in constants]
        assert constants[np.argmin(values)] == pytest.approx(np.quantile(t, q, method="higher"))


def test_half_the_absolute_error_is_the_median() -> None:
    z, t = np.random.default_rng(4).standard_normal((2, 6, 2))
    value, gradient = MeanAbsoluteError()(z, t)
    half, slopes = Pinball()(z, t)
    assert half == pytest.approx(value / 2, rel=1e-14)
    np.testing.assert_allclose(slopes, gradient / 2, rtol=1e-14)


def test_the_slope_is_zero_where_the_error_is_zero() -> None:
    value, gradient = Pinball(0.9)(np.array([[1.0], [3.0], [0.0]]), np.array([1.0, 2.0, 1.0]))
    assert value == pytest.approx((0.1 + 0.9) / 3)
    np.testing.assert_allclose(gradient[:, 0], [0.0, 0.1 / 3, -0.9 / 3], rtol=1e-15)


def test_several_quantiles_are_as_one_loss_of_each() -> None:
    z = np.sort(np.random.default_rng(5).standard_normal((9, 3)), axis=1)
    t = np.random.default_rng(6).standard_normal(9)
    value, gradient = Pinball(QUANTILES)(z, t)
    each = [Pinball(q)(z[:, [j]], t) for j, q in enumerate(QUANTILES)]
    assert value == pytest.approx(np.mean([one for one, _ in each]), rel=1e-14)
    np.testing.assert_allclose(gradient, np.hstack([slopes for _, slopes in each]) / 3, rtol=1e-14)


def test_sorting_never_increases_the_loss_and_its_gradient_follows_the_outputs() -> None:
    rng = np.random.default_rng(7)
    z, t = rng.standard_normal((50, 4)), rng.standard_normal(50)
    subject = Pinball((0.1, 0.3, 0.6, 0.9))
    for row, target in zip(z, t, strict=True):
        value, gradient = subject(row[None], target[None])
        in_order = [Pinball(q)(row[[j]][:, None], target[None])[0]
                    for j, q in enumerate(subject.quantiles)]  # fmt: skip
        assert value <= np.mean(in_order) + 1e-15
        expected, slopes = subject(np.sort(row)[None], target[None])
        assert value == expected
        assert np.array_equal(gradient[0][np.argsort(row)], slopes[0])


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_predictions_never_cross_and_their_loss_is_that_of_training(
    backend: str, tmp_path: Path
) -> None:
    network, subject = crossing(), Pinball(QUANTILES)
    held_out = Dataset(X + 0.01, Y[:, None], ("price",))
    outputs = network.predict(X)
    assert (np.diff(outputs, axis=1) < 0).any()
    trainer = Trainer(network, SGD(), 1e-9, loss=subject, epochs=1, backend=backend)
    history = trainer.fit(ROWS, held_out)
    model = trainer.model()
    predicted = model.predict(X)
    np.testing.assert_allclose(predicted, np.sort(outputs, axis=1), rtol=1e-4, atol=1e-5)
    validated = model.predict(held_out.inputs)
    own = [Pinball(q)(validated[:, [j]], Y)[0] for j, q in enumerate(QUANTILES)]
    assert history["validation_loss"][0] == pytest.approx(np.mean(own), rel=1e-5)
    model.save(tmp_path / "model")
    loaded = Model.load(tmp_path / "model")
    assert np.array_equal(loaded.predict(X), predicted)
    assert loaded.class_names == tuple(f"price, quantile {q:g}" for q in QUANTILES)


def test_a_network_learns_quantiles() -> None:
    network = Sequential([Dense(16), Tanh(), Dense(3)]).build((2,), seed=0)
    Trainer(network, Adam(), 0.02, loss="pinball", epochs=1)  # by name, of one quantile
    trainer = Trainer(network, Adam(), 0.02, loss=Pinball(QUANTILES), epochs=150, batch_size=50)
    trainer.fit(ROWS)
    predicted = trainer.model().predict(X)
    assert (np.diff(predicted, axis=1) >= 0).all()
    below = (Y[:, None] <= predicted).mean(axis=0)
    np.testing.assert_allclose(below, QUANTILES, atol=0.06)


@pytest.mark.parametrize(
    "quantile", [0.0, 1.0, -0.1, float("nan"), "0.5", True, None, [], [0.5, 0.5], [0.9, 0.1]]
)
def test_quantiles_that_mean_nothing_are_refused(quantile: object) -> None:
    with pytest.raises(ConfigurationError, match="quantile must be"):
        Pinball(quantile)  # type: ignore[arg-type]


def test_shapes_of_several_quantiles_are_checked() -> None:
    subject = Pinball(QUANTILES)
    with pytest.raises(DataError, match=r"shape \(4, 3\), an output for each quantile, got"):
        subject(np.ones((4, 2)), np.ones(4))
    with pytest.raises(DataError, match=r"one target for all quantiles, got \(4, 3\)"):
        subject(np.ones((4, 3)), np.ones((4, 3)))
    network = Sequential([Dense(2)]).build((2,))
    with pytest.raises(DataError, match=r"\(3,\), one entry for each quantile of the target .*2"):
        Trainer(network, SGD(), 0.1, loss=subject).fit(ROWS)
    two = Dataset(X, np.stack([Y, Y], axis=1))
    with pytest.raises(DataError, match="takes one continuous target a row, got 2"):
        Trainer(crossing(), SGD(), 0.1, loss=subject).fit(two)


def test_it_has_its_name() -> None:
    assert LOSSES["pinball"] is Pinball
    assert loss("pinball", quantile=[0.2, 0.4]).config() == {"quantile": [0.2, 0.4]}
    assert Huber().output_names(("price",)) == ("price",)
