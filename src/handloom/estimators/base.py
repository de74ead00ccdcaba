"""What all estimators share: data in, one `Trainer`, fitted attributes out."""

import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from handloom.data.transforms import AsFloat
from handloom.errors import ModelError
from handloom.estimators.course import Convergence, Course
from handloom.estimators.lbfgs import minimize
from handloom.estimators.parameters import CONSTRAINTS, check_together, nearest
from handloom.estimators.rows import Sample, SparseRows, without_absent_rows
from handloom.estimators.rules import RateByEpoch, rate_for, rule_for
from handloom.estimators.verbosity import narrator
from handloom.losses import Loss, Targets
from handloom.network import Sequential
from handloom.optimizers import SGD
from handloom.parameters import Array
from handloom.training import BestWeights, Callback, EpochRecord, StopReason, Trainer
from handloom.training.interrupts import deliver
from handloom.training.objective import Measured
from handloom.training.position import Position

NON_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and "
    "need to be preprocessed."
)


@dataclass(frozen=True)
class Given:
    """What a fit is called with; see `NetworkEstimator.fit`.

    Attributes
    ----------
    incremental : bool
        Whether it is a `partial_fit`.
    classes : array, shape (k,), or None
        The classes that it announces.
    """

    X: Any
    y: Any
    sample_weight: Any
    X_val: Any
    y_val: Any
    incremental: bool = False
    classes: Any = None


@dataclass(frozen=True)
class Remembered:
    """What a fit leaves for another one to go on from.

    Attributes
    ----------
    optimizer : mapping
        What the update rule remembers, its number of steps included.
    trained : tuple of str
        The arrays that it updated, in their order.
    epochs : int
        How many epochs there have been.
    seed : int
        What shuffling and dropout draw from.
    course : Course
    """

    optimizer: Mapping[str, Any]
    trained: tuple[str, ...]
    epochs: int
    seed: int
    course: Course


@dataclass(frozen=True)
class Ending:
    """What there is to say of a fit once its attributes are set.

    Attributes
    ----------
    message : str
    category : type
        What kind of warning it is.
    ruined : bool
        Whether the weights are lost: then it is an error, where the estimator says so.
    """

    message: str
    category: type[Warning] = ConvergenceWarning
    ruined: bool = False


INTERRUPTED = Ending("Training interrupted by user.", UserWarning)


class NetworkEstimator(BaseEstimator):  # type: ignore[misc]
    """Fits a network to rows and keeps what scikit-learn's estimators keep.

    Subclasses say what the network is and what it predicts.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}
    _penalty_per_row: ClassVar[bool] = False
    _numeric_targets: ClassVar[bool] = False

    batch_size: int | str
    early_stopping: bool
    backend: str
    max_iter: int
    network_: Sequential
    solver: str
    warm_start: bool

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        known = [name for name in cls._get_param_names() if name in CONSTRAINTS]
        cls._parameter_constraints = {name: CONSTRAINTS[name] for name in known}

    def _keep(self, options: Mapping[str, Any]) -> None:
        """Keep a constructor's arguments as they are, as `sklearn.base.clone` expects."""
        for name, value in options.items():
            if name != "self":
                setattr(self, name, value)

    def set_params(self, **options: Any) -> Self:
        """Set parameters by name.

        Raises
        ------
        ValueError
            If there is no such parameter; the nearest one is named.
        """
        known = self._get_param_names()
        for name in options:
            own = name.partition("__")[0]  # of network_factory__width, say
            if own not in known and (hint := nearest(own, known)):
                raise ValueError(
                    f"Invalid parameter {own!r} for estimator {self}. "
                    f"Valid parameters are: {known!r}.{hint}"
                )
        super().set_params(**options)
        return self

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None
    ) -> Self:
        """Fit to rows, from new weights or, with ``warm_start``, from those that there are.

        Parameters
        ----------
        X : array or sparse matrix, shape (n, d)
            float32 and float64 are kept, anything else becomes float64.
        y : array, shape (n,) or (n, k)
            Classes, or zeros and ones for several labels; numbers in regression.
        sample_weight : array, shape (n,), optional
            A weight a row, at least 0. Two means the row twice, zero that it is not there.
        X_val, y_val : arrays, optional
            Rows to measure after each epoch, in place of those that ``early_stopping`` holds out.

        Raises
        ------
        ValueError
            If a parameter or the data mean nothing, or the fit diverges and ``on_divergence`` is
            ``"raise"``.
        """
        return self._fit(Given(X, y, sample_weight, X_val, y_val))

    def _fit(self, given: Given) -> Self:
        signals: list[int] = []
        try:
            with self._unchanged_if_broken():
                network, sample, held, remembered = self._prepare(given)
                if self.solver == "lbfgs":
                    ending = self._minimize(network, sample, remembered, signals)
                else:
                    ending = self._descend(
                        network, sample, held, remembered, signals, incremental=given.incremental
                    )
            if ending is not None:
                self._tell(ending)
        finally:
            deliver(signals)  # now that what was learned is here
        return self

    @contextmanager
    def _unchanged_if_broken(self) -> Iterator[None]:
        """Give every attribute back where an error says that there is no fit."""
        before = self.__dict__.copy()
        try:
            yield
        except BaseException:
            self.__dict__ = before
            raise

    def _prepare(self, given: Given) -> tuple[Sequential, Sample, Sample | None, Remembered]:
        """Check everything; return network, rows, held-out rows, and what a fit before left."""
        self._validate_params()
        validates, incremental = given.X_val is not None, given.incremental
        if validates != (given.y_val is not None):
            raise ValueError("X_val and y_val belong together: give both or neither")
        check_together(self, validates=validates, incremental=incremental)
        if incremental and self.early_stopping and not validates:
            raise ValueError(
                "partial_fit does not support early_stopping=True without X_val and y_val"
            )
        going_on = self._has_network() and (self.warm_start or incremental)
        X, y = self._check(given.X, given.y, reset=not going_on)
        self._learn_targets(y, going_on=going_on, incremental=incremental, classes=given.classes)
        random = check_random_state(self.random_state)
        network = self._network_to_fit(X.shape[1], X.dtype, random, going_on=going_on)
        dtype = network.parameters.dtype
        weights = self._weights(X, y, given.sample_weight, dtype, incremental=incremental)
        X, y, weights = without_absent_rows(X, y, weights)
        sample = Sample(X, self._encode(y, dtype), weights)
        held = None
        if validates:
            held = self._held(given.X_val, given.y_val, dtype)
        elif self.early_stopping and self.solver != "lbfgs":
            sample, held = self._split(sample, random)
        remembered = self.__dict__.get("_remembered") if going_on else None
        if remembered is None:
            remembered = Remembered({}, (), 0, int(random.randint(2**31 - 1)), Course())
        # a copy: the course that there was stays as it is where this fit breaks
        remembered = replace(remembered, course=deepcopy(remembered.course))
        return network, sample, held, remembered

    def _descend(
        self,
        network: Sequential,
        sample: Sample,
        held: Sample | None,
        remembered: Remembered,
        signals: list[int],
        *,
        incremental: bool,
    ) -> Ending | None:
        """Fit step by step."""
        course, names = remembered.course, self._output_names()
        rate = rate_for(self, course)
        convergence = Convergence(
            course,
            len(sample),
            tol=self.tol,
            patience=self.n_iter_no_change,
            by_score=bool(self.early_stopping),
            restore=not incremental,
            rate=rate if isinstance(rate, RateByEpoch) and rate.adaptive else None,
            measure=None if held is None else partial(self._measure, held),
        )
        callbacks: list[Callback] = [convergence]
        if self.verbose:
            callbacks.append(narrator(type(self).__name__, convergence))
        if self.restore_best and not self.early_stopping:
            callbacks.append(BestWeights("loss" if held is None else "validation_loss"))
        rule = rule_for(self)
        trainer = Trainer(
            network,
            rule,
            rate,
            epochs=1 if incremental else self.max_iter,
            batch_size=self._rows_a_step(len(sample)),
            shuffle=bool(self.shuffle),
            penalty_per_row=self._penalty_per_row,
            loss=self._loss(),
            # fitted attributes hold no accuracy but that of held-out rows; others may look at it
            count_correct=held is not None or bool(self.verbose or self.callbacks),
            seed=remembered.seed,
            callbacks=[*callbacks, *(self.callbacks or ())],
            threads=self.threads,
            backend=self._backend_to_use(),
            on_signal="finish",
        )
        trainer.signals = signals
        _go_on(trainer, remembered)
        with np.errstate(over="ignore", invalid="ignore"):  # the history says what broke
            history = trainer.fit(
                sample.dataset(names),
                None if held is None else held.dataset(names),
                sample_weights=sample.weights,
                warm=True,
            )
        diverged = history.stop_reason is not None and history.stop_reason.diverged
        if diverged:
            convergence.note_divergence()
        self._remembered = Remembered(
            {"steps": rule.steps, **rule.state},  # no copies: this trainer makes no other step
            tuple(network.parameters.gradients),
            trainer.position.epoch,
            remembered.seed,
            course,
        )
        self._keep_course(course, validated=held is not None)
        self._adopt(network, iterations=len(history) + diverged)
        if diverged:
            rescued = convergence.restored or _best_weights_are_sound(trainer, sample)
            restored = " The best weights before that were restored." if rescued else ""
            return Ending(f"{NON_FINITE} {history.divergence}{restored}", ruined=not rescued)
        if history.stop_reason is StopReason.INTERRUPTED:
            return INTERRUPTED
        if incremental and convergence.restored:
            return Ending(
                f"{convergence.verdict()} The best weights were restored; another partial_fit "
                "counts only if its score is the best so far.",
                UserWarning,
            )
        if history.stop_reason is StopReason.MAX_EPOCHS and not incremental:
            return Ending(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
                "optimization hasn't converged yet."
            )
        return None

    def _minimize(
        self, network: Sequential, sample: Sample, remembered: Remembered, signals: list[int]
    ) -> Ending | None:
        """Fit with L-BFGS.

        Raises
        ------
        ValueError
            If the network does not compute the same whenever it is asked.
        """
        for layer in network.layers:
            if layer.stochastic or layer.keeps_statistics:
                raise ValueError(
                    f"solver='lbfgs' needs a network that computes the same whenever it is asked, "
                    f"which {layer.kind!r} does not: use 'adam' or 'sgd'"
                )
        with self._objective(network, sample, remembered, signals) as (measure, interrupted):
            minimum = minimize(
                measure,
                network.parameters,
                interrupted=interrupted,
                max_iter=self.max_iter,
                max_fun=self.max_fun,
                tol=self.tol,
                verbose=bool(self.verbose),
            )
        self.loss_ = minimum.loss
        self._remembered = Remembered({}, (), 0, remembered.seed, remembered.course)
        self.t_ = 0
        self._adopt(network, iterations=minimum.iterations)
        finite = np.isfinite(network.parameters.vector).all() and np.isfinite(self.loss_)
        if not finite:
            return Ending(NON_FINITE, ruined=True)
        if minimum.complaint is None:  # it may have been interrupted in its last iteration
            return None
        return INTERRUPTED if interrupted() else Ending(minimum.complaint)

    @contextmanager
    def _objective(
        self, network: Sequential, sample: Sample, remembered: Remembered, signals: list[int]
    ) -> Iterator[tuple[Callable[[], Measured], Callable[[], bool]]]:
        """Yield what measures loss and gradient over all rows, and whether a signal came."""
        trainer = Trainer(
            network,
            SGD(),  # makes no step
            1.0,
            epochs=self.max_iter,
            penalty_per_row=self._penalty_per_row,
            loss=self._loss(),
            count_correct=False,
            seed=remembered.seed,
            threads=self.threads,
            backend=self._backend_to_use(),
            on_signal="finish",
        )
        trainer.signals = signals
        threads = trainer.begin(sample.dataset(self._output_names()), sample_weights=sample.weights)
        with trainer.interruptible(), threads, np.errstate(over="ignore", invalid="ignore"):
            yield trainer.measure, lambda: trainer.history.stop_reason is not None

    def _check(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
        """Have scikit-learn check rows and targets, and the names of columns."""
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            multi_output=True,
            y_numeric=self._numeric_targets,
            dtype=(np.float64, np.float32),
            order="C",
            reset=reset,
        )
        if y.ndim == 2 and y.shape[1] == 1 and isinstance(y, np.ndarray):
            from sklearn.utils import column_or_1d

            y = column_or_1d(y, warn=True)
        return X, y

    def _held(self, X_val: Any, y_val: Any, dtype: Any) -> Sample:
        """Return the caller's rows to measure; an error says that it is of them."""
        try:
            X_val, y_val = self._check(X_val, y_val, reset=False)
            if y_val.shape[0] < 2:
                raise ValueError("at least 2 rows are needed to measure a score")
            return Sample(X_val, self._encode(y_val, dtype))
        except ValueError as error:
            raise ValueError(f"X_val, y_val: {error}") from error

    def _weights(
        self, X: Any, y: Any, sample_weight: Any, dtype: Any, *, incremental: bool
    ) -> Array | None:
        """Return what each row weighs, or None where all weigh the same."""
        if sample_weight is None:
            return None
        weights: Array = _check_sample_weight(
            sample_weight, X, dtype=dtype, ensure_non_negative=True
        )
        return weights

    def _split(self, sample: Sample, random: np.random.RandomState) -> tuple[Sample, Sample]:
        """Hold rows out for early stopping."""
        rest, held = train_test_split(
            np.arange(len(sample)),
            test_size=self.validation_fraction,
            random_state=random,
            stratify=self._strata(sample),
        )
        if len(held) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of "
                "your dataset."
            )
        return sample.take(rest), sample.take(held)

    def _backend_to_use(self) -> str:
        return self.backend

    def _rows_a_step(self, rows: int) -> int:
        if isinstance(self.batch_size, str):
            return min(200, rows)
        if self.batch_size > rows:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be "
                "clipped.",
                stacklevel=5,
            )
        return min(int(self.batch_size), rows)

    def _measure(
        self, held: Sample, *, trainer: Trainer, record: EpochRecord
    ) -> tuple[float, float]:
        """Return loss and score of the held-out rows after an epoch."""
        if record.validation_accuracy is not None and held.weights is None:
            return float(record.validation_loss or 0.0), record.validation_accuracy
        logits = predict_logits(trainer.network, held.inputs)
        loss, _ = trainer.loss(logits, held.targets, held.weights)
        finite = bool(np.isfinite(logits).all())
        return loss, self._score_logits(logits, held) if finite else float("nan")

    def _keep_course(self, course: Course, *, validated: bool) -> None:
        """Set the attributes that tell how training went."""
        self.loss_curve_ = course.losses
        if course.losses:
            self.loss_ = course.losses[-1]
        self.best_loss_ = None if self.early_stopping else course.best_loss
        self.validation_scores_ = course.scores if validated else None
        self.validation_loss_curve_ = course.validation_losses if validated else None
        self.best_validation_score_ = course.best_score if validated else None
        self.t_ = course.rows_seen

    def _adopt(self, network: Sequential, *, iterations: int) -> None:
        """Take a network as the fitted one."""
        self.network_, self.n_iter_ = network, iterations
        self.n_outputs_ = network.output_shape[0]
        self.out_activation_ = self._output_activation()

    def _tell(self, ending: Ending) -> None:
        """Raise or warn; no network whose weights are lost can predict.

        Where the best weights were kept, a divergence is a warning however configured: so ask
        scikit-learn's own tests.
        """
        if ending.ruined:
            self.network_.parameters.values[...] = np.nan
            if self.on_divergence == "raise":
                raise ModelError(ending.message)
        warnings.warn(ending.message, ending.category, stacklevel=4)  # where `fit` is called

    def _logits(self, X: Any) -> Array:
        """Return the logits of rows, shape (n, k).

        Raises
        ------
        ModelError
            If the fit diverged, so that there is nothing to predict from.
        """
        check_is_fitted(self)
        network = self._network_in_use()
        X = validate_data(self, X, accept_sparse="csr", dtype=network.parameters.dtype, reset=False)
        if not np.isfinite(network.parameters.values).all():
            raise ModelError(
                "the model's weights are not finite, because its fit diverged: "
                "it can neither predict nor be scored"
            )
        return predict_logits(network, X)

    def _has_network(self) -> bool:
        """Whether there are weights to go on from."""
        return hasattr(self, "network_")

    def __sklearn_is_fitted__(self) -> bool:
        return self._has_network()

    def _network_in_use(self) -> Sequential:
        """Return the network to predict with."""
        return self.network_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @abstractmethod
    def _network_to_fit(
        self, inputs: int, dtype: Any, random: np.random.RandomState, *, going_on: bool
    ) -> Sequential:
        """Return a built network, new or with the weights that there are."""

    @abstractmethod
    def _learn_targets(self, y: Any, *, going_on: bool, incremental: bool, classes: Any) -> None:
        """Find out what there is to predict, or see that it is what was predicted before."""

    @abstractmethod
    def _outputs(self) -> int:
        """Return how many outputs the network needs."""

    @abstractmethod
    def _output_names(self) -> tuple[str, ...]:
        """Return what the outputs are called, in models that callbacks save."""

    @abstractmethod
    def _encode(self, y: Any, dtype: Any) -> Targets:
        """Return targets as the loss takes them."""

    @abstractmethod
    def _strata(self, sample: Sample) -> npt.NDArray[Any] | None:
        """Return what a split should keep the proportions of."""

    @abstractmethod
    def _score_logits(self, logits: Array, held: Sample) -> float:
        """Return the score of finite logits."""

    @abstractmethod
    def _loss(self) -> Loss:
        """Return the loss that training descends."""

    @abstractmethod
    def _output_activation(self) -> str:
        """Return the name of what makes predictions of logits."""


def predict_logits(network: Sequential, X: Any) -> Array:
    """Return the logits of dense or sparse rows."""
    with np.errstate(over="ignore", invalid="ignore"):
        if isinstance(X, np.ndarray) and X.dtype == network.parameters.dtype:
            return network.predict_logits(X)
        rows: Any = X if isinstance(X, np.ndarray) else SparseRows(X)
        return network.predict_logits(rows, AsFloat())


def _go_on(trainer: Trainer, remembered: Remembered) -> None:
    """Have a trainer go on where another one ended, if rule and trained arrays are the same."""
    trainer.position = Position(remembered.epochs)
    rule, trained = trainer.optimizer, tuple(trainer.network.parameters.gradients)
    if set(remembered.optimizer) == {"steps", *rule.moments} and remembered.trained == trained:
        rule.bind(trainer.network.parameters).load_state_dict(remembered.optimizer)
        trainer.steps = rule.steps


def _best_weights_are_sound(trainer: Trainer, sample: Sample) -> bool:
    """Say whether a callback has put weights back that still are as good as any epoch was.

    A training figure of several steps is their mean: the last of them may have ruined the weights.
    """
    if not any(isinstance(each, BestWeights) and each.restored for each in trainer.callbacks):
        return False
    logits = predict_logits(trainer.network, sample.inputs)
    loss, _ = trainer.loss(logits, sample.targets, sample.weights)
    return loss <= float(np.nanmax(trainer.history["data_loss"]))
