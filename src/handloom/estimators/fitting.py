"""The fit of a network to a sample: with Adam or SGD in mini-batches, or with L-BFGS."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from threading import Event

import numpy as np

from handloom.estimators.convergence import SCORE_COLUMN, Convergence, RecordScore
from handloom.estimators.fit_records import FitInput, FitOptions, FitResult, FitState, FitWarning
from handloom.estimators.lbfgs import minimize
from handloom.estimators.rows import predict_logits
from handloom.estimators.solvers import ScikitLearnRate, optimizer_for, rate_for
from handloom.estimators.verbosity import progress_output
from handloom.network import Sequential
from handloom.training import (
    BestWeights,
    Callback,
    History,
    StopReason,
    TimeLimit,
    Trainer,
    TrainingState,
)
from handloom.training.interrupts import held, on_interrupt
from handloom.training.objective import Measurement
from handloom.training.objective_making import full_batch_objective
from handloom.training.progress import TrainingProgress

NON_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and "
    "need to be preprocessed."
)
INTERRUPTED = FitWarning("Training interrupted by user.", UserWarning)


def fit_by_steps(fit_input: FitInput, options: FitOptions, signals: list[int]) -> FitResult:
    """Fit with Adam or SGD, in mini-batches.

    Parameters
    ----------
    fit_input : FitInput
    options : FitOptions
    signals : list of int
        Receives the numbers of signals that interrupt the fit.

    Returns
    -------
    FitResult
    """
    convergence = _convergence(fit_input, options)
    trainer = _trainer(fit_input, options, convergence)
    trainer.signals = signals
    described = fit_input.task.names, fit_input.column_names, fit_input.columns
    held_out = fit_input.held_out
    prepared = trainer.prepare(
        fit_input.sample.dataset(*described),
        None if held_out is None else held_out.dataset(*described),
        sample_weights=fit_input.sample.weights,
        validation_weights=None if held_out is None else held_out.weights,
    )
    prepared.state.model = replace(
        prepared.state.model,
        binary_classes=fit_input.task.binary_classes,
        columns=fit_input.columns,
    )
    _continue_from(prepared.state, fit_input.earlier, incremental=options.incremental)
    with np.errstate(over="ignore", invalid="ignore"):  # the history records a divergence
        history = trainer.run(prepared)
    diverged = _diverged(history)
    restored = diverged and (
        convergence.restored or _restored_weights_are_usable(trainer, fit_input)
    )
    return FitResult(
        _state_of(prepared.state, fit_input.earlier, convergence),
        len(history) + diverged,
        _warning(history, options, convergence, restored=restored),
    )


def fit_by_lbfgs(fit_input: FitInput, options: FitOptions, signals: list[int]) -> FitResult:
    """Fit with L-BFGS, on all rows (full batch), in float64 whatever the dtype of the network.

    Parameters
    ----------
    fit_input : FitInput
    options : FitOptions
    signals : list of int
        Receives the numbers of signals that interrupt the fit.

    Returns
    -------
    FitResult

    Raises
    ------
    ValueError
        If the network has stochastic layers or layers that keep running statistics.
    """
    for layer in fit_input.network.layers:
        if layer.stochastic or layer.keeps_statistics:
            raise ValueError(
                "solver='lbfgs' needs a deterministic network that computes the same in every "
                f"pass, got a layer {layer.kind!r}: use 'adam' or 'sgd'"
            )
    network, weights = _in_float64(fit_input.network), fit_input.network.parameters.values
    deadline = math.inf if options.max_time is None else time.perf_counter() + options.max_time
    stopped = False

    def ends() -> bool:
        nonlocal stopped
        if fit_input.tasks is not None:
            weights[...] = network.parameters.values
            stopped = fit_input.tasks.end_iteration(fit_input.network)
        return stopped or interrupted() or time.perf_counter() >= deadline

    with _objective(network, fit_input, options, signals) as (measure, interrupted):
        minimum = minimize(
            measure,
            network.parameters,
            interrupted=ends,
            max_iter=options.max_iter,
            max_fun=options.max_fun,
            tol=options.tol,
            verbose=bool(options.verbose),
        )
        weights[...] = network.parameters.values  # inf if one is too large for float32
    warning = None
    if not (np.isfinite(weights).all() and np.isfinite(minimum.loss)):
        warning = FitWarning(NON_FINITE, weights_lost=True)
    elif minimum.failure is not None and not stopped:  # None: it converged, before any signal
        warning = FitWarning(minimum.failure)
        if interrupted():
            warning = INTERRUPTED
        elif time.perf_counter() >= deadline:
            warning = out_of_time(options, minimum.iterations, "iteration")
    return FitResult(FitState(fit_input.earlier.seed), minimum.iterations, warning, minimum.loss)


def _in_float64(network: Sequential) -> Sequential:
    """Return a network in float64 with the same weights: a copy, unless it is in float64."""
    if network.parameters.dtype == np.float64:
        return network
    arrays = network.parameters.weights.items()
    return deepcopy(network).build(
        network.input_shape,
        dtype=np.float64,
        weights={name: array.astype(np.float64) for name, array in arrays},
    )


@contextmanager
def _objective(
    network: Sequential, fit_input: FitInput, options: FitOptions, signals: list[int]
) -> Iterator[tuple[Callable[[], Measurement], Callable[[], bool]]]:
    """Yield a function for loss and gradient, and one that returns whether a signal came."""
    sample, interrupted = fit_input.sample, Event()
    with held():  # compiled code is imported, which must not be left half done
        measure, threads = full_batch_objective(
            network,
            fit_input.task.loss(),
            sample.dataset(fit_input.task.names),
            sample.weights,
            penalty_per_row=options.penalty_per_row,
            threads=options.threads,
            backend=options.backend,
            expected_calls=options.max_iter,
            fused_from=options.fused_from,
        )
    with (
        on_interrupt(interrupted.set, signals),
        threads,
        np.errstate(over="ignore", invalid="ignore"),
    ):
        yield measure, interrupted.is_set


def _convergence(fit_input: FitInput, options: FitOptions) -> Convergence:
    """Return the callback that stops a fit once it has converged."""
    rate_state = replace(
        fit_input.earlier.rate_state
    )  # a copy: a failed fit leaves the earlier state unchanged
    rate = rate_for(options, rate_state)
    return Convergence(
        SCORE_COLUMN if options.early_stopping else "loss",
        tol=options.tol,
        patience=options.n_iter_no_change,
        rows=len(fit_input.sample),
        rate_state=rate_state,
        adaptive=isinstance(rate, ScikitLearnRate) and rate.adaptive,
        restore=not options.incremental,
        earlier=fit_input.earlier.convergence,
    )


def _trainer(fit_input: FitInput, options: FitOptions, convergence: Convergence) -> Trainer:
    held_out = fit_input.held_out
    callbacks: list[Callback] = [convergence]
    if held_out is not None:
        callbacks.insert(0, RecordScore(fit_input.task, held_out, fit_input.scorer))
    if options.verbose:
        callbacks.append(progress_output(options.label, convergence))
    if options.restore_best and not options.early_stopping:
        callbacks.append(BestWeights("loss" if held_out is None else "validation_loss"))
    if options.max_time is not None:
        callbacks.append(TimeLimit(options.max_time))
    if fit_input.tasks is not None:
        callbacks.append(fit_input.tasks)
    return Trainer(
        fit_input.network,
        optimizer_for(options),
        rate_for(options, convergence.rate_state),
        epochs=1 if options.incremental else options.max_iter,
        batch_size=options.batch_size,
        shuffle=bool(options.shuffle),
        penalty_per_row=options.penalty_per_row,
        loss=fit_input.task.loss(),
        # the fitted attributes need only the accuracy of held-out rows, but progress output and
        # callbacks may need that of training rows too
        count_correct=held_out is not None or bool(options.verbose or options.callbacks),
        seed=fit_input.earlier.seed,
        callbacks=[*callbacks, *(options.callbacks or ())],
        threads=options.threads,
        backend=options.backend,
        fused_from=options.fused_from,
        diagnose=False,  # it would take a noticeable part of a fit of milliseconds
        on_signal="finish",
    )


def _continue_from(state: TrainingState, earlier: FitState, *, incremental: bool) -> None:
    """Load the earlier optimizer state if the optimizer and the trained arrays are the same.

    A ``partial_fit`` continues the counts of epochs and steps, too.
    """
    optimizer, trained = state.optimizer, tuple(state.network.parameters.gradients)
    same = (
        set(earlier.optimizer) == {"steps", *optimizer.state_names}
        and earlier.trained_arrays == trained
    )
    if same:
        optimizer.load_state_dict(earlier.optimizer)
    if incremental:
        progress = earlier.progress
        state.continue_from(progress if same else TrainingProgress(progress.epoch))


def _state_of(state: TrainingState, earlier: FitState, convergence: Convergence) -> FitState:
    """Return the state at the end of a fit. An epoch that diverged is NaN in the curves."""
    optimizer, history = state.optimizer, state.history
    diverged_epoch = [math.nan] * _diverged(history)

    def curve(column: str) -> list[float]:
        recorded = history[column].tolist() if column in history.columns else []
        return [*recorded, *diverged_epoch]

    losses, scores = curve("loss"), curve(SCORE_COLUMN) if state.validates else []
    return FitState(
        seed=earlier.seed,
        optimizer={
            "steps": optimizer.steps,
            **optimizer.state,
        },  # not copied: this trainer makes no further step
        trained_arrays=tuple(state.network.parameters.gradients),
        progress=state.progress,
        rate_state=convergence.rate_state,
        convergence=convergence.final_state(state),
        best_loss=float(np.fmin.reduce([earlier.best_loss, *losses])),
        best_score=float(np.fmax.reduce([earlier.best_score, *scores])),
        losses=[*earlier.losses, *losses],
        validation_losses=[
            *earlier.validation_losses,
            *(curve("validation_loss") if scores else []),
        ],
        scores=[*earlier.scores, *scores],
        rows_seen=earlier.rows_seen + len(history) * convergence.rows,
    )


def _warning(
    history: History, options: FitOptions, convergence: Convergence, *, restored: bool
) -> FitWarning | None:
    """Return the warning about a fit by steps, if any."""
    if history.divergence is not None:
        rate = "learning_rate" if callable(options.learning_rate) else "learning_rate_init"
        cause = history.divergence.explained(
            f"A smaller {rate} usually helps; if not, inputs of mean 0 and standard deviation 1"
        )
        remark = " The best weights before that were restored." if restored else ""
        return FitWarning(
            f"{NON_FINITE} {cause[:1].upper()}{cause[1:]}.{remark}", weights_lost=not restored
        )
    if history.stop_reason is StopReason.INTERRUPTED:
        return INTERRUPTED
    if history.stop_reason is StopReason.TIME_LIMIT:
        return out_of_time(options, len(history), "epoch")
    if options.incremental and convergence.restored:
        return FitWarning(
            f"{convergence.verdict()} The best weights were restored; another partial_fit "
            "counts only if its score is the best so far.",
            UserWarning,
        )
    if history.stop_reason is StopReason.MAX_EPOCHS and not options.incremental:
        return FitWarning(
            f"Stochastic Optimizer: Maximum iterations ({options.max_iter}) reached and the "
            "optimization hasn't converged yet."
        )
    return None


def out_of_time(options: FitOptions, done: int, unit: str) -> FitWarning:
    """Return the warning about a fit that ``max_time`` ended."""
    return FitWarning(
        f"Maximum time (max_time={options.max_time:g} s) reached after {done} "
        f"{unit if done == 1 else unit + 's'} and the optimization hasn't converged yet."
    )


def _diverged(history: History) -> bool:
    return history.divergence is not None


def _restored_weights_are_usable(trainer: Trainer, fit_input: FitInput) -> bool:
    """Return whether a callback restored weights whose loss is at most the largest of an epoch.

    The weights after the best epoch may have diverged already: the training loss of an epoch is a
    mean over its steps, and only the last of them may have made the weights useless.
    """
    if not any(
        isinstance(each, BestWeights) and each.restored for each in trainer.options.callbacks
    ):
        return False
    sample = fit_input.sample
    logits = predict_logits(trainer.network, sample.inputs, trainer.state.loss)
    loss, _ = trainer.state.loss(logits, sample.targets, sample.weights)
    return loss <= float(np.nanmax(trainer.history["data_loss"]))
