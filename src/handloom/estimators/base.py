"""The base class of all estimators: `fit`, fitted attributes, and `set_params`."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Never, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import check_scoring
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from handloom.data.transforms import AsFloat
from handloom.errors import ModelError, did_you_mean
from handloom.estimators.architectures import Architecture
from handloom.estimators.constraints import CONSTRAINTS, check_combinations
from handloom.estimators.convergence import Scorer, require_weighted
from handloom.estimators.fit_records import (
    FitCall,
    FitInput,
    FitOptions,
    FitResult,
    FitState,
    FitWarning,
)
from handloom.estimators.fit_tasks import CallbackSupportMixin, FitTasks, with_callbacks
from handloom.estimators.fitting import fit_by_lbfgs, fit_by_steps
from handloom.estimators.raw_columns import RawColumnsMixin
from handloom.estimators.raw_rows import RawRows
from handloom.estimators.rows import Sample, hold_out, predict_logits
from handloom.estimators.scales import (
    warn_of_other_scale,
    warn_of_other_targets,
    worse_than_mean,
)
from handloom.estimators.tasks import Task
from handloom.estimators.validation import (
    check_rows,
    held_out_sample,
    refuse_masks_and_times,
    target_names,
    training_sample,
)
from handloom.estimators.warn import warn
from handloom.in_use import in_use
from handloom.losses import output_activation_of
from handloom.losses.quantile import quantiles_of
from handloom.model import Model
from handloom.network import Sequential
from handloom.parameters import Array
from handloom.training.history import checked_number
from handloom.training.interrupts import deliver

CURVES = (
    "loss_curve_",
    "best_loss_",
    "validation_scores_",
    "validation_loss_curve_",
    "best_validation_score_",
)
"""The fitted attributes of a fit by steps."""


class NetworkEstimator(RawColumnsMixin, CallbackSupportMixin, BaseEstimator):  # type: ignore[misc]
    """Fits a network and sets the fitted attributes of scikit-learn's estimators.

    A subclass defines its task, in `_task_for`, and its architecture, in `_architecture`.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any] | str]] = {}
    _continuous_targets: ClassVar[bool] = False
    _task: Task | None = None
    """The task of the last fit; None without one, also if a caller assigns weights."""
    _state: FitState | None = None

    batch_size: int | str
    backend: str
    early_stopping: bool
    max_iter: int
    scoring: Any
    solver: str
    warm_start: bool
    network_: Sequential

    @abstractmethod
    def _task_for(self, y: Any, call: FitCall, earlier: Any) -> Task:
        """Return the task of the targets; a continued fit must agree with its earlier task."""

    @abstractmethod
    def _architecture(self) -> Architecture:
        """Return the architecture that the parameters describe."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        known = [name for name in cls._get_param_names() if name in CONSTRAINTS]
        cls._parameter_constraints = {name: CONSTRAINTS[name] for name in known}

    def _store_parameters(self, options: Mapping[str, Any]) -> None:
        """Store a constructor's arguments unchanged, as `sklearn.base.clone` expects."""
        for name, value in options.items():
            if name != "self":
                setattr(self, name, value)

    def set_params(self, **options: Any) -> Self:
        """Set parameters by name.

        Raises
        ------
        ValueError
            If there is no such parameter; the message suggests the nearest one.
        """
        known = self._get_param_names()
        for name in options:
            own = name.partition("__")[0]  # of network_factory__width, say
            if own not in known and (hint := did_you_mean(own, known)):
                raise ValueError(
                    f"Invalid parameter {own!r} for estimator {self}. "
                    f"Valid parameters are: {known!r}.{hint}"
                )
        super().set_params(**options)
        return self

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        **unknown: Never,
    ) -> Self:
        """Fit the network, from new weights or, with ``warm_start``, from the current weights.

        Parameters
        ----------
        X : array, frame or sparse matrix, shape (n, d)
            float32 and float64 are kept; any other dtype becomes float64. With
            ``categorical_features`` it is a frame or an array that may hold texts, categories,
            booleans and missing values.
        y : array, shape (n,) or (n, k)
            Classes; zeros and ones for several labels; continuous targets in regression.
        sample_weight : array, shape (n,), optional
            The weight of each row, at least 0. Weight 2 counts the row twice, weight 0 omits it.
        X_val, y_val : arrays, optional
            Validation data, measured after each epoch; replaces the rows that ``early_stopping``
            holds out.
        **unknown
            Refused: parameters are set in the constructor.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        TypeError
            If there is another argument.
        ValueError
            If a parameter or the data are invalid, the fit diverges and ``on_divergence`` is
            ``"raise"``, or another fit of this estimator has not ended.
        """
        for name in unknown:
            own, known = type(self).__name__, self._get_param_names()
            where = f": pass {own}({name}=...)" if name in known else ""
            raise TypeError(f"{own}.fit() got an unexpected keyword argument {name!r}{where}")
        return self._fit(FitCall(X, y, sample_weight, X_val, y_val))

    def _fit(self, call: FitCall) -> Self:
        signals: list[int] = []
        try:
            with in_use([(type(self).__name__, self)]), self._unchanged_if_broken():
                fit_input, result = self._fit_network(call, signals)
            warning = result.warning
            if warning is None and not call.incremental:
                warning = worse_than_mean(fit_input.network, fit_input.task, fit_input.sample)
            if warning is not None:
                self._report(warning)
        finally:
            deliver(signals)  # after the fitted attributes are set
        return self

    @with_callbacks  # type: ignore[untyped-decorator]
    def _fit_network(self, call: FitCall, signals: list[int]) -> tuple[FitInput, FitResult]:
        """Fit a network, and set the fitted attributes."""
        fit_input = self._prepare(call)
        options = self._options(len(fit_input.sample), incremental=call.incremental)
        tasks = self._fit_tasks(call, fit_input.task)
        fit = fit_by_lbfgs if self.solver == "lbfgs" else fit_by_steps
        result = fit(replace(fit_input, tasks=tasks), options, signals)
        if fit_input.continued:
            self._keep_earlier_weights(result.warning)
        self._adopt(fit_input, result)
        if tasks is not None:
            tasks.end(fit_input.network)
        return fit_input, result

    def _fit_tasks(self, call: FitCall, task: Task) -> FitTasks | None:
        """Return the tasks of a fit for scikit-learn's callbacks, if there are any."""
        if not any(hasattr(self, name) for name in ("_skl_callbacks", "_parent_callback_ctx")):
            return None
        tasks = 1 if call.incremental else self.max_iter
        attributes = partial(self._fitted_attributes, task)
        return FitTasks(
            self, tasks, attributes, X=call.X, y=call.y, sample_weight=call.sample_weight
        )

    def _fitted_attributes(self, task: Task, network: Sequential) -> dict[str, Any]:
        """Return the attributes that an estimator needs to predict with a network."""
        own = {"_task": task, "out_activation_": task.output_activation}
        return {**own, **self._architecture().attributes(network)}

    @contextmanager
    def _unchanged_if_broken(self) -> Iterator[None]:
        """Restore every attribute if the fit raises an error."""
        before = self.__dict__.copy()
        try:
            yield
        except BaseException:
            self.__dict__ = before
            raise

    def _prepare(self, call: FitCall) -> FitInput:
        """Check parameters and data; return the input of the fit."""
        self._validate_params()
        check_combinations(self, call)
        continued = self._has_network() and (self.warm_start or call.incremental)
        X, y = check_rows(
            self, call.X, call.y, continuous=self._continuous_targets, reset=not continued
        )
        earlier = self._task if continued else None
        if earlier is not None:
            self._require_own_activation(earlier, "where a fit continues from another")
        task = self._task_for(y, call, earlier)
        random = check_random_state(self.random_state)
        if isinstance(X, RawRows):
            make = self._network_and_samples_of_raw_rows
        else:
            make = self._network_and_samples
        network, sample, held_out = make(call, task, X, y, random, continued=continued)
        if call.has_validation_data and held_out is not None and not call.incremental:
            warn_of_other_scale(sample, held_out)  # a batch may hold rows of one kind
            if self._continuous_targets:
                warn_of_other_targets(sample, held_out)
        state = self._state if continued else None
        if state is None:
            state = FitState(seed=int(random.randint(2**31 - 1)))
        elif not call.incremental:
            state = state.for_warm_start()
        weighted = held_out is not None and held_out.weights is not None
        return FitInput(
            network,
            task,
            sample,
            held_out,
            state,
            continued,
            self._column_names(),
            self._columns,
            self._scorer(network, task, weighted=weighted),
        )

    def _network_and_samples(
        self,
        call: FitCall,
        task: Task,
        X: Any,
        y: Any,
        random: np.random.RandomState,
        *,
        continued: bool,
    ) -> tuple[Sequential, Sample, Sample | None]:
        """Return the network, the training sample and the validation sample of flat rows."""
        self._learn_columns(None, None, continued=continued)
        # scikit-learn draws in this order too: the weights, then the held-out rows
        network = self._network_for(X, task, random, continued=continued)
        dtype = np.dtype(np.float64) if self.solver == "lbfgs" else network.parameters.dtype
        return network, *self._samples(call, task, X, y, dtype, random)

    def _network_and_samples_of_raw_rows(
        self,
        call: FitCall,
        task: Task,
        X: RawRows,
        y: Any,
        random: np.random.RandomState,
        *,
        continued: bool,
    ) -> tuple[Sequential, Sample, Sample | None]:
        """Return the same of raw rows, whose columns are learned from the training sample alone."""
        dtype = np.dtype(np.float64 if self.solver == "lbfgs" else np.float32)
        sample, held_out = self._samples(call, task, X, y, dtype, random)
        name = target_names(call.y, 1)
        target = None if name is None else task.table_target(*name)
        self._learn_columns(sample.inputs, target, continued=continued)
        sample = sample.encoded(self.columns_)
        held_out = None if held_out is None else held_out.encoded(self.columns_)
        network = self._network_for(sample.inputs, task, random, continued=continued)
        return network, sample, held_out

    def _network_for(
        self, X: Any, task: Task, random: np.random.RandomState, *, continued: bool
    ) -> Sequential:
        """Return the network to train, with new weights or those of the fitted network."""
        architecture, width = self._architecture(), X.shape[1]
        if continued:  # in a new network: the fitted one is left unchanged if the fit fails
            return architecture.rebuild(self._network_in_use(), width, task.outputs)
        return architecture.build(width, task.outputs, X.dtype, random)

    def _samples(
        self,
        call: FitCall,
        task: Task,
        X: Any,
        y: Any,
        dtype: np.dtype[Any],
        random: np.random.RandomState,
    ) -> tuple[Sample, Sample | None]:
        """Return the training sample, and the validation sample if there is one."""
        sample, of_classes = training_sample(
            task, X, y, call.sample_weight, dtype, incremental=call.incremental
        )
        if call.has_validation_data:
            return sample, held_out_sample(
                self,
                task,
                call.X_val,
                call.y_val,
                dtype,
                continuous=self._continuous_targets,
                of_classes=of_classes,
            )
        if self.early_stopping and self.solver != "lbfgs":
            strata = task.strata(sample.targets)
            return hold_out(sample, self.validation_fraction, random, strata)
        return sample, None

    def _scorer(self, network: Sequential, task: Task, *, weighted: bool) -> Scorer | None:
        """Return a function that scores the network in training as ``scoring`` says, if it is set.

        A scorer takes an estimator: it gets one that has the network in training. That one takes
        flat rows without names of columns, as held-out rows are.
        """
        if self.scoring is None:
            return None
        score, view = check_scoring(self, scoring=self.scoring), object.__new__(type(self))
        if weighted:
            require_weighted(score)
        view.__dict__.update(self.__dict__, **self._fitted_attributes(task, network))
        for name in ("feature_names_in_", "columns_"):
            view.__dict__.pop(name, None)
        view.n_features_in_ = network.input_shape[0]

        def scored(X: Any, y: Any, weights: Array | None) -> float:
            of_rows = {} if weights is None else {"sample_weight": weights}
            return checked_number("the score of scoring", score(view, X, y, **of_rows))

        return scored

    def _options(self, rows: int, *, incremental: bool) -> FitOptions:
        architecture = self._architecture()
        return FitOptions.of(
            self,
            label=type(self).__name__,
            incremental=incremental,
            batch_size=self._batch_size(rows),
            penalty_per_row=architecture.penalty_per_row,
            fused_from=architecture.fused_from,
        )

    def _batch_size(self, rows: int) -> int:
        if self.solver == "lbfgs":
            return rows
        if isinstance(self.batch_size, str):
            return min(200, rows)
        if self.batch_size > rows:
            warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be "
                "clipped.",
                UserWarning,
            )
        return min(int(self.batch_size), rows)

    def _adopt(self, fit_input: FitInput, result: FitResult) -> None:
        """Set the fitted attributes."""
        self._task, self._state = fit_input.task, result.state
        for name in CURVES:
            self.__dict__.pop(name, None)
        if result.minimum is not None:
            self.loss_, self.t_ = result.minimum, 0
        else:
            self._keep_curves(result.state, validated=fit_input.held_out is not None)
        self.n_iter_ = result.iterations
        self.n_outputs_ = fit_input.network.output_shape[0]
        self.out_activation_ = fit_input.task.output_activation
        self._hold(fit_input.network)

    def _keep_curves(self, state: FitState, *, validated: bool) -> None:
        """Set the attributes that describe the epochs of a fit by steps."""
        self.loss_curve_ = state.losses
        if state.losses:
            self.loss_ = state.losses[-1]
        self.best_loss_ = None if self.early_stopping else state.best_loss
        self.validation_scores_ = state.scores if validated else None
        self.validation_loss_curve_ = state.validation_losses if validated else None
        self.best_validation_score_ = state.best_score if validated else None
        self.t_ = state.rows_seen

    def _keep_earlier_weights(self, warning: FitWarning | None) -> None:
        """Raise the error of a diverged fit before the earlier weights are replaced."""
        if warning is not None and warning.weights_lost and self.on_divergence == "raise":
            raise ModelError(f"{warning.message} The weights before this call are kept.")

    def _report(self, warning: FitWarning) -> None:
        """Raise an error or warn; if no finite weights are left, the model cannot predict.

        If the best weights were restored, a divergence is always a warning: scikit-learn's own
        tests require it.
        """
        if warning.weights_lost:
            self.network_.parameters.values[...] = np.nan
            if self.on_divergence == "raise":
                raise ModelError(warning.message)
        warn(warning.message, warning.category)

    def to_model(self, name: str = "unnamed") -> Model:
        """Return the fitted network as a model, which can be saved and loaded without pickle.

        `handloom.Model.predict` returns probabilities, or the predictions of a regression, without
        the classes of the estimator. With two classes it is the probability of the second one.

        Parameters
        ----------
        name : str
            The name of the dataset.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ModelError
            If a model would not predict as the estimator does: with a single class, with
            ``out_activation_`` set to another than that of the loss, after a diverged fit, or with
            weights that were assigned without a fit.
        """
        task = task_of(self)
        if task.single_class is not None:
            raise ModelError(
                f"a classifier of a single class, {task.single_class!r}, has no model: it predicts "
                "that class for all rows"
            )
        self._require_own_activation(task, "in a model")
        _require_finite(self._network_in_use(), "to make a model")
        return model_of(self, name)

    def _logits(self, X: Any) -> Array:
        """Return the logits of rows, shape (n, k).

        Raises
        ------
        ModelError
            If the fit diverged, so that the weights are not finite.
        """
        check_is_fitted(self)
        network = self._network_in_use()
        refuse_masks_and_times("X", X)
        X = self._flat_rows(X, network.parameters.dtype)
        _require_finite(network, "to predict or score")
        return predict_logits(network, X, self._task.loss() if self._task else None)

    def _require_own_activation(self, task: Task, where: str) -> None:
        """Refuse an output activation that a caller has set, in place of that of the loss."""
        if self.out_activation_ != task.output_activation:
            raise ModelError(
                f"out_activation_ must be {task.output_activation!r}, that of the loss, {where}, "
                f"got {self.out_activation_!r}"
            )

    def _hold(self, network: Sequential) -> None:
        """Set the fitted attributes that hold a network."""
        self.__dict__.update(self._architecture().attributes(network))

    def _has_network(self) -> bool:
        """Whether there are weights to continue from."""
        return self._architecture().found_in(self.__dict__)

    def _network_in_use(self) -> Sequential:
        """Return the fitted network, with the arrays that a caller assigned to it, if any."""
        network = self._architecture().network_of(self.__dict__)
        if network is not getattr(self, "network_", None):
            self._hold(network)
        return network

    def __getstate__(self) -> dict[str, Any]:
        """Return all attributes except views of the network's arrays."""
        state: dict[str, Any] = dict(super().__getstate__())
        if "network_" in state:
            network = self._network_in_use()
            for name in self._architecture().attributes(network):
                state.pop(name, None)
            state["network_"] = network
        return state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        super().__setstate__(dict(state))
        if "network_" in state:
            self._hold(self.network_)

    def __sklearn_is_fitted__(self) -> bool:
        return self._has_network()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        raw = self.categorical_features is not None
        tags.input_tags.sparse = not raw
        for name in ("allow_nan", "categorical", "string"):
            setattr(tags.input_tags, name, raw)
        return tags


def task_of(estimator: NetworkEstimator) -> Task:
    """Return the task of the last fit of an estimator.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ModelError
        If its weights were assigned without a fit.
    """
    check_is_fitted(estimator)
    if estimator._task is None:
        raise ModelError(
            f"{type(estimator).__name__} has weights that were assigned without a fit, so the "
            "names of its outputs are unknown: fit it"
        )
    return estimator._task


def model_of(estimator: NetworkEstimator, name: str = "unnamed") -> Model:
    """Return the network of an estimator as a model, whatever its ``out_activation_`` is.

    Raises
    ------
    NotFittedError, ModelError
        As `task_of`.
    """
    task, network = task_of(estimator), estimator._network_in_use()
    loss = task.loss()
    return Model(
        network,
        AsFloat(),
        task.output_names,
        network.input_shape,
        str(network.parameters.dtype),
        name,
        output_activation_of(loss, network.output_activation),
        estimator._column_names(),
        task.binary_classes,
        columns=estimator._columns,
        quantiles=quantiles_of(loss),
    )


def _require_finite(network: Sequential, purpose: str) -> None:
    """Refuse a network whose fit diverged."""
    if not np.isfinite(network.parameters.values).all():
        raise ModelError(
            f"the model's weights must be finite {purpose}, got NaN or infinity: its fit diverged"
        )


def supports_partial_fit(estimator: Any) -> bool:
    """Return True if the solver supports `partial_fit`.

    Raises
    ------
    AttributeError
        If the solver is L-BFGS.
    """
    if estimator.solver == "lbfgs":
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
        )
    return True
