"""The walk through a training step: its values are those of the step, its arithmetic is right."""

import numpy as np
import numpy.typing as npt
import pytest
from tests.helpers.arithmetic import sides
from tests.helpers.gradients import Float64, numeric_gradient, relative_error

from handloom import SGD, Adagrad, Adam, AdamW, Dense, ModelError, Muon, RMSprop
from handloom.errors import ConfigurationError
from handloom.optimizers import OPTIMIZERS, Optimizer
from handloom.optimizers.muon import orthogonalize
from handloom.recipes.settings import Settings
from handloom.walkthroughs.equations import Part
from handloom.walkthroughs.optimizer_equations import OPTIMIZER_STEPS
from handloom.walkthroughs.step import example, step, tiny_settings, walk

WEIGHTS = ("W0", "b0", "W2", "b2")
L1, L2 = 0.003, 0.02
OPTIMIZERS_TO_WALK = {
    "plain": SGD(),
    "decay": SGD(weight_decay=0.2),
    "momentum": SGD(momentum=0.9),
    "nesterov": SGD(momentum=0.9, nesterov=True),
    "adagrad": Adagrad(),
    "rmsprop": RMSprop(),
    "adam": Adam(),
    "adamw": AdamW(weight_decay=0.2),
    "muon": Muon(weight_decay=0.2),
    "muon without nesterov": Muon(nesterov=False),
}


def shown(parts: list[Part]) -> dict[str, Float64]:
    """Return the arrays of a step by name; within a step a name means one array."""
    arrays: dict[str, Float64] = {}
    for part in parts:
        for array in part.arrays:
            if array.name in arrays:
                assert np.array_equal(arrays[array.name], array.values)
            arrays[array.name] = array.values
    return arrays


def steps_of(
    optimizer: Optimizer, steps: int, settings: Settings, rate: float = 0.1
) -> list[list[Part]]:
    tiny = example(settings)
    optimizer.bind(tiny.parameters)
    return [step(tiny, optimizer, rate) for _ in range(steps)]


def log_softmax(z: Float64) -> Float64:
    return np.asarray(z - np.log(np.exp(z).sum(axis=1, keepdims=True)))


def forward(a: dict[str, Float64]) -> tuple[Float64, Float64, Float64]:
    y0 = np.einsum("ij,ju->iu", a["x"], a["W0"]) + a["b0"]
    y1 = np.where(y0 > 0, y0, 0)
    return y0, y1, np.einsum("iu,uk->ik", y1, a["W2"]) + a["b2"]


def total(a: dict[str, Float64], l1: float, l2: float) -> float:
    rows = log_softmax(forward(a)[2])[np.arange(len(a["t"])), a["t"].astype(int)]
    weights = np.concatenate([a["W0"].ravel(), a["W2"].ravel()])
    return float(-rows.mean() + l1 * np.abs(weights).sum() + l2 * np.square(weights).sum())


@pytest.mark.parametrize("seed", range(4))
def test_the_arrays_on_the_way_forward_obey_their_equations(seed: int) -> None:
    (parts,) = walk(tiny_settings(seed=seed))
    a = shown(parts)
    y0, y1, z = forward(a)
    for name, expected in (("y0", y0), ("y1", y1), ("z", z), ("p", np.exp(log_softmax(z)))):
        np.testing.assert_allclose(a[name], expected, rtol=1e-13, atol=1e-16)
    row_losses = -log_softmax(z)[np.arange(2), a["t"].astype(int)]
    np.testing.assert_allclose(a["l"], row_losses, rtol=1e-13)


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_gradients_are_the_slopes_of_loss_and_penalty(seed: int) -> None:
    (parts,) = walk(tiny_settings(seed=seed, l1=L1, l2=L2))
    a = shown(parts)
    assert a["y0"].all()  # none sits on the kink of a ReLU
    for name, gradient in (("W0", "gW0"), ("b0", "db0"), ("W2", "gW2"), ("b2", "db2")):
        smooth = (a[name] != 0) | (name[0] == "b")  # L1 has a kink at zero
        numeric = numeric_gradient(lambda: total(a, L1, L2), a[name])
        assert relative_error(a[gradient][smooth], numeric[smooth]) < 1e-6


def test_without_a_penalty_the_step_follows_the_gradient_of_the_loss() -> None:
    (parts,) = walk(tiny_settings(l2=0.0))
    a = shown(parts)
    assert "gW0" not in a
    numeric = numeric_gradient(lambda: total(a, 0.0, 0.0), a["W0"])
    assert relative_error(a["dW0"], numeric) < 1e-6
    np.testing.assert_allclose(a["W0'"], a["W0"] - 0.1 * a["dW0"], rtol=1e-14)


@pytest.mark.parametrize("optimizer", OPTIMIZERS_TO_WALK.values(), ids=OPTIMIZERS_TO_WALK)
def test_updates_follow_the_published_equations_step_after_step(optimizer: Optimizer) -> None:
    r, state = 0.1, dict.fromkeys(WEIGHTS, (np.zeros(()), np.zeros(())))
    previous: dict[str, Float64] = {}
    for t, parts in enumerate(steps_of(optimizer, 3, tiny_settings()), start=1):
        a = shown(parts)
        for name in WEIGHTS:
            if previous:
                assert np.array_equal(a[name], previous[f"{name}'"])
            w, g = a[name], a[f"{'g' if name[0] == 'W' else 'd'}{name}"]
            u, v = state[name]
            if name[0] == "W":
                w = (1 - r * optimizer.weight_decay) * w
            if isinstance(optimizer, Adam) or (isinstance(optimizer, Muon) and name[0] == "b"):
                rate, b = r * getattr(optimizer, "adam_rate", 1.0), optimizer.beta2
                u, v = 0.9 * u + 0.1 * g, b * v + (1 - b) * g**2
                root = np.sqrt(v / (1 - b**t))
                expected = w - rate * (u / (1 - 0.9**t)) / (root + optimizer.epsilon)
            elif isinstance(optimizer, Muon):
                u = 0.95 * u + 0.05 * g
                expected = w - r * orthogonalize(0.95 * u + 0.05 * g if optimizer.nesterov else u)
            elif isinstance(optimizer, RMSprop | Adagrad):
                v = 0.9 * v + 0.1 * g**2 if isinstance(optimizer, RMSprop) else v + g**2
                expected = w - r * g / (np.sqrt(v) + 1e-7)
            elif isinstance(optimizer, SGD):
                u = optimizer.momentum * u - r * g
                expected = w + (optimizer.momentum * u - r * g if optimizer.nesterov else u)
            state[name] = u, v
            np.testing.assert_allclose(a[f"{name}'"], expected, rtol=1e-11, atol=1e-15)
        previous = a


@pytest.mark.parametrize("optimizer", OPTIMIZERS_TO_WALK.values(), ids=OPTIMIZERS_TO_WALK)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_entry_worked_out_is_right(optimizer: Optimizer, seed: int) -> None:
    seen = set()
    for parts in steps_of(optimizer, 2, tiny_settings(seed=seed, l1=0.001)):
        names = {name.replace("'", "_new"): values for name, values in shown(parts).items()}
        for equation in [equation for part in parts for equation in part.equations]:
            name, work = equation.entry.split(" = ", 1)
            values = sides(work if "[" not in name else equation.entry, names)
            assert values == pytest.approx([values[-1]] * len(values), rel=5e-3), equation.entry
            assert equation.text.startswith(name.partition("[")[0])
            seen.add(name.partition("[")[0])
    assert {"y0", "y1", "z", "p", "l", "loss", "dz", "total", "total'"} <= seen
    assert {"dW2", "db2", "dy1", "dy0", "dW0", "db0", "penalty", "gW0", "gW2"} <= seen
    assert {f"{name}'" for name in WEIGHTS} <= seen


def test_the_loss_goes_down_and_the_next_step_begins_where_the_last_ended() -> None:
    first, second = walk(tiny_settings(), steps=2)
    a, b = shown(first), shown(second)
    assert total(b, 0.0, 0.01) < total(a, 0.0, 0.01)
    (said,) = [equation.entry for equation in first[-1].equations]
    assert sides(said.partition(" = ")[2], {})[-1] == pytest.approx(total(b, 0.0, 0.01), rel=1e-3)
    np.testing.assert_allclose(a["z'"], b["z"], rtol=1e-14)


def test_the_default_example_is_one_to_learn_from() -> None:
    (parts,) = walk(tiny_settings())
    a = shown(parts)
    active = a["y0"] > 0  # a unit that is off for both rows, one for one row, one that is on
    assert sorted(active.sum(axis=0)) == [0, 1, 2]
    for name in ("x", *WEIGHTS):
        assert np.array_equal(4 * a[name], np.round(4 * a[name]))


def test_it_is_the_library_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    right = shown(next(walk(tiny_settings())))
    backward = Dense.backward

    def wrong(
        self: Dense, dy: npt.NDArray[np.floating], *, need_dx: bool = True
    ) -> npt.NDArray[np.floating] | None:
        dx = backward(self, dy, need_dx=need_dx)
        self.gradients["weights"][...] *= -1.0
        return dx

    monkeypatch.setattr(Dense, "backward", wrong)
    bent = shown(next(walk(tiny_settings())))
    np.testing.assert_array_equal(bent["dW0"], -right["dW0"])


def test_the_seed_decides() -> None:
    once, again, other = (shown(next(walk(tiny_settings(seed=seed)))) for seed in (5, 5, 6))
    assert all(np.array_equal(once[name], again[name]) for name in once)
    assert not np.array_equal(once["x"], other["x"])


def test_every_optimizer_can_be_walked_through() -> None:
    assert set(OPTIMIZER_STEPS) == set(OPTIMIZERS)


def test_a_step_that_training_would_not_make_is_not_made() -> None:
    steps = walk(tiny_settings(learning_rate=1e200), steps=3)
    next(steps)
    with pytest.raises(ModelError, match="must be finite"):
        list(steps)


def test_invalid_settings_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="steps must be a whole number of at least 1"):
        walk(tiny_settings(), steps=0)
    with pytest.raises(ConfigurationError, match="momentum is for sgd"):
        tiny_settings(optimizer="adam", momentum=0.9)
