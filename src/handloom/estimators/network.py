"""Estimators around any network, built by a caller's factory."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from handloom.estimators.classifier import Classifier
from handloom.estimators.constraints import with_suggestions
from handloom.estimators.factory_architecture import FactoryArchitecture
from handloom.estimators.mlp import MLPClassifier, MLPRegressor
from handloom.estimators.regressor import Regressor
from handloom.losses import Loss
from handloom.network import Sequential
from handloom.schedules import Schedule
from handloom.training import Callback
from handloom.training.docstrings import describes_options_of


@describes_options_of(MLPClassifier, attributes_except=["coefs_", "intercepts_", "n_layers_"])
class NetworkClassifier(Classifier):
    """A scikit-learn classifier around any network.

    Parameters
    ----------
    network_factory : callable
        ``network_factory(k)`` returns a `handloom.Sequential` that takes flat rows and has ``k``
        outputs: one for each class or label. It may start with a `handloom.Reshape`. If it is built
        already, a fit starts from a copy of it, weights and frozen layers included. Penalties are
        those of its layers. The estimator can be pickled if the factory can. With
        ``categorical_features`` the flat rows are the encoded ones; with
        ``categorical_encoding="embed"`` an `handloom.Embedding` is put before the layers of the
        network, which then must not be built.

    Attributes
    ----------
    network_ : handloom.Sequential
        The fitted network.

    Raises
    ------
    TypeError
        If a parameter is unknown; the message suggests the nearest known one.
    """

    _one_logit = False

    @with_suggestions
    def __init__(
        self,
        network_factory: Callable[[int], Sequential],
        *,
        solver: str = "adam",
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
        scoring: str | Callable[..., float] | None = None,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        max_time: float | None = None,
        categorical_features: Sequence[Any] | str | None = None,
        categorical_encoding: str = "one-hot",
        class_weight: Mapping[Any, float] | str | None = None,
        label_smoothing: float = 0.0,
        loss: Loss | None = None,
        weight_decay: float = 0.0,
        proximal_l1: float = 0.0,
        restore_best: bool = False,
        callbacks: Sequence[Callback] | None = None,
        threads: int | None = None,
        backend: str = "auto",
        on_divergence: str = "raise",
    ) -> None:
        self._store_parameters(locals())

    def _architecture(self) -> FactoryArchitecture:
        return FactoryArchitecture(self.network_factory, self._embedded)


@describes_options_of(MLPRegressor, attributes_except=["coefs_", "intercepts_", "n_layers_"])
class NetworkRegressor(Regressor):
    """A scikit-learn regressor around any network.

    Parameters
    ----------
    network_factory : callable
        ``network_factory(k)`` returns a `handloom.Sequential` that takes flat rows and has ``k``
        outputs, one for each target; as in `NetworkClassifier`.

    Attributes
    ----------
    network_ : handloom.Sequential
        The fitted network.

    Raises
    ------
    TypeError
        If a parameter is unknown; the message suggests the nearest known one.
    """

    @with_suggestions
    def __init__(
        self,
        network_factory: Callable[[int], Sequential],
        *,
        loss: str | Loss = "squared_error",
        solver: str = "adam",
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
        scoring: str | Callable[..., float] | None = None,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        max_time: float | None = None,
        categorical_features: Sequence[Any] | str | None = None,
        categorical_encoding: str = "one-hot",
        quantile: float | Sequence[float] | None = None,
        weight_decay: float = 0.0,
        proximal_l1: float = 0.0,
        restore_best: bool = False,
        callbacks: Sequence[Callback] | None = None,
        threads: int | None = None,
        backend: str = "auto",
        on_divergence: str = "raise",
    ) -> None:
        self._store_parameters(locals())

    def _architecture(self) -> FactoryArchitecture:
        return FactoryArchitecture(self.network_factory, self._embedded)
