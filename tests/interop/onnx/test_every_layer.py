"""Each layer has the same outputs in onnxruntime, alone, in pairs and in networks."""

import copy
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.helpers.random_networks import IMAGE, SINGLE_LAYERS, random_layers, random_model

from handloom import (
    ELU,
    GELU,
    DataError,
    Dense,
    LayerNorm,
    Model,
    ModelError,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from handloom.interop.example_rows import example_rows
from handloom.interop.onnx import Graph
from handloom.interop.onnx.comparison import NotComparedError, Runner
from handloom.interop.onnx.export import add_model
from handloom.interop.onnx.files import model_bytes, newest_opset
from handloom.layers import LAYERS, Layer
from handloom.predictions import OUTPUT_ACTIVATIONS

TOLERANCES = {"float32": 1e-5, "float64": 1e-12}
"""The largest difference, relative to the largest prediction."""

BATCHES = (1, 7, 200)
OPSETS = (17, 18, 20, newest_opset())

some = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
seeds = st.integers(0, 2**32 - 1)


def error(model: Model, rows: np.ndarray, opset: int = 17) -> float:
    """Return the largest difference of the predictions, relative to the largest prediction."""
    graph = Graph(model.network.parameters.dtype, opset)
    add_model(graph, model)
    runner = Runner(model_bytes(graph, {}))
    (own,) = graph.inputs
    differences = []
    for n in BATCHES:
        batch = np.resize(rows, (n, *rows.shape[1:]))
        expected = model.predict(batch)
        *_, actual = runner.run({own.name: batch.astype(own.dtype)})
        assert actual.dtype == expected.dtype
        assert actual.shape == expected.shape
        largest = max(1.0, np.abs(expected).max())
        differences.append(np.abs(actual - expected).max() / largest)
    return float(max(differences))


def test_there_is_a_case_for_every_layer() -> None:
    def kinds(layers: Sequence[Layer]) -> set[str]:
        return {layer.kind for layer in layers}

    assert set().union(*(kinds(layers) for _, layers in SINGLE_LAYERS.values())) == {*LAYERS}


@pytest.mark.parametrize("opset", [OPSETS[0], OPSETS[-1]])
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_a_layer(dtype: str, opset: int) -> None:
    for shape, layers in SINGLE_LAYERS.values():
        model = random_model(shape, layers, np.random.default_rng(1), dtype=dtype)
        assert error(model, example_rows(model), opset) < TOLERANCES[dtype], layers


@pytest.mark.parametrize("dtype", TOLERANCES)
@some
@given(seed=seeds, opset=st.sampled_from(OPSETS), activation=st.sampled_from([*OUTPUT_ACTIVATIONS]))
def test_random_networks(seed: int, opset: int, activation: str, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    model = random_model(IMAGE, random_layers(rng), rng, dtype=dtype, output_activation=activation)
    if activation == "exp":  # so that it does not make rounding errors large
        model.network.parameters.vector *= 0.5
    assert error(model, example_rows(model, seed), opset) < 2 * TOLERANCES[dtype]


def check_pair(first: str, second: str, dtype: str) -> bool:
    """Compare two cases in a row, if the second one takes the output of the first."""
    shape, _ = SINGLE_LAYERS[first]
    before, after = (copy.deepcopy([*SINGLE_LAYERS[each][1]]) for each in (first, second))
    if SINGLE_LAYERS[second][0] == IMAGE and before[-1].kind == "flatten":
        before = before[:-1]  # images stay images
    if after[0].index_columns:
        return False  # it would take other values for indices
    try:
        model = random_model(shape, [*before, *after], np.random.default_rng(2), dtype=dtype)
    except ModelError:
        return False
    assert error(model, example_rows(model)) < TOLERANCES[dtype], (first, second)
    return True


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_some_pairs(dtype: str) -> None:
    rng, names = np.random.default_rng(5), [*SINGLE_LAYERS]
    compared = [check_pair(rng.choice(names), rng.choice(names), dtype) for _ in range(20)]
    assert sum(compared) > 5


@pytest.mark.long
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("first", SINGLE_LAYERS)
def test_every_pair(first: str, dtype: str) -> None:
    compared = [check_pair(first, second, dtype) for second in SINGLE_LAYERS]
    assert sum(compared) > 5


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("layer", [Sigmoid(), Softmax(), Tanh(), ELU(), SiLU(), GELU()], ids=str)
def test_large_values_neither_overflow_nor_become_nan(layer: Layer, dtype: str) -> None:
    rows = np.array([[-1e4, 1e4, 3e3], [-1e30, 1e30, 0.0], [-800.0, 90.0, 89.0]], np.float32)
    model = random_model((3,), [layer], np.random.default_rng(0), dtype=dtype)
    assert error(model, rows) < TOLERANCES[dtype]


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_layer_normalization_of_rows_far_from_zero(dtype: str) -> None:
    rng = np.random.default_rng(0)
    model = random_model((50,), [LayerNorm()], rng, dtype=dtype)
    rows = 100.0 + rng.standard_normal((20, 50)).round(2)
    expected_error = 1e-5 if dtype == "float32" else 1e-12
    assert error(model, rows.astype(np.float32)) < expected_error


def test_elu_of_small_values_keeps_its_digits_in_float64() -> None:
    model = random_model((4,), [ELU(0.7)], np.random.default_rng(0), dtype="float64")
    graph = Graph("float64")
    add_model(graph, model)
    rows = np.array([[-1e-12, -1e-9, 1e-12, -3.0]])
    *_, actual = Runner(model_bytes(graph, {})).run({"input": rows})
    np.testing.assert_allclose(actual, model.predict(rows), rtol=1e-14)


def test_no_rows() -> None:
    model = random_model(IMAGE, random_layers(np.random.default_rng(3)), np.random.default_rng(3))
    graph = Graph()
    add_model(graph, model)
    *_, actual = Runner(model_bytes(graph, {})).run({"input": np.zeros((0, *IMAGE), np.float32)})
    assert actual.shape == (0, 4)


def test_a_dense_network_of_one_layer_of_zeros() -> None:
    model = random_model((3,), [Dense(2)], np.random.default_rng(0))
    model.network.parameters.vector[...] = 0.0
    assert error(model, example_rows(model)) == 0.0


@pytest.mark.parametrize("index", [-1.0, -0.5, 2.5, 32.0])
def test_the_runtime_refuses_indices_that_an_embedding_refuses(index: float) -> None:
    shape, layers = SINGLE_LAYERS["embedding of a single column"]
    model = random_model(shape, layers, np.random.default_rng(0))
    graph = Graph()
    add_model(graph, model)
    runner = Runner(model_bytes(graph, {}))
    rows = np.zeros((2, *shape), np.float32)
    assert runner.run({"input": rows})
    rows[1, 0] = index
    with pytest.raises(DataError, match="column 0 must hold whole numbers from 0 to 31"):
        model.predict(rows)
    with pytest.raises(NotComparedError, match="indices element out of data bounds"):
        runner.run({"input": rows})
