"""Convolution: the sum that is written down, whichever way it is computed."""

import numpy as np
import pytest
from tests.helpers.backends import TILED
from tests.helpers.gradients import relative_error
from tests.helpers.images import convolved, draw

from handloom import (
    ConfigurationError,
    Conv2D,
    Dense,
    Flatten,
    ModelError,
    Sequential,
    build,
    check_gradients,
)
from handloom.backend import NUMPY, Backend, FusedBackend
from handloom.layers.base import Layer
from handloom.layers.im2col import Im2col
from handloom.layers.winograd import Winograd
from handloom.parallel import partition
from handloom.parallel.blas import single_threaded_blas
from handloom.parallel.pool import Pool, SerialPool
from handloom.parallel.threads import Threads
from handloom.parameters import Array
from handloom.testing import check_layer

CASES = [
    # channels, filters, height, width, window, stride, padding, zeros before and after
    (1, 2, 5, 6, 3, 1, 0, (0, 0)),
    (2, 3, 5, 4, 3, 1, 1, (1, 1)),
    (3, 2, 6, 7, 3, 2, 1, (1, 1)),
    (2, 2, 7, 6, 2, 1, "valid", (0, 0)),
    (9, 2, 4, 5, 3, 1, "same", (1, 1)),
    (2, 2, 5, 5, 2, 1, "same", (0, 1)),  # the odd zero goes after
    (2, 2, 6, 6, 3, 2, "same", (0, 1)),
    (2, 3, 5, 6, 1, 2, 0, (0, 0)),
    (2, 1, 4, 4, 4, 3, 3, (3, 3)),
    (16, 16, 4, 6, 3, 1, "same", (1, 1)),  # tiles, from here on
    (16, 17, 5, 3, 3, 1, 0, (0, 0)),
    (17, 16, 3, 5, 3, 1, 2, (2, 2)),
    (16, 17, 2, 9, 3, 1, "same", (1, 1)),  # too low for tiles
]

EACH_WAY = pytest.mark.parametrize("backend", [NUMPY, TILED], ids=["im2col", "winograd"])


def on(backend: Backend, layer: Conv2D) -> Conv2D:
    layer.set_backend(backend)
    return layer


def made(case: tuple[int, ...], backend: Backend = NUMPY) -> tuple[Conv2D, Array]:
    c, f, height, width, size, stride, padding, _ = case
    layer = on(backend, Conv2D(f, size, stride=stride, padding=padding))
    return layer, draw(3, c, height, width)


@pytest.mark.parametrize("case", CASES)
def test_it_is_the_sum_that_is_written_down(case: tuple[int, ...]) -> None:
    layer, x = made(case)

    def reference(x: Array, weights: dict[str, Array]) -> Array:
        return convolved(x, weights["weights"], weights["biases"], case[5], case[7])  # type: ignore[arg-type]

    assert check_layer(layer, x, reference).ok  # type: ignore[arg-type]


@pytest.mark.parametrize("case", CASES[-4:])
def test_tiles_compute_the_same(case: tuple[int, ...]) -> None:
    passed = []
    for backend in (NUMPY, TILED):
        layer, x = made(case, backend)
        build([layer], x.shape[1:], seed=1, dtype=np.float64)
        passed.append(passes(layer, x))
    for ours, expected in zip(passed[1], passed[0], strict=True):
        assert relative_error(ours, expected) < 1e-13


@EACH_WAY
@pytest.mark.parametrize("case", [CASES[2], CASES[6], CASES[10]])
@pytest.mark.slow
def test_every_entry_of_every_gradient_is_right(case: tuple[int, ...], backend: Backend) -> None:
    layer, x = made(case, backend)
    report = check_gradients(layer, x[:2], thorough=True)
    assert report.ok, report


def passes(layer: Layer, x: Array, *, need_dx: bool = True) -> list[Array]:
    y = layer.forward(x, training=True).copy()
    dx = layer.backward(draw(*y.shape, seed=1).astype(x.dtype), need_dx=need_dx)
    gradients = [array.copy() for array in layer.gradients.values()]
    return [y, *([] if dx is None else [dx.copy()]), *gradients]


@pytest.mark.parametrize("channels", [2, 16])
def test_blocks_do_not_change_what_comes_out(
    monkeypatch: pytest.MonkeyPatch, channels: int
) -> None:
    layer, x = on(TILED, Conv2D(16, 3, padding=1)), draw(7, channels, 5, 5)
    build([layer], x.shape[1:], dtype=np.float64)
    whole = passes(layer, x)
    for most in ("CONVOLUTION_BYTES", "COMPILED_CONVOLUTION_BYTES"):
        monkeypatch.setattr(partition, most, 3 * 25 * 200 * 8)  # a few images at a time
    for ours, expected in zip(passes(layer, x), whole, strict=True):
        assert relative_error(ours, expected) < 1e-13


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("images", [1, 7, 150])
@pytest.mark.parametrize("case", [case for case in CASES if min(case[:2]) >= 16])
@pytest.mark.slow
def test_compiled_tiles_agree(case: tuple[int, ...], images: int, real: type) -> None:
    pytest.importorskip("numba")
    c, f, height, width, size, stride, padding, _ = case
    layer = Conv2D(f, size, stride=stride, padding=padding)
    x: Array = draw(images, c, height, width).astype(real)
    build([layer], x.shape[1:], dtype=real)
    expected = passes(layer, x)
    compiled = layer.replica(FusedBackend(real))
    compiled.bind(layer.weights, layer.gradients)
    for _ in range(2):
        for ours, theirs in zip(passes(compiled, x), expected, strict=True):
            assert relative_error(ours, theirs) < (1e-5 if real is np.float32 else 1e-13)
    y, *gradients = passes(compiled, x, need_dx=False)
    for ours, theirs in zip([y, *gradients], [expected[0], *expected[2:]], strict=True):
        assert relative_error(ours, theirs) < (1e-5 if real is np.float32 else 1e-13)


class OneAfterAnother(SerialPool):
    """Cuts work as a training does, and runs the pieces on this thread."""

    lanes = partition.LANES


@pytest.mark.parametrize("channels", [3, 32])
def test_threads_share_a_batch_and_change_no_bit(channels: int) -> None:
    layer = on(TILED, Conv2D(32, 3, padding=1))
    x = draw(40, channels, 28, 28).astype(np.float32)
    build([layer], x.shape[1:])

    def shared_by(pool: Pool) -> Conv2D:
        shared = layer.replica(TILED, pool)
        shared.bind(layer.weights, layer.gradients)
        return shared

    with single_threaded_blas():
        alone = passes(shared_by(OneAfterAnother()), x)
    for threads in (1, 2, 3):
        with Threads(threads) as pool:
            shared = shared_by(pool)
            for _ in range(2):
                for ours, expected in zip(passes(shared, x), alone, strict=True):
                    assert np.array_equal(ours, expected)


def test_a_replica_takes_no_memory_once_it_is_warm() -> None:
    replica = Sequential([Conv2D(16, 3, padding=1)]).build((16, 8, 8)).replica(TILED).layers[0]
    x = draw(30, 16, 8, 8).astype(np.float32)
    first = replica.forward(x, training=True)
    held = {id(buffer) for buffer in replica._buffers.values()}  # type: ignore[union-attr]
    assert np.shares_memory(replica.forward(x, training=True), first)
    assert {id(buffer) for buffer in replica._buffers.values()} == held  # type: ignore[union-attr]


def test_what_is_kept_for_backward_is_the_input_itself() -> None:
    layer, x = Conv2D(2, 3), draw(4, 1, 6, 6)
    build([layer], x.shape[1:], dtype=np.float64)
    layer.forward(x, training=True)
    assert layer._saved_array() is x


def test_without_biases_there_are_none() -> None:
    layer, x = Conv2D(2, 3, biases=False), draw(2, 1, 4, 4)
    assert list(build([layer], x.shape[1:]).weights) == ["0.conv2d.weights"]
    assert check_layer(layer, x).ok


def test_starting_weights_have_the_deviation_that_suits_a_window() -> None:
    layer = Conv2D(64, 3)
    build([layer], (32, 8, 8))
    assert layer.weights["weights"].std() == pytest.approx(np.sqrt(2 / (9 * 32)), rel=0.02)


def test_float32_is_nearly_as_good_as_float64() -> None:
    layer, x = on(TILED, Conv2D(32, 3, padding=1)), draw(5, 64, 8, 8)
    build([layer], x.shape[1:], dtype=np.float64)
    single = on(TILED, Conv2D(32, 3, padding=1))
    build(
        [single],
        x.shape[1:],
        weights={f"0.conv2d.{k}": v.astype(np.float32) for k, v in layer.weights.items()},
    )
    for ours, exact in zip(passes(single, x.astype(np.float32)), passes(layer, x), strict=True):
        # tiles subtract numbers several times as large as the result: a digit of rounding
        assert relative_error(ours, exact) < 4e-6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filters": 0}, "filters must be a whole number of at least 1"),
        ({"size": 2.5}, "size must be a whole number"),
        ({"stride": 0}, "stride must be"),
        ({"padding": -1}, "padding must be a whole number of at least 0"),
        ({"padding": 3}, "padding must be smaller than the window of 3"),
        ({"padding": "full"}, "padding must be 'same', 'valid' or a whole number, got 'full'"),
        ({"biases": 1}, "biases must be True or False"),
        ({"biases": False, "biases_l2": 0.1}, "must be 0 with biases=False, got 0 and 0.1"),
        ({"weights_l1": -1.0}, "weights_l1"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Conv2D(**{"filters": 2, "size": 3, **options})  # type: ignore[arg-type]


def test_images_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ModelError, match=r"must be an image \(c, y, x\), got shape \(7,\)"):
        build([Conv2D(2, 3)], (7,))
    with pytest.raises(ModelError, match="window of 3 x 3 does not fit on an image of 2 x 5"):
        build([Conv2D(2, 3)], (1, 2, 5))
    with pytest.raises(ModelError, match="build the layer"):
        Conv2D(2, 3).forward(draw(1, 1, 3, 3))
    layer = Conv2D(2, 3)
    build([layer], (2, 4, 4))
    with pytest.raises(ModelError, match=r"expected images \(n, 2, y, x\), got shape \(1, 3, 4, 4"):
        layer.forward(draw(1, 3, 4, 4))


def test_a_frozen_layer_gets_no_gradient_and_lets_it_through() -> None:
    x, dlogits = draw(3, 2, 5, 5), draw(3, 4, seed=1)
    networks = []
    for frozen in (False, True):
        convolution = Conv2D(16, 3, padding=1, weights_l2=0.1)
        second = Conv2D(3, 3)
        layers: list[Layer] = [convolution, second, Flatten(), Dense(4)]
        if frozen:
            second.freeze()
        network = Sequential(layers).build(x.shape[1:], seed=1, dtype=np.float64)
        network.forward(x, training=True)
        network.backward(dlogits)
        networks.append(network)
    trained, half = (network.parameters for network in networks)
    assert "1.conv2d.weights" not in half.gradients
    assert len(half) == len(trained) - trained.specs["1.conv2d.weights"].size - 3
    for name, gradient in half.gradients.items():
        assert np.array_equal(gradient, trained.gradients[name])
    assert half.specs["1.conv2d.weights"].l2 == 0.0


@pytest.mark.slow
def test_prediction_takes_fewer_rows_at_once_where_images_are_wide() -> None:
    layers = [Conv2D(16, 3, padding=1), Flatten(), Dense(2)]
    network = Sequential(layers).build((16, 24, 24), dtype=np.float64)
    assert network.largest_activation == 16 * 24 * 24
    x = draw(500, 16, 24, 24)
    alone = np.vstack([network.forward(row[None]) for row in x[::100]])
    assert relative_error(network.predict(x)[::100], alone) < 1e-12


def test_winograds_algorithm_is_for_backends_that_it_pays_for_and_images_it_fits() -> None:
    for backend, side, expected in ((NUMPY, 8, Im2col), (TILED, 8, Winograd), (TILED, 2, Im2col)):
        layer = on(backend, Conv2D(16, 3, padding=1))
        build([layer], (16, side, side))
        algorithm = layer._algorithm(layer._windows((16, side, side)), layer.weights["weights"])
        assert type(algorithm) is expected
