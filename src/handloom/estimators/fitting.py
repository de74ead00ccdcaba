"""A fit: from a network and a sample to a trained network, step by step or with L-BFGS."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np

from handloom.estimators.course import Convergence
from handloom.estimators.lbfgs import minimize
from handloom.estimators.problem import FitOptions, FitResult, FitState, FitWarning, Problem
from handloom.estimators.rows import Sample, predict_logits
from handloom.estimators.rules import RateByEpoch, rate_for, rule_for
from handloom.estimators.tasks import Task
from handloom.estimators.verbosity import narrator
from handloom.optimizers import SGD
from handloom.training import BestWeights, Callback, EpochRecord, History, StopReason, Trainer
from handloom.training.objective import Measured
from handloom.training.position import Position

NON_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and "
    "need to be preprocessed."
)
INTERRUPTED = FitWarning("Training interrupted by user.", UserWarning)


def fit_by_steps(problem: Problem, options: FitOptions, signals: list[int]) -> FitResult:
    """Fit with Adam or SGD, batch by batch.

    Parameters
    ----------
    problem : Problem
    options : FitOptions
    signals : list of int
        Where the numbers of signals that interrupt the fit are added.
    """
    convergence = _convergence(problem, options)
    trainer = _trainer(problem, options, convergence)
    trainer.signals = signals
    _go_on(trainer, problem.state)
    names, held_out = problem.task.output_names, problem.held_out
    with np.errstate(over="ignore", invalid="ignore"):  # the history says what broke
        history = trainer.fit(
            problem.sample.dataset(names),
            None if held_out is None else held_out.dataset(names),
            sample_weights=problem.sample.weights,
            warm=True,
        )
    diverged = _diverged(history)
    if diverged:
        convergence.note_divergence()
    rescued = diverged and (convergence.restored or _best_weights_are_sound(trainer, problem))
    return FitResult(
        _state_of(trainer, problem.state),
        len(history) + diverged,
        _warning(history, options, convergence, rescued=rescued),
    )


def fit_by_lbfgs(problem: Problem, options: FitOptions, signals: list[int]) -> FitResult:
    """Fit with L-BFGS, all rows at once.

    Parameters
    ----------
    problem : Problem
    options : FitOptions
    signals : list of int
        Where the numbers of signals that interrupt the fit are added.

    Raises
    ------
    ValueError
        If the network has layers that draw at random or keep statistics.
    """
    for layer in problem.network.layers:
        if layer.stochastic or layer.keeps_statistics:
            raise ValueError(
                f"solver='lbfgs' needs a network that computes the same whenever it is asked, "
                f"which {layer.kind!r} does not: use 'adam' or 'sgd'"
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
    state = FitState(problem.state.seed, problem.state.course)
    return FitResult(state, minimum.iterations, warning, minimum.loss)


@contextmanager
def _objective(
    problem: Problem, options: FitOptions, signals: list[int]
) -> Iterator[tuple[Callable[[], Measured], Callable[[], bool]]]:
    """Yield a function that measures loss and gradient, and one that says if a signal came."""
    trainer = Trainer(
        problem.network,
        SGD(),  # makes no step
        1.0,
        epochs=options.max_iter,
        penalty_per_row=options.penalty_per_row,
        loss=problem.task.loss(),
        count_correct=False,
        seed=problem.state.seed,
        threads=options.threads,
        backend=options.backend,
        on_signal="finish",
    )
    trainer.signals = signals
    sample = problem.sample
    threads = trainer.begin(
        sample.dataset(problem.task.output_names), sample_weights=sample.weights
    )
    with trainer.interruptible(), threads, np.errstate(over="ignore", invalid="ignore"):
        yield trainer.measure, lambda: trainer.history.stop_reason is not None


def _convergence(problem: Problem, options: FitOptions) -> Convergence:
    """Return the callback that ends a fit for lack of gain."""
    held_out = problem.held_out
    rate = rate_for(options, problem.state.course)
    return Convergence(
        problem.state.course,
        len(problem.sample),
        tol=options.tol,
        patience=options.n_iter_no_change,
        by_score=bool(options.early_stopping),
        restore=not options.incremental,
        rate=rate if isinstance(rate, RateByEpoch) and rate.adaptive else None,
        measure=None if held_out is None else partial(_measure, problem.task, held_out),
    )


def _trainer(problem: Problem, options: FitOptions, convergence: Convergence) -> Trainer:
    validates = problem.held_out is not None
    callbacks: list[Callback] = [convergence]
    if options.verbose:
        callbacks.append(narrator(options.label, convergence))
    if options.restore_best and not options.early_stopping:
        callbacks.append(BestWeights("validation_loss" if validates else "loss"))
    return Trainer(
        problem.network,
        rule_for(options),
        rate_for(options, problem.state.course),
        epochs=1 if options.incremental else options.max_iter,
        batch_size=options.batch_size,
        shuffle=bool(options.shuffle),
        penalty_per_row=options.penalty_per_row,
        loss=problem.task.loss(),
        # fitted attributes hold no accuracy but that of held-out rows; others may look at it
        count_correct=validates or bool(options.verbose or options.callbacks),
        seed=problem.state.seed,
        callbacks=[*callbacks, *(options.callbacks or ())],
        threads=options.threads,
        backend=options.backend,
        on_signal="finish",
    )


def _go_on(trainer: Trainer, state: FitState) -> None:
    """Have a trainer go on from a state, if optimizer and trained arrays are the same."""
    trainer.position = Position(state.epochs)
    optimizer, trained = trainer.optimizer, tuple(trainer.network.parameters.gradients)
    if set(state.optimizer) == {"steps", *optimizer.moments} and state.trained == trained:
        optimizer.bind(trainer.network.parameters).load_state_dict(state.optimizer)
        trainer.steps = optimizer.steps


def _state_of(trainer: Trainer, before: FitState) -> FitState:
    """Return where a trainer stands."""
    optimizer = trainer.optimizer
    return FitState(
        before.seed,
        before.course,
        trainer.position.epoch,
        {"steps": optimizer.steps, **optimizer.state},  # no copies: no other step is made
        tuple(trainer.network.parameters.gradients),
    )


def _measure(
    task: Task, held_out: Sample, *, trainer: Trainer, record: EpochRecord
) -> tuple[float, float]:
    """Return loss and score of the held-out rows after an epoch."""
    if record.validation_accuracy is not None and held_out.weights is None:
        return float(record.validation_loss or 0.0), record.validation_accuracy
    logits = predict_logits(trainer.network, held_out.inputs)
    loss, _ = trainer.loss(logits, held_out.targets, held_out.weights)
    if not np.isfinite(logits).all():
        return loss, float("nan")
    return loss, task.score(logits, held_out.targets, held_out.weights)


def _warning(
    history: History, options: FitOptions, convergence: Convergence, *, rescued: bool
) -> FitWarning | None:
    """Return the warning about a fit by steps, if any."""
    if _diverged(history):
        restored = " The best weights before that were restored." if rescued else ""
        return FitWarning(f"{NON_FINITE} {history.divergence}{restored}", ruined=not rescued)
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
    return history.stop_reason is not None and history.stop_reason.diverged


def _best_weights_are_sound(trainer: Trainer, problem: Problem) -> bool:
    """Whether a callback has restored weights that are still as good as any epoch was.

    A training figure of several steps is their mean: the last of them may have ruined the weights.
    """
    if not any(isinstance(each, BestWeights) and each.restored for each in trainer.callbacks):
        return False
    sample = problem.sample
    logits = predict_logits(trainer.network, sample.inputs)
    loss, _ = trainer.loss(logits, sample.targets, sample.weights)
    return loss <= float(np.nanmax(trainer.history["data_loss"]))
