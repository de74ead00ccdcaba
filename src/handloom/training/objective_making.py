"""Makes the objective of a training, with its backend, and the runner of its steps."""

from collections.abc import Callable, Sequence
from functools import partial

from handloom.backend import Backend, choose_backend
from handloom.data.augment import Augmentation
from handloom.data.batches import Batch, LoaderOptions, epoch_order
from handloom.data.dataset import Dataset
from handloom.data.transforms import Transform, transform_for
from handloom.losses import Loss, output_activation_of, output_names_of
from handloom.losses.base import RowLoss
from handloom.losses.quantile import quantiles_of
from handloom.model import Model
from handloom.network import Sequential
from handloom.operations import Arrays, LayerOperation
from handloom.optimizers.clipping import ClipByNorm
from handloom.parallel.partition import LANES
from handloom.parallel.ranks import ONE, Ranks
from handloom.parallel.threads import Threads
from handloom.parameters import Array
from handloom.training.compiled_runner import CompiledRunnerOptions, compiled_runner
from handloom.training.objective import Measurement, Objective
from handloom.training.own_losses import check_own_loss
from handloom.training.runner import Runner, StepRunner
from handloom.training.state import TrainingState
from handloom.training.step import compose

ROWS_PER_UPDATE = 32
"""The approximate cost of an update of the weights, in rows of which each weight is one product."""


def backend_for(
    name: str, network: Sequential, rows: int, steps: int, ranks: Ranks, fused_from: float | None
) -> Backend:
    """Return the backend of ``steps`` steps of ``rows`` rows in all: that of rank 0."""
    choose = partial(
        choose_backend,
        dtype=network.parameters.dtype,
        work=_work(network, rows, steps),
        fused_from=fused_from,
    )
    own = choose(name)
    chosen = ranks.share(own.name)
    return own if chosen == own.name else choose(chosen)


def _work(network: Sequential, rows: int, steps: int) -> int:
    """Return the multiplications of forward passes, and as many for updates as take their time."""
    return network.multiplications * rows + len(network.parameters) * ROWS_PER_UPDATE * steps


def model_for(
    network: Sequential, loss: Loss, train: Dataset, transform: Transform | None = None
) -> Model:
    """Return a network with its transform and the names of its classes or outputs."""
    return Model(
        network,
        transform or transform_for(train.inputs),
        output_names_of(loss, train.class_names),
        train.input_shape,
        str(train.inputs.dtype),
        train.name,
        output_activation_of(loss, network.output_activation),
        train.column_names,
        columns=train.columns,
        quantiles=quantiles_of(loss),
    )


def make_objective(
    model: Model,
    loss: Loss,
    backend: Backend,
    threads: Threads,
    *,
    rows: int,
    seed: int = 0,
    augment: tuple[Augmentation, ...] = (),
    layers: Sequence[LayerOperation] | None = None,
    penalty_per_row: bool = False,
    count_correct: bool = True,
    shard_rows: int | None = None,
    ranks: Ranks = ONE,
) -> Objective:
    """Return the objective, which computes the loss and the gradient of a batch.

    Its functions are fetched from the backend, and compiled if the backend compiles.

    Parameters
    ----------
    model : Model
    loss : Loss
    backend : Backend
    threads : Threads
    rows : int
        The rows of a batch.
    seed : int
        The seed of random draws in a step.
    augment : tuple of Augmentation
    layers, penalty_per_row, count_correct, ranks
        As in `Objective`.
    shard_rows : int, optional
        The most rows of a shard.

    Returns
    -------
    Objective
        With its lanes made for batches of ``rows`` rows.
    """
    network = model.before_loss
    loading = LoaderOptions(
        network.input_shape,
        network.parameters.dtype,
        model.transform,
        augment,
        seed,
        network.stochastic,
    )
    objective = Objective(
        network,
        loss,
        loading,
        backend,
        threads,
        layers=layers,
        penalty_per_row=penalty_per_row,
        count_correct=count_correct,
        most_rows=shard_rows,
        ranks=ranks,
    )
    objective.prepare_lanes(rows)
    return objective


def full_batch_objective(
    network: Sequential,
    loss: Loss,
    data: Dataset,
    sample_weights: Array | None = None,
    *,
    penalty_per_row: bool = False,
    threads: int | None = None,
    backend: str = "auto",
    expected_calls: int = 1,
    fused_from: float | None = None,
) -> tuple[Callable[[], Measurement], Threads]:
    """Return loss and gradient over all rows as a function, for full-batch methods such as L-BFGS.

    Parameters
    ----------
    network : Sequential
        Built. The function uses its current weights, and writes the gradient into its gradient
        vector.
    loss : Loss
    data : Dataset
    sample_weights : array, shape (n,), optional
    penalty_per_row, threads, backend
        As in `TrainingOptions`.
    expected_calls : int
        About how often the function will be called; ``"auto"`` uses it to choose the backend.
    fused_from : float, optional
        As in `handloom.backend.choose_backend`.

    Returns
    -------
    measure : callable
    threads : Threads
        ``measure`` is called inside ``with threads:``.
    """
    parameters, rows = network.parameters, len(data)
    chosen = choose_backend(
        backend,
        parameters.dtype,
        work=_work(network, expected_calls * rows, expected_calls),
        fused_from=fused_from,
    )
    pool = chosen.threads(threads, LANES)
    model = model_for(network, loss, data)
    arrays = Arrays(data.inputs, data.targets, sample_weights)
    check_own_loss(loss, model, arrays)
    objective = make_objective(
        model,
        loss,
        chosen,
        pool,
        rows=rows,
        layers=model.before_loss.operations(),
        penalty_per_row=penalty_per_row,
        count_correct=False,
    )
    return partial(objective, Batch(arrays, slice(0, rows))), pool


def objective_and_runner(
    state: TrainingState,
    arrays: Arrays,
    backend: Backend,
    threads: Threads,
    size: int,
    ranks: Ranks,
) -> tuple[Objective, Runner]:
    """Return the objective of a training, and the runner of its steps."""
    options = state.options
    clip = None if options.clip_norm is None else ClipByNorm(options.clip_norm)
    operations = compose(
        state.model.before_loss,
        state.model.transform,
        state.loss,
        options.chosen_optimizer,
        penalty_per_row=options.penalty_per_row,
        clip=clip,
        average=options.average,
        seed=options.seed,
    )
    objective = make_objective(
        state.model,
        state.loss,
        backend,
        threads,
        rows=size,
        seed=options.seed,
        augment=tuple(options.augment),
        layers=operations.layers,
        penalty_per_row=options.penalty_per_row,
        count_correct=options.count_correct,
        shard_rows=options.shard_rows,
        ranks=ranks,
    )
    steps = StepRunner(objective, options.chosen_optimizer, clip=clip, average=options.average)
    if not isinstance(state.loss, RowLoss):
        return objective, steps
    order = epoch_order(len(arrays.targets), size, None, 0, fewest=state.network.fewest_rows)
    compiled = CompiledRunnerOptions(
        operations, state.loss, backend, threads, order.most_rows, state.counts_correct
    )
    return objective, compiled_runner(steps, arrays, compiled)
