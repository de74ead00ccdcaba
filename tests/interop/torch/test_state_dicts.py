"""Weights of a state dict in a network, without PyTorch: matched by name or order, and checked."""

import copy
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save, save_file
from tests.helpers.random_networks import SINGLE_LAYERS, Layers, random_model

from handloom import BatchNorm, Conv2D, Dense, Embedding, Flatten, ModelError, ReLU, Sequential
from handloom.files import FileError
from handloom.interop.torch import from_torch, to_torch
from handloom.layers import Layer

RNG = np.random.default_rng(0)

State = dict[str, np.ndarray]


def linear(path: str, inputs: int, outputs: int, *, bias: bool = True) -> State:
    state = {f"{path}.weight": RNG.standard_normal((outputs, inputs)).astype(np.float32)}
    return state | (
        {f"{path}.bias": RNG.standard_normal(outputs).astype(np.float32)} if bias else {}
    )


def layers() -> list[Layer]:
    return [Dense(5), ReLU(), Dense(5), ReLU(), Dense(2)]


def state(*paths: str) -> State:
    sizes = [(5, 5), (5, 5), (5, 2)]
    arrays: State = {}
    for path, (inputs, outputs) in zip(paths, sizes, strict=True):
        arrays |= linear(path, inputs, outputs)
    return arrays


def assert_has(network: Sequential, arrays: State, *paths: str) -> None:
    for name, path in zip(("0.dense", "2.dense", "4.dense"), paths, strict=True):
        own = network.parameters.weights
        assert np.array_equal(own[f"{name}.weights"], arrays[f"{path}.weight"].T)
        assert np.array_equal(own[f"{name}.biases"], arrays[f"{path}.bias"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("shape", "own"), SINGLE_LAYERS.values(), ids=SINGLE_LAYERS)
def test_a_model_that_left_comes_back_with_the_same_bits(
    shape: tuple[int, ...], own: Layers, dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # nothing is compared
    model = random_model(shape, own, RNG, dtype=dtype)
    (path,) = to_torch(model, tmp_path / "model").other_files
    back = from_torch(path, copy.deepcopy(own), input_shape=shape)
    again = from_torch(path, Sequential(copy.deepcopy(own)).build(shape, seed=9, dtype=dtype))
    for name, array in model.network.parameters.weights.items():
        assert np.array_equal(back.parameters.weights[name], array)
        assert np.array_equal(again.parameters.weights[name], array)
    if model.network.parameters.values.size:
        assert back.parameters.dtype == dtype


@pytest.mark.parametrize("prefix", ["", "net.", "model.body."])
def test_names_of_a_module_for_each_layer_are_matched(prefix: str) -> None:
    paths = [f"{prefix}{index}" for index in (0, 2, 4)]
    arrays = state(*paths)
    shuffled = dict(sorted(arrays.items(), key=lambda item: item[0][::-1]))
    assert_has(from_torch(shuffled, layers(), input_shape=5), arrays, *paths)


def test_other_names_are_taken_in_their_order() -> None:
    arrays = state("stem", "body", "head")
    assert_has(from_torch(arrays, layers(), input_shape=5), arrays, "stem", "body", "head")


def test_a_file_keeps_no_order_so_numbers_say_it(tmp_path: Path) -> None:
    paths = ("fc2", "fc10", "fc11")
    arrays = state(*paths)
    save_file(arrays, tmp_path / "model.safetensors")
    network = from_torch(tmp_path / "model.safetensors", layers(), input_shape=5)
    assert_has(network, arrays, *paths)


def test_an_order_that_does_not_follow_is_asked_for(tmp_path: Path) -> None:
    arrays = state("up", "down", "z")
    save_file(arrays, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"order of the modules 'down' and 'up'.*pass order="):
        from_torch(tmp_path / "model.safetensors", layers(), input_shape=5)
    order = ["up", "down", "z"]
    network = from_torch(tmp_path / "model.safetensors", layers(), input_shape=5, order=order)
    assert_has(network, arrays, *order)
    with pytest.raises(ModelError, match=r"unknown module in order 'dow'.*Did you mean 'down'"):
        from_torch(arrays, layers(), input_shape=5, order=["up", "dow", "z"])
    with pytest.raises(ModelError, match=r"once, got .*'down' missing"):
        from_torch(arrays, layers(), input_shape=5, order=["up", "z"])


def test_numbers_against_the_order_of_a_state_dict_are_asked_for() -> None:
    arrays = state("fc2", "fc1", "fc3")
    with pytest.raises(ModelError, match=r"order of the modules 'fc2' and 'fc1'"):
        from_torch(arrays, layers(), input_shape=5)


def test_layouts_of_images_are_turned_and_counters_left_out() -> None:
    kernel = RNG.standard_normal((3, 2, 4, 4)).astype(np.float32)
    statistics = {
        "norm.weight": np.ones(3),
        "norm.bias": np.zeros(3),
        "norm.running_mean": np.arange(3.0),
        "norm.running_var": np.arange(1.0, 4.0),
        "norm.num_batches_tracked": np.array(7),
    }
    made: list[Layer] = [Conv2D(3, 4, biases=False), BatchNorm(), Flatten(), Dense(2)]
    arrays = {"conv.weight": kernel, **statistics, **linear("fc", 3, 2)}
    network = from_torch(arrays, made, input_shape=(2, 4, 4))
    own = network.parameters.weights
    assert own["0.conv2d.weights"][1, 2, 0, 1] == kernel[1, 0, 1, 2]
    assert own["1.batch_norm.running_variance"].tolist() == [1.0, 2.0, 3.0]


def test_a_missing_bias_is_zero() -> None:
    network = Sequential([Dense(3), Dense(2)]).build(4)
    network.parameters.weights["0.dense.biases"] += 1.0
    from_torch(linear("a", 4, 3, bias=False) | linear("b", 3, 2), network)
    assert not network.parameters.weights["0.dense.biases"].any()
    assert network.parameters.weights["1.dense.biases"].all()


def test_tables_of_an_embedding_come_one_after_another() -> None:
    tables = {f"columns.{index}.weight": RNG.random((size, 2)) for index, size in ((0, 5), (1, 8))}
    network = from_torch(tables, [Embedding({1: 3, 4: 6}, width=2)], input_shape=5)
    assert network.parameters.dtype == "float64"
    own = network.parameters.weights
    assert np.array_equal(own["0.embedding.column_4"], tables["columns.1.weight"])


NETWORK_CHANGES = [
    (
        {"0.weight": np.zeros((3, 4), np.float32)},
        r"'0.weight' must have shape \(5, 5\).*'0.dense.w",
    ),
    ({"2.wieght": np.zeros(1, np.float32)}, r"unknown array '2.wieght'.*Did you mean '2.weight'"),
    ({"0.bias": np.array([0, 1, np.nan, 0, 0])}, "'0.bias' must be finite"),
    ({"0.bias": np.zeros(5, np.int64)}, "'0.bias' must be float16, float32 or float64, got int64"),
    ({"0.bias": "text"}, "'0.bias' must be float16"),
    ({"0.bias": [[1.0], [1.0, 2.0]]}, "'0.bias': expected an array"),
    ({"6.weight": np.zeros((2, 2), np.float32)}, "arrays of 3 modules, .* got 4"),
    ({"0.bias": np.full(5, 1e300)}, "finite in float32"),
]


@pytest.mark.parametrize(("change", "message"), NETWORK_CHANGES, ids=lambda value: str(value)[:30])
def test_other_arrays_are_refused_by_name_and_nothing_changes(
    change: dict[str, object], message: str
) -> None:
    network = Sequential(layers()).build(5)
    before = network.parameters.values.copy()
    with pytest.raises(ModelError, match=message):
        from_torch({**state("0", "2", "4"), **change}, network)
    assert np.array_equal(network.parameters.values, before)


def test_a_bias_too_many_is_refused() -> None:
    arrays = {"conv.weight": np.zeros((3, 1, 2, 2)), "conv.bias": np.zeros(3)}
    with pytest.raises(ModelError, match=r"unknown array 'conv.bias'; known are: conv.weight"):
        from_torch(arrays, [Conv2D(3, 2, biases=False)], input_shape=(1, 4, 4))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"network": layers()}, "input_shape must be set"),
        ({"network": Sequential(layers()).build(5), "input_shape": 6}, r"must be \(5,\)"),
        ({}, "network must be set for a state dict"),
        ({"order": ["0"]}, "order must be None"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        from_torch(state("0", "2", "4"), **arguments)  # type: ignore[arg-type]


def test_another_source_is_refused() -> None:
    with pytest.raises(ModelError, match=r"source must be a state dict .* got list"):
        from_torch([np.zeros(3)], layers(), input_shape=5)


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "pytorch_model.bin", "model.ckpt"])
def test_a_pickle_is_refused_with_the_way_to_convert_it(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\x80\x02.")
    with pytest.raises(ModelError, match=r"pickles, which can run any code.*save_file"):
        from_torch(tmp_path / name, layers(), input_shape=5)


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"\x80\x02K\x01."])
def test_a_pickle_by_another_name_is_refused_too(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"not a valid safetensors file.*pickles"):
        from_torch(tmp_path / "model.safetensors", layers(), input_shape=5)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot read"):
        from_torch(tmp_path / "model.safetensors", layers(), input_shape=5)


def test_a_file_of_bfloat16_is_refused_with_the_dtype(tmp_path: Path) -> None:
    content = save({"0.bias": np.zeros(2, np.uint16)}).replace(b'"U16"', b'"BF16"')
    size = int.from_bytes(content[:8], "little") + 1
    (tmp_path / "model.safetensors").write_bytes(size.to_bytes(8, "little") + content[8:])
    with pytest.raises(ModelError, match="float64, got an array of BF16: convert"):
        from_torch(tmp_path / "model.safetensors", layers(), input_shape=5)


def test_variances_below_0_are_refused() -> None:
    names = ("weight", "bias", "running_mean", "running_var")
    arrays = {f"0.{name}": np.full(4, -1.0, np.float32) for name in names}
    with pytest.raises(ModelError, match=r"'0\.running_var' must hold variances of at least 0"):
        from_torch(arrays, [BatchNorm()], input_shape=4)
