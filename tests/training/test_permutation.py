"""Permutation importance: of columns whose weight is known, and as scikit-learn measures it."""

import numpy as np
import pytest

from handloom import (
    Adam,
    ConfigurationError,
    DataError,
    Dataset,
    Dense,
    MeanSquaredError,
    Model,
    ReLU,
    Sequential,
    Trainer,
    permutation_importance,
)
from handloom.data.transforms import AsFloat

WEIGHTS = np.array([3.0, 0.0, -1.0, 0.5])


def linear(weights: np.ndarray = WEIGHTS, names: tuple[str, ...] | None = None) -> Model:
    """Return the model ``x @ weights``."""
    network = Sequential([Dense(1)]).build((len(weights),), dtype=np.float64)
    network.parameters.weights["0.dense.weights"][...] = weights[:, None]
    return Model(
        network, AsFloat(), ("y",), (len(weights),), "float64", "linear", "identity", names
    )


def rows(n: int = 1000, noise: float = 0.3) -> Dataset:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((n, len(WEIGHTS))) * [1.0, 1.0, 2.0, 1.0]
    y = x @ WEIGHTS + noise * generator.standard_normal(n)
    return Dataset(x, y[:, None], ("y",))


def test_that_of_a_linear_model_is_twice_squared_weight_times_variance() -> None:
    data = rows(4000)
    measured = permutation_importance(linear(), data, max_rows=4000, repeats=10)
    expected = 2 * np.square(WEIGHTS) * data.inputs.var(axis=0)
    np.testing.assert_allclose(measured.mean, expected, rtol=0.05, atol=1e-12)
    assert measured.columns == ("feature 1", "feature 2", "feature 3", "feature 4")
    assert measured.order.tolist() == [0, 2, 3, 1]
    assert measured.losses.shape == measured.scores.shape == (4, 10)
    np.testing.assert_allclose(measured.scores, measured.losses / data.targets.var(), rtol=1e-9)


def test_a_column_that_is_not_used_has_exactly_none() -> None:
    measured = permutation_importance(linear(), rows())
    assert not measured.losses[1].any()
    assert not measured.scores[1].any()


def test_the_standard_error_is_of_the_mean_of_the_repetitions() -> None:
    measured = permutation_importance(linear(), rows(), repeats=16)
    expected = measured.losses.std(axis=1, ddof=1) / 4
    np.testing.assert_allclose(measured.standard_error, expected)
    np.testing.assert_allclose(measured.std, 4 * expected)
    assert "16 random orders" in measured._repr_html_()
    assert "± (standard error)" in measured._repr_html_()
    assert "-0.000" not in measured._repr_html_()
    once = permutation_importance(linear(), rows(), repeats=1)
    assert np.isnan(once.standard_error).all()
    assert np.isnan(once.std).all()
    assert "nan" not in once._repr_html_()


def test_it_is_that_of_scikit_learn() -> None:
    inspection = pytest.importorskip("sklearn.inspection")
    from sklearn.linear_model import LinearRegression

    data = rows()
    own = permutation_importance(linear(), data, repeats=30)
    peer = LinearRegression().fit(data.inputs, data.targets[:, 0])
    peer.coef_, peer.intercept_ = WEIGHTS, 0.0
    theirs = inspection.permutation_importance(
        peer,
        data.inputs,
        data.targets[:, 0],
        scoring="neg_mean_squared_error",
        n_repeats=30,
        random_state=0,
    )
    error = np.hypot(own.std, theirs.importances_std) / np.sqrt(30)
    assert (np.abs(own.mean - theirs.importances_mean) <= 4 * error).all()


def test_the_same_seed_has_the_same_rows_and_orders_whatever_columns_are_asked_for() -> None:
    whole = permutation_importance(linear(), rows(), max_rows=500)
    part = permutation_importance(linear(), rows(), ["feature 3"], max_rows=500)
    assert part.columns == ("feature 3",)
    assert np.array_equal(part.losses[0], whole.losses[2])
    assert whole.rows == 500
    other = permutation_importance(linear(), rows(), max_rows=500, seed=1)
    assert not np.array_equal(other.losses, whole.losses)


@pytest.mark.parametrize("embed", [False, True])
def test_the_flat_columns_of_a_column_are_permuted_together(embed: bool) -> None:
    pd = pytest.importorskip("pandas")
    generator = np.random.default_rng(0)
    town = generator.choice(np.array(["a", "b", "c", None]), 600)
    noise = np.where(generator.random(600) < 0.2, np.nan, generator.random(600))
    y = np.select([town == "a", town == "b", town == "c"], [1.0, 2.0, 4.0], 8.0)
    frame = pd.DataFrame({"noise": noise, "town": town, "y": y})
    data = Dataset.from_frame(frame, "y", task="regression", embed=embed)
    assert data.columns is not None
    from handloom import Embedding

    first = [Embedding(data.columns.embedded)] if embed else []
    network = Sequential([*first, Dense(16), ReLU(), Dense(1)]).build(data.input_shape, seed=0)
    trainer = Trainer(network, Adam(), 1e-2, epochs=60, batch_size=50, loss=MeanSquaredError())
    trainer.fit(data)
    measured = permutation_importance(trainer.model(), data)
    assert measured.columns == ("noise", "town")
    # without its order the town tells nothing, and R^2 falls from 1 to 1 - 2
    assert 1.8 < measured.scores[1].mean() < 2.2
    assert measured.mean[1] == pytest.approx(2 * y.var(), rel=0.1)  # in units of the target
    assert abs(measured.scores[0].mean()) < 0.05


def test_classes_lose_accuracy_and_gain_loss() -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((500, 2))
    data = Dataset(x, (x[:, 0] > 0).astype(int), ("no", "yes"))
    network = Sequential([Dense(2)]).build((2,), seed=0)
    network.parameters.weights["0.dense.weights"][...] = [[0.0, 3.0], [0.0, 0.0]]
    measured = permutation_importance(
        Model(network, AsFloat(), ("no", "yes"), (2,), "float32"), data
    )
    assert measured.score == "accuracy"
    assert measured.score_before == 1.0
    assert measured.scores[0].mean() == pytest.approx(0.5, abs=0.05)
    assert measured.mean[0] > 0.5
    assert not measured.losses[1].any()


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="'feature 3'"):
        permutation_importance(linear(), rows(), ["feature3"])
    with pytest.raises(ConfigurationError, match="at least one column"):
        permutation_importance(linear(), rows(), [])
    with pytest.raises(ConfigurationError, match="repeats"):
        permutation_importance(linear(), rows(), repeats=0)
    with pytest.raises(ConfigurationError, match="model must be a Model"):
        permutation_importance("model", rows())  # type: ignore[arg-type]
    images = Dataset(np.zeros((4, 3, 3)), [0, 1, 0, 1])
    with pytest.raises(DataError, match="flat"):
        permutation_importance(linear(), images)
