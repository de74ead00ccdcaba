"""The fit of a network to a sample: with Adam or SGD in mini-batches, or with L-BFGS."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event

import numpy as np

from handloom.estimators.convergence import SCORE, WEIGHTED_LOSS, Convergence, Scores
from handloom.estimators.lbfgs import minimize
from handloom.estimators.problem import FitOptions, FitResult, FitState, FitWarning, Problem
from handloom.estimators.rows import predict_logits
from handloom.estimators.solvers import RateByEpoch, optimizer_for, rate_for
from handloom.estimators.verbosity import progress_output
from handloom.training import (
    BestWeights,
    Callback,
    History,
    StopReason,
    Trainer,
    TrainingState,
)
from handloom.training.interrupts import on_interrupt
from handloom.training.objective import Measured
from handloom.training.preparation import whole_objective
from handloom.training.progress import TrainingProgress

NON_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and "
    "need to be preprocessed."
)
INTERRUPTED = FitWarning("Training interrupted by user.", UserWarning)


def fit_by_steps(problem: Problem, options: FitOptions, signals: list[int]) -> FitResult:
    """Fit with Adam or SGD, in mini-batches.

    Parameters
    ----------
    problem : Problem
    options : FitOptions
    signals : list of int
        Receives the numbers of signals that interrupt the fit.
    """
    convergence = _convergence(problem, options)
    trainer = _trainer(problem, options, convergence)
    trainer.signals = signals
    names, held_out = problem.task.output_names, problem.held_out
    prepared = trainer.prepare(
        problem.sample.dataset(names),
        None if held_out is None else held_out.dataset(names),
        sample_weights=problem.sample.weights,
    )
    _continue_from(prepared.state, problem.state, incremental=options.incremental)
    with np.errstate(over="ignore", invalid="ignore"):  # the history records a divergence
        history = trainer.run(prepared)
    diverged = _diverged(history)
    restored = diverged and (convergence.restored or _best_weights_are_valid(trainer, problem))
    return FitResult(
        _state_of(prepared.state, problem.state, convergence),
        len(history) + diverged,
        _warning(history, options, convergence, restored=restored),
    )


def fit_by_lbfgs(problem: Problem, options: FitOptions, signals: list[int]) -> FitResult:
    """Fit with L-BFGS, on all rows (full batch).

    Parameters
    ----------
    problem : Problem
    options : FitOptions
    signals : list of int
        Receives the numbers of signals that interrupt the fit.

    Raises
    ------
    ValueError
        If the network has stochastic layers or layers that keep running statistics.
    """
    for layer in problem.network.layers:
        if layer.stochastic or layer.keeps_statistics:
            raise ValueError(
                "solver='lbfgs' needs a deterministic network that computes the same in every "
                f"pass, got a layer {layer.kind!r}: use 'adam' or 'sgd'"
            )
    parameters = problem.network.parameters
    with _objective(problem, options, signals) as (measure, interrupted):
        minimum = minimize(
            measure,
            parameters,
            interrupted=interrupted,
            max_iter=options.max_iter,
            max_fun=options.max_fun,
            tol=options.tol,
            verbose=bool(options.verbose),
        )
    warning = None
    if not (np.isfinite(parameters.vector).all() and np.isfinite(minimum.loss)):
        warning = FitWarning(NON_FINITE, ruined=True)
    elif minimum.complaint is not None:  # without one, a signal came too late to end the search
        warning = INTERRUPTED if interrupted() else FitWarning(minimum.complaint)
    return FitResult(FitState(problem.state.seed), minimum.iterations, warning, minimum.loss)


@contextmanager
def _objective(
    problem: Problem, options: FitOptions, signals: list[int]
) -> Iterator[tuple[Callable[[], Measured], Callable[[], bool]]]:
    """Yield a function for loss and gradient, and one that returns whether a signal came."""
    sample, interrupted = problem.sample, Event()
    measure, threads = whole_objective(
        problem.network,
        problem.task.loss(),
        sample.dataset(problem.task.output_names),
        sample.weights,
        penalty_per_row=options.penalty_per_row,
        threads=options.threads,
        backend=options.backend,
        times=options.max_iter,
    )
    with (
        on_interrupt(interrupted.set, signals),
        threads,
        np.errstate(over="ignore", invalid="ignore"),
    ):
        yield measure, interrupted.is_set


def _convergence(problem: Problem, options: FitOptions) -> Convergence:
    """Return the early stopping of a fit."""
    pace = replace(problem.state.pace)  # a copy: a failed fit leaves the earlier state unchanged
    rate = rate_for(options, pace)
    return Convergence(
        SCORE if options.early_stopping else "loss",
        tol=options.tol,
        patience=options.n_iter_no_change,
        rows=len(problem.sample),
        pace=pace,
        adaptive=isinstance(rate, RateByEpoch) and rate.adaptive,
        restore=not options.incremental,
        earlier=problem.state.convergence,
    )


def _trainer(problem: Problem, options: FitOptions, convergence: Convergence) -> Trainer:
    held_out = problem.held_out
    callbacks: list[Callback] = [convergence]
    if held_out is not None:
        callbacks.insert(0, Scores(problem.task, held_out))
    if options.verbose:
        callbacks.append(progress_output(options.label, convergence))
    if options.restore_best and not options.early_stopping:
        callbacks.append(BestWeights("loss" if held_out is None else "validation_loss"))
    return Trainer(
        problem.network,
        optimizer_for(options),
        rate_for(options, convergence.pace),
        epochs=1 if options.incremental else options.max_iter,
        batch_size=options.batch_size,
        shuffle=bool(options.shuffle),
        penalty_per_row=options.penalty_per_row,
        loss=problem.task.loss(),
        # fitted attributes need the accuracy of held-out rows only; callbacks may need it too
        count_correct=held_out is not None or bool(options.verbose or options.callbacks),
        seed=problem.state.seed,
        callbacks=[*callbacks, *(options.callbacks or ())],
        threads=options.threads,
        backend=options.backend,
        diagnose=False,  # it would take a noticeable part of a fit of milliseconds
        on_signal="finish",
    )


def _continue_from(state: TrainingState, earlier: FitState, *, incremental: bool) -> None:
    """Load the earlier optimizer state if the optimizer and the trained arrays are the same.

    A ``partial_fit`` continues the counts of epochs and steps, too.
    """
    optimizer, trained = state.optimizer, tuple(state.network.parameters.gradients)
    same = set(earlier.optimizer) == {"steps", *optimizer.moments} and earlier.trained == trained
    if same:
        optimizer.load_state_dict(earlier.optimizer)
    if incremental:
        progress = earlier.progress
        state.continue_from(progress if same else TrainingProgress(progress.epoch))


def _state_of(state: TrainingState, earlier: FitState, convergence: Convergence) -> FitState:
    """Return the state at the end of a fit. An epoch that diverged is NaN in the curves."""
    optimizer, history = state.optimizer, state.history
    lost = [math.nan] * _diverged(history)

    def curve(column: str) -> list[float]:
        return [*history[column].tolist(), *lost] if column in history.columns else lost

    losses, scores = curve("loss"), curve(SCORE) if state.validates else []
    weighted = WEIGHTED_LOSS if WEIGHTED_LOSS in history.columns else "validation_loss"
    return FitState(
        seed=earlier.seed,
        optimizer={"steps": optimizer.steps, **optimizer.state},  # no other step is made
        trained=tuple(state.network.parameters.gradients),
        progress=state.progress,
        pace=convergence.pace,
        convergence=convergence.final_state(state),
        best_loss=float(np.fmin.reduce([earlier.best_loss, *losses])),
        best_score=float(np.fmax.reduce([earlier.best_score, *scores])),
        losses=[*earlier.losses, *losses],
        validation_losses=[*earlier.validation_losses, *(curve(weighted) if scores else [])],
        scores=[*earlier.scores, *scores],
        rows_seen=earlier.rows_seen + len(history) * convergence.rows,
    )


def _warning(
    history: History, options: FitOptions, convergence: Convergence, *, restored: bool
) -> FitWarning | None:
    """Return the warning about a fit by steps, if any."""
    if _diverged(history):
        remark = " The best weights before that were restored." if restored else ""
        return FitWarning(f"{NON_FINITE} {history.divergence}{remark}", ruined=not restored)
    if history.stop_reason is StopReason.INTERRUPTED:
        return INTERRUPTED
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


def _diverged(history: History) -> bool:
    return history.divergence is not None


def _best_weights_are_valid(trainer: Trainer, problem: Problem) -> bool:
    """Whether a callback has restored weights with a loss no larger than that of every epoch.

    The training loss of an epoch is a mean over steps: the last step may have ruined the weights.
    """
    if not any(
        isinstance(each, BestWeights) and each.restored for each in trainer.options.callbacks
    ):
        return False
    sample = problem.sample
    logits = predict_logits(trainer.network, sample.inputs, trainer.state.loss)
    loss, _ = trainer.state.loss(logits, sample.targets, sample.weights)
    return loss <= float(np.nanmax(trainer.history["data_loss"]))
