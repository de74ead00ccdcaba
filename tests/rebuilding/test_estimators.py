"""Estimators with layers of one's own: pickled as they are, and saved as models only if right."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from tests.rebuilding import helpers

from handloom import ConfigurationError, Dense, Layer, Model, Sequential

pytest.importorskip("sklearn")

X = np.random.default_rng(0).standard_normal((40, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


def network(layer: Layer, outputs: int) -> Sequential:
    return Sequential([Dense(4), layer, Dense(outputs)]).build((4,), seed=0)


def right(outputs: int) -> Sequential:
    return network(helpers.Factor(2.0), outputs)


def forgetful(outputs: int) -> Sequential:
    return network(helpers.ForgetsOne(factor=2.0, power=3.0), outputs)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("factory", [right, forgetful])
def test_an_estimator_is_pickled_with_its_layers(tmp_path: Path, factory: object) -> None:
    from handloom import NetworkClassifier

    estimator = NetworkClassifier(factory, max_iter=3, random_state=0)  # type: ignore[arg-type]
    estimator.fit(X, Y)
    again = pickle.loads(pickle.dumps(estimator))  # noqa: S301 - its own
    assert np.array_equal(again.predict_proba(X), estimator.predict_proba(X))
    model = again.to_model()
    if factory is forgetful:
        with pytest.raises(ConfigurationError, match=r"has power 1\.0 in place of 3\.0"):
            model.save(tmp_path / "model")
    else:
        model.save(tmp_path / "model")
        loaded = Model.load(tmp_path / "model", layers={"factor": helpers.Factor})
        assert np.array_equal(loaded.predict(X), model.predict(X))
