"""Layers: a model whose file would make other layers is refused, and the others are saved."""

import pickle
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.layers.cases import CASES
from tests.rebuilding import helpers
from tests.rebuilding.helpers import Factor, Outer, around, kept_weights, model_of

from handloom import (
    ConfigurationError,
    Dense,
    Layer,
    LayerNorm,
    Model,
    ModelError,
    ReLU,
    Residual,
    Sequential,
)
from handloom.parameters import Array

X = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)

REFUSED: dict[str, tuple[Callable[[], Layer], str]] = {
    "any arguments": (
        lambda: helpers.AnyArguments(2.0, 3.0),
        r"AnyArguments must return|AnyArguments .* makes|AnyArguments has factor 1 in place of 6",
    ),
    "the config of a base class": (
        lambda: helpers.NamedArguments(factor=2.0, power=1.0),
        r"class NamedArguments has a constructor with parameters and no config of its own.*Write",
    ),
    "one attribute forgotten": (
        lambda: helpers.ForgetsOne(factor=2.0, power=3.0),
        r"the ForgetsOne has power 1\.0 in place of 3\.0: its configuration must return every",
    ),
    "one of training forgotten": (
        lambda: helpers.ForgetsOneOfTraining(power=3.0),
        r"has power 1\.0 in place of 3\.0",
    ),
    "swapped": (lambda: helpers.Swaps(2.0, 3.0), r"Swaps has factor 3\.0 in place of 2\.0"),
    "another class": (
        lambda: helpers.AnotherClass(2.0),
        "configuration of AnotherClass makes another object, of Factor",
    ),
    "an array": (lambda: helpers.Table([1.23, 2.0]), "the Table has table with another array"),
    "a closure": (lambda: helpers.Closure(3.0), "computes another output"),
    "drawn": (helpers.Projection, "the Projection has directions with another array"),
    "not for JSON": (
        lambda: helpers.NotForJson(2.0),
        r"must hold values for JSON only.*'notforjson', 'factor': np",
    ),
    "config raises": (
        lambda: helpers.ConfigRaises(2.0),
        r"config\(\) of (ConfigRaises|Outer) failed: AttributeError.*'missing'",
    ),
}


def set_afterwards() -> Layer:
    layer = helpers.SetAfterwards()
    layer.shift = 2.0
    return layer


def replaced_method() -> Layer:
    layer = ReLU()
    layer.forward = lambda x, **_: 3.0 * x  # type: ignore[method-assign]
    return layer


def replaced_kind() -> Layer:
    layer = Factor(3.0)
    layer.kind = "relu"  # type: ignore[misc]
    return layer


REFUSED["set afterwards"] = set_afterwards, r"has shift 0\.0 in place of 2\.0"
REFUSED["a method of the object"] = replaced_method, "layer 1.* computes another output"
REFUSED["a kind of the object"] = replaced_kind, "kind must be set in the class Factor"

INSIDE: dict[str, Callable[[Layer], Layer]] = {
    "network": lambda layer: layer,
    "residual": lambda layer: Residual([layer]),
    "shortcut": lambda layer: Residual([ReLU()], [Residual([layer])]),
    "own": lambda layer: Outer([layer]),
    # weights of zero in its last layer hide the output of the layer
    "zeros": lambda layer: Residual([layer, Dense(4, weights="zeros")]),
}


@pytest.mark.parametrize("where", INSIDE)
@pytest.mark.parametrize("name", REFUSED)
def test_a_layer_that_a_file_would_not_make_again_is_refused(
    tmp_path: Path, name: str, where: str
) -> None:
    make, message = REFUSED[name]
    model_of().save(tmp_path / "model")
    before = {path: path.read_bytes() for path in (tmp_path / "model").rglob("*")}
    model = model_of(Dense(4), INSIDE[where](make()))
    weights = model.network.parameters.vector.copy()
    with pytest.raises(ConfigurationError, match=message) as refused:
        model.save(tmp_path / "model")
    assert "layer 1." in str(refused.value)
    assert {path: path.read_bytes() for path in (tmp_path / "model").rglob("*")} == before
    assert np.array_equal(model.network.parameters.vector, weights)
    first = model.network.parameters.weights["0.dense.weights"]
    assert np.array_equal(kept_weights(tmp_path), first)


def test_weights_that_were_kept_before_are_not_replaced(tmp_path: Path) -> None:
    models = [model_of(Dense(4), helpers.ForgetsOne(power=power)) for power in (2.0, 3.0)]
    for index, model in enumerate(models):
        model.network.parameters.vector[:] = index
        with pytest.raises(ConfigurationError, match="The weights alone were saved to"):
            model.save(tmp_path / "model")
    assert not kept_weights(tmp_path).any()
    assert kept_weights(tmp_path, "model-weights-2.npz").all()


def test_where_weights_cannot_be_kept_the_message_has_a_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    model = model_of(Dense(4), helpers.ForgetsOne(power=2.0))
    with pytest.raises(ConfigurationError, match=r"numpy\.savez\(path, \*\*network\.parameters"):
        model.save(tmp_path / "file" / "below" / "model")


def twice(layer: Layer) -> type[Layer]:
    """Return a subclass of a layer's class whose output is doubled; it declares no kind."""
    base = type(layer)

    class Twice(base):  # type: ignore[misc,valid-type]
        def forward(self, x: Array, **options: object) -> Array:
            y: Array = np.multiply(super().forward(x, **options), 2.0)
            return y

    return Twice


@pytest.mark.parametrize("kind", CASES)
def test_a_subclass_is_loaded_as_itself_or_not_at_all(tmp_path: Path, kind: str) -> None:
    case = CASES[kind]
    layer = case.make()
    subclass = twice(layer)
    layer.__class__ = subclass
    x = case.x.astype(np.float32)
    model = around(layer, x)
    model.save(tmp_path)
    with pytest.raises(ModelError, match="unknown layer 'twice'"):
        Model.load(tmp_path)
    with pytest.raises(ModelError, match=f"whose kind is '{kind}', by 'twice'"):
        Model.load(tmp_path, layers={"twice": type(case.make())})
    loaded = Model.load(tmp_path, layers={"twice": subclass})
    assert np.array_equal(loaded.network.forward(x), model.network.forward(x))


@pytest.mark.parametrize("derived", [True, False])
@pytest.mark.parametrize("kind", CASES)
def test_a_class_with_the_kind_of_another_is_refused(
    tmp_path: Path, kind: str, derived: bool
) -> None:
    case = CASES[kind]
    layer = case.make()
    base = type(layer)

    class Unrelated(Factor):
        output_activation = base.output_activation

        def declare(self, input_shape: tuple[int, ...]) -> dict:  # type: ignore[type-arg]
            return case.make().declare(input_shape)

        def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
            return case.make().output_shape(input_shape)

        def config(self) -> dict[str, object]:
            return case.make().config()

    class_ = twice(layer) if derived else Unrelated
    class_.kind = kind
    if derived:
        layer.__class__ = class_
    else:
        layer = class_()
    model = around(layer, case.x.astype(np.float32))
    with pytest.raises(ConfigurationError, match=f"must have a kind of its own, since '{kind}'"):
        model.save(tmp_path / "model")


def test_two_classes_of_one_kind_are_refused(tmp_path: Path) -> None:
    first, second = Factor(2.0), type("Factor", (ReLU,), {})()
    with pytest.raises(ConfigurationError, match=r"layer 1\.factor: .* kind of its own"):
        model_of(first, second).save(tmp_path)


OWN = {each.kind: each for each in (Factor, Outer, helpers.Stateful, helpers.Locked, helpers.Whole)}

SAVED: dict[str, Callable[[], Layer]] = {
    "a factor": lambda: Factor(3.0),
    "inside a residual": lambda: Residual([LayerNorm(), Factor(3.0)], [Factor(-1.0)]),
    "inside its own": lambda: Outer([Factor(3.0), ReLU(), Outer([Factor(2.0)])]),
    "a lock": lambda: helpers.Locked(3.0),
    "rows of its own": lambda: helpers.Whole(3.0),
    "frozen": lambda: Residual([Dense(4)]).freeze(),
}


@pytest.mark.parametrize("name", SAVED)
def test_a_layer_of_ones_own_is_saved_and_loaded(tmp_path: Path, name: str) -> None:
    model = model_of(SAVED[name]())
    model.save(tmp_path)
    x = np.round(3.0 * X)
    loaded = Model.load(tmp_path, layers=OWN)
    assert np.array_equal(loaded.predict(x), model.predict(x))


def test_layers_that_refer_to_each_other_are_saved(tmp_path: Path) -> None:
    class Child(Factor):
        parent: Layer

    class Parent(Factor):
        def __init__(self) -> None:
            super().__init__(2.0)
            self.child = Child(3.0)
            self.child.parent = self

        def config(self) -> dict[str, object]:
            return {}

    model = model_of(Parent())
    model.save(tmp_path)
    loaded = Model.load(tmp_path, layers={"parent": Parent})
    assert np.array_equal(loaded.predict(X), model.predict(X))


def test_nothing_changes_when_a_model_is_saved(tmp_path: Path) -> None:
    layer = helpers.Stateful(2.0)
    model = model_of(Dense(4), layer)
    parameters = model.network.parameters
    parameters.gradient[:] = 3.0
    weights, state = parameters.values.copy(), random.getstate()
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.random(3)  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    model.save(tmp_path)
    assert np.array_equal(np.random.random(3), expected)  # noqa: NPY002
    assert random.getstate() == state
    assert (parameters.gradient == 3.0).all()
    assert np.array_equal(parameters.values, weights)
    assert layer.calls == []
    assert layer.mask is None
    assert layer.weights.keys() == model.network.layers[1].weights.keys()


def test_memory_of_a_pass_is_no_setting(tmp_path: Path) -> None:
    model = model_of(LayerNorm(), helpers.Stateful(2.0))
    model.network.forward(X, training=True)
    model.network.layers[1].calls.clear()  # type: ignore[attr-defined]
    model.save(tmp_path)
    assert Model.load(tmp_path, layers=OWN).network.layers[1].mask is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("around", [lambda layer: layer, lambda layer: Residual([layer])])
def test_what_passes_change_is_no_setting(tmp_path: Path, around: Callable[[Layer], Layer]) -> None:
    layer = helpers.Counting(2.0)
    model = model_of(Dense(4), around(layer))
    model.network.forward(X, training=True)
    expected = model.predict(X)
    assert layer.calls
    model.save(tmp_path)
    again = Model.load(tmp_path, layers={"counting": helpers.Counting})
    assert np.array_equal(again.predict(X), expected)
    layer.config = lambda: {"factor": 3.0}  # type: ignore[method-assign]  # a setting still is
    with pytest.raises(ConfigurationError, match=r"has factor 3.0 in place of 2.0"):
        model.save(tmp_path)


def test_a_network_that_computes_by_itself_is_refused(tmp_path: Path) -> None:
    class Small(Sequential):
        def __init__(self) -> None:
            super().__init__([Dense(2)])

    doubling = Sequential([Dense(2)]).build((4,))
    predict = doubling.predict
    doubling.predict = lambda *given, **options: 2.0 * predict(*given, **options)  # type: ignore[method-assign]
    parts = (("a", "b"), (4,), "float32")
    with pytest.raises(ConfigurationError, match="network Sequential must not replace predict"):
        Model(doubling, model_of().transform, *parts).save(tmp_path)
    model = Model(Small().build((4,)), model_of().transform, *parts)
    model.save(tmp_path)
    assert np.array_equal(Model.load(tmp_path).predict(X), model.predict(X))


def test_layers_to_load_are_classes_by_kind(tmp_path: Path) -> None:
    model_of(Factor(2.0)).save(tmp_path)
    for wrong in ([Factor], {"factor": Factor(2.0)}):
        with pytest.raises(ModelError, match="layers must be a mapping from names to classes"):
            Model.load(tmp_path, layers=wrong)  # type: ignore[arg-type]


def test_a_pickle_keeps_layers_that_a_file_would_not(tmp_path: Path) -> None:
    model = model_of(Dense(4), helpers.ForgetsOne(factor=2.0, power=3.0))
    again = pickle.loads(pickle.dumps(model))  # noqa: S301 - its own
    assert np.array_equal(again.predict(X), model.predict(X))
