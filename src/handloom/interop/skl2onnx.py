"""skl2onnx: pipelines of scikit-learn that end in an estimator of this library, as ONNX."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from handloom.errors import MissingExtraError, ModelError, require_known
from handloom.estimators import (
    MLPClassifier,
    MLPRegressor,
    NetworkClassifier,
    NetworkRegressor,
)
from handloom.estimators.base import model_of, task_of
from handloom.estimators.classification import Classification
from handloom.estimators.labels import Labels
from handloom.estimators.outputs import OUTPUT_ACTIVATIONS
from handloom.interop.onnx.graph import Graph
from handloom.interop.onnx.layers import add_layers
from handloom.interop.onnx.predictions import add_output_activation

CLASSIFIER_OPTIONS = {
    "zipmap": [True, False, "columns"],
    "output_class_labels": [False, True],
    "nocl": [True, False],
}
"""The options of `skl2onnx.to_onnx`, which are those of scikit-learn's perceptron."""


def register() -> None:
    """Register the estimators with skl2onnx, which then converts pipelines that hold them.

    Outputs have the names, the types and the options of scikit-learn's own perceptrons: the labels
    and the probabilities of a classifier, ``zipmap``, ``output_class_labels`` and ``nocl``; the
    predictions of a regressor, shape (n, k). Several labels a row have shape (n, k) too. With
    float64 inputs everything is computed in float64, else in float32.

    A second call changes nothing.

    Raises
    ------
    MissingExtraError
        If skl2onnx is not installed.
    """
    try:
        from skl2onnx import update_registered_converter
    except ImportError:
        raise MissingExtraError("skl2onnx", "onnx", "the export of pipelines as ONNX") from None
    for classifier in (MLPClassifier, NetworkClassifier):
        update_registered_converter(
            classifier,
            f"Handloom{classifier.__name__}",
            _set_classifier_types,
            _convert_classifier,
            parser=_parse_classifier,
            options=CLASSIFIER_OPTIONS,
        )
    for regressor in (MLPRegressor, NetworkRegressor):
        update_registered_converter(
            regressor,
            f"Handloom{regressor.__name__}",
            _set_regressor_types,
            _convert_regressor,
        )


def _parse_classifier(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """Declare the outputs of a classifier, after a check that it has classes."""
    from skl2onnx import _parse  # its parser of classifiers has no public name
    from skl2onnx.common.data_types import FloatTensorType

    _check(model)
    outputs = _parse._parse_sklearn_classifier(scope, model, inputs, custom_parsers)
    if scope.get_options(model, {"zipmap": True})["zipmap"] is True:
        for operator in scope.operators.values():
            if operator.raw_operator is model:  # runtimes have no ZipMap of float64
                operator.outputs[1].set_type(FloatTensorType())
    return outputs


def _check(estimator: Any) -> None:
    """Refuse an estimator that cannot predict numbers.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    ModelError
        If its fit diverged, or it encodes raw columns itself, or knows a single class.
    """
    check_is_fitted(estimator)
    name = type(estimator).__name__
    if hasattr(estimator, "columns_"):
        raise ModelError(
            f"{name} with categorical_features takes raw columns, which skl2onnx cannot pass on: "
            "handloom.to_onnx(estimator.to_model(), path) exports the estimator with its columns"
        )
    if not np.isfinite(estimator.network_.parameters.values).all():
        raise ModelError(f"{name} has weights that are not finite: its fit diverged")
    if len(getattr(estimator, "classes_", (0, 1))) < 2 and not _labels(estimator).multilabel:
        raise ModelError(
            f"{name} was fitted with the single class {str(estimator.classes_[0])!r}, so there is "
            "nothing to predict: fit it with rows of at least two classes"
        )


def _labels(classifier: Any) -> Labels:
    """Return the labels of the task of a fitted classifier."""
    task = task_of(classifier)
    assert isinstance(task, Classification)
    return task.labels


def _set_classifier_types(operator: Any) -> None:
    """Set the types of labels and probabilities, float32 or float64 as they were declared."""
    from skl2onnx.common.data_types import Int64TensorType, StringTensorType

    estimator, (_, probabilities) = operator.raw_operator, operator.outputs
    rows, outputs = operator.inputs[0].get_first_dimension(), len(estimator.classes_)
    text = _classes(operator.scope_inst, estimator).dtype == object
    shape = [rows, outputs] if _labels(estimator).multilabel else [rows]
    operator.outputs[0].set_type((StringTensorType if text else Int64TensorType)(shape))
    own, declared = _number_type(operator), type(probabilities.type)
    probabilities.set_type((declared if declared in _floats() else own)([rows, outputs]))


def _set_regressor_types(operator: Any) -> None:
    """Set the type of the predictions."""
    estimator = operator.raw_operator
    _check(estimator)
    number, rows = _number_type(operator), operator.inputs[0].get_first_dimension()
    operator.outputs[0].set_type(number([rows, *estimator.network_.output_shape]))


def _number_type(operator: Any) -> Any:
    """Return the type of the arithmetic: float64 for float64 inputs, else float32.

    Raises
    ------
    RuntimeError
        If the estimator has several inputs, or one that holds no numbers.
    """
    from skl2onnx.common import data_types, utils

    others = data_types.BooleanTensorType, data_types.Int64TensorType
    utils.check_input_and_output_numbers(operator, input_count_range=1)
    utils.check_input_and_output_types(operator, good_input_types=[*_floats(), *others])
    kind = type(operator.inputs[0].type)
    return kind if kind in _floats() else data_types.FloatTensorType


def _floats() -> dict[Any, type]:
    """Return the dtypes of skl2onnx's types of floating-point arrays."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    return {FloatTensorType: np.float32, DoubleTensorType: np.float64}


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a classifier."""
    estimator, labels = operator.raw_operator, _labels(operator.raw_operator)
    graph, logits = _logits(scope, operator, container)
    outputs = _activated(graph, logits, estimator)
    # logits decide, and the outputs of another activation that a caller has set
    own = estimator.out_activation_ == task_of(estimator).output_activation
    deciding, threshold = (logits, 0.0) if own else (outputs, 0.5)
    if labels.uses_sigmoid:
        limit = graph.constant("threshold", threshold)
        above = graph.add("Greater", deciding, limit, name="above")
        index = graph.cast(above, np.int64, name="positive")
    else:
        index = graph.add("ArgMax", deciding, axis=1, keepdims=0)
    if labels.multilabel:
        predicted = index
    else:
        classes = _classes(scope, estimator)
        known = graph.constant("classes", classes, classes.dtype)
        flat = graph.add("Reshape", index, graph.integers("flat", -1))
        predicted = graph.add("Gather", known, flat, name="label", axis=0)
        outputs = _both_classes(graph, outputs) if labels.uses_sigmoid else outputs
    declared = _floats()[type(operator.outputs[1].type)]
    if graph.dtype != declared:
        outputs = graph.cast(outputs, declared, name="probabilities")
    _hand_over(graph, container, (predicted, outputs), operator.outputs)


def _both_classes(graph: Graph, second: str) -> str:
    """Add the probabilities of two classes, shape (n, 2), of that of the second, shape (n, 1)."""
    first = graph.add("Sub", graph.constant("one", 1.0), second, name="first")
    return graph.add("Concat", first, second, name="both", axis=1)


def _convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a regressor."""
    graph, logits = _logits(scope, operator, container)
    predicted = _activated(graph, logits, operator.raw_operator)
    _hand_over(graph, container, (predicted,), operator.outputs)


def _classes(scope: Any, estimator: Any) -> Any:
    """Return the classes as the labels of a graph: int64, or texts as objects, shape (k,).

    Booleans and whole floats become integers, as those of scikit-learn's estimators.
    """
    classes = estimator.classes_
    if scope.get_options(estimator, {"nocl": False})["nocl"]:
        return np.arange(len(classes))
    return classes.astype(np.int64) if classes.dtype.kind in "biuf" else classes.astype(object)


def _logits(scope: Any, operator: Any, container: Any) -> tuple[Graph, str]:
    """Return a graph of the network, and the name of its logits, shape (n, outputs)."""
    dtype, source = _floats()[_number_type(operator)], operator.inputs[0]
    prefix = scope.get_unique_variable_name("handloom")
    graph, x = Graph(dtype, container.target_opset, f"{prefix}."), source.full_name
    if type(source.type) not in _floats():
        x = graph.cast(x, dtype, name="numbers")
    network = model_of(operator.raw_operator).before_loss
    return graph, add_layers(graph, network.named_layers(), x, network.input_shape)


def _activated(graph: Graph, logits: str, estimator: Any) -> str:
    """Add the output activation of an estimator."""
    name = estimator.out_activation_
    require_known("out_activation_", name, OUTPUT_ACTIVATIONS)
    if name in ("tanh", "relu"):  # which only a caller sets
        return graph.add(name.capitalize(), logits)
    own = "sigmoid" if name == "logistic" else name
    return add_output_activation(graph, own, logits, estimator.n_outputs_)


def _hand_over(graph: Graph, container: Any, results: tuple[str, ...], outputs: Any) -> None:
    """Add the nodes and constants of a graph to skl2onnx's, and name its results."""
    from onnx import TensorProto, numpy_helper

    for name, values in graph.constants.items():
        if values.dtype == object:
            texts = [text.encode() for text in values]
            container.add_initializer(name, TensorProto.STRING, values.shape, texts)
        else:
            container.add_initializer(name, None, None, numpy_helper.from_array(values, name))
    for node in graph.nodes:
        container.add_node(
            node.operator,
            list(node.inputs),
            list(node.outputs),
            op_domain=node.domain,
            name=node.name,
            **node.attributes,
        )
    for result, output in zip(results, outputs, strict=True):
        container.add_node("Identity", [result], [output.full_name])
