"""network_from_onnx: straight chains of standard operators, as other programs write them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession
from tests.helpers.random_networks import SINGLE_LAYERS, random_model

from handloom import ModelError, to_onnx
from handloom.files import FileError
from handloom.interop.onnx import Graph, add_layers, network_from_onnx
from handloom.interop.onnx.files import model_bytes

STRAIGHT = sorted(
    {*SINGLE_LAYERS}
    - {name for name in SINGLE_LAYERS if name.startswith(("residual", "embedding", "layer_norm"))}
    - {"silu", "gelu", "dropout", "global_average_pool2d"}
)
"""The cases whose nodes are a chain of operators that are read."""

Arrays = dict[str, np.ndarray]


def write(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    arrays: Arrays,
    shape: Sequence[int | str] = ("batch", 4),
    *,
    dtype: int = TensorProto.FLOAT,
    outputs: Sequence[str] = ("y",),
    extra_inputs: Sequence[str] = (),
) -> Path:
    rank = [None] * 2
    graph = helper.make_graph(
        nodes,
        "other",
        [
            helper.make_tensor_value_info("x", dtype, shape),
            *(helper.make_tensor_value_info(each, dtype, shape) for each in extra_inputs),
        ],
        [helper.make_tensor_value_info(each, dtype, rank) for each in outputs],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    path.write_bytes(proto.SerializeToString())
    return path


def node(operator: str, *inputs: str, output: str = "y", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, [output], f"my {operator}", **attributes)


def check(path: Path, shape: tuple[int, ...]) -> None:
    """Compare the network with onnxruntime."""
    network = network_from_onnx(path)
    rows = np.random.default_rng(0).standard_normal((7, *shape)).astype(np.float32)
    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": rows})
    np.testing.assert_allclose(
        network.predict(rows).ravel(), expected.ravel(), rtol=1e-5, atol=1e-5
    )


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("name", STRAIGHT)
def test_chains_come_back(name: str, tmp_path: Path) -> None:
    shape, layers = SINGLE_LAYERS[name]
    network = random_model(shape, layers, np.random.default_rng(0)).network
    graph = Graph("float32", 18)
    x = graph.input("x", "float32", shape)
    graph.output("y", add_layers(graph, network.named_layers(), x, shape), network.output_shape)
    path = tmp_path / "chain.onnx"
    path.write_bytes(model_bytes(graph, {}))
    again = network_from_onnx(path)
    rows = np.random.default_rng(0).standard_normal((7, *shape)).astype(np.float32)
    np.testing.assert_array_equal(again.predict(rows), network.predict(rows))


def test_a_network_as_pytorch_writes_it(tmp_path: Path) -> None:
    arrays = {
        "conv.weight": random(4, 1, 3, 3),
        "conv.bias": random(4),
        **{f"bn.{name}": np.abs(random(4)) for name in ("weight", "bias", "mean", "var")},
        "shape": np.array([-1, 36], np.int64),
        "fc.weight": random(5, 36),
        "fc.bias": random(5),
    }
    normalized = [f"bn.{name}" for name in ("weight", "bias", "mean", "var")]
    nodes = [
        node(
            *("Conv", "x", "conv.weight", "conv.bias"),
            output="a",
            group=1,
            dilations=[1, 1],
            kernel_shape=[3, 3],
            pads=[1, 1, 1, 1],
            strides=[1, 1],
        ),
        node("BatchNormalization", "a", *normalized, output="b", epsilon=1e-5, momentum=0.9),
        node("Relu", "b", output="c"),
        node("MaxPool", "c", output="d", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=0),
        node("Reshape", "d", "shape", output="e", allowzero=0),
        node("Gemm", "e", "fc.weight", "fc.bias", output="f", alpha=1.0, beta=1.0, transB=1),
        node("Softmax", "f", axis=1),
    ]
    check(write(tmp_path / "net.onnx", nodes, arrays, ("batch", 1, 6, 6)), (1, 6, 6))


@pytest.mark.parametrize("bias", [(3,), (1, 3), (1,), ()], ids=str)
@pytest.mark.parametrize("first", [True, False], ids=["x + b", "b + x"])
def test_a_product_and_a_sum_are_a_dense_layer(
    bias: tuple[int, ...], first: bool, tmp_path: Path
) -> None:
    added = ["p", "b"] if first else ["b", "p"]
    nodes = [
        node("MatMul", "x", "w", output="p"),
        node("Add", *added, output="s"),
        helper.make_node("MatMul", ["s", "v"], ["y"]),
    ]
    arrays = {"w": random(4, 3), "b": random(*bias), "v": random(3, 2)}
    path = write(tmp_path / "net.onnx", nodes, arrays)
    check(path, (4,))
    assert [layer.kind for layer in network_from_onnx(path).layers] == ["dense", "dense"]


def test_operators_with_constants_as_nodes_and_more_kinds(tmp_path: Path) -> None:
    constant = helper.make_node(
        "Constant", [], ["w"], value=numpy_helper.from_array(random(4, 4), "w")
    )
    nodes = [
        constant,
        node("Identity", "x", output="a"),
        node("Gemm", "a", "w", output="b"),
        node("LayerNormalization", "b", "s", output="c", axis=-1),
        node("Gelu", "c", output="d", approximate="tanh"),
        node("Elu", "d", output="e", alpha=0.5),
        node("LeakyRelu", "e", output="f"),
        node("Dropout", "f"),
    ]
    check(write(tmp_path / "net.onnx", nodes, {"s": random(4)}), (4,))


def test_a_global_average_and_automatic_padding(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x", "w", output="a", auto_pad="SAME_UPPER", strides=[2, 2]),
        node("AveragePool", "a", output="b", kernel_shape=[2, 2]),
        node("GlobalAveragePool", "b", output="c"),
        node("Flatten", "c"),
    ]
    check(write(tmp_path / "n.onnx", nodes, {"w": random(3, 2, 2, 2)}, ("n", 2, 9, 8)), (2, 9, 8))


W = {"w": random(4, 4)}

REFUSED: dict[str, tuple[list[onnx.NodeProto], Arrays, str]] = {
    "operator": ([node("Cos", "x")], {}, "Cos 'my Cos' has no counterpart; known are: Average"),
    "domain": ([node("Relu", "x", domain="evil")], {}, "Relu 'my Relu' is of the domain 'evil'"),
    "branch": (
        [node("Relu", "x", output="a"), node("Add", "a", "x")],
        {},
        "a chain of layers uses 'x' once, got 2 operators",
    ),
    "sum of itself": ([node("Add", "x", "x")], {}, "Add 'my Add' must take 'x' once: branches are"),
    "residual": (
        [node("Gemm", "x", "w", "x")],
        W,
        "Gemm 'my Gemm' must take 'x' once: branches are not read",
    ),
    "no constant": ([node("Gemm", "x", "w")], {}, "Gemm 'my Gemm' must have 'w' as a constant"),
    "turned product": ([node("MatMul", "w", "x")], W, "MatMul 'my MatMul' must take 'x' as its"),
    "attribute": ([node("Gemm", "x", "w", alpha=2.0)], W, "must have alpha 1.0, got 2.0"),
    "unknown attribute": ([node("Relu", "x", slope=2.0)], {}, "without a counterpart: slope"),
    "shape": ([node("Gemm", "x", "w")], {"w": random(5, 4)}, "'0.dense.weights' must be float32"),
    "dtype": ([node("Gemm", "x", "w")], {"w": np.ones((4, 4))}, "'0.dense.weights' must be float"),
    "axes": ([node("Gemm", "x", "w")], {"w": random(4)}, "an array of 2 axes as input 1"),
    "images": ([node("Conv", "x", "w")], {"w": random(1, 1, 1, 1)}, "must take images"),
    "empty": ([node("Gemm", "x", "w")], {"w": random(4, 0)}, "units must be a whole number"),
    "softmax": (
        [node("Softmax", "x", axis=0)],
        {},
        "Softmax 'my Softmax' must be over the entries",
    ),
    "exact GELU": ([node("Gelu", "x")], {}, "must be in its tanh form"),
    "rows": (
        [node("Reshape", "x", "s")],
        {"s": np.array([2, -1], np.int64)},
        r"must keep the rows of shape \(4,\) apart",
    ),
    "shared": (
        [node("Gemm", "x", "w", output="a"), node("Gemm", "a", "w")],
        W,
        "Gemm 'my Gemm' shares 'w' with another operator",
    ),
    "circle": ([node("Relu", "x", output="x")], {}, "Relu 'my Relu' has no output of its own"),
    "two sums": (
        [
            node("MatMul", "x", "w", output="p"),
            node("Add", "p", "b", output="s"),
            helper.make_node("Add", ["s", "c"], ["y"], "second"),
        ],
        {**W, "b": random(4), "c": random(4)},
        "Add 'second' has no counterpart",
    ),
    "more inputs": (
        [node("Relu", "x", "w")],
        W,
        "Relu 'my Relu' must have at most 0 constant inputs, got 1",
    ),
    "softmax of a pixel": (
        [
            node("Reshape", "x", "s", output="i"),
            node("GlobalAveragePool", "i", output="g"),
            node("Softmax", "g"),
        ],
        {"s": np.array([0, 2, 1, 2], np.int64)},
        "must be over the entries of flat rows",
    ),
    "open end": ([node("Relu", "x", output="z")], {}, "a chain of layers uses 'z' once, got 0"),
    "nothing": ([node("Identity", "x")], {}, "layers must hold at least one layer"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_chain_of_layers_is_refused_by_name(case: str, tmp_path: Path) -> None:
    nodes, arrays, message = REFUSED[case]
    path = write(tmp_path / "net.onnx", nodes, arrays)
    with pytest.raises(ModelError, match=message) as caught:
        network_from_onnx(path)
    assert str(path) in str(caught.value)


def test_inputs_and_outputs_that_are_refused(tmp_path: Path) -> None:
    path, nodes = tmp_path / "net.onnx", [node("Relu", "x")]
    for options, message in (
        ({"outputs": ("y", "x")}, "one output, got 2"),
        ({"extra_inputs": ("z",)}, "one input, got 2"),
        ({"dtype": TensorProto.FLOAT16}, "must be float32 or float64, got the type 10"),
        ({"shape": ("n", "d")}, "must have rows of a known shape"),
        ({"shape": ("n", 1 << 40)}, "a row must have at most"),
    ):
        write(path, nodes, {}, **options)
        with pytest.raises(ModelError, match=message):
            network_from_onnx(path)


def test_a_file_of_ours_has_two_outputs_and_another_reader(tmp_path: Path) -> None:
    shape, layers = SINGLE_LAYERS["dense"]
    to_onnx(random_model(shape, layers, np.random.default_rng(0)), tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"handloom\.from_onnx"):
        network_from_onnx(tmp_path / "model.onnx")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(value: float, tmp_path: Path) -> None:
    weights = np.full((4, 3), value, np.float32)
    path = write(tmp_path / "x.onnx", [node("MatMul", "x", "w")], {"w": weights})
    with pytest.raises(ModelError, match="'w' must be finite"):
        network_from_onnx(path)


@pytest.mark.parametrize("attributes", [{"strides": 3}, {"pads": "abcd"}], ids=str)
def test_attributes_of_another_type_are_refused(attributes: dict[str, Any], tmp_path: Path) -> None:
    nodes, image = [node("Conv", "x", "w", **attributes)], ("n", 1, 6, 6)
    path = write(tmp_path / "x.onnx", nodes, {"w": random(2, 1, 3, 3)}, image)
    with pytest.raises(ModelError, match=f"must have {next(iter(attributes))} like"):
        network_from_onnx(path)


def test_a_path_with_a_null_character_is_refused() -> None:
    with pytest.raises(FileError, match="not the name of a file"):
        network_from_onnx("a\0b")


def test_variances_below_0_are_refused(tmp_path: Path) -> None:
    arrays = {name: np.full(4, -1.0, np.float32) for name in "abcd"}
    path = write(tmp_path / "x.onnx", [node("BatchNormalization", "x", *arrays)], arrays)
    with pytest.raises(ModelError, match="variances of at least 0"):
        network_from_onnx(path)
