"""Makes the plan of a training's compiled steps from the records of its parts."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from handloom.fused import plan_fields as field
from handloom.fused.exponential import exp_constants
from handloom.fused.gemm import gemm_address, threads_address
from handloom.fused.layer_table import (
    Layer,
    activation_parameters,
    layer_table,
    paired,
    stores_slopes,
)
from handloom.fused.phases import phases_of
from handloom.fused.plan import Floats, Ints, Plan
from handloom.fused.row_losses import code_of
from handloom.fused.step_columns import STATISTICS_ROWS
from handloom.fused.step_dropout import WORDS
from handloom.operations import (
    AdamUpdate,
    AdaptiveUpdate,
    Affine,
    Array,
    DropEntries,
    NormalizeColumns,
    NormalizeRows,
    ScaleRows,
    SGDUpdate,
    StepArrays,
    StepOperations,
    TransformOperation,
)
from handloom.parallel.partition import step_parts
from handloom.randomness import Purpose, StepStream

OptimizerUpdate = SGDUpdate | AdamUpdate | AdaptiveUpdate


def plan_of(
    step: StepOperations,
    arrays: StepArrays,
    batch_rows: int,
    lanes: int,
    *,
    count_correct: bool,
) -> Plan:
    """Return the plan of a training: its tables, and memory for batches of ``batch_rows`` rows."""
    pairs = paired(step.layers or ())
    if pairs is None or step.loss is None:
        raise ValueError("the step must be one that is supported")
    dtype = arrays.values.dtype
    layers, table = [each.layer for each in pairs], layer_table(pairs)
    inputs, outputs, units = table[0, 1], table[-1, 2], int(table[:, 2].sum())
    work = sum(each.inputs * each.units for each in layers if isinstance(each, Affine))
    parts = step_parts(batch_rows, work, lanes)
    header, settings = _header(step, dtype, parts, len(arrays.state), count_correct=count_correct)
    first, second = [*arrays.state, np.empty(0, dtype), np.empty(0, dtype)][:2]
    empty, drops = np.empty(0, dtype), any(isinstance(each, DropEntries) for each in layers)
    return Plan(
        header=header,
        settings=settings,
        phases=phases_of(pairs),
        layers=table,
        parameters=activation_parameters(pairs),
        norms=_norms_of(layers),
        norm_options=_norm_options_of(layers),
        statistics=_statistics_of(layers, batch_rows, dtype),
        moments=_moments_of(layers, batch_rows, dtype),
        arrays=_arrays_of(layers, step),
        penalties=_penalties_of(layers, step),
        key=StepStream(step.seed, Purpose.LAYER).key().copy(),  # writable, for Numba's type
        counters=np.zeros((parts, 16), np.uint64),
        words=np.empty((parts, WORDS), np.uint64),
        constants=exp_constants(dtype),
        values=arrays.values,
        gradient=arrays.gradient,
        first=first,
        second=second,
        average=empty if arrays.average is None else arrays.average,
        images=np.empty((parts, inputs), np.uint8),
        x=np.empty(batch_rows * inputs, dtype),
        outputs=np.empty(batch_rows * units, dtype),
        slopes=np.empty(batch_rows * units if stores_slopes(pairs) else 0, dtype),
        deltas=np.empty(batch_rows * units, dtype),
        kept=np.empty(batch_rows * units if drops else 0, np.uint8),
        zeros=np.zeros(table[:, 2].max(), dtype),
        shifts=np.empty((batch_rows, 2), dtype),
        coefficients=np.empty(8, dtype),
        sums=np.empty((parts, field.SQUARES + 1)),
        order=np.empty(0, np.int64),
        starts=np.empty(0, np.int64),
        labels=np.empty(0, np.int64),
        targets=np.empty((0, outputs), dtype),
        weights=empty,
        moves=np.empty((0, 3), np.int64),
        rates=np.empty(0),
        figures=np.empty((0, field.WEIGHT + 1)),
    )


def _header(
    step: StepOperations,
    dtype: np.dtype[Any],
    parts: int,
    vectors: int,
    *,
    count_correct: bool,
) -> tuple[Ints, Floats]:
    """Return `Plan.header` and `Plan.settings`."""
    header, settings = np.zeros(field.HEADER, np.int64), np.zeros(field.SETTINGS)
    if step.loss is None or step.update is None:
        raise ValueError("the step must be one that is supported")
    header[field.GEMM], header[field.THREADS] = gemm_address(dtype) or 0, threads_address()
    header[field.PARTS] = parts
    header[field.LOSS], settings[field.LOSS_PARAMETER] = code_of(step.loss)
    header[field.COUNTS_CORRECT] = count_correct
    settings[field.SHIFT], settings[field.FACTOR] = _scale_of(step.transform)
    settings[field.CLIP] = 0.0 if step.clip is None else step.clip.norm
    settings[field.PER_ROW], settings[field.DECAY] = (
        step.penalties.per_row,
        step.update.weight_decay,
    )
    settings[field.PROXIMAL] = step.update.proximal_l1
    settings[field.AVERAGE_DECAY] = 0.0 if step.average is None else step.average.decay
    header[field.OPTIMIZER], options = _optimizer_of(step.update.optimizer, vectors)
    settings[field.OPTION1], settings[field.OPTION2], settings[field.OPTION3] = options
    return header, settings


def state_vectors(update: OptimizerUpdate) -> tuple[int, ...]:
    """Return how many state vectors an optimizer may have."""
    if isinstance(update, SGDUpdate):
        return 0, 1
    return (2,) if isinstance(update, AdamUpdate) else (1,)


def _scale_of(transform: TransformOperation | None) -> tuple[float, float]:
    if isinstance(transform, ScaleRows):
        return transform.shift, 1.0 / transform.divisor
    return 0.0, 1.0


def _optimizer_of(update: OptimizerUpdate, vectors: int) -> tuple[int, tuple[float, float, float]]:
    """Return the code of an optimizer and its options.

    SGD that was bound without a velocity stays without, whatever its momentum is now.
    """
    if isinstance(update, SGDUpdate):
        momentum = field.NESTEROV if update.nesterov else field.MOMENTUM
        return momentum if vectors else field.SGD, (update.momentum, 0.0, 0.0)
    if isinstance(update, AdamUpdate):
        code = field.ADAM if update.corrected else field.ADAM_UNCORRECTED
        return code, (update.beta1, update.beta2, update.epsilon)
    return field.ADAPTIVE, (update.decay, update.weight, update.epsilon)


def _arrays_of(layers: Sequence[Layer], step: StepOperations) -> Ints:
    """Return `Plan.arrays`: weights and biases, or scale and shift, of every layer."""
    decaying = {start for start, _ in step.decaying}
    return np.array([(*each, each[0] in decaying) for each in _trained(layers)], np.int64)


def _penalties_of(layers: Sequence[Layer], step: StepOperations) -> Floats:
    """Return the l1 and l2 of each array of `_arrays_of`."""
    record = step.penalties
    by_start = dict(zip(record.bounds[:, 0].tolist(), record.strengths.tolist(), strict=True))
    return np.array([by_start.get(start, (0.0, 0.0)) for start, *_ in _trained(layers)], float)


def _trained(layers: Sequence[Layer]) -> Iterator[tuple[int, int, int]]:
    """Yield offset, rows and columns of every trained array."""
    for layer in layers:
        if isinstance(layer, Affine):
            yield layer.weights, layer.inputs, layer.units
            yield layer.biases, layer.units, 1
        elif not isinstance(layer, DropEntries):
            yield layer.scale, layer.units, 1
            yield layer.shift, layer.units, 1


def _norms_of(layers: Sequence[Layer]) -> Ints:
    """Return `Plan.norms`; without ghost batches, a group is larger than any batch."""
    table, column, index = np.zeros((len(layers), 4), np.int64), 0, 0
    for row, layer in zip(table, layers, strict=True):
        if isinstance(layer, NormalizeColumns):
            size = layer.ghost_batch or np.iinfo(np.int64).max
            row[:] = size, layer.running_mean, layer.running_variance, column
            column += layer.units
        elif isinstance(layer, NormalizeRows):
            row[3], index = index, index + 1
    return table


def _norm_options_of(layers: Sequence[Layer]) -> Floats:
    """Return `Plan.norm_options`."""
    options = np.zeros((len(layers), 2))
    for row, layer in zip(options, layers, strict=True):
        if isinstance(layer, NormalizeColumns):
            row[:] = layer.momentum, layer.epsilon
        elif isinstance(layer, NormalizeRows):
            row[1] = layer.epsilon
    return options


def _moments_of(layers: Sequence[Layer], rows: int, dtype: np.dtype[Any]) -> Array:
    """Return `Plan.moments` for batches of at most ``rows`` rows."""
    return np.empty((sum(isinstance(each, NormalizeRows) for each in layers), rows, 2), dtype)


def _statistics_of(layers: Sequence[Layer], rows: int, dtype: np.dtype[Any]) -> Array:
    """Return `Plan.statistics` for batches of at most ``rows`` rows."""
    norms = [each for each in layers if isinstance(each, NormalizeColumns)]
    groups = max((rows // (each.ghost_batch or rows) for each in norms), default=0)
    columns = sum(each.units for each in norms)
    return np.empty((STATISTICS_ROWS, max(groups, 1), columns), dtype)
