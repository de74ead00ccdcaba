"""The walkthrough of any network: the values of a training step, in bounded text."""

from typing import Any

import numpy as np
import pytest
from tests.helpers.images import draw
from tests.layers.cases import CASES

from handloom import (
    SGD,
    Adam,
    AdamW,
    BatchNorm,
    ConfigurationError,
    Conv2D,
    DataError,
    Dataset,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    Layer,
    LayerNorm,
    MeanSquaredError,
    ModelError,
    Muon,
    ReLU,
    Residual,
    Sequential,
    SoftmaxCrossEntropy,
    Trainer,
    Walkthrough,
    walkthrough,
)
from handloom.data.transforms import Scale
from handloom.layers import LAYERS
from handloom.losses import LOSSES
from handloom.optimizers import OPTIMIZERS
from handloom.parameters import Array
from handloom.walkthroughs.layer_equations import BACKWARD, FORMULAS, FORWARD

X, CLASSES = draw(6, 5), [0, 1, 2, 0, 1, 2]


def network(*layers: Layer) -> Sequential:
    made = Sequential([*(layers or (Dense(4, weights_l2=0.01), ReLU())), Dense(3)])
    return made.build((5,), seed=1, dtype=np.float64)


def images() -> Sequential:
    layers = [Conv2D(3, 3, padding=1), BatchNorm(), ReLU(), Residual([Conv2D(3, 1)])]
    return Sequential([*layers, GlobalAveragePool2D(), Dropout(0.3), Dense(3)]).build((2, 7, 6))


def shown(walked: Walkthrough) -> dict[str, Array]:
    return {array.name: array.values for part in walked for array in part.arrays}


@pytest.mark.parametrize("optimizer", [SGD(momentum=0.9), Adam(), AdamW(), Muon()])
def test_the_step_is_the_one_that_a_training_makes(optimizer: Any) -> None:
    walked = shown(walkthrough(network(), X, CLASSES, optimizer=optimizer, learning_rate=0.05))
    trained = network()
    Trainer(trained, optimizer, 0.05, epochs=1, shuffle=False).fit(Dataset(X, CLASSES))
    for name, letter in (("0.dense.weights", "W0'"), ("0.dense.biases", "b0'")):
        np.testing.assert_allclose(walked[letter], trained.parameters.weights[name], rtol=1e-9)
    np.testing.assert_allclose(walked["z'"], trained.predict(X), rtol=1e-9)


@pytest.mark.parametrize("make", [network, images])
def test_the_network_and_the_optimizer_stay_as_they_are(make: Any) -> None:
    made, optimizer = make(), Adam()
    values, gradient = made.parameters.values.copy(), made.parameters.gradient.copy()
    x = draw(6, *made.input_shape)
    before = x.copy()
    walkthrough(made, x, CLASSES, optimizer=optimizer)
    assert np.array_equal(made.parameters.values, values)
    assert np.array_equal(made.parameters.gradient, gradient)
    assert np.array_equal(x, before)
    assert (optimizer.steps, optimizer.bindings) == (0, 0)
    with pytest.raises(ModelError, match="training=True"):  # there was no training pass
        made[-1].backward(np.ones((6, 3)))


@pytest.mark.slow
def test_the_text_of_a_large_network_is_bounded() -> None:
    layers = [Conv2D(64, 3), ReLU(), Flatten(), Dense(300), ReLU(), Dense(100)]
    made = Sequential(layers).build((3, 16, 16))
    walked = walkthrough(made, draw(30, 3, 16, 16), np.arange(30))
    text = str(walked)
    assert len(text) < 25_000
    assert max(map(len, text.splitlines())) < 250
    assert "x (30, 3, 16, 16), x[0,0]:" in text
    assert "(300 terms)" in text
    assert len(repr(walked)) < 120


def test_the_parts_are_in_the_order_of_the_step() -> None:
    titles = [part.title for part in walkthrough(network(), X, CLASSES)]
    assert titles == [
        "The batch: rows x and the class t of each",
        "Forward: 0.dense",
        "Forward: 1.relu",
        "Forward: 2.dense",
        "Loss: softmax and cross-entropy in one",
        "Backward: 2.dense",
        "Backward: 1.relu",
        "Backward: 0.dense",
        "Penalty",
        "Update: 0.dense.weights",
        "Update: 0.dense.biases",
        "Update: 2.dense.weights",
        "Update: 2.dense.biases",
        "After the step: the same batch with the new weights",
    ]


@pytest.mark.parametrize("layer", [BatchNorm(), Dropout(0.5), Residual([Dropout(0.5)])])
def test_the_losses_before_and_after_a_step_are_both_of_prediction(layer: Layer) -> None:
    made = network(Dense(4, weights_l2=0.01), layer)
    (after,) = walkthrough(made, X, CLASSES, learning_rate=1e-12).parts[-1].equations
    before = after.text.partition("before the step, as in prediction: ")[2].rstrip(")")
    assert before == after.entry.rpartition(" = ")[2]  # the weights hardly move


def test_every_layer_of_the_library_has_an_equation() -> None:
    assert {*FORMULAS, *FORWARD} == set(LAYERS)
    assert set(FORWARD) == set(BACKWARD)


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_layer_can_be_walked_through(name: str) -> None:
    case = CASES[name]
    ending: list[Layer] = [Flatten(), Dense(2)]
    made = Sequential([case.make(), *ending]).build(case.x.shape[1:])
    walked = walkthrough(made, case.x, np.arange(len(case.x)) % 2)
    assert f"Forward: 0.{name}" in str(walked)
    assert "{" not in str(walked).replace("mean {", "")


@pytest.mark.parametrize("kind", [k for k in LOSSES if k != "categorical_cross_entropy"])
def test_every_loss_can_be_walked_through(kind: str) -> None:
    made, rng = network(), np.random.default_rng(0)
    targets: Any = CLASSES if kind == "softmax_cross_entropy" else rng.random((6, 3)).round()
    walked = walkthrough(made, X, targets, loss=kind)
    assert np.isfinite(shown(walked)["l"]).all()
    loss = shown(walked)["l"].mean()
    text = next(e.entry for part in walked for e in part.equations if e.text.startswith("loss ="))
    assert float(text.rpartition(" = ")[2]) == pytest.approx(loss, rel=1e-3)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_every_optimizer_can_be_walked_through_with_images(kind: str) -> None:
    made = Sequential([Conv2D(2, 3), LayerNorm(), Flatten(), Dense(3)]).build((1, 4, 4))
    walked = walkthrough(made, draw(3, 1, 4, 4), [0, 1, 2], optimizer=kind)
    assert "W0'" in shown(walked)


@pytest.mark.parametrize("name", ["Dense", "ReLU", "ELU"])
def test_a_layer_of_the_users_own_with_the_name_of_another_gets_no_equation_of_that(
    name: str,
) -> None:
    class Square(Layer):
        def forward(self, x: Array, **_: Any) -> Array:
            self.x = x
            return x**2

        def backward(self, dy: Array, *, need_dx: bool = True) -> Array:
            return dy * 2 * self.x

    own = type(name, (Square,), {})()
    assert own.kind in LAYERS
    walked = walkthrough(network(Dense(4), own), X, CLASSES)
    assert "y1 = forward(y0)" in [each.text for each in walked.equations]
    assert "gradients and dy0 = backward(dy1)" in [each.text for each in walked.equations]


def test_label_smoothing_and_frozen_layers_are_shown_as_they_are() -> None:
    made = network(Dense(4).freeze(), ReLU())
    walked = walkthrough(made, X, CLASSES, loss=SoftmaxCrossEntropy(label_smoothing=0.1))
    titles = [part.title for part in walked]
    assert "Loss: SoftmaxCrossEntropy" in titles
    assert "Update: 0.dense.weights" not in titles


def test_raw_images_need_the_transform() -> None:
    made = Sequential([Dense(3)]).build((12,))
    raw = np.random.default_rng(0).integers(0, 256, (4, 3, 4), dtype=np.uint8)
    with pytest.raises(ModelError, match=r"rows of shape \(12,\), got rows of shape \(3, 4\)"):
        walkthrough(made, raw, [0, 1, 2, 0])
    walked = shown(walkthrough(made, raw, [0, 1, 2, 0], transform=Scale()))
    assert np.abs(walked["x"]).max() <= 1.0


def test_draws_follow_the_seed() -> None:
    made = network(Dense(8), Dropout(0.5))
    once, again, other = (
        shown(walkthrough(made, X, CLASSES, seed=seed))["y1"] for seed in (0, 0, 1)
    )
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((X, draw(6, 3)), {}, ConfigurationError, "continuous targets need a loss"),
        ((X[:, :3], CLASSES), {}, ModelError, r"rows of shape \(5,\), got rows of shape \(3,\)"),
        ((X, [0, 1]), {}, DataError, "6"),
        ((X, CLASSES), {"optimizer": "adm"}, ConfigurationError, "Did you mean 'adam'"),
        ((X, CLASSES), {"learning_rate": -1.0}, ConfigurationError, "learning_rate must be"),
        ((X, draw(6, 2)), {"loss": MeanSquaredError()}, DataError, "shape"),
    ],
)
def test_mistakes_are_named(arguments: Any, options: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        walkthrough(network(), *arguments, **options)


def test_a_network_that_is_none_not_built_or_has_too_few_rows_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="network must be an instance of Sequential"):
        walkthrough(Dense(3), X, CLASSES)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="build the network first"):
        walkthrough(Sequential([Dense(3)]), X, CLASSES)
    with pytest.raises(ModelError, match="needs at least 2 rows, got 1"):
        walkthrough(network(BatchNorm()), X[:1], [0])


def test_few_rows_need_not_hold_every_class() -> None:
    network = Sequential([Dense(10)]).build((4,), seed=0)
    explained = str(walkthrough(network, np.ones((2, 4)), [2, 9]))
    assert "loss" in explained
