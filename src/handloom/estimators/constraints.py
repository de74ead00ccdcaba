"""The constraints of the estimators' parameters, and suggestions for unknown names."""

import functools
import inspect
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import Interval, Options, StrOptions

from handloom.backend import BACKENDS
from handloom.errors import did_you_mean
from handloom.estimators.fit_records import FitCall
from handloom.estimators.translate import ACTIVATIONS
from handloom.training import Callback
from handloom.training.callbacks import Monitor

Arguments = ParamSpec("Arguments")
Instance = TypeVar("Instance")

_AT_LEAST_ZERO = Interval(Real, 0, None, closed="left")
_ABOVE_ZERO = Interval(Real, 0, None, closed="neither")
_BELOW_ONE = Interval(Real, 0, 1, closed="left")
_COUNT = Interval(Integral, 1, None, closed="left")

NOT_HERE = "no_validation"
"""The constraint of a parameter that `handloom.estimators.losses` checks."""

CONSTRAINTS: dict[str, list[Any] | str] = {
    "activation": [StrOptions(set(ACTIVATIONS)), "array-like"],
    "alpha": [_AT_LEAST_ZERO],
    "batch_size": [StrOptions({"auto"}), _COUNT],
    "beta_1": [_BELOW_ONE],
    "beta_2": [_BELOW_ONE],
    "callbacks": [list, tuple, None],
    "categorical_encoding": [StrOptions({"one-hot", "embed"})],
    "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
    "class_weight": [dict, StrOptions({"balanced"}), None],
    "dropout": [_BELOW_ONE, "array-like"],
    "early_stopping": ["boolean"],
    "epsilon": [_ABOVE_ZERO],
    "hidden_layer_sizes": ["array-like", _COUNT],
    "backend": [StrOptions(set(BACKENDS))],
    "l1": [_AT_LEAST_ZERO],
    "label_smoothing": [_BELOW_ONE],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"}), callable],
    "learning_rate_init": [_ABOVE_ZERO],
    "loss": NOT_HERE,
    "max_fun": [_COUNT],
    "max_iter": [_COUNT],
    "max_time": [_ABOVE_ZERO, None],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "n_iter_no_change": [_COUNT, Options(Real, {np.inf})],
    "nesterovs_momentum": ["boolean"],
    "network_factory": [callable],
    "on_divergence": [StrOptions({"raise", "warn"})],
    "power_t": [_AT_LEAST_ZERO],
    "proximal_l1": [_AT_LEAST_ZERO],
    "quantile": [Interval(Real, 0, 1, closed="neither"), "array-like", None],
    "random_state": ["random_state"],
    "restore_best": ["boolean"],
    "scoring": [str, callable, None],
    "shuffle": ["boolean"],
    "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
    "threads": [_COUNT, None],
    "tol": [_AT_LEAST_ZERO],
    "validation_fraction": [_BELOW_ONE],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "weight_decay": [_AT_LEAST_ZERO],
}
"""The parameter constraints, checked by scikit-learn's validation at each fit."""


def names_of(init: Callable[..., object]) -> list[str]:
    """Return the names of the parameters of a constructor."""
    return [name for name in inspect.signature(init).parameters if name != "self"]


def with_suggestions(
    init: Callable[Concatenate[Instance, Arguments], None],
) -> Callable[Concatenate[Instance, Arguments], None]:
    """Decorate a constructor: an unknown keyword raises a TypeError that suggests the nearest."""
    known = names_of(init)

    @functools.wraps(init)
    def checked(self: Instance, *args: Arguments.args, **options: Arguments.kwargs) -> None:
        for name in options:
            if name not in known:
                raise TypeError(
                    f"{type(self).__name__}.__init__() got an unexpected keyword argument "
                    f"{name!r}.{did_you_mean(name, known)}"
                )
        init(self, *args, **options)

    return checked  # type: ignore[return-value]


def check_combinations(estimator: Any, call: FitCall) -> None:
    """Refuse parameters without an effect in `partial_fit` or L-BFGS, and invalid callbacks.

    Parameters that scikit-learn's estimators accept and ignore are ignored here too, so that code
    written for them runs; parameters that only Handloom has are refused. ``restore_best`` adds
    nothing to ``early_stopping``, which restores the best weights too, by score; both are allowed.

    Raises
    ------
    ValueError
        If a parameter would be ignored or is invalid; the message names it.
    """
    if isinstance(estimator.scoring, str) and estimator.scoring not in get_scorer_names():
        near = did_you_mean(estimator.scoring, get_scorer_names())
        raise ValueError(
            f"The 'scoring' parameter of {type(estimator).__name__} must be a callable, or one of "
            f"sklearn.metrics.get_scorer_names(), got {estimator.scoring!r}.{near}"
        )
    if call.has_validation_data != (call.y_val is not None):
        missing = "X_val" if call.X_val is None else "y_val"
        raise ValueError(f"X_val and y_val must both be given or both be None, got no {missing}")
    for callback in estimator.callbacks or ():
        if not isinstance(callback, Callback):
            raise ValueError(
                f"every entry of 'callbacks' must be a handloom.Callback, got {callback!r}"
            )
    if (
        estimator.early_stopping
        and estimator.validation_fraction == 0.0
        and not call.has_validation_data
    ):
        raise ValueError(
            "'validation_fraction' must be above 0 with early_stopping=True, unless X_val and "
            f"y_val are passed, got {estimator.validation_fraction!r}"
        )
    if estimator.scoring is not None and not (estimator.early_stopping or call.has_validation_data):
        raise ValueError(
            "'scoring' has no effect without validation data: set early_stopping=True, or pass "
            f"X_val and y_val, got {estimator.scoring!r}"
        )
    if estimator.categorical_features is None and estimator.categorical_encoding != "one-hot":
        raise ValueError(
            "'categorical_encoding' has no effect without categorical features: set "
            f"categorical_features='from_dtype', got {estimator.categorical_encoding!r}"
        )
    if call.incremental:
        _check_incremental(estimator, call)
    if estimator.solver == "lbfgs":
        _check_lbfgs(estimator, call)


def _check_incremental(estimator: Any, call: FitCall) -> None:
    if estimator.max_time is not None:
        raise ValueError(
            f"'max_time' must be None in partial_fit, which runs a single epoch, got "
            f"{estimator.max_time!r}"
        )
    if estimator.restore_best:
        raise ValueError(
            "'restore_best' must be False in partial_fit, got True: it selects among the epochs of "
            "a fit, and partial_fit runs a single one; use fit, or partial_fit with "
            "early_stopping=True"
        )
    for callback in estimator.callbacks or ():
        if isinstance(callback, Monitor):
            raise ValueError(
                "'callbacks' must hold no BestWeights, EarlyStopping, BestModel or ReduceOnPlateau "
                f"in partial_fit, got {type(callback).__name__}: it compares the epochs of a fit, "
                "and partial_fit runs a single one; use fit, or partial_fit with "
                "early_stopping=True"
            )
    if estimator.early_stopping and not call.has_validation_data:
        raise ValueError("partial_fit does not support early_stopping=True without X_val and y_val")


def _check_lbfgs(estimator: Any, call: FitCall) -> None:
    used = {
        "callbacks": bool(estimator.callbacks),
        "dropout": bool(np.any(getattr(estimator, "dropout", 0.0))),
        "learning_rate": callable(estimator.learning_rate),
        "proximal_l1": estimator.proximal_l1 > 0,
        "restore_best": estimator.restore_best,
        "scoring": estimator.scoring is not None,
        "weight_decay": estimator.weight_decay > 0,
        "X_val": call.has_validation_data,
    }
    for name, is_used in used.items():
        if is_used:
            raise ValueError(
                f"{name!r} has no effect with solver='lbfgs', which minimizes the full-batch "
                "objective: leave it at its default, or use 'adam' or 'sgd'"
            )
