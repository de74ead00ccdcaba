"""The last layer of a network against its loss: activations applied, and those refused."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from handloom import (
    SGD,
    BinaryCrossEntropy,
    Dataset,
    Dense,
    Dropout,
    Flatten,
    Huber,
    Layer,
    MeanAbsoluteError,
    MeanSquaredError,
    Model,
    Pinball,
    Poisson,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    Softmax,
    SoftmaxCrossEntropy,
    Tanh,
    Trainer,
    check_gradients,
    evaluate,
)
from handloom.data.transforms import AsFloat
from handloom.errors import ConfigurationError, ModelError
from handloom.layers import sigmoid, softmax
from handloom.losses import RowLoss, Targets
from handloom.parameters import Array

ROWS, OUTPUTS = 6, 3
X = np.random.default_rng(0).standard_normal((ROWS, 4))
TARGETS = softmax(np.random.default_rng(1).standard_normal((ROWS, OUTPUTS)))

LAST_LAYERS: dict[str, Callable[[], list[Layer]]] = {
    "logits": list,
    "softmax": lambda: [Softmax()],
    "sigmoid": lambda: [Sigmoid()],
    "tanh": lambda: [Tanh()],
    "relu": lambda: [ReLU()],
}
OUTPUT: dict[str, Callable[[Array], Array]] = {
    "logits": np.positive,
    "softmax": softmax,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0.0),
}
APPLIED: dict[str, Callable[[Array], Array]] = {
    "identity": np.positive,
    "exp": np.exp,
    "softmax": softmax,
    "sigmoid": sigmoid,
}
LOSSES: dict[str, RowLoss] = {
    "softmax": SoftmaxCrossEntropy(),
    "sigmoid": BinaryCrossEntropy(),
    "exp": Poisson(),
    "identity": MeanSquaredError(),
    "absolute": MeanAbsoluteError(),
    "huber": Huber(),
    "pinball": Pinball(0.3),
}
REFUSED = {
    ("softmax", "sigmoid"),
    ("softmax", "exp"),
    ("sigmoid", "softmax"),
    ("sigmoid", "exp"),
}


def network(last: str) -> Sequential:
    layers = [Dense(5), Tanh(), Dense(OUTPUTS), *LAST_LAYERS[last]()]
    return Sequential(layers).build((4,), seed=1, dtype=np.float64)


@pytest.mark.parametrize(("last", "loss"), list(product(LAST_LAYERS, LOSSES)))
def test_a_loss_of_the_networks_output_is_what_training_descends(last: str, loss: str) -> None:
    made, of_rows = network(last), LOSSES[loss]
    names = tuple("abc")
    data = Dataset(X, TARGETS, names)
    trainer = Trainer(made, SGD(), 1e-6, loss=of_rows, epochs=1)
    if (last, loss) in REFUSED:
        with pytest.raises(ModelError, match=f"ends in {last}, and the loss applies {loss}"):
            trainer.fit(data)
        with pytest.raises(ModelError, match=f"ends in {last}, and the loss applies {loss}"):
            check_gradients(made, X, TARGETS, loss=of_rows)
        return
    outputs = made.without_activation(of_rows.output_activation).predict(X)
    assert outputs.shape == (ROWS, OUTPUTS)
    expected, _ = of_rows(outputs, TARGETS)
    history = trainer.fit(data)
    assert history["loss"][0] == pytest.approx(expected, rel=1e-9)
    report = check_gradients(network(last), X, TARGETS, loss=of_rows)
    assert report.ok, report


@pytest.mark.parametrize(("last", "loss"), list(product(LAST_LAYERS, LOSSES)))
def test_predictions_apply_every_activation_once(last: str, loss: str) -> None:
    if (last, loss) in REFUSED:
        return
    made = network(last)
    bare = network("logits")
    bare.parameters.load(dict(made.parameters.weights))
    trainer = Trainer(made, SGD(), 1e-30, loss=LOSSES[loss], epochs=1)
    trainer.fit(Dataset(X, TARGETS, tuple("abc")))
    expected = OUTPUT[last](bare.predict(X))
    if LOSSES[loss].output_activation != last:
        expected = APPLIED[LOSSES[loss].output_activation](expected)
    assert np.allclose(trainer.model().predict(X), expected, rtol=1e-12)


def test_a_sigmoid_before_binary_cross_entropy_is_applied_once_and_learns() -> None:
    x = np.random.default_rng(2).standard_normal((400, 3)).astype(np.float32)
    labels = (x[:, :1] > 0.3).astype(np.float32)
    accuracy = []
    for last in ([], [Sigmoid()]):
        made = Sequential([Dense(1), *last]).build((3,))
        trainer = Trainer(made, SGD(), 1.0, loss=BinaryCrossEntropy(), epochs=60, batch_size=50)
        history = trainer.fit(Dataset(x, labels, ("positive",)))
        accuracy.append(history["accuracy"][-1])
        predicted = trainer.model().predict(x)
        assert ((predicted > 0.5) == (labels > 0.5)).mean() > 0.95
    assert accuracy[0] == accuracy[1] > 0.95


def test_a_softmax_is_learned_through_by_a_squared_error() -> None:
    x = np.random.default_rng(3).standard_normal((300, 3)).astype(np.float32)
    one_hot = np.eye(3, dtype=np.float32)[x.argmax(axis=1)]
    made = Sequential([Dense(3), Softmax()]).build((3,))
    trainer = Trainer(made, SGD(), 2.0, loss=MeanSquaredError(), epochs=80, batch_size=50)
    trainer.fit(Dataset(x, one_hot, tuple("abc")))
    predicted = trainer.model().predict(x)
    assert np.allclose(predicted.sum(axis=1), 1.0, atol=1e-6)
    assert (predicted.argmax(axis=1) == one_hot.argmax(axis=1)).mean() > 0.95
    assert trainer.model().predicts_classes
    classes = Dataset(x, x.argmax(axis=1), tuple("abc"))
    assert evaluate(trainer.model(), classes).accuracy > 0.95


def test_a_softmax_alone_is_applied_once() -> None:
    x = np.array([[0.0, 10.0], [3.0, 1.0]])
    made = Sequential([Softmax()]).build((2,), dtype=np.float64)
    assert np.allclose(made.predict(x), softmax(x))
    model = Model(made, AsFloat(), tuple("ab"), (2,), "float64")
    assert np.allclose(model.predict(x), softmax(x))
    assert np.array_equal(model.logits(x), x)


def test_a_model_is_saved_with_the_activation_that_it_predicts_with(tmp_path: object) -> None:
    made = Sequential([Dense(1), Sigmoid()]).build((4,), dtype=np.float64)
    trainer = Trainer(made, SGD(), 0.1, loss=BinaryCrossEntropy(), epochs=1)
    trainer.fit(Dataset(X, (X[:, :1] > 0).astype(float), ("positive",)))
    trainer.model().save(str(tmp_path))
    again = Model.load(str(tmp_path))
    assert np.array_equal(again.predict(X), trainer.model().predict(X))
    assert ((again.predict(X) > 0) & (again.predict(X) < 1)).all()


def test_a_model_does_not_apply_two_activations() -> None:
    with pytest.raises(ModelError, match="ends in sigmoid, and the loss applies softmax"):
        Model(network("sigmoid"), AsFloat(), tuple("abc"), (4,), "float64")


class Sharpened(Softmax):
    """A softmax of its own kind: subclasses may override forward."""

    def forward(self, x: Array, *, training: bool = False, rng: object = None) -> Array:
        return super().forward(2.0 * x, training=training)

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        dx = super().backward(dy, need_dx=need_dx)
        return None if dx is None else 2.0 * dx


def test_a_last_layer_that_overrides_softmax_is_run() -> None:
    made = Sequential([Dense(OUTPUTS), Sharpened()]).build((4,), seed=1, dtype=np.float64)
    plain = Sequential([Dense(OUTPUTS)]).build((4,), seed=1, dtype=np.float64)
    trainer = Trainer(made, SGD(), 1e-30, loss=MeanSquaredError(), epochs=1)
    trainer.fit(Dataset(X, TARGETS, tuple("abc")))
    assert np.allclose(trainer.model().predict(X), softmax(2.0 * plain.predict(X)))
    assert check_gradients(made, X, TARGETS, loss=MeanSquaredError()).ok


def undeclared(
    predictions: Array,
    targets: Targets,
    weights: Array | None = None,
    *,
    total_weight: float | None = None,
    out: Array | None = None,
) -> tuple[float, Array]:
    return MeanSquaredError()(predictions, targets, weights, total_weight=total_weight, out=out)


def test_a_loss_that_does_not_say_what_it_applies_is_refused_where_it_matters() -> None:
    data = Dataset(X, TARGETS, tuple("abc"))
    with pytest.raises(ConfigurationError, match="must have an attribute output_activation"):
        Trainer(network("softmax"), SGD(), 0.1, loss=undeclared, epochs=1).fit(data)
    Trainer(network("logits"), SGD(), 0.1, loss=undeclared, epochs=1).fit(data)


class Counted(RowLoss):
    """A classification loss that does not declare the activation that it applies."""

    kind = "counted"

    def correct(self, predictions: Array, targets: Targets) -> int:
        return 0

    def check_targets(self, predictions: Array, targets: Targets, weights: object) -> Targets:
        return targets

    def row_losses(self, predictions: Array, targets: Targets, gradient: Array) -> Array:
        gradient[...] = 0.0
        return np.zeros(len(predictions))


def test_a_classification_loss_must_declare_what_it_applies() -> None:
    data = Dataset(X, np.array([0, 1, 2, 0, 1, 2]), tuple("abc"))
    with pytest.raises(ConfigurationError, match="loss Counted must have an attribute output_act"):
        Trainer(network("logits"), SGD(), 0.1, loss=Counted(), epochs=1).fit(data)


@pytest.mark.parametrize(
    ("loss", "end", "activation"),
    [
        (SoftmaxCrossEntropy(), [Softmax(), Flatten()], "softmax"),
        (SoftmaxCrossEntropy(), [Softmax(), Dropout(0.5)], "softmax"),
        (SoftmaxCrossEntropy(), [Softmax(), Softmax()], "softmax"),
        (SoftmaxCrossEntropy(), [Softmax(), Reshape((1, 3)), Flatten()], "softmax"),
        (BinaryCrossEntropy(), [Sigmoid(), Flatten()], "sigmoid"),
        (BinaryCrossEntropy(), [Sigmoid(), Sigmoid()], "sigmoid"),
    ],
)
def test_an_activation_in_front_of_layers_that_keep_its_values_is_refused(
    loss: RowLoss, end: list[Layer], activation: str
) -> None:
    network = Sequential([Dense(3), *end]).build((4,))
    with pytest.raises(ModelError, match=f"{activation} must be the last layer"):
        network.without_activation(loss.output_activation)
    assert network.without_activation("identity") is network


def test_a_sigmoid_inside_a_network_is_accepted() -> None:
    network = Sequential([Dense(3), Sigmoid(), Dropout(0.5), Dense(3), Softmax()]).build((4,))
    assert len(network.without_activation("softmax").layers) == 4
