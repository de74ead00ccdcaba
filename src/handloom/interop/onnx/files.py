"""Files of ONNX: from a graph to the bytes of a model, checked by the package of ONNX."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from handloom._version import __version__
from handloom.errors import ConfigurationError, MissingExtraError, ModelError
from handloom.interop.onnx.graph import ELEMENT_TYPES, ML, Graph, ValueInfo

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

ML_VERSION = 3
"""The version of the operators of `handloom.interop.onnx.graph.ML`, in every runtime of today."""

MAX_BYTES = (1 << 31) - (1 << 20)
"""The largest size of the constants in bytes: the format ends at 2 GiB, the nodes included."""


def require_package() -> None:
    """Check that the package of ONNX is installed.

    Raises
    ------
    MissingExtraError
        If it is not.
    """
    try:
        import onnx  # noqa: F401 - only looked up
    except ImportError:
        raise MissingExtraError("onnx", "onnx", "reading and writing models as ONNX") from None


def newest_opset() -> int:
    """Return the newest version of the standard operators that the installed package knows."""
    from onnx import defs

    return int(defs.onnx_opset_version())


def model_bytes(graph: Graph, metadata: Mapping[str, str]) -> bytes:
    """Return the content of a file with a graph and texts about it.

    Raises
    ------
    ConfigurationError
        If the installed package does not know the graph's opset.
    ModelError
        If the constants exceed `MAX_BYTES`, or the package refuses a node, such as one that a layer
        of a user's own adds.
    """
    require_package()
    from onnx import checker, shape_inference

    if graph.opset > newest_opset():
        raise ConfigurationError(
            f"opset must be at most {newest_opset()}, the newest one that the installed package "
            f"onnx knows, got {graph.opset}"
        )
    size = sum(values.nbytes for values in graph.constants.values())
    if size > MAX_BYTES:
        raise ModelError(f"an ONNX file holds at most {MAX_BYTES:,} bytes of arrays, got {size:,}")
    proto = _proto(graph, metadata)
    try:
        checker.check_model(proto, full_check=True)
    except (checker.ValidationError, shape_inference.InferenceError) as error:
        raise ModelError(f"the graph is no valid ONNX: {error}") from None
    return bytes(proto.SerializeToString())


def _proto(graph: Graph, metadata: Mapping[str, str]) -> "ModelProto":
    from onnx import helper

    domains = {"": graph.opset, ML: ML_VERSION}
    used = {"", *(node.domain for node in graph.nodes)}
    opsets = [helper.make_opsetid(each, domains.get(each, 1)) for each in sorted(used)]
    nodes = [
        helper.make_node(
            each.operator,
            each.inputs,
            each.outputs,
            each.name,
            domain=each.domain,
            **each.attributes,
        )
        for each in graph.nodes
    ]
    content = helper.make_graph(
        nodes,
        "handloom",
        [_value_info(each) for each in graph.inputs],
        [_value_info(each) for each in graph.outputs],
        [_tensor(name, values) for name, values in graph.constants.items()],
    )
    proto = helper.make_model(
        content,
        opset_imports=opsets,
        producer_name="handloom",
        producer_version=__version__,
        # the oldest one that has these operators, so that older runtimes read the file
        ir_version=helper.find_min_ir_version_for(opsets),
    )
    helper.set_model_props(proto, dict(metadata))
    return proto


def _value_info(info: ValueInfo) -> Any:
    from onnx import helper

    shape: list[str | int | None] = ["n", *info.row_shape]
    return helper.make_tensor_value_info(info.name, ELEMENT_TYPES[info.dtype], shape)


def _tensor(name: str, values: npt.NDArray[Any]) -> "TensorProto":
    from onnx import helper

    if values.dtype.kind in "OUS":  # texts
        texts: Any = [str(text).encode() for text in values.ravel()]
        return helper.make_tensor(name, ELEMENT_TYPES["string"], values.shape, texts)
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return helper.make_tensor(
        name, ELEMENT_TYPES[str(values.dtype)], values.shape, little.tobytes(), raw=True
    )
