"""Probe: measures a training on a few fixed rows, outside of its steps.

The rows run through a replica of the network, which shares the weights and has its own gradients
and buffers. Nothing of the training changes: no random stream is drawn from, no weight, optimizer
state or running statistic is written. Dropout is inactive.
"""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.data.batches import gather_rows
from handloom.data.row_reader import RowReader
from handloom.layers import Dropout, Layer
from handloom.losses import Loss, Pinball, Targets
from handloom.network import Sequential
from handloom.operations import Arrays
from handloom.parameters import Array, l2_norm
from handloom.secondary import Secondary
from handloom.training.dead_units import dead_fractions, inactive
from handloom.training.diagnosis import QUANTILES, Diagnosis, LayerProbe, ProbeRecord
from handloom.training.state import TrainingState

MOST_ROWS, FEWEST_ROWS = 256, 64
"""The number of rows that are measured, if there are as many; fewer for large networks."""

MOST_SEARCHED, SEARCH_PRODUCTS = 4096, 1 << 29
"""The number of rows on which dead units are sought, and of products of a weight and a row, which
bounds it for large networks."""

MOST_VALUES, MOST_PRODUCTS = 1 << 20, 1 << 25
"""The numbers of values of a layer's output, and of products of a weight and a row, above which
fewer rows are measured."""

SHORT_SECONDS, SHORT_FRACTION, LONG_FRACTION, LONG_RUN = 0.02, 0.05, 0.01, 10.0
"""The time of all measurements: some milliseconds, or a fraction of the time of the run, smaller
for a run of many seconds. It is time of the processor, so that other processes do not prevent a
measurement."""

SEARCH_FRACTION = 0.5
"""The fraction of the time left over by later measurements that the search for dead units on more
rows may take."""

RESERVED = 2.0
"""The time that is left for each later measurement, relative to the present one: times vary."""

BEFORE_LAST = 0.5
"""The fraction of this time that measurements before the last epoch may take."""

SAMPLED = 1000
"""The number of entries of which quantiles are taken."""


def allowed_seconds(elapsed: float) -> float:
    """Return the time that the measurements of a run may take after ``elapsed`` seconds."""
    most = LONG_FRACTION * max(elapsed, LONG_RUN)
    return max(SHORT_SECONDS, min(SHORT_FRACTION * elapsed, most))


class Probe:
    """Measures a training after the epochs 1, 2, 4, 8, ... and the last one.

    Parameters
    ----------
    state : TrainingState
    arrays : Arrays
        The training rows.
    steps : int
        The number of steps of an epoch.
    """

    def __init__(self, state: TrainingState, arrays: Arrays, steps: int) -> None:
        self._state, self._arrays, self._steps = state, arrays, steps
        self._sample: _Sample | None = None
        self._costs: list[float] = []
        self._measuring = Secondary("the diagnosis is incomplete")

    def begin(self) -> None:
        """Make the diagnosis, or continue that of a resumed training."""
        history, options = self._state.history, self._state.options
        if history.diagnosis is None:
            sortedness = 0.0 if options.shuffle else _sortedness(self._arrays.targets)
            kind = type(self._state.optimizer).__name__
            history.diagnosis = Diagnosis(kind, self._steps, sortedness)
            history.diagnosis.initial_norms = self._norms()
            history.diagnosis.held_out = len(self._state.validation or ())
        own = history.diagnosis  # a longer training has another last epoch
        own.records = [each for each in own.records if self.due(each.epoch)]
        own.skipped = [epoch for epoch in own.skipped if self.due(epoch)]

    def due(self, epoch: int) -> bool:
        """Return whether there is a measurement after an epoch, counted from 0."""
        done = epoch + 1
        return done & (done - 1) == 0 or done == self._state.total_epochs

    @contextmanager
    def last_step(self) -> Iterator[None]:
        """Measure the update of the last step of an epoch, which the block makes."""
        parameters, before = self._state.network.parameters, dict[str, Array]()
        if self._diagnosis.seconds < self._allowed(self._state.progress.epoch):
            with self._measuring, self._timed():
                before = parameters.views(parameters.vector.copy())
        yield
        if not before:
            return
        with self._measuring, self._timed() as diagnosis:
            sizes, own = self._norms(), self._trained()
            diagnosis.update_ratios = {
                name: _norm([parameters.weights[each] - before[each] for each in own[name]]) / size
                for name, size in sizes.items()
                if size > 0.0
            }

    def measure(self, epoch: int) -> None:
        """Measure after an epoch, unless all the time for it is spent."""
        diagnosis = self._diagnosis
        with self._measuring:
            if diagnosis.seconds + self._expected() > self._allowed(epoch):
                diagnosis.skipped.append(epoch)
                return
            before = diagnosis.seconds
            with self._timed():
                searching = self._measure(epoch, diagnosis)
            self._costs.append(diagnosis.seconds - before - searching)

    def end(self) -> None:
        """Measure after the last epoch of a training that stopped early, unless that was due."""
        history = self._state.history
        early = history.stop_reason is not None and history.stop_reason.final
        if early and history.records and not self.due(history.records[-1].epoch):
            self.measure(history.records[-1].epoch)

    def _trained(self) -> dict[str, list[str]]:
        """Return the names of the trained arrays of each layer that has some."""
        network = self._state.network
        own = {
            name: [each for each in network.parameters.gradients if each.startswith(f"{name}.")]
            for name, _ in network.named_layers()
        }
        return {name: arrays for name, arrays in own.items() if arrays}

    def _norms(self) -> dict[str, float]:
        """Return the l2 norm of the trained weights of each layer."""
        weights = self._state.network.parameters.weights
        trained = self._trained().items()
        return {name: _norm([weights[each] for each in arrays]) for name, arrays in trained}

    @property
    def _diagnosis(self) -> Diagnosis:
        diagnosis = self._state.history.diagnosis
        assert diagnosis is not None  # made in begin
        return diagnosis

    @contextmanager
    def _timed(self) -> Iterator[Diagnosis]:
        """Count the time of the block."""
        started = time.thread_time()
        yield self._diagnosis
        self._diagnosis.seconds += time.thread_time() - started

    def _allowed(self, epoch: int) -> float:
        """Return the time of all measurements that is allowed up to an epoch."""
        seconds = allowed_seconds(sum(record.seconds for record in self._state.history))
        last = epoch + 1 == self._state.total_epochs or not self._state.is_running
        return seconds if last else BEFORE_LAST * seconds

    def _expected(self) -> float:
        """Return the expected time of a measurement: that of one before, or of training rows."""
        if self._costs:
            return min(self._costs)
        record = self._state.history.records[-1]
        return record.seconds / len(self._arrays.inputs) * len(self._rows())

    def _rows(self) -> npt.NDArray[np.intp]:
        """Return the indices of the rows, evenly spaced: the same in every training."""
        network, available = self._state.network, len(self._arrays.inputs)
        most = min(
            MOST_VALUES // network.largest_activation,
            MOST_PRODUCTS // max(1, len(network.parameters)),
        )
        count = min(max(FEWEST_ROWS, min(MOST_ROWS, most)), available)
        together = network.coupled_rows or 1
        count = max(count - count % together, min(together, available))
        return np.linspace(0, available - 1, count).astype(np.intp)

    def _load(self, diagnosis: Diagnosis) -> "_Sample":
        """Return the rows that are measured; once, measure scales and the loss of guessing."""
        if self._sample is None:
            state, stored, rows = self._state, self._arrays, self._rows()
            network = state.model.before_loss.replica()
            x = self._inputs(rows)
            targets = stored.targets[rows]
            weights = None if stored.weights is None else stored.weights[rows]
            diagnosis.rows, diagnosis.input_scale = len(rows), _scale(x)
            diagnosis.target_scale = _scale(targets) if targets.ndim == 2 else 0.0
            shape = (len(rows), *network.output_shape)
            diagnosis.guessing = guessing(state.loss, targets, weights, shape, x.dtype)
            self._sample = _Sample(network, x, targets, weights)
        return self._sample

    def _inputs(self, rows: npt.NDArray[np.intp]) -> Array:
        """Return training rows as the network takes them, shape (n, *input_shape)."""
        network, stored = self._state.network, self._arrays.inputs
        own = np.empty((len(rows), *stored.shape[1:]), stored.dtype)
        RowReader(stored).copy(rows, own, gather_rows)
        x: Array = np.empty((len(rows), *network.input_shape), network.parameters.dtype)
        self._state.model.transform(own, x.reshape(len(x), -1))
        return x

    def _chunks(self, sample: "_Sample") -> int:
        """Return the number of chunks, each as large as the sample, in which the search reads."""
        most = min(MOST_SEARCHED, SEARCH_PRODUCTS // max(1, len(self._state.network.parameters)))
        return min(most, len(self._arrays.inputs)) // len(sample.x)

    def _search_rows(self, sample: "_Sample") -> Iterator[Array]:
        """Yield the measured rows, and then more, in chunks that are as large and evenly spaced."""
        yield sample.x
        chunks = self._chunks(sample)
        last = len(self._arrays.inputs) - 1
        rows = np.linspace(0, last, chunks * len(sample.x)).astype(np.intp)
        for index in range(1, chunks):
            yield self._inputs(rows[index::chunks])

    def _dead(
        self, epoch: int, layers: Sequence[LayerProbe], sample: "_Sample", cost: float
    ) -> tuple[dict[str, float], int]:
        """Return the dead units of each ReLU layer, on more rows if some are dead on the sample.

        The search leaves time for the measurements after the epochs that are due before the last,
        each of which takes about ``cost`` seconds, as this one did, and at most `RESERVED` of it.
        """
        ahead = (self._state.total_epochs - 1).bit_length() - (epoch + 1).bit_length()
        reserved = RESERVED * cost * (1 + max(0, ahead))
        left = self._allowed(epoch) - self._diagnosis.seconds - reserved
        started = time.thread_time()

        def go_on() -> bool:
            return time.thread_time() - started < SEARCH_FRACTION * left

        if not any(each.dead for each in layers) or self._chunks(sample) < 2 or not go_on():
            return {}, len(sample.x)
        return dead_fractions(sample.network, self._search_rows(sample), go_on=go_on)

    def _measure(self, epoch: int, diagnosis: Diagnosis) -> float:
        """Append a record to the diagnosis; return the seconds of the search for dead units."""
        started = time.thread_time()
        sample = self._load(diagnosis)
        loss, layers = _passes(sample, self._state.loss)
        measured = time.thread_time()
        dead, dead_rows = self._dead(epoch, layers, sample, measured - started)
        searching = time.thread_time() - measured
        initial = {name: norm for name, norm in diagnosis.initial_norms.items() if norm > 0.0}
        norms = self._norms() if initial else {}
        records = [
            replace(
                each,
                dead=dead.get(each.layer, each.dead),
                update=diagnosis.update_ratios.get(each.layer),
                growth=norms[each.layer] / initial[each.layer] if each.layer in initial else None,
                second_moment=self._second_moment(each.layer),
            )
            for each in layers
        ]
        diagnosis.update_ratios = {}
        diagnosis.records.append(ProbeRecord(epoch, loss, tuple(records), dead_rows))
        return searching

    def _second_moment(self, layer: str) -> tuple[float, ...]:
        """Return quantiles of the optimizer's second moment for the weights of a layer."""
        moment = self._state.optimizer.state.get("second_moment")
        if moment is None:
            return ()
        spans = self._state.network.parameters.slices().items()
        own = [moment[span] for name, span in spans if name.startswith(f"{layer}.")]
        if not own:
            return ()
        values = np.concatenate([each[:: 1 + each.size // SAMPLED] for each in own])
        return tuple(np.quantile(values, QUANTILES).tolist())


@dataclass(frozen=True, eq=False)
class _Sample:
    """A replica of the network, and the rows that it is measured on."""

    network: Sequential
    x: Array
    targets: Targets
    weights: Array | None


def _passes(sample: _Sample, loss: Loss) -> tuple[float, list[LayerProbe]]:
    """Run the rows forward and backward; return their loss and the measurements of each layer."""
    network, x = sample.network, sample.x
    layers = [(n, each) for n, each in network.named_layers() if not isinstance(each, Dropout)]
    rng = np.random.default_rng(0) if network.stochastic else None  # not of the training
    measured: list[LayerProbe] = []
    for index, (name, layer) in enumerate(layers):
        x = layer.forward(x, training=True, rng=rng if layer.stochastic else None)
        measured.append(_of_output(name, layer, x, hidden=index < len(layers) - 1))
    value, dy = loss(x, sample.targets, sample.weights)
    for index in range(len(layers) - 1, -1, -1):
        measured[index] = replace(measured[index], gradient=_rms(dy) * len(x))
        dx = layers[index][1].backward(dy, need_dx=index > 0)
        dy = dy if dx is None else dx
    network.take_statistics()  # they are not those of a step
    return value, measured


def guessing(
    loss: Loss,
    targets: Targets,
    weights: Array | None,
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
) -> float:
    """Return the loss of the best constant prediction.

    Parameters
    ----------
    loss : Loss
    targets : array, shape (n,) or (n, k)
    weights : array, shape (n,), or None
        Sample weights.
    shape : tuple of int
        The shape (n, k) of the network's outputs.
    dtype : dtype
        That of the outputs.

    Returns
    -------
    float
        The smallest loss of the constants that are optimal for some loss: the logarithms of the
        classes' frequencies, or the targets' mean, median, logarithm of the mean, logit, and the
        quantiles of a `Pinball` loss; all weighted, and frequencies smoothed as the loss does.
    """
    shares = np.ones(len(targets)) if weights is None or not weights.any() else weights
    smoothing = getattr(loss, "label_smoothing", 0.0)
    if targets.ndim == 1 and np.issubdtype(targets.dtype, np.integer):
        totals = np.bincount(targets.astype(np.int64), shares, minlength=shape[1])
        constants = [_log_frequencies(totals / totals.sum(), smoothing)]
    else:
        columns = targets.reshape(len(targets), -1).astype(np.float64)
        mean = np.average(columns, axis=0, weights=shares)
        inside = np.clip(mean, 1e-6, 1 - 1e-6)
        constants = [mean, _quantiles(columns, 0.5, shares), _log_frequencies(mean, smoothing)]
        constants.append(np.log(inside / (1 - inside)))
        if isinstance(loss, Pinball):
            constants.append(_quantiles(columns, loss.quantiles, shares))
    losses = []
    for constant in [*constants, np.zeros(shape[1])]:
        outputs = np.broadcast_to(constant, shape).astype(dtype)
        losses.append(loss(outputs, targets, weights)[0])
    return float(np.nanmin(losses))


def _log_frequencies(mean: Array, smoothing: float) -> Array:
    """Return the logarithms of frequencies, shape (k,), with label smoothing."""
    smoothed = (1.0 - smoothing) * mean + smoothing * mean.mean()
    logarithms: Array = np.log(np.maximum(smoothed, 1e-6))
    return logarithms


def _quantiles(columns: Array, levels: float | tuple[float, ...], weights: Array) -> Array:
    """Return weighted quantiles of columns, shape (n, k), which minimize the pinball loss."""
    of_columns: Array = np.quantile(columns, levels, axis=0, method="inverted_cdf", weights=weights)
    return of_columns.reshape(-1)


def _of_output(name: str, layer: Layer, y: Array, *, hidden: bool) -> LayerProbe:
    """Return the measurements of a layer's output, shape (n, ...); channels are the second axis.

    Saturation is as in Glorot, Bengio, "Understanding the difficulty of training deep
    feedforward neural networks", AISTATS 2010: outputs near the asymptotes.
    """
    measured = LayerProbe(name, _rms(y), 0.0)
    if layer.kind == "relu":
        return replace(measured, dead=float(inactive(y).mean()))
    if layer.kind == "sigmoid":
        return replace(measured, saturated=float(np.mean(np.abs(y - 0.5) > 0.45)))
    if layer.kind == "tanh":
        return replace(measured, saturated=float(np.mean(np.abs(y) > 0.95)))
    if hidden and layer.weights and y.shape[1] > 1:
        few = y[:16]
        spread = float((few.max(axis=1) - few.min(axis=1)).max())
        return replace(measured, alike=spread <= 1e-6 * float(np.abs(few).max()))
    return measured


def _rms(x: Array) -> float:
    return l2_norm(x.reshape(-1)) / math.sqrt(max(1, x.size))


def _norm(arrays: list[Array]) -> float:
    """Return the l2 norm of the entries of several arrays."""
    return math.hypot(*(l2_norm(each.reshape(-1)) for each in arrays))


def _scale(x: npt.NDArray[Any]) -> float:
    """Return the root mean square of the largest column of rows, shape (n, ...)."""
    columns = x.reshape(len(x), -1)
    return float(np.sqrt(np.einsum("ij,ij->j", columns, columns).max() / len(x)))


def _sortedness(targets: npt.NDArray[Any]) -> float:
    """Return how far rows are sorted by class: about 0 in a random order, 1 if they are sorted.

    It is the fraction of consecutive rows of one class beyond that of a random order; 0 for
    continuous targets.
    """
    if targets.ndim != 1 or len(targets) < 2:
        return 0.0
    shares = np.bincount(targets) / len(targets)
    repeated, by_chance = (
        float(np.mean(targets[1:] == targets[:-1])),
        float(np.vdot(shares, shares)),
    )
    return max(0.0, (repeated - by_chance) / (1.0 - by_chance)) if by_chance < 1.0 else 0.0
