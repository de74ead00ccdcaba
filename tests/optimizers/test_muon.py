"""Muon makes the momentum of matrices orthogonal and leaves the rest to Adam."""

import copy

import numpy as np
import pytest
from tests.helpers.gradients import Float64, relative_error
from tests.optimizers.helpers import SHAPES, drawn, shaped

from handloom import Adam, Dense, ModelError, Muon, Residual, Sequential
from handloom.errors import ConfigurationError
from handloom.optimizers.muon import orthogonalize


def newton_schulz(g: Float64, iterations: int) -> Float64:
    """Apply the polynomial to the singular values themselves."""
    u, s, v = np.linalg.svd(g, full_matrices=False)
    s = s / np.sqrt(np.sum(s**2))
    for _ in range(iterations):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return np.asarray(u * s @ v)


@pytest.mark.parametrize("nesterov", [False, True])
def test_muon_makes_the_momentum_of_matrices_orthogonal_and_leaves_the_rest_to_adam(
    nesterov: bool,
) -> None:
    made, beside = shaped(), shaped()
    rule = Muon(
        momentum=0.9, nesterov=nesterov, weight_decay=0.3, adam_rate=0.5, adam_for=["2"]
    ).bind(made)
    adam = Adam(beta1=0.9, beta2=0.95, epsilon=1e-10).bind(beside)
    matrices = {name: made.weights[name].copy() for name in ("0.weights", "1.kernel")}
    means = {name: np.zeros_like(w) for name, w in matrices.items()}
    for step, g in enumerate(drawn(made, 5)):
        rate = 0.1 / (1 + step)
        made.gradient[...] = beside.gradient[...] = g
        rule.step(rate)
        beside.weights["2.weights"] *= 1 - rate * 0.3
        adam.step(0.5 * rate)
        for name, w in matrices.items():
            dw = made.gradients[name]
            means[name] = 0.9 * means[name] + 0.1 * dw
            ahead = 0.9 * means[name] + 0.1 * dw if nesterov else means[name]
            outputs = w.shape[-1]
            move = newton_schulz(ahead.astype(np.float64).reshape(-1, outputs), 5)
            scale = max(1.0, outputs / len(move)) ** 0.5
            w[...] = (1 - rate * 0.3) * w - rate * scale * move.reshape(w.shape)
    for name in SHAPES:
        expected = matrices.get(name, beside.weights[name])
        np.testing.assert_allclose(made.weights[name], expected, rtol=1e-10, atol=1e-12)


def test_muon_leaves_out_a_kind_of_layer_as_it_does_each_by_its_name() -> None:
    found = []
    for names in (["dense"], ["0.dense", "1.residual.block.0.dense"], ["0.dense"]):
        made = Sequential([Dense(4), Residual([Dense(4)])]).build((3,)).parameters
        made.gradient[...] = np.linspace(-1, 1, len(made))
        Muon(adam_for=names).bind(made).step(0.1)
        found.append(made.vector)
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


@pytest.mark.parametrize("shape", [(1, 1), (3, 8), (8, 3), (1, 5), (20, 20)])
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_what_is_made_orthogonal_has_singular_values_near_one(
    shape: tuple[int, int], size: float
) -> None:
    g = np.random.default_rng(2).standard_normal(shape).astype(np.float32) * np.float32(size)
    kept = g.copy()
    made = orthogonalize(g)
    u, s, v = np.linalg.svd(g.astype(np.float64) / size, full_matrices=False)
    inner = np.diag(u.T @ made @ v.T)
    begun_above = s / np.sqrt(np.sum(s**2)) > 0.003
    assert (inner[begun_above] > 0.67).all()
    assert (inner < 1.22).all()
    assert relative_error(made, u * inner @ v) < 1e-4  # the same singular vectors
    assert np.array_equal(g, kept)
    assert not orthogonalize(np.zeros(shape)).any()


def test_muon_refuses_to_leave_out_what_is_not_there() -> None:
    with pytest.raises(ModelError, match="layer in adam_for 'dense'"):
        Muon(adam_for=["dense"]).bind(shaped())
    rule = Muon(adam_for=["3.dense"])
    with pytest.raises(ModelError, match=r"layer in adam_for '3.dense'; known are: 0, 1, 2"):
        rule.bind(shaped())
    with pytest.raises(ConfigurationError, match="adam_for must be a sequence of names"):
        Muon(adam_for="2")


def test_a_refused_layer_leaves_the_state_of_an_earlier_training() -> None:
    made = shaped()
    rule = Muon(adam_for=["2"]).bind(made)
    made.gradient[...] = 1.0
    rule.step(0.1)
    state = rule.state_dict()
    another = Sequential([Dense(3)]).build((4,)).parameters
    with pytest.raises(ModelError, match="layer in adam_for '2'"):
        rule.bind(another)
    assert rule.steps == rule.bindings == 1
    assert np.array_equal(rule.state_dict()["first_moment"], state["first_moment"])  # type: ignore[arg-type]


def test_the_layers_of_adam_cannot_be_changed_once_arrays_are_divided() -> None:
    rule = Muon()
    rule.adam_for = ("2",)
    rule.bind(shaped())
    with pytest.raises(
        ConfigurationError, match=r"muon: adam_for cannot be changed, .* Muon\(adam_for="
    ):
        rule.adam_for = ("0",)
    assert rule.config()["adam_for"] == ["2"]
    free = copy.deepcopy(rule)
    free.adam_for = ("0",)
    assert free.config()["adam_for"] == ["0"]
    with pytest.raises(ConfigurationError, match="adam_for must be a sequence of names"):
        free.adam_for = "2"


def test_muon_carries_on_where_it_was_saved() -> None:
    whole, cut = shaped(), shaped()
    rule = Muon().bind(whole)
    for g in drawn(whole, 4):
        whole.gradient[...] = g
        rule.step(0.1)
    rule = Muon().bind(cut)
    for step, g in enumerate(drawn(cut, 4)):
        if step == 2:
            state, rule = rule.state_dict(), Muon().bind(cut)
            rule.load_state_dict(state)
        cut.gradient[...] = g
        rule.step(0.1)
    assert np.array_equal(whole.vector, cut.vector)
