"""Optimizers, schedules and clipping beside PyTorch's, in float64, where it is installed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.helpers.gradients import relative_error
from tests.helpers.training import features

from handloom import (
    SGD,
    Adagrad,
    AdamW,
    Callback,
    Constant,
    CosineDecay,
    Dense,
    ExponentialDecay,
    LinearDecay,
    Muon,
    OneCycle,
    ReduceOnPlateau,
    RMSprop,
    Sequential,
    StepDecay,
    Tanh,
    Trainer,
    Warmup,
)
from handloom.optimizers import Optimizer
from handloom.schedules import Schedule
from handloom.training import EpochRecord, TrainingState

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

TOLERANCE = 1e-9
STEPS = 30
DATA = features(200)


def weights_decay(arrays: list[Any], decay: float) -> list[dict[str, Any]]:
    """Return the groups in which PyTorch keeps decaying and other weights."""
    matrices = [array for array in arrays if array.ndim > 1]
    others = [array for array in arrays if array.ndim == 1]
    return [
        {"params": matrices, "weight_decay": decay},
        {"params": others, "weight_decay": 0.0},
    ]


def trained(optimizer: Optimizer, theirs: Any, *, clip_norm: float | None = None) -> float:
    """Train both for some steps; return how far apart the weights are."""
    network = Sequential([Dense(8), Tanh(), Dense(3)]).build((5,), dtype=np.float64)
    arrays = [
        torch.tensor(array, dtype=torch.float64, requires_grad=True)
        for array in network.parameters.weights.values()
    ]
    w1, b1, w2, b2 = arrays
    torch_optimizer = theirs(arrays)
    options: dict[str, Any] = {"batch_size": 40, "epochs": STEPS // 5, "shuffle": False}
    Trainer(network, optimizer, 0.02, clip_norm=clip_norm, **options).fit(DATA)
    x, y = torch.tensor(DATA.inputs), torch.tensor(DATA.targets)
    for step in range(STEPS):
        rows = slice(40 * (step % 5), 40 * (step % 5) + 40)
        torch_optimizer.zero_grad()
        logits = torch.tanh(x[rows] @ w1 + b1) @ w2 + b2
        torch.nn.functional.cross_entropy(logits, y[rows]).backward()
        if clip_norm is not None:
            clip(arrays, clip_norm)
        torch_optimizer.step()
    reached = np.concatenate([array.detach().numpy().reshape(-1) for array in arrays])
    return relative_error(network.parameters.vector, reached)


def clip(arrays: list[Any], most: float) -> None:
    """Clip as PyTorch does, less the 1e-6 that it adds to the norm."""
    norm = torch.nn.utils.get_total_norm([array.grad for array in arrays])
    if norm > most:
        torch.nn.utils.clip_grads_with_norm_(arrays, most, norm - 1e-6)


@pytest.mark.parametrize(
    ("optimizer", "theirs"),
    [
        (RMSprop(), lambda p: torch.optim.RMSprop(p, lr=0.02, alpha=0.9, eps=1e-7)),
        (
            RMSprop(rho=0.99, epsilon=1e-3),
            lambda p: torch.optim.RMSprop(p, lr=0.02, alpha=0.99, eps=1e-3),
        ),
        (Adagrad(), lambda p: torch.optim.Adagrad(p, lr=0.02, eps=1e-7)),
        (AdamW(), lambda p: torch.optim.AdamW(weights_decay(p, 0.01), lr=0.02, eps=1e-7)),
        (
            AdamW(beta1=0.8, beta2=0.95, epsilon=1e-4, weight_decay=0.3),
            lambda p: torch.optim.AdamW(
                weights_decay(p, 0.3), lr=0.02, betas=(0.8, 0.95), eps=1e-4
            ),
        ),
    ],
    ids=["rmsprop", "rmsprop slow", "adagrad", "adamw", "adamw strong"],
)
def test_optimizers(optimizer: Optimizer, theirs: Callable[[Any], Any]) -> None:
    assert trained(optimizer, theirs) < TOLERANCE


def test_clipping() -> None:
    def theirs(arrays: list[Any]) -> Any:
        return torch.optim.SGD(arrays, lr=0.02)

    assert trained(SGD(), theirs, clip_norm=0.3) < TOLERANCE
    assert trained(SGD(), theirs, clip_norm=1e9) < TOLERANCE


def test_muon_moves_matrices_as_pytorch_does_in_half_the_digits() -> None:
    """PyTorch orthogonalizes in bfloat16, with three digits; so this is no test to rounding."""
    w = np.random.default_rng(0).standard_normal((6, 9))
    tensor = torch.tensor(w.T.copy(), requires_grad=True)  # theirs has outputs first
    theirs = torch.optim.Muon([tensor], lr=0.1, momentum=0.9, weight_decay=0.1)
    network = Sequential([Dense(9)]).build((6,), dtype=np.float64)
    parameters = network.parameters
    parameters.weights["0.dense.weights"][...] = w
    optimizer = Muon(momentum=0.9, weight_decay=0.1).bind(parameters)
    for step in range(5):
        g = np.random.default_rng(step).standard_normal((6, 9))
        parameters.gradients["0.dense.weights"][...] = g
        optimizer.step(0.1)
        tensor.grad = torch.tensor(g.T.copy())
        theirs.step()
    moved = parameters.weights["0.dense.weights"] - w
    assert relative_error(moved, tensor.detach().numpy().T - w) < 0.02


def rates(make: Callable[[Any], Any], learning_rate: float, steps: int) -> list[float]:
    """Return the rates that a scheduler gives."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=learning_rate)
    scheduler, rates_of_steps = make(optimizer), []
    for _ in range(steps):
        rates_of_steps.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return rates_of_steps


LR = torch.optim.lr_scheduler


def warm(after: Callable[[Any], Any], steps: int) -> Callable[[Any], Any]:
    def make(optimizer: Any) -> Any:
        rise = LR.LinearLR(optimizer, start_factor=1 / (steps + 1), total_iters=steps)
        return LR.SequentialLR(optimizer, [rise, after(optimizer)], milestones=[steps])

    return make


@pytest.mark.filterwarnings("ignore:.*epoch parameter in `scheduler.step:UserWarning")
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Constant(0.3), lambda o: LR.ConstantLR(o, factor=1.0)),
        (StepDecay(0.3, every=7, factor=0.4), lambda o: LR.StepLR(o, 7, gamma=0.4)),
        (ExponentialDecay(0.3, 0.93), lambda o: LR.ExponentialLR(o, 0.93)),
        (LinearDecay(0.3, 40), lambda o: LR.LinearLR(o, 1.0, 0.0, total_iters=40)),
        (CosineDecay(0.3, 50), lambda o: LR.CosineAnnealingLR(o, T_max=50)),
        (CosineDecay(0.3, 50, 0.01), lambda o: LR.CosineAnnealingLR(o, 50, eta_min=0.01)),
        (OneCycle(0.3, 51), lambda o: LR.OneCycleLR(o, 0.3, total_steps=51)),
        (
            OneCycle(0.3, 51, peak=0.1, rise=3, fall=20),
            lambda o: LR.OneCycleLR(
                o, 0.3, total_steps=51, pct_start=0.1, div_factor=3, final_div_factor=20
            ),
        ),
        (
            Warmup(8, CosineDecay(0.3, 42)),
            warm(lambda o: LR.CosineAnnealingLR(o, T_max=42), 8),
        ),
        (
            Warmup(5, ExponentialDecay(0.3, 0.9)),
            warm(lambda o: LR.ExponentialLR(o, 0.9), 5),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_schedules(ours: Schedule, theirs: Callable[[Any], Any]) -> None:
    actual = [ours(step) for step in range(50)]
    np.testing.assert_allclose(actual, rates(theirs, 0.3, 50), rtol=TOLERANCE, atol=1e-12)


class Script(Callback):
    """Records scripted metrics."""

    def __init__(self, values: list[float]) -> None:
        self.values = values

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        state.record("scripted", self.values[record.epoch])


@pytest.mark.parametrize("goal", ["low", "high"])
@pytest.mark.parametrize(
    ("patience", "cooldown", "min_delta", "min_rate"),
    [(1, 0, 0.0, 0.0), (3, 0, 0.05, 0.0), (2, 3, 0.02, 0.01), (1, 1, 0.1, 0.004)],
)
def test_reduce_on_plateau(
    goal: Any, patience: int, cooldown: int, min_delta: float, min_rate: float
) -> None:
    rng = np.random.default_rng(patience)
    values = (1.0 / np.arange(1, 41) + 0.05 * rng.standard_normal(40)).tolist()
    if goal == "high":
        values = [1.0 - value for value in values]
    plateau = ReduceOnPlateau(
        "scripted",
        goal=goal,
        factor=0.4,
        patience=patience,
        cooldown=cooldown,
        min_delta=min_delta,
        min_rate=min_rate,
    )
    network = Sequential([Dense(3)]).build((5,))
    trainer = Trainer(network, SGD(), 0.3, epochs=40, callbacks=[Script(values), plateau])
    actual = trainer.fit(DATA)["learning_rate"]
    theirs = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler = LR.ReduceLROnPlateau(
        theirs,
        "min" if goal == "low" else "max",
        factor=0.4,
        patience=patience - 1,  # the epochs that are tolerated
        threshold=min_delta,
        threshold_mode="abs",
        cooldown=cooldown,
        min_lr=min_rate,
        eps=0.0,
    )
    expected = []
    for value in values:
        expected.append(theirs.param_groups[0]["lr"])
        scheduler.step(value)
    assert len(set(expected)) > 2
    np.testing.assert_allclose(actual, expected, rtol=TOLERANCE)
