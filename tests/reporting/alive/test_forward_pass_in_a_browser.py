"""The forward pass in JavaScript equals NumPy's, in a real browser."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.random_networks import (
    FLAT,
    IMAGE,
    SINGLE_LAYERS,
    outputs_of,
    random_layers,
    random_model,
    random_row,
)

import handloom
from handloom import Model
from handloom.layers import LAYERS, Conv2D, Dense, Dropout, Flatten, ReLU, Residual, Tanh
from handloom.predictions import OUTPUT_ACTIVATIONS
from handloom.reporting.alive import network_export
from handloom.reporting.alive.network_export import export_network
from handloom.reporting.assets import NETWORK_SCRIPTS

pytest.importorskip("pytest_playwright")
pytestmark = pytest.mark.browser

FOLDER = Path(handloom.__file__).parent / "reporting" / "scripts"

RUN = """([description, row, off]) => {
    const switchedOff = new Map(Object.entries(off).map(([name, units]) => [name, new Set(units)]));
    const outputs = runNetwork(decodeNetwork(description), Float32Array.from(row), switchedOff);
    return Object.fromEntries([...outputs].map(([name, y]) => [name, Array.from(y)]));
}"""


@pytest.fixture(scope="module")
def scripted(browser: Any) -> Any:
    """A page with the scripts of the forward pass only, without a network."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    scripts = [(FOLDER / f"{name}.js").read_text() for name in [*NETWORK_SCRIPTS, "alive/weights"]]
    page.add_script_tag(content="\n".join(scripts))
    yield page
    context.close()


def assert_equal(page: Any, model: Model, row: np.ndarray, **off: Any) -> str:
    """Compare each layer, and the prediction; return the dtype of the weights in the page."""
    description = export_network(model, row[None])
    computed = page.evaluate(RUN, [description, row.ravel().tolist(), off])
    expected = outputs_of(model, row, off)
    if not off:
        expected["prediction"] = model.predict(row[None])[0]
    tolerance = 1e-3 if description["dtype"] == "float16" else 1e-5
    for name, y in expected.items():
        scale = max(np.abs(y).max(), 1.0)
        np.testing.assert_allclose(computed[name], y, rtol=0, atol=tolerance * scale, err_msg=name)
    return str(description["dtype"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("precision", ["float16", "float32"])
@pytest.mark.parametrize("case", SINGLE_LAYERS)
def test_each_layer(
    scripted: Any, case: str, precision: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape, layers = SINGLE_LAYERS[case]
    rng = np.random.default_rng(len(case))
    force_precision(monkeypatch, precision)
    model = random_model(shape, layers, rng, dtype=dtype)
    row = random_row(shape, layers, rng)
    assert assert_equal(scripted, model, row) == precision


def test_python_knows_the_layers_that_the_page_can_run(scripted: Any) -> None:
    kinds = set(scripted.evaluate("Object.keys(FORWARD)"))
    assert kinds == network_export.KINDS | set(OUTPUT_ACTIVATIONS)
    assert set(LAYERS) == network_export.KINDS
    tested = {layer.kind for _, layers in SINGLE_LAYERS.values() for layer in layers}
    assert tested == network_export.KINDS


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "exp", "identity", "sort"])
@pytest.mark.parametrize("seed", range(6))
def test_random_networks(
    scripted: Any, seed: int, activation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(seed)
    force_precision(monkeypatch, "float32")
    layers = random_layers(rng)
    model = random_model(IMAGE, layers, rng, output_activation=activation)
    assert_equal(scripted, model, rng.standard_normal(IMAGE).astype(np.float32))


@pytest.mark.parametrize("name", ["0.dense", "1.dropout", "2.relu", "3.dropout", "4.dense"])
def test_units_that_are_switched_off(
    scripted: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No layer before them changes, even where a layer passes its input on."""
    force_precision(monkeypatch, "float32")
    layers = [Dense(6), Dropout(0.5), ReLU(), Dropout(0.5), Dense(4)]
    rng = np.random.default_rng(1)
    model = random_model(FLAT, layers, rng)
    assert_equal(scripted, model, rng.standard_normal(FLAT).astype(np.float32), **{name: [1, 3]})


def test_a_unit_of_a_residual_block_is_as_one_without_weights(
    scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    force_precision(monkeypatch, "float32")
    rng = np.random.default_rng(2)
    model = random_model(FLAT, [Residual([Dense(7), Tanh(), Dense(12)])], rng)
    description = export_network(model, np.ones((1, *FLAT), np.float32))
    row = rng.standard_normal(FLAT).astype(np.float32)
    off = {"0.residual.block.0.dense": [5]}
    computed = scripted.evaluate(RUN, [description, row.tolist(), off])
    weights = model.network.parameters.weights
    weights["0.residual.block.0.dense.weights"][:, 5] = 0.0
    weights["0.residual.block.0.dense.biases"][5] = 0.0
    expected = model.predict(row[None])[0]
    np.testing.assert_allclose(computed["prediction"], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", ["dense", "conv2d"])
def test_weights_of_a_unit_as_an_image(scripted: Any, case: str) -> None:
    """Channels are side by side."""
    c, y, x = shape = (3, 9, 7)
    layers = [Dense(5)] if case == "dense" else [Conv2D(5, 2), Flatten()]
    size = (c * y * x,) if case == "dense" else shape
    model = random_model(size, layers, np.random.default_rng(3))
    layer = export_network(model, np.ones((1, *size), np.float32))["layers"][0]
    (w,) = (a for name, a in model.network.parameters.weights.items() if name.endswith("weights"))
    image = w[:, 2].reshape(shape) if case == "dense" else w[..., 2].transpose(2, 0, 1)
    run = "([layer, shape]) => Array.from(unitWeights(decodeLayer(layer), 2, shape).values)"
    values = scripted.evaluate(run, [layer, list(shape)])
    np.testing.assert_allclose(values, np.concatenate(list(image), axis=1).ravel(), atol=1e-3)


def force_precision(monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    """Export weights in one precision, however good the predictions are."""
    monkeypatch.setattr(
        "handloom.reporting.alive.network_export.predicts_the_same_in_float16",
        lambda *_: precision == "float16",
    )
