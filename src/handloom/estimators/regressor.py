"""A multilayer perceptron that predicts numbers."""

from collections.abc import Sequence

import numpy as np

from handloom.estimators.parameters import suggesting
from handloom.estimators.perceptron import MultilayerPerceptron
from handloom.estimators.regression import Regressor
from handloom.schedules import Schedule
from handloom.training import Callback


class MLPRegressor(Regressor, MultilayerPerceptron):
    """A multilayer perceptron for numbers, in place of scikit-learn's.

    It minimizes the weighted mean of the rows' losses, plus penalties. A row's loss is the sum over
    its outputs, with a final layer ``z`` and targets ``y``::

        squared_error:  (z - y)^2 / 2                       the prediction is z
        poisson:        exp(z) - y - y (z - log y)          the prediction is exp(z)

    Parameters
    ----------
    loss : {"squared_error", "poisson"}
        What a prediction costs; ``"poisson"`` needs ``y`` to be at least 0.
    hidden_layer_sizes, activation, ..., on_divergence
        As in `MLPClassifier`, which has ``class_weight`` and ``label_smoothing`` besides. The score
        is the coefficient of determination.

    Attributes
    ----------
    coefs_, intercepts_, ..., out_activation_
        As in `MLPClassifier`, but for the classes.

    Raises
    ------
    TypeError
        If a parameter is unknown; the nearest known one is named.
    """

    @suggesting
    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Sequence[str] = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str | Schedule = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float | Sequence[float] = 0.0,
        l1: float = 0.0,
        weight_decay: float = 0.0,
        restore_best: bool = False,
        callbacks: Sequence[Callback] | None = None,
        threads: int | None = None,
        backend: str = "auto",
        on_divergence: str = "raise",
    ) -> None:
        self._keep(locals())
