"""Normalization: mean zero, variance one, and statistics that are kept for inference."""

import threading

import numpy as np
import pytest
from tests.helpers.gradients import relative_error
from tests.helpers.images import draw, normalized

from handloom import (
    BatchNorm,
    ConfigurationError,
    Conv2D,
    Dense,
    Flatten,
    LayerNorm,
    ModelError,
    ReLU,
    Sequential,
    build,
    check_gradients,
)
from handloom.layers import Layer
from handloom.parameters import Array
from handloom.testing import check_layer

SHAPES = [(6, 4), (6, 3, 4, 5)]


def by_feature(x: Array, group: int | None = None) -> Array:
    """Return ``x`` normalized feature by feature, within groups of rows."""
    starts = range(0, len(x) - (group or len(x)) + 1, group or len(x))
    stops = [*starts[1:], len(x)]
    out = np.empty_like(x)
    for a, b in zip(starts, stops, strict=True):
        for feature in range(x.shape[1]):
            out[a:b, feature] = normalized(x[a:b, feature])
    return out


def scaled(z: Array, weights: dict[str, Array]) -> Array:
    shape = (1, -1) + (1,) * (z.ndim - 2)
    return np.asarray(z * weights["scale"].reshape(shape) + weights["shift"].reshape(shape))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ghost_batch", [None, 2, 4, 100])
def test_batch_norm_is_what_is_written_down(
    shape: tuple[int, ...], ghost_batch: int | None
) -> None:
    def reference(x: Array, weights: dict[str, Array]) -> Array:
        group = ghost_batch if ghost_batch and ghost_batch <= len(x) else None
        return scaled(by_feature(x, group), weights)

    x = 3.0 + 2.0 * draw(*shape)
    assert check_layer(BatchNorm(ghost_batch=ghost_batch), x, reference).ok  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [*SHAPES, (3, 2, 3)])
def test_layer_norm_is_what_is_written_down(shape: tuple[int, ...]) -> None:
    def reference(x: Array, weights: dict[str, Array]) -> Array:
        z = np.stack([normalized(row) for row in x])
        return np.asarray(z * weights["scale"] + weights["shift"])

    x = 3.0 + 2.0 * draw(*shape)
    assert check_layer(LayerNorm(), x, reference).ok  # type: ignore[arg-type]


@pytest.mark.parametrize("layer", [BatchNorm(), BatchNorm(ghost_batch=2), LayerNorm()])
@pytest.mark.parametrize("shape", [(5, 3), (4, 2, 3, 2)])
def test_every_entry_of_every_gradient_is_right(layer: Layer, shape: tuple[int, ...]) -> None:
    report = check_gradients(layer, draw(*shape), thorough=True)
    assert report.ok, report


def step(network: Sequential, x: Array) -> None:
    network.forward(x, training=True)
    network.commit_statistics()


def test_inference_uses_statistics_that_follow_those_of_the_batches() -> None:
    network = Sequential([BatchNorm(momentum=0.75)]).build((3,), dtype=np.float64)
    mean, variance = np.zeros(3), np.ones(3)
    for seed in range(5):
        x = 2.0 + 3.0 * draw(8, 3, seed=seed)
        step(network, x)
        mean = 0.75 * mean + 0.25 * x.mean(axis=0)
        variance = 0.75 * variance + 0.25 * x.var(axis=0, ddof=1)
    weights = network.layers[0].weights
    assert relative_error(weights["running_mean"], mean) < 1e-12
    assert relative_error(weights["running_variance"], variance) < 1e-12
    x = draw(4, 3)
    expected = (x - mean) / np.sqrt(variance + 1e-5)
    assert relative_error(network.forward(x), expected) < 1e-12


def test_a_pass_moves_nothing_until_it_is_said() -> None:
    network = Sequential([Dense(3), BatchNorm()]).build((3,), dtype=np.float64)
    before = network.parameters.values.copy()
    network.forward(draw(8, 3), training=True)
    assert np.array_equal(network.parameters.values, before)
    network.commit_statistics()
    assert not np.array_equal(network.parameters.values, before)
    after = network.parameters.values.copy()
    network.commit_statistics()  # there is nothing new
    assert np.array_equal(network.parameters.values, after)
    assert np.array_equal(network.parameters.vector, before[: len(network.parameters)])


@pytest.mark.parametrize("bind_again", ["build", "freeze"])
def test_statistics_that_were_not_committed_do_not_outlive_the_weights(bind_again: str) -> None:
    x = draw(20, 4)
    expected, made = (Sequential([BatchNorm(), Dense(2)]).build(4, seed=1) for _ in range(2))
    made.forward(100.0 * x, training=True)
    if bind_again == "build":
        made.build(4, seed=1)
    else:
        made.freeze("0.batch_norm").unfreeze("0.batch_norm")
    for each in (expected, made):
        each.forward(x, training=True)
        each.commit_statistics()
    for name in ("0.batch_norm.running_mean", "0.batch_norm.running_variance"):
        assert np.array_equal(made.get_weights()[name], expected.get_weights()[name])


def test_replicas_that_run_at_once_give_the_same_statistics_to_the_bit() -> None:
    x = draw(40, 3).astype(np.float32)
    parts = [slice(0, 10), slice(10, 20), slice(20, 30), slice(30, 40)]
    results = []
    for at_once in (False, True):
        network = Sequential([Dense(4), BatchNorm(ghost_batch=5)]).build((3,))
        replicas = [network.replica() for _ in parts]
        calls = [
            threading.Thread(target=r.forward, args=(x[s],), kwargs={"training": True})
            for r, s in zip(replicas, parts, strict=True)
        ]
        for call in reversed(calls):
            call.start()
            if not at_once:
                call.join()
        for call in calls:
            if at_once:
                call.join()
        network.commit_statistics([replica.take_statistics() for replica in replicas])
        results.append(network.parameters.values)
    assert np.array_equal(results[0], results[1])
    whole = Sequential([Dense(4), BatchNorm(ghost_batch=5)]).build((3,))
    step(whole, x)
    assert relative_error(results[0], whole.parameters.values) < 1e-6


def test_statistics_lie_beside_the_weights_and_are_saved_with_them() -> None:
    network = Sequential([Dense(4), BatchNorm(), Dense(2)]).build((3,))
    parameters = network.parameters
    assert len(parameters) == 3 * 4 + 4 + 4 + 4 + 4 * 2 + 2
    assert len(parameters.values) == len(parameters) + 4 + 4
    assert set(parameters.weights) - set(parameters.gradients) == {
        "1.batch_norm.running_mean",
        "1.batch_norm.running_variance",
    }
    step(network, draw(8, 3).astype(np.float32))
    again = Sequential.from_config(network.config(), weights=parameters.weights)
    assert np.array_equal(again.parameters.values, parameters.values)
    saved = parameters.values.copy()
    parameters.values[...] = 0.0
    parameters.load(parameters.views(saved))
    assert np.array_equal(parameters.values, saved)
    # a vector of trained weights alone is shown with the statistics of the present
    named = parameters.views(saved[: len(parameters)].copy())
    running = named["1.batch_norm.running_mean"]
    assert np.shares_memory(running, parameters.values)


def test_a_network_says_which_rows_belong_together() -> None:
    def coupled_rows(*layers: Layer) -> int | None:
        return Sequential(layers).coupled_rows

    assert coupled_rows(Dense(2), ReLU()) == 1
    assert coupled_rows(Dense(2), BatchNorm()) is None
    assert coupled_rows(BatchNorm(ghost_batch=4), Dense(2), BatchNorm(ghost_batch=6)) == 12
    assert coupled_rows(BatchNorm(ghost_batch=4), BatchNorm()) is None


def test_a_frozen_batch_norm_computes_as_in_inference() -> None:
    def network() -> Sequential:
        layers = [Dense(3), BatchNorm(), Dense(2)]
        return Sequential(layers).build((3,), seed=1, dtype=np.float64)

    made, x = network(), draw(6, 3)
    step(made, 2.0 + draw(6, 3, seed=3))
    made.freeze("1.batch_norm")
    values = made.parameters.values.copy()
    assert np.array_equal(made.forward(x, training=True), made.forward(x))
    made.commit_statistics()
    assert np.array_equal(made.parameters.values, values)
    assert not any("batch_norm" in name for name in made.parameters.gradients)
    report = check_gradients(made, x, np.array([0, 1, 0, 1, 0, 1]))
    assert report.ok, report


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_float32_is_nearly_as_good_as_float64(offset: float) -> None:
    x = offset + draw(64, 5, 14, 14)
    results = []
    for dtype in (np.float64, np.float32):
        layer = BatchNorm()
        build([layer], x.shape[1:], dtype=dtype)
        y = layer.forward(x.astype(dtype), training=True)
        dx = layer.backward(draw(*x.shape, seed=1).astype(dtype))
        results.append((y, dx))
    # to take 100 away costs two digits
    tolerance = 1e-6 if offset == 0.0 else 1e-4
    assert relative_error(results[1][0], results[0][0]) < tolerance
    assert relative_error(results[1][1], results[0][1]) < tolerance  # type: ignore[arg-type]


def test_a_feature_that_never_changes_does_no_harm() -> None:
    layer = BatchNorm()
    build([layer], (2,), dtype=np.float64)
    y = layer.forward(np.full((4, 2), 7.0), training=True)
    dx = layer.backward(np.ones((4, 2)))
    assert np.array_equal(y, np.zeros((4, 2)))
    assert np.isfinite(dx).all()  # type: ignore[arg-type]


def test_a_network_of_image_layers_has_the_right_gradient() -> None:
    layers = [Conv2D(4, 3, padding="same", biases=False), BatchNorm(), ReLU(), Flatten(), Dense(3)]
    network = Sequential(layers).build((2, 4, 4), dtype=np.float64)
    report = check_gradients(network, draw(5, 2, 4, 4), np.array([0, 1, 2, 0, 1]))
    assert report.ok, report


def test_mistakes_are_named() -> None:
    for options, message in (
        ({"momentum": 1.0}, "momentum must be at least 0 and below 1"),
        ({"epsilon": 0.0}, "epsilon must be a finite number above 0"),
        ({"ghost_batch": 1}, "ghost_batch must be a whole number of at least 2"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            BatchNorm(**options)
    with pytest.raises(ConfigurationError, match="epsilon"):
        LayerNorm(epsilon=-1.0)
    with pytest.raises(ModelError, match=r"flat or an image \(c, y, x\), got shape \(2, 3\)"):
        build([BatchNorm()], (2, 3))
    for layer in (BatchNorm(), LayerNorm()):
        with pytest.raises(ModelError, match="build the layer"):
            layer.forward(draw(2, 3))
        build([layer], (3,))
        with pytest.raises(ModelError, match="expected"):
            layer.forward(draw(2, 4))
    network = Sequential([Dense(2)]).build((2,))
    with pytest.raises(ModelError, match=r"unknown layer '0.dens'.*Did you mean '0.dense'"):
        network.freeze("0.dens")


@pytest.mark.parametrize("layer", [BatchNorm(), LayerNorm()])
def test_scale_and_shift_are_no_matrices_whatever_their_shape(layer: Layer) -> None:
    specs = layer.declare((2, 3, 4))
    assert not any(spec.is_matrix for spec in specs.values())
