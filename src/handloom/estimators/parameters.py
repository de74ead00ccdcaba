"""The parameters of all estimators: one table of what each may be, and help with their names."""

import functools
import inspect
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

from handloom.backend import BACKENDS
from handloom.errors import did_you_mean
from handloom.estimators.problem import FitCall
from handloom.estimators.translate import ACTIVATIONS
from handloom.training import BestWeights, Callback

Arguments = ParamSpec("Arguments")
Instance = TypeVar("Instance")

_AT_LEAST_ZERO = Interval(Real, 0, None, closed="left")
_ABOVE_ZERO = Interval(Real, 0, None, closed="neither")
_BELOW_ONE = Interval(Real, 0, 1, closed="left")
_COUNT = Interval(Integral, 1, None, closed="left")

CONSTRAINTS: dict[str, list[Any]] = {
    "activation": [StrOptions(set(ACTIVATIONS)), "array-like"],
    "alpha": [_AT_LEAST_ZERO],
    "batch_size": [StrOptions({"auto"}), _COUNT],
    "beta_1": [_BELOW_ONE],
    "beta_2": [_BELOW_ONE],
    "callbacks": [list, tuple, None],
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
    "loss": [StrOptions({"squared_error", "poisson"})],
    "max_fun": [_COUNT],
    "max_iter": [_COUNT],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "n_iter_no_change": [_COUNT, Options(Real, {np.inf})],
    "nesterovs_momentum": ["boolean"],
    "network_factory": [callable],
    "on_divergence": [StrOptions({"raise", "warn"})],
    "power_t": [_AT_LEAST_ZERO],
    "random_state": ["random_state"],
    "restore_best": ["boolean"],
    "shuffle": ["boolean"],
    "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
    "threads": [_COUNT, None],
    "tol": [_AT_LEAST_ZERO],
    "validation_fraction": [_BELOW_ONE],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "weight_decay": [_AT_LEAST_ZERO],
}
"""What scikit-learn's validation checks at each fit, and words its errors from."""


def names_of(init: Callable[..., object]) -> list[str]:
    """Return the names of the parameters of a constructor."""
    return [name for name in inspect.signature(init).parameters if name != "self"]


def suggesting(
    init: Callable[Concatenate[Instance, Arguments], None],
) -> Callable[Concatenate[Instance, Arguments], None]:
    """Have a constructor answer a name that it does not know with the nearest that it does."""
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


def check_together(estimator: Any, call: FitCall) -> None:
    """Refuse what the solver or `partial_fit` would ignore, and callbacks that are none.

    What scikit-learn's estimators take and leave unused is left unused here too, so that code
    written for them runs; what is new here is never ignored.

    Raises
    ------
    ValueError
        Naming the parameter.
    """
    if call.validates != (call.y_val is not None):
        raise ValueError("X_val and y_val belong together: give both or neither")
    for callback in estimator.callbacks or ():
        if not isinstance(callback, Callback):
            raise ValueError(
                f"every entry of 'callbacks' must be a handloom.Callback, got {callback!r}"
            )
    if call.incremental:
        _check_incremental(estimator, call)
    if estimator.solver == "lbfgs":
        _check_lbfgs(estimator, call)


def _check_incremental(estimator: Any, call: FitCall) -> None:
    if estimator.restore_best:
        raise ValueError(
            "'restore_best' chooses among the epochs of a fit, and partial_fit makes one: "
            "use fit, or partial_fit with early_stopping=True"
        )
    for callback in estimator.callbacks or ():
        if isinstance(callback, BestWeights):
            raise ValueError(
                f"'callbacks' has {type(callback).__name__}, which chooses among the epochs of a "
                "fit, and partial_fit makes one: use fit, or partial_fit with early_stopping=True"
            )
    if estimator.early_stopping and not call.validates:
        raise ValueError("partial_fit does not support early_stopping=True without X_val and y_val")


def _check_lbfgs(estimator: Any, call: FitCall) -> None:
    used = {
        "callbacks": bool(estimator.callbacks),
        "dropout": bool(np.any(getattr(estimator, "dropout", 0.0))),
        "learning_rate": callable(estimator.learning_rate),
        "restore_best": estimator.restore_best,
        "weight_decay": estimator.weight_decay > 0,
        "X_val": call.validates,
    }
    for name, there in used.items():
        if there:
            raise ValueError(
                f"{name!r} needs a solver that goes step by step, 'adam' or 'sgd'; "
                "solver='lbfgs' minimizes the whole objective at once"
            )
