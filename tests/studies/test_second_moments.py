"""SecondMoments: the norm of the gradient that Adam remembers."""

import numpy as np
import pytest
from tests.helpers.training import ROWS, short_trainer

from handloom import SGD, Adam, Dense, ReLU, Sequential, Trainer
from handloom.studies.second_moments import COLUMN, SecondMoments


def test_the_first_step_remembers_its_own_gradient() -> None:
    network = Sequential([Dense(4), ReLU(), Dense(3)]).build((5,))
    trainer = Trainer(network, Adam(), 0.01, epochs=1, callbacks=[SecondMoments()])
    history = trainer.fit(ROWS)
    gradient = float(np.linalg.norm(network.parameters.gradient.astype(np.float64)))
    assert history[COLUMN][0] == pytest.approx(gradient, rel=1e-4)


def test_nothing_is_recorded_without_second_moments_and_nothing_changes() -> None:
    network = Sequential([Dense(4), ReLU(), Dense(3)]).build((5,))
    history = Trainer(network, SGD(), 0.01, epochs=1, callbacks=[SecondMoments()]).fit(ROWS)
    assert COLUMN not in history.columns
    with_it, without = short_trainer(SecondMoments()), short_trainer()
    assert np.array_equal(with_it.fit(ROWS)["loss"], without.fit(ROWS)["loss"])
