"""Step operations: a network trained from the records alone ends with the same weights."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from tests.helpers.gradients import Float64

from handloom import (
    ELU,
    EMA,
    GELU,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    BatchNorm,
    BinaryCrossEntropy,
    Dataset,
    Dense,
    Dropout,
    Huber,
    Layer,
    LayerNorm,
    LeakyReLU,
    MeanAbsoluteError,
    MeanSquaredError,
    Muon,
    Poisson,
    ReLU,
    Residual,
    RMSprop,
    Sequential,
    Sigmoid,
    SiLU,
    SoftmaxCrossEntropy,
    Tanh,
    Trainer,
    operations as op,
)
from handloom.data.transforms import AsFloat, Scale
from handloom.estimators.solvers import EpsilonHatAdam
from handloom.losses import RowLoss
from handloom.optimizers import Optimizer
from handloom.optimizers.clipping import ClipByNorm
from handloom.training.step import compose

ROWS, STEPS, RATE = 24, 6, 0.05
GENERATOR = np.random.default_rng(0)


def sigmoid(x: Float64) -> Float64:
    return np.asarray(1 / (1 + np.exp(-x)))


def gelu(x: Float64) -> Float64:
    return x * sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))


FUNCTIONS: dict[str, Callable[[Float64, float], Float64]] = {
    "relu": lambda x, _: np.maximum(x, 0),
    "leaky_relu": lambda x, slope: np.where(x > 0, x, slope * x),
    "elu": lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
    "tanh": lambda x, _: np.tanh(x),
    "sigmoid": lambda x, _: sigmoid(x),
    "silu": lambda x, _: x * sigmoid(x),
    "gelu": lambda x, _: gelu(x),
}
ERRORS: dict[str, Callable[[Float64, Float64, float], Float64]] = {
    "squared": lambda z, t, factor: factor * ((z - t) ** 2).mean(axis=1),
    "absolute": lambda z, t, _: np.abs(z - t).mean(axis=1),
    "huber": lambda z, t, d: np.where(
        np.abs(z - t) <= d, (z - t) ** 2 / 2, d * (np.abs(z - t) - d / 2)
    ).mean(axis=1),
    "pinball": lambda z, t, q: np.maximum((1 - q) * (z - t), q * (t - z)).mean(axis=1),
    "poisson": lambda z, t, _: (np.exp(z) - t - t * (z - np.log(np.where(t > 0, t, 1)))).sum(
        axis=1
    ),
}


class FromRecords:
    """Steps computed from records, with gradients by central differences of the loss."""

    def __init__(self, step: op.StepOperations, w: Float64) -> None:
        self.step, self.w, self.count = step, w.copy(), 0
        self.first, self.second = np.zeros_like(w), np.zeros_like(w)
        self.average = np.zeros_like(w)

    def loss(self, w: Float64, x: Float64, targets: Any) -> float:
        assert self.step.layers is not None
        for layer in self.step.layers:
            if isinstance(layer, op.Affine):
                d, h = layer.inputs, layer.units
                matrix = w[layer.weights : layer.weights + d * h].reshape(d, h)
                x = x @ matrix + w[layer.biases : layer.biases + h]
            elif isinstance(layer, op.NormalizeColumns):
                x = self.normalized(layer, w, x)
            else:
                assert isinstance(layer, op.Elementwise)
                x = FUNCTIONS[layer.function](x, layer.parameter)
        return float(self.rows(x, targets).mean()) + self.penalty(w, len(x))

    def normalized(self, layer: op.NormalizeColumns, w: Float64, x: Float64) -> Float64:
        rows = layer.ghost_batch or len(x)
        groups = np.split(x, range(rows, len(x) // rows * rows, rows))
        z = [(g - g.mean(axis=0)) / np.sqrt(g.var(axis=0) + layer.epsilon) for g in groups]
        scale, shift = (w[start : start + layer.units] for start in (layer.scale, layer.shift))
        return np.asarray(scale * np.concatenate(z) + shift)

    def rows(self, z: Float64, targets: Any) -> Float64:
        loss = self.step.loss
        if isinstance(loss, op.CrossEntropy):
            k, s = z.shape[1], loss.label_smoothing
            t = (1 - s) * np.eye(k)[targets] + s / k
            return np.asarray((t * (np.log(np.exp(z).sum(axis=1))[:, None] - z)).sum(axis=1))
        if isinstance(loss, op.SigmoidCrossEntropy):
            return np.asarray((np.logaddexp(0, z) - targets * z).sum(axis=1))
        assert isinstance(loss, op.ErrorLoss)
        return ERRORS[loss.function](z, targets, loss.parameter)

    def penalty(self, w: Float64, rows: int) -> float:
        record = self.step.penalties
        total = sum(
            l1 * np.abs(w[start:stop]).sum() + l2 * (w[start:stop] ** 2).sum()
            for (start, stop), (l1, l2) in zip(record.bounds, record.strengths, strict=True)
        )
        return float(total) / (rows if record.per_row else 1)

    def gradient(self, x: Float64, targets: Any) -> Float64:
        h, slopes = 1e-6, np.empty_like(self.w)
        for i in range(len(self.w)):
            above, below = self.w.copy(), self.w.copy()
            above[i] += h
            below[i] -= h
            slopes[i] = (self.loss(above, x, targets) - self.loss(below, x, targets)) / (2 * h)
        return slopes

    def run(self, stored: Any, targets: Any) -> None:
        transform, clip = self.step.transform, self.step.clip
        x = stored.reshape(len(stored), -1).astype(np.float64)
        if isinstance(transform, op.ScaleRows):
            x = (x - transform.shift) / transform.divisor
        else:
            assert isinstance(transform, op.CastRows)
        dw = self.gradient(x, targets)
        if clip is not None:
            dw *= min(1.0, clip.norm / float(np.linalg.norm(dw)))
        self.count += 1
        self.update(dw)
        if self.step.average is not None:
            decay, t = self.step.average.decay, self.count
            self.average += (1 - decay) / (1 - decay**t) * (self.w - self.average)

    def update(self, dw: Float64) -> None:
        update = self.step.update
        assert update is not None
        for start, stop in self.step.decaying:
            self.w[start:stop] *= 1 - RATE * update.weight_decay
        optimizer, w, t = update.optimizer, self.w, self.count
        if isinstance(optimizer, op.SGDUpdate):
            self.first = optimizer.momentum * self.first - RATE * dw
            w += optimizer.momentum * self.first - RATE * dw if optimizer.nesterov else self.first
        elif isinstance(optimizer, op.AdamUpdate):
            self.first += (1 - optimizer.beta1) * (dw - self.first)
            self.second += (1 - optimizer.beta2) * (dw**2 - self.second)
            m, correction = self.first / (1 - optimizer.beta1**t), math.sqrt(1 - optimizer.beta2**t)
            epsilon = optimizer.epsilon if optimizer.corrected else optimizer.epsilon / correction
            w -= RATE * m / (np.sqrt(self.second) / correction + epsilon)
        else:
            self.second = optimizer.decay * self.second + optimizer.weight * dw**2
            w -= RATE * dw / (np.sqrt(self.second) + optimizer.epsilon)
        for start, stop in self.step.decaying:
            sizes = np.abs(w[start:stop]) - RATE * update.proximal_l1
            w[start:stop] = np.sign(w[start:stop]) * np.maximum(sizes, 0)


IMAGES = GENERATOR.integers(0, 256, (ROWS, 2, 2)).astype(np.uint8)
FEATURES = GENERATOR.standard_normal((ROWS, 4))
CLASSES = np.arange(ROWS) % 3
REAL_TARGETS = GENERATOR.random((ROWS, 3))

CASES: dict[str, tuple[Sequence[Layer], RowLoss, Optimizer, dict[str, Any]]] = {
    "plain": ([Dense(5), Tanh(), Dense(3)], SoftmaxCrossEntropy(), SGD(), {}),
    "smoothed, momentum": (
        [Dense(4), Sigmoid(), Dense(3)],
        SoftmaxCrossEntropy(0.1),
        SGD(momentum=0.9),
        {"clip_norm": 0.2},
    ),
    "proximal step": (
        [Dense(4), Tanh(), Dense(3)],
        SoftmaxCrossEntropy(),
        SGD(momentum=0.9, proximal_l1=0.5),
        {"average": EMA(0.5)},
    ),
    "nesterov": (
        [Dense(4), ELU(0.7), Dense(3)],
        MeanSquaredError(0.5),
        SGD(momentum=0.8, nesterov=True),
        {},
    ),
    "adam": (
        [Dense(4, weights_l1=0.01, weights_l2=0.02, biases_l2=0.03), SiLU(), Dense(3)],
        BinaryCrossEntropy(),
        Adam(epsilon=1e-3),
        {"penalty_per_row": True, "average": EMA(0.5)},
    ),
    "adamw": ([Dense(4), GELU(), Dense(3)], Huber(0.3), AdamW(epsilon=1e-3), {}),
    "as scikit-learn": (
        [Dense(4), LeakyReLU(0.2), Dense(3)],
        MeanAbsoluteError(),
        EpsilonHatAdam(epsilon=1e-2, weight_decay=0.1),
        {},
    ),
    "rmsprop": (
        [Dense(4, weights_l2=0.1), ReLU(), Dense(3)],
        Poisson(),
        RMSprop(epsilon=1e-2, weight_decay=0.2),
        {"clip_norm": 0.5, "average": EMA(0.9)},
    ),
    "batch normalization": (
        [Dense(4), BatchNorm(ghost_batch=9), Tanh(), Dense(3)],
        SoftmaxCrossEntropy(),
        SGD(momentum=0.9),
        {},
    ),
    "adagrad": ([Dense(3)], SoftmaxCrossEntropy(), Adagrad(epsilon=1e-2), {}),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("stored", ["bytes", "features"])
def test_a_network_trained_from_records_alone_is_the_one_that_is_trained(
    name: str, stored: str
) -> None:
    layers, loss, optimizer, options = CASES[name]
    inputs = IMAGES if stored == "bytes" else FEATURES
    targets: Any = CLASSES if isinstance(loss, SoftmaxCrossEntropy) else REAL_TARGETS
    made = Sequential([type(layer)(**layer.config()) for layer in layers])
    made.build((4,), dtype=np.float64)
    transform = Scale() if stored == "bytes" else AsFloat()
    parts = made, transform, loss, optimizer
    start = made.parameters.vector.astype(np.float64)
    limit = options.get("clip_norm")
    clip = None if limit is None else ClipByNorm(limit)
    other = {name: value for name, value in options.items() if name != "clip_norm"}
    described = FromRecords(compose(*parts, clip=clip, **other), start)
    for _ in range(STEPS):
        described.run(inputs, targets)
    data = Dataset(inputs, targets, ("a", "b", "c"))
    Trainer(made, optimizer, RATE, epochs=STEPS, loss=loss, transform=transform, **options).fit(
        data
    )
    reached = described.average if "average" in options else described.w
    np.testing.assert_allclose(made.parameters.vector, reached, rtol=0, atol=2e-7)


class Mine(SGD):
    """A custom optimizer."""

    def update(self, *arguments: Any) -> None:
        """Do nothing."""


class OwnAverage(EMA):
    """A custom average."""

    def update(self) -> None:
        """Do nothing."""


def test_what_has_no_record_is_left_to_its_definition() -> None:
    def step(layers: Sequence[Layer], optimizer: Optimizer, **options: Any) -> op.StepOperations:
        made = Sequential(layers).build((4,))
        return compose(made, AsFloat(), SoftmaxCrossEntropy(), optimizer, **options)

    assert step([Dense(3), Dropout(0.5), Dense(2)], SGD()).layers is not None
    assert step([Dense(3), BatchNorm(), Dense(2)], SGD()).layers is not None
    assert step([Dense(3), LayerNorm(), Dense(2)], SGD()).layers is not None
    assert step([Dense(3), Residual([Dense(3)]), Dense(2)], SGD()).layers is None
    assert step([Dense(2)], Muon()).update is None
    assert step([Dense(2)], Mine()).update is None
    assert step([Dense(2)], SGD(), average=OwnAverage()).average is None
    frozen = Sequential([Dense(3), Dense(2)]).build((4,)).freeze("0.dense")
    assert compose(frozen, AsFloat(), SoftmaxCrossEntropy(), SGD()).layers is None


def test_a_part_without_a_dictionary_of_its_own_is_left_to_its_definition() -> None:
    class Slotted(NamedTuple):
        factor: float

    assert op.operation_of(Slotted(0.5)) is None
