"""Compiled pass of dense networks: agrees with the layers, for any sharing between threads."""

import copy
import importlib.util
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from handloom import (
    GELU,
    SGD,
    Adam,
    BatchNorm,
    Conv2D,
    Dataset,
    Dense,
    Dropout,
    Layer,
    LeakyReLU,
    ModelError,
    ReLU,
    Sequential,
    Sigmoid,
    SiLU,
    SoftmaxCrossEntropy,
    Tanh,
    Trainer,
)
from handloom.backend import CompiledNetwork, FusedBackend
from handloom.data.batches import Batch, LoaderOptions
from handloom.data.transforms import AsFloat
from handloom.layers.im2col import Im2col
from handloom.operations import Arrays
from handloom.parallel.pool import SERIAL, Pool
from handloom.training.objective import Objective

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="needs the extra fast"
)
TOLERANCE: dict[Any, float] = {np.float32: 3e-6, np.float64: 1e-13}
GENERATOR = np.random.default_rng(0)


def built(layers: Sequence[Layer], inputs: int, real: Any = np.float32) -> Sequential:
    made = Sequential(layers).build((inputs,), dtype=real)
    noise = 0.1 * GENERATOR.standard_normal(len(made.parameters))
    made.parameters.vector += noise.astype(real)  # biases that are not zero
    return made


def agree(real: Any, ours: Any, theirs: Any) -> None:
    scale = float(np.abs(theirs).max()) or 1.0
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE[real] * scale)


class Compiled:
    """A network as one compiled pass."""

    def __init__(self, made: Sequential, pool: Pool = SERIAL) -> None:
        self.parameters = made.parameters.replica()
        self.made = compiled(made, self.parameters.gradient, pool)
        assert self.made is not None

    def logits(self, x: Any) -> Any:
        assert self.made is not None
        return self.made.forward(x)

    def backward(self, dlogits: Any) -> None:
        assert self.made is not None
        self.made.backward(dlogits)


def compiled(made: Sequential, gradient: Any, pool: Pool = SERIAL) -> CompiledNetwork | None:
    """Return a network's compiled pass, if it has one."""
    operations, vector = made.operations(), made.parameters.vector
    if operations is None:
        return None
    return FusedBackend(vector.dtype).compiled_network(operations, vector, gradient, pool)


def layer_by_layer(made: Sequential, x: Any, dlogits: Any) -> tuple[Any, Any]:
    runner = made.replica()
    logits = runner.forward(x, training=True).copy()
    runner.backward(dlogits)
    return logits, runner.parameters.gradient.copy()


def as_a_whole(made: Sequential, x: Any, dlogits: Any, pool: Pool = SERIAL) -> tuple[Any, Any]:
    runner = Compiled(made, pool)
    logits = runner.logits(x).copy()
    runner.backward(dlogits)
    return logits, runner.parameters.gradient.copy()


NETWORKS: dict[str, Callable[[], list[Layer]]] = {
    "linear": lambda: [Dense(3)],
    "one number": lambda: [Dense(40), ReLU(), Dense(1)],
    "tanh": lambda: [Dense(7), Tanh(), Dense(5)],
    "deep": lambda: [Dense(33), ReLU(), Dense(17), Sigmoid(), Dense(9), Tanh(), Dense(10)],
    "no activation": lambda: [Dense(20), Dense(64), ReLU(), Dense(2)],
    "narrow": lambda: [Dense(1), Tanh(), Dense(2)],
    "stored slopes": lambda: [
        Dense(9),
        LeakyReLU(0.1),
        Dense(8),
        GELU(),
        Dense(7),
        SiLU(),
        Dense(3),
    ],
}


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("rows", [1, 5, 400])
def test_a_pass_computes_what_the_layers_compute(real: Any, name: str, rows: int) -> None:
    made = built(NETWORKS[name](), 50, real)
    x = GENERATOR.standard_normal((rows, 50)).astype(real)
    dlogits = GENERATOR.standard_normal((rows, *made.output_shape)).astype(real)
    expected = layer_by_layer(made, x, dlogits)
    with FusedBackend(real).threads(2) as threads:
        for pool in (SERIAL, threads):
            actual = as_a_whole(made, x, dlogits, pool)
            agree(real, actual[0], expected[0])
            agree(real, actual[1], expected[1])


def test_lanes_are_the_same_bits_on_any_thread() -> None:
    made = built([Dense(128), ReLU(), Dense(10)], 100)
    x = GENERATOR.standard_normal((300, 100)).astype(np.float32)
    dlogits = GENERATOR.standard_normal((300, 10)).astype(np.float32)
    results = []
    for threads in (1, 2, 4):
        with FusedBackend(np.float32).threads(threads) as pool:
            runner = Compiled(made, pool)
            for _ in range(200):  # at first alone, then with a thread that has woken
                logits = runner.logits(x)
                runner.backward(dlogits)
                results.append((logits.copy(), runner.parameters.gradient.copy()))
    for logits, gradient in results:
        np.testing.assert_array_equal(logits, results[0][0])
        np.testing.assert_array_equal(gradient, results[0][1])


@pytest.mark.slow
def test_a_helper_that_left_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from handloom.fused.split_job import SplitJobs

    alone: list[bool] = []
    run = SplitJobs.run_job

    def noting(jobs: SplitJobs, *args: Any) -> bool:
        alone.append(run(jobs, *args))
        return alone[-1]

    monkeypatch.setattr(SplitJobs, "run_job", noting)
    made = built([Dense(128), ReLU(), Dense(10)], 400, np.float64)
    x, dlogits = GENERATOR.standard_normal((300, 400)), GENERATOR.standard_normal((300, 10))
    with FusedBackend(np.float64).threads(2) as pool:
        runner = Compiled(made, pool)
        for _ in range(3):
            alone.clear()
            for _ in range(500):
                runner.logits(x)
                runner.backward(dlogits)
            assert alone[0], "no helper at first"
            assert not all(alone), "a helper later"
            time.sleep(0.2)  # longer than a helper spins without work


def test_a_gradient_of_another_shape_is_refused() -> None:
    runner = Compiled(built([Dense(8), ReLU(), Dense(3)], 6))
    runner.logits(np.ones((20, 6), np.float32))
    with pytest.raises(ModelError, match=r"dlogits must have shape \(20, 3\), got \(19, 3\)"):
        runner.backward(np.ones((19, 3), np.float32))


def test_rows_of_another_length_are_refused() -> None:
    runner = Compiled(built([Dense(4)], 5))
    with pytest.raises(ModelError, match=r"x must have shape \(n, 5\), got \(3, 6\)"):
        runner.logits(np.zeros((3, 6), np.float32))


def test_batches_may_grow_and_shrink_and_helpers_may_be_needed_elsewhere() -> None:
    made = built([Dense(64), Tanh(), Dense(64), ReLU(), Dense(3)], 90, np.float64)
    with FusedBackend(np.float64).threads(2) as pool:
        runner = Compiled(made, pool)
        for turn, rows in enumerate([10, 200, 64, 300, 1, 299, 300] * 5):
            x = GENERATOR.standard_normal((rows, 90))
            dlogits = GENERATOR.standard_normal((rows, 3))
            expected = layer_by_layer(made, x, dlogits)
            agree(np.float64, runner.logits(x), expected[0])
            if turn % 3 == 0:
                assert pool.run([lambda: 1, lambda: 2, lambda: 3]) == [1, 2, 3]
            runner.backward(dlogits)
            agree(np.float64, runner.parameters.gradient, expected[1])


def test_rows_that_may_not_be_written_to_are_taken_too() -> None:
    made = built([Dense(8), ReLU(), Dense(3)], 6)
    x = GENERATOR.standard_normal((20, 6)).astype(np.float32)
    expected = made.forward(x)
    x.setflags(write=False)
    agree(np.float32, Compiled(made).logits(x), expected)


class Doubled(Dense):
    """A dense layer that computes something else."""

    def forward(self, x: Any, *, training: bool = False, rng: Any = None) -> Any:
        return 2.0 * super().forward(x, training=training)


class DescribedRight(Doubled):
    """A dense layer that computes something else, and has no record."""

    def as_operation(self, offsets: Any) -> Any:
        return None


def test_a_layer_whose_method_was_replaced_has_no_pass() -> None:
    layer = ReLU()
    made = built([Dense(4), layer, Dense(3)], 6)
    assert compiled(made, made.parameters.gradient) is not None
    layer.apply = lambda x, out: np.copyto(out, x)  # type: ignore[method-assign]
    assert compiled(made, made.parameters.gradient) is None


def test_other_networks_have_no_pass() -> None:
    frozen = Dense(4)
    frozen.freeze()
    for layers in (
        [Doubled(4), ReLU(), Dense(3)],
        [DescribedRight(4), ReLU(), Dense(3)],
        [frozen, ReLU(), Dense(3)],
        [ReLU(), Dense(3)],
        [Dense(4), ReLU(), Tanh(), Dense(3)],
        [Dense(4), ReLU()],
        [Dense(4), Dropout(0.0), Dense(3)],
        [Dense(4), BatchNorm(), Dense(3)],
    ):
        made = built(layers, 6)
        assert compiled(made, made.parameters.gradient) is None


def trained(layers: Sequence[Layer], backend: str) -> Any:
    """Return the weights that three epochs end with."""
    inputs = np.random.default_rng(5).standard_normal((60, 6)).astype(np.float32)
    data = Dataset(inputs, np.arange(60) % 3, ("a", "b", "c"))
    made = Sequential(copy.deepcopy(layers)).build((6,))
    Trainer(made, SGD(), 0.1, epochs=3, batch_size=20, backend=backend).fit(data)
    return made.parameters.values


@pytest.mark.parametrize(
    "layers",
    [
        [Doubled(4), ReLU(), Dense(3)],
        [Dense(4).freeze(), ReLU(), Dense(3)],
        [ReLU(), Dense(3)],
        [Dense(4), ReLU(), Tanh(), Dense(3)],
        [Dense(3), ReLU()],
        [Dense(4), Dropout(0.5), Dense(3)],
        [Dense(4), BatchNorm(), Dense(3)],
    ],
    ids=lambda layers: "-".join(layer.kind for layer in layers),
)
def test_other_networks_train_layer_by_layer(layers: Sequence[Layer]) -> None:
    agree(np.float32, trained(layers, "fused"), trained(layers, "numpy"))


def test_inference_between_trainings_changes_nothing() -> None:
    x, others = GENERATOR.standard_normal((2, 40, 6)).astype(np.float32)
    made = built([Dense(8), ReLU(), Dense(3)], 6)
    options = LoaderOptions((6,), made.parameters.dtype, AsFloat())
    backend, classes = FusedBackend(np.float32), np.arange(40) % 3
    with backend.threads(2) as threads:
        objective = Objective(
            *(made, SoftmaxCrossEntropy(), options, backend, threads), layers=made.operations()
        )
        batch, look = (Batch(Arrays(rows, classes), slice(0, 40)) for rows in (x, others))
        first = objective(batch), made.parameters.gradient.copy()
        objective(look, gradient=False)
        again = objective(batch), made.parameters.gradient
    assert first[0] == again[0]
    np.testing.assert_array_equal(first[1], again[1])


@pytest.mark.parametrize("activation", [ReLU, Tanh, Sigmoid])
def test_extreme_values_come_out_as_from_the_layers(activation: type[Layer]) -> None:
    made = Sequential([Dense(1), activation(), Dense(1)]).build((1,), dtype=np.float64)
    made.parameters.load(
        {
            name: np.full_like(view, "weights" in name)
            for name, view in made.parameters.weights.items()
        }
    )
    x = np.array([[0.0], [1e-300], [-1e-12], [1e-4], [-37.0], [709.0], [-1e30], [np.inf], [np.nan]])
    expected = made.replica().forward(x, training=True)
    logits = Compiled(made).logits(x)
    np.testing.assert_allclose(logits, expected, rtol=1e-14, atol=1e-300)


def test_without_a_blas_to_call_networks_run_layer_by_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layers = [Dense(8), ReLU(), Dense(3)]
    monkeypatch.setattr("handloom.fused.network.gemm_address", lambda dtype: None)
    made = built(layers, 6)
    assert compiled(made, made.parameters.gradient) is None
    agree(np.float32, trained(layers, "fused"), trained(layers, "numpy"))


def test_without_a_blas_to_call_convolutions_are_one_product(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("handloom.fused.winograd.gemm_address", lambda dtype: None)
    layer = Conv2D(16, 3, padding=1).replica(FusedBackend(np.float32))
    windows, w = layer._windows((16, 8, 8)), np.zeros((3, 3, 16, 16), np.float32)
    assert isinstance(layer._algorithm(windows, w), Im2col)


def test_no_thread_outlives_a_training() -> None:
    rows = Dataset(
        GENERATOR.standard_normal((1000, 100)).astype(np.float32),
        GENERATOR.integers(0, 3, 1000),
        ("a", "b", "c"),
    )
    made = Sequential([Dense(100), ReLU(), Dense(3)]).build((100,))
    before = threading.active_count()
    Trainer(made, Adam(), 1e-3, epochs=3, batch_size=200, threads=2, backend="fused").fit(rows)
    assert threading.active_count() == before


def test_the_exponential_is_right_to_rounding() -> None:
    from numba import njit

    from handloom.fused.exponential import exp_constants, exponential, exponential_less_one

    @njit  # not from the cache, which does not see changes to inlined functions
    def both(x: Any, known: Any, y: Any, z: Any) -> None:
        for i in range(len(x)):
            y[i], z[i] = exponential(x[i], known), exponential_less_one(x[i], known)

    for real, reach in ((np.float32, 80.0), (np.float64, 700.0)):
        near = np.geomspace(1e-12, reach, 5000)
        x = np.concatenate([-near, near, np.linspace(-3, 3, 5001)]).astype(real)
        y, z = np.empty_like(x), np.empty_like(x)
        both(x, exp_constants(np.dtype(real)), y, z)
        exact: Any = x.astype(np.longdouble)
        units = 2 * float(np.finfo(real).eps)
        np.testing.assert_allclose(y, np.exp(exact), rtol=units)
        np.testing.assert_allclose(z, np.expm1(exact), rtol=2 * units)
