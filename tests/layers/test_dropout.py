"""Dropout: how often it drops, that the mean stays, and where its numbers come from."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from handloom import (
    SGD,
    ConfigurationError,
    Dataset,
    Dense,
    Dropout,
    ModelError,
    ReLU,
    Sequential,
    Trainer,
)
from handloom.parameters import Array
from handloom.randomness import Stream
from handloom.testing import check_layer


def generator(seed: int = 0) -> np.random.Generator:
    return Stream(seed).generator()


def dropped(layer: Dropout, shape: tuple[int, ...], seed: int = 0) -> npt.NDArray[np.bool_]:
    """Return which entries of a shape a training pass drops."""
    return np.asarray(layer.forward(np.ones(shape), training=True, rng=generator(seed)) == 0.0)


@pytest.mark.parametrize("rate", [0.3, 0.5])
@pytest.mark.parametrize("shape", [(6, 5), (3, 2, 4, 4)], ids=["rows", "images"])
def test_it_keeps_the_contract_of_layers(rate: float, shape: tuple[int, ...]) -> None:
    check_layer(Dropout(rate), generator(1).standard_normal(shape), lambda x, _: x)


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2, 0.5, 0.8, 0.95])
def test_as_many_are_dropped_as_the_rate_says(rate: float) -> None:
    n, h = 1000, 400
    off = dropped(Dropout(rate), (n, h))
    spread = math.sqrt(rate * (1 - rate))
    assert abs(off.mean() - rate) < 4 * spread / math.sqrt(n * h)
    # no row and no column is treated apart: five deviations leave room for the furthest of 1,400
    assert np.abs(off.mean(axis=0) - rate).max() < 5 * spread / math.sqrt(n)
    assert np.abs(off.mean(axis=1) - rate).max() < 5 * spread / math.sqrt(h)


def test_entries_are_dropped_independently_of_those_near_them() -> None:
    rate, off = 0.3, dropped(Dropout(0.3), (500, 800)).reshape(-1)
    for distance in (1, 2, 3, 4, 8, 800):
        both = (off[:-distance] & off[distance:]).mean()
        assert abs(both - rate**2) < 4 * math.sqrt(rate**2 / len(off))


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.7])
def test_what_is_kept_is_scaled_so_that_the_mean_stays(rate: float) -> None:
    y = Dropout(rate).forward(np.ones((500, 500)), training=True, rng=generator())
    (zero, scale) = np.unique(y)
    assert zero == 0.0
    assert scale == pytest.approx(1 / (1 - rate), rel=1.6e-5 / (1 - rate))
    # one over the scale is the probability itself, a whole number of 65,536ths
    assert (65_536 / scale) == pytest.approx(round(65_536 / scale), abs=1e-6)
    assert abs(y.mean() - 1.0) < 4 * math.sqrt(rate / (1 - rate)) / 500


@pytest.mark.parametrize("rate", [1e-12, 1.0 - 1e-12])
def test_the_least_rates_are_a_65536th_from_0_and_1(rate: float) -> None:
    y = Dropout(rate).forward(np.ones((1024, 1024)), training=True, rng=generator())
    rare = np.count_nonzero(y == 0.0 if rate < 0.5 else y != 0.0)
    assert abs(rare - 16) < 4 * 4  # the mean and four deviations
    assert np.isfinite(y).all()


def test_inference_is_the_identity_and_draws_nothing() -> None:
    rng, x = generator(), generator(1).standard_normal((4, 5))
    before = rng.bit_generator.state
    y = Dropout(0.5).forward(x, rng=rng)
    assert np.array_equal(y, x)
    assert not np.shares_memory(y, x)
    assert rng.bit_generator.state == before


def test_a_rate_of_zero_is_the_identity_and_needs_no_generator() -> None:
    layer, x = Dropout(0.0), generator(1).standard_normal((4, 5))
    assert np.array_equal(layer.forward(x, training=True), x)
    assert np.array_equal(layer.backward(x), x)  # type: ignore[arg-type]


def test_backward_lets_through_what_forward_let_through() -> None:
    layer, x, dy = Dropout(0.4), *(generator(seed).standard_normal((30, 20)) for seed in (1, 2))
    y = layer.forward(x, training=True, rng=generator())
    np.testing.assert_allclose(layer.backward(dy), dy * (y / x), rtol=1e-14)  # type: ignore[arg-type]


def test_a_seed_gives_its_mask_in_every_dtype() -> None:
    x = np.ones((33, 7))  # 231 entries: the last draws are cut short
    masks = [
        Dropout(0.5).forward(x.astype(dtype), training=True, rng=generator(seed)) == 0.0
        for dtype, seed in ((np.float32, 0), (np.float64, 0), (np.float64, 1))
    ]
    assert np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[1], masks[2])


@pytest.mark.parametrize("bits", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_any_generator_will_do(bits: type[np.random.BitGenerator]) -> None:
    rng = np.random.Generator(bits(3))
    y = Dropout(0.2).forward(np.ones((400, 400)), training=True, rng=rng)
    assert abs((y == 0.0).mean() - 0.2) < 4 * 0.4 / 400


def test_training_without_a_generator_is_refused() -> None:
    with pytest.raises(ModelError, match="rng"):
        Dropout(0.5).forward(np.ones((2, 2)), training=True)


@pytest.mark.parametrize("rate", [1.0, 1.5, -0.1, float("nan"), "half", True, None])
def test_rates_that_mean_nothing_are_refused(rate: object) -> None:
    with pytest.raises(ConfigurationError, match="rate must be"):
        Dropout(rate)  # type: ignore[arg-type]


def data() -> Dataset:
    inputs = generator(3).integers(0, 256, (3000, 4, 4), dtype=np.uint8)
    return Dataset(inputs, generator(4).integers(0, 3, 3000), ("a", "b", "c"))


def trained(rate: float, *, threads: int, seed: int = 0) -> tuple[Sequential, Array]:
    layers = [Dense(16), ReLU(), Dropout(rate), Dense(3)]
    network = Sequential(layers).build((16,), seed=1)
    trainer = Trainer(network, SGD(), 0.1, epochs=2, seed=seed, threads=threads, backend="numpy")
    trainer.fit(data())  # three shards a step
    return network, network.parameters.vector


def test_training_gives_the_same_bits_for_any_number_of_threads() -> None:
    _, alone = trained(0.5, threads=1)
    assert np.array_equal(trained(0.5, threads=2)[1], alone)
    assert not np.array_equal(trained(0.5, threads=1, seed=1)[1], alone)
    assert not np.array_equal(trained(0.0, threads=1)[1], alone)


def test_prediction_drops_nothing() -> None:
    network, _ = trained(0.5, threads=1)
    x = generator().standard_normal((5, 16)).astype(np.float32)
    without_dropout = Sequential([Dense(16), ReLU(), Dense(3)]).build((16,))
    without_dropout.parameters.vector[...] = network.parameters.vector
    assert np.array_equal(network.predict(x), without_dropout.predict(x))


def test_a_rate_that_is_set_before_the_network_is_built_is_the_rate() -> None:
    layer = Dropout(0.5)
    layer.rate = 0.0
    x = generator().standard_normal((5, 16)).astype(np.float32)
    network = Sequential([layer]).build((16,))
    assert np.array_equal(network.forward(x, training=True), x)
