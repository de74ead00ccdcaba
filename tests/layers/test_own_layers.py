"""A user's own or changed layers: their training, their files, messages about mistakes."""

import copy
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from handloom import (
    SGD,
    BestModel,
    Checkpoints,
    Dataset,
    Dense,
    Layer,
    Model,
    ReLU,
    Residual,
    Sequential,
    Trainer,
)
from handloom.errors import ConfigurationError, ModelError
from handloom.initializers import Zeros
from handloom.parameters import Array, ParameterSpec

X = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
DATA = Dataset(X, (X[:, 0] > 0).astype(int))


def network() -> Sequential:
    return Sequential([Dense(5), ReLU(), Dense(2)]).build((4,), seed=0)


def weights_of(made: Sequential) -> np.ndarray:
    return made.parameters.weights["0.dense.weights"].copy()


def test_a_layer_of_a_built_network_is_not_frozen_by_itself() -> None:
    made = network()
    with pytest.raises(ModelError, match=r'call network\.freeze\("0\.dense"\)'):
        made.layers[0].freeze()
    with pytest.raises(ModelError, match=r'call network\.freeze\("2\.dense"\)'):
        made.layers[2].trainable = False
    assert made.layers[0].trainable
    made.freeze("0.dense")
    with pytest.raises(ModelError, match=r'call network\.unfreeze\("0\.dense"\)'):
        made.layers[0].trainable = True


def test_a_frozen_layer_is_trained_again_from_its_values_after_unfreeze() -> None:
    made = network().freeze("0.dense")
    before = weights_of(made)
    Trainer(made, SGD(), 0.1, epochs=2).fit(DATA)
    assert np.array_equal(weights_of(made), before)
    made.unfreeze("0.dense")
    assert np.array_equal(weights_of(made), before)
    Trainer(made, SGD(), 0.1, epochs=2).fit(DATA)
    assert not np.array_equal(weights_of(made), before)
    with pytest.raises(ModelError, match="unknown layer"):
        made.unfreeze("1.dense")


def test_a_residual_block_is_frozen_and_trained_again_as_a_whole() -> None:
    inner = Dense(4)
    made = Sequential([Residual([inner, ReLU()]), Dense(2)]).build((4,)).freeze("0.residual")
    assert len(made.parameters) == 10
    with pytest.raises(ModelError, match=r'call network\.unfreeze\("0\.residual"\)'):
        inner.trainable = True
    assert len(made.unfreeze("0.residual").parameters) == 30


class Doubled(ReLU):
    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        return 2.0 * super().forward(x, training=training)


class Likened(ReLU):
    kind = "relu"


class Scaled(Layer):
    """Omits its argument in config."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        return self.factor * x

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return self.factor * dy


def test_a_subclass_is_saved_as_its_own_class(tmp_path: Path) -> None:
    made = Sequential([Dense(5), Doubled(), Dense(2)]).build((4,))
    model = Trainer(made, SGD(), 0.1, epochs=1)
    model.fit(DATA)
    model.model().save(tmp_path)
    with pytest.raises(ModelError, match=r"unknown layer 'doubled'.*layers=\{'doubled': its class"):
        Model.load(tmp_path)
    loaded = Model.load(tmp_path, layers={"doubled": Doubled})
    assert np.array_equal(loaded.network.predict(X), made.predict(X))


def test_a_class_with_the_kind_of_another_is_not_saved() -> None:
    made = Sequential([Likened()]).build((4,))
    with pytest.raises(ConfigurationError, match="Likened must have a kind of its own"):
        made.config()
    config = Sequential([ReLU()]).build((4,)).config()
    with pytest.raises(ModelError, match="kinds of their own, got 'relu'"):
        Sequential.from_config(config, {"relu": Likened})


def test_a_layer_that_omits_an_argument_is_refused_where_files_are_written(tmp_path: Path) -> None:
    expected = r"layer 1\.scaled: config\(\) of Scaled must return .* factor is missing"
    for options in (
        {"checkpoints": Checkpoints(tmp_path / "checkpoints")},
        {"callbacks": [BestModel(tmp_path / "best", "loss")]},
    ):
        made = Sequential([Dense(2), Scaled(5.0)]).build((4,))
        before = weights_of(made)
        with pytest.raises(ConfigurationError, match=expected):
            Trainer(made, SGD(), 0.1, epochs=1, **options).fit(DATA)
        assert np.array_equal(weights_of(made), before)


def test_the_weights_of_a_model_that_cannot_be_saved_are_kept(tmp_path: Path) -> None:
    made = Sequential([Dense(2), Scaled(5.0)]).build((4,))
    trainer = Trainer(made, SGD(), 0.1, epochs=1)
    trainer.fit(DATA)
    with pytest.raises(ConfigurationError, match=r"The weights alone were saved to .*-weights"):
        trainer.model().save(tmp_path / "model")
    arrays = np.load(tmp_path / "model-weights.npz")
    again = Sequential([Dense(2), Scaled(5.0)]).build((4,), weights=arrays)
    assert np.array_equal(again.predict(X), made.predict(X))


def test_a_layer_with_an_own_initializer_is_saved_and_loaded(tmp_path: Path) -> None:
    def halves(shape: tuple[int, ...], generator: np.random.Generator) -> npt.NDArray[np.float64]:
        return np.full(shape, 0.5)

    made = Sequential([Dense(2, weights=halves)]).build((4,))
    trainer = Trainer(made, SGD(), 0.1, epochs=1, checkpoints=Checkpoints(tmp_path / "steps"))
    trainer.fit(DATA)
    trainer.model().save(tmp_path / "model")
    loaded = Model.load(tmp_path / "model").network
    assert np.array_equal(loaded.predict(X), made.predict(X))
    assert loaded.config() == made.config()
    with pytest.raises(ConfigurationError, match="the initializer halves is not known"):
        loaded.build((4,), seed=1)


def test_weights_are_carried_over_to_copies_of_layers() -> None:
    old = network()
    with pytest.raises(ModelError, match=r"Copies get new weights .*copy_weights\(earlier\)"):
        Sequential([*old.layers[:2], Dense(7)]).build((4,))
    new = Sequential([*copy.deepcopy(old.layers[:2]), Dense(7)]).build((4,), seed=1)
    head = new.parameters.weights["2.dense.weights"].copy()
    assert not np.array_equal(weights_of(new), weights_of(old))
    new.copy_weights(old)
    assert np.array_equal(weights_of(new), weights_of(old))
    assert np.array_equal(new.parameters.weights["2.dense.weights"], head)
    with pytest.raises(ModelError, match=r"layer 2\.dense must have arrays of the same shapes"):
        new.copy_weights(old, "2.dense")


class Offset(Layer):
    """y = x + b."""

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, ParameterSpec]:
        return {"b": ParameterSpec(input_shape, Zeros())}

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        return x + self.weights["b"]

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        self.gradients["b"][...] = dy.sum(axis=0)
        return dy if need_dx else None


class Adds(Offset):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        self.gradients["b"][...] += dy.sum(axis=0)
        return dy if need_dx else None


class Rebinds(Offset):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        self.gradients["b"] = dy.sum(axis=0)  # type: ignore[index]
        return dy if need_dx else None


class Draws(Offset):
    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        return x + rng.normal(size=x.shape) if training else x  # type: ignore[union-attr]


class ReturnsAnotherShape(Offset):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        super().backward(dy)
        return dy[:, :1].repeat(3, axis=1)


def test_a_gradient_may_be_assigned_by_name() -> None:
    weights = []
    for layer in (Offset(), Rebinds()):
        made = Sequential([Dense(2), layer]).build((4,))
        Trainer(made, SGD(), 0.1, epochs=2, batch_size=5).fit(DATA)
        weights.append(made.parameters.vector)
    assert np.array_equal(weights[0], weights[1])


@pytest.mark.parametrize("batch_size", [None, 5])
def test_a_layer_that_does_not_overwrite_its_gradient_is_named(batch_size: int | None) -> None:
    layer = Adds()
    made = Sequential([Dense(2), layer]).build((4,))
    before = weights_of(made)
    expected = rf"layer 1\.{layer.kind}: backward must overwrite its gradient, as self\.gradients"
    with pytest.raises(ModelError, match=expected):
        Trainer(made, SGD(), 0.1, epochs=2, batch_size=batch_size).fit(DATA)
    assert np.array_equal(weights_of(made), before)


def test_a_layer_that_overwrites_its_gradient_is_trained() -> None:
    made = Sequential([Dense(2), Offset()]).build((4,))
    history = Trainer(made, SGD(), 0.1, epochs=5).fit(DATA)
    assert history["loss"][-1] < history["loss"][0]


def test_a_layer_that_draws_without_saying_so_is_named() -> None:
    made = Sequential([Dense(2), Draws()]).build((4,))
    with pytest.raises(ModelError, match=r"layer 1\.draws: .*set stochastic = True in Draws"):
        Trainer(made, SGD(), 0.1, epochs=1).fit(DATA)


def test_a_layer_that_returns_dx_of_another_shape_is_named() -> None:
    made = Sequential([Dense(2), ReturnsAnotherShape()]).build((4,))
    with pytest.raises(ModelError, match=r"dx that backward of layer 1\.returnsanothershape ret"):
        Trainer(made, SGD(), 0.1, epochs=1).fit(DATA)
