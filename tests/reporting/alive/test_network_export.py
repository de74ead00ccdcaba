import base64
import json

import numpy as np
import pytest
from tests.helpers.own_layers import Scale as OwnLayer

from handloom import Dense, Model, ModelError, ReLU, Residual, Sequential, Softmax, Tanh
from handloom.data.transforms import Scale
from handloom.recipes.registry import RECIPES
from handloom.reporting.alive import network_export
from handloom.reporting.alive.network_export import encode_array, export_network

ROWS = np.random.default_rng(0).integers(0, 256, (40, 2, 3), np.uint8)


def model(*layers: object, scale: float = 1.0, classes: int = 3) -> Model:
    network = Sequential([*layers, Dense(classes)]).build((6,), seed=1)  # type: ignore[list-item]
    network.parameters.values[...] *= scale
    names = tuple(f"class {index}" for index in range(classes))
    return Model(network, Scale(), names, (2, 3), "uint8")


def test_layers_transform_and_output_activation_are_described() -> None:
    described = export_network(model(Dense(4), Residual([Tanh()])), ROWS)
    assert described["transform"] == {"name": "scale", "shift": 127.5, "divisor": 127.5}
    assert [each["name"] for each in described["layers"]] == [
        "0.dense",
        "1.residual",
        "2.dense",
        "prediction",
    ]
    assert described["layers"][1]["branches"]["block"][0]["name"] == "1.residual.block.0.tanh"
    assert described["layers"][-1]["kind"] == "softmax"
    assert json.loads(json.dumps(described, allow_nan=False)) == described


def test_a_softmax_layer_is_applied_once() -> None:
    network = Sequential([Dense(3), Softmax()]).build((6,))
    described = export_network(Model(network, Scale(), ("a", "b", "c"), (2, 3), "uint8"), ROWS)
    assert [each["kind"] for each in described["layers"]] == ["dense", "softmax"]


@pytest.mark.parametrize("dtype", ["float16", "float32", "uint8"])
def test_an_array_is_its_little_endian_bytes(dtype: str) -> None:
    array = np.arange(12, dtype=np.float64).reshape(3, 4)
    encoded = encode_array(array.T, dtype)
    stored = np.frombuffer(base64.b64decode(encoded["data"]), np.dtype(dtype).newbyteorder("<"))
    np.testing.assert_array_equal(stored, array.T.ravel())


@pytest.mark.parametrize(
    ("scale", "dtype"),
    [(1.0, "float16"), (5.0, "float32"), (1e6, "float32")],
    ids=["the same predictions", "others", "more than float16 can hold"],
)
def test_weights_are_in_float16_where_predictions_are_the_same(scale: float, dtype: str) -> None:
    trained = model(Dense(4), scale=scale)
    before = trained.network.parameters.values.copy()
    described = export_network(trained, ROWS)
    first = described["layers"][0]["arrays"]
    assert described["dtype"] == first["weights"]["dtype"] == dtype
    assert first["biases"]["dtype"] == "float32"
    np.testing.assert_array_equal(trained.network.parameters.values, before)


def test_a_class_that_changes_asks_for_float32() -> None:
    trained = model(classes=2)
    w = trained.network.parameters.weights["0.dense.weights"]
    w[...] = 1.0
    w[:, 1] += 2.0**-12  # rounds to 1: both classes are equal
    assert export_network(trained, np.full((1, 2, 3), 255, np.uint8))["dtype"] == "float32"


class OwnDense(Dense):
    kind = "own_dense"


class OwnTransform(Scale):
    pass


def test_layers_of_ones_own_are_refused_by_name() -> None:
    with pytest.raises(ModelError) as refused:
        export_network(model(OwnDense(6), ReLU(), Residual([OwnLayer()])), ROWS)
    assert str(refused.value) == (
        "it has no forward pass in JavaScript for 0.own_dense (OwnDense), "
        "2.residual.block.0.scale (Scale)"
    )


def test_a_layer_that_only_has_the_kind_of_another_is_refused() -> None:
    layer = type("Dense", (Dense,), {"kind": "dense"})(6)
    with pytest.raises(ModelError, match=r"no forward pass in JavaScript for 0\.dense \(Dense\)$"):
        export_network(model(layer), ROWS)


def test_all_reasons_are_named() -> None:
    network = Sequential([OwnDense(3)]).build((6,))
    network.parameters.values[0] = np.nan
    own = Model(network, OwnTransform(), ("a", "b", "c"), (2, 3), "uint8")
    with pytest.raises(ModelError) as refused:
        export_network(own, ROWS)
    for reason in ("OwnDense", "OwnTransform", "weights are not finite"):
        assert reason in str(refused.value)


def test_a_network_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_export, "MAX_BYTES", 100)
    with pytest.raises(ModelError, match=r"take 0\.0 MB in the page"):
        export_network(model(Dense(20)), ROWS)


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_the_size_is_that_of_the_json(scale: float) -> None:
    trained = model(Dense(200), scale=scale)
    described = export_network(trained, ROWS)
    size = network_export.encoded_size(trained.network, described["dtype"])
    assert size < len(json.dumps(described)) < size + 1500


@pytest.mark.parametrize("name", RECIPES)
def test_the_networks_of_recipes_fit_the_page(name: str) -> None:
    """All but the largest one, whose page shows pictures."""
    network = Sequential(RECIPES[name].layers((28, 28), 10)).build((784,))
    size = network_export.encoded_size(network, "float16")
    assert (size <= network_export.MAX_BYTES) == (name != "mlp-record")
    if name in ("mlp", "mlp-quick", "mlp-flash"):
        assert size < 1_300_000  # of 2 MB
