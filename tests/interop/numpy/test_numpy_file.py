"""A written file predicts as its model, imports NumPy alone, and can be read."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.random_networks import (
    IMAGE,
    SINGLE_LAYERS,
    random_layers,
    random_model,
)

import handloom
from handloom import ConfigurationError, Dense, Layer, Model, ModelError, ReLU, Sequential
from handloom.data.transforms import AsFloat, Scale
from handloom.interop.numpy.file import file_text
from handloom.layers import LAYERS, Flatten
from handloom.parameters import Array

EXACT = 0.0
FEW_ROUNDINGS = 1e-6
"""The difference, relative to the largest output, of sums of images whose entries lie in another
order in memory: some 8 roundings of float32. How many it is depends on the processor."""


def loaded(path: Path) -> dict[str, Any]:
    """Return the names that a file defines."""
    names: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    return names


def small_model(**options: Any) -> Model:
    names = options.pop("class_names", ("a", "b", "c"))
    network = Sequential(options.pop("layers", [Dense(len(names))])).build((4,), seed=0)
    return Model(network, AsFloat(), names, (4,), "float32", **options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SINGLE_LAYERS)
def test_a_file_predicts_as_a_network_of_each_layer(tmp_path: Path, name: str, dtype: str) -> None:
    shape, layers = SINGLE_LAYERS[name]
    model = random_model(shape, layers, np.random.default_rng(3), dtype=dtype)
    exported = handloom.to_numpy(model, tmp_path / "model.py")
    assert exported.format == "numpy"
    assert exported.compared_rows == 64
    assert exported.relative_difference is not None
    assert exported.relative_difference <= (EXACT if len(shape) == 1 else FEW_ROUNDINGS)


def test_every_layer_of_the_library_is_among_them() -> None:
    kinds = set[type[Layer]]()
    for _, layers in SINGLE_LAYERS.values():
        kinds |= {type(layer) for layer in layers}
    assert kinds == set(LAYERS.values())


@pytest.mark.parametrize("seed", range(6))
def test_random_networks_predict_the_same_for_any_number_of_rows(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = random_model(IMAGE, random_layers(rng), rng, output_activation="softmax")
    handloom.to_numpy(model, tmp_path / "model.py")
    predict = loaded(tmp_path / "model.py")["predict"]
    for rows in (0, 1, 7, 200):
        images = rng.standard_normal((rows, *IMAGE)).astype(np.float32)
        np.testing.assert_allclose(predict(images), model.predict(images), atol=2 * FEW_ROUNDINGS)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "exp", "identity", "sort"])
def test_output_activations_are_exact(tmp_path: Path, activation: str) -> None:
    model = small_model(output_activation=activation)
    exported = handloom.to_numpy(model, tmp_path / "model.py")
    assert exported.largest_difference == EXACT


def test_bytes_are_scaled_in_several_chunks_and_classes_named(tmp_path: Path) -> None:
    network = Sequential([Flatten(), Dense(300), ReLU(), Dense(3)]).build((5, 5), seed=1)
    model = Model(network, Scale(), ("ant", "bee", "cat"), (5, 5), "uint8", "insects")
    images = np.random.default_rng(0).integers(0, 256, (5000, 5, 5), np.uint8)
    exported = handloom.to_numpy(model, tmp_path / "insects.py", rows=images)
    names = loaded(tmp_path / "insects.py")
    assert names["CHUNK"] < len(images) == exported.compared_rows
    assert exported.largest_difference == EXACT
    best = model.predict(images[:20]).argmax(axis=1)
    assert names["classify"](images[:20]) == [model.class_names[index] for index in best]


def test_a_single_output_names_both_classes(tmp_path: Path) -> None:
    model = small_model(
        class_names=("yes",), output_activation="sigmoid", binary_classes=("no", "yes")
    )
    exported = handloom.to_numpy(model, tmp_path / "model.py")
    assert exported.largest_difference == EXACT
    names, rows = loaded(tmp_path / "model.py"), np.eye(4)
    expected = [("no", "yes")[int(p > 0.5)] for p in model.predict(rows)[:, 0]]
    assert names["CLASSES"] == ("no", "yes")
    assert names["classify"](rows) == expected
    assert set(expected) == {"no", "yes"}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros(4), r"shape \(4,\), got a single one"),
        (np.zeros((2, 5)), r"shape \(4,\), got an array of shape \(2, 5\)"),
        (np.zeros((2, 4), np.uint8), "rows of float32, as in the training, got uint8"),
        (np.full((2, 4), np.nan), "finite numbers"),
        ([["1", "2", "3", "4"]], "rows of float32, as in the training, got <U1"),
    ],
)
def test_wrong_rows_are_refused_by_the_file(tmp_path: Path, rows: object, message: str) -> None:
    handloom.to_numpy(small_model(), tmp_path / "model.py")
    with pytest.raises(ValueError, match=message):
        loaded(tmp_path / "model.py")["predict"](rows)


def test_indices_that_an_embedding_lacks_are_refused_by_the_file(tmp_path: Path) -> None:
    shape, layers = SINGLE_LAYERS["embedding of a single column"]
    handloom.to_numpy(random_model(shape, layers, np.random.default_rng(0)), tmp_path / "model.py")
    rows = np.zeros((2, *shape))
    for index in (-1.0, 0.5, 32.0):
        rows[1, 0] = index
        with pytest.raises(ValueError, match="column 0 must hold whole numbers from 0 to 31"):
            loaded(tmp_path / "model.py")["predict"](rows)


ALONE = """
import builtins, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
imported, usual = [], builtins.__import__
def recorded(name, namespace=None, *others):
    if (namespace or {}).get("__name__") == "exported":
        imported.append(name)
    return usual(name, namespace, *others)
builtins.__import__ = recorded
names = {"__name__": "exported"}
exec(compile(open(sys.argv[2], encoding="utf-8").read(), sys.argv[2], "exec"), names)
np.save(sys.argv[4], names["predict"](np.load(sys.argv[3])))
assert {name.split(".")[0] for name in imported} == {"numpy"}, imported
assert "handloom" not in sys.modules
"""


def test_the_file_runs_where_only_numpy_can_be_imported(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    model = random_model(IMAGE, random_layers(rng), rng, output_activation="softmax")
    handloom.to_numpy(model, tmp_path / "model.py")
    alone = tmp_path / "packages"
    alone.mkdir()
    site = Path(np.__file__).parents[1]
    for package in (site / "numpy", site / "numpy.libs"):
        if package.exists():
            (alone / package.name).symlink_to(package)
    rows = rng.standard_normal((9, *IMAGE)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    paths = [alone, tmp_path / "model.py", tmp_path / "rows.npy", tmp_path / "out.npy"]
    subprocess.run(
        [sys.executable, "-I", "-S", "-c", ALONE, *map(str, paths)], check=True, timeout=60
    )
    np.testing.assert_allclose(
        np.load(tmp_path / "out.npy"), model.predict(rows), atol=2 * FEW_ROUNDINGS
    )


HOSTILE = (
    '"""; import os',
    "'''; raise SystemExit",
    'a "quoted" name"',
    "back\\slash\\",
    "\\",
    '\\"""',
    "line\nbreak\r\x0b\x0c\x1c\x85\u2028raise SystemExit",
    "{braces} %s \x00 \x1b[2J",
    "Müller 名前 \U0001f600 \u202e",
    "\ud800",
)


def test_names_of_users_never_become_code(tmp_path: Path) -> None:
    model = small_model(
        class_names=HOSTILE,
        trained_on="".join(HOSTILE),
        column_names=HOSTILE[:4],
        layers=[Dense(5), OwnName(), Dense(len(HOSTILE))],
    )
    handloom.to_numpy(model, tmp_path / "model.py")
    assert loaded(tmp_path / "model.py")["CLASSES"] == HOSTILE
    statements = ast.parse((tmp_path / "model.py").read_text(encoding="utf-8")).body
    kinds = {type(each) for each in statements[1:]}
    assert kinds == {ast.Import, ast.Assign, ast.FunctionDef}
    assert sum(isinstance(each, ast.Import) for each in statements) == 1
    plain = handloom.to_numpy(
        small_model(layers=[Dense(5), OwnName(), Dense(3)]), tmp_path / "b.py"
    )
    reference = ast.parse(plain.path.read_text(encoding="utf-8")).body
    assert len(statements) == len(reference)  # not one statement more than with simple names


class OwnName(Layer):
    """A layer whose name would end a string and a comment."""

    kind = 'x"""\nimport os #'

    def forward(self, x: Array, *, training: bool = False, rng: object = None) -> Array:
        return x

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return dy

    def to_numpy(self) -> tuple[str, dict[str, object]]:
        return "def unchanged(x):\n    return x", {}


def test_the_file_is_clean_and_fits_the_eye(tmp_path: Path) -> None:
    pytest.importorskip("ruff")
    for seed in range(3):
        rng = np.random.default_rng(seed)
        text = file_text(random_model(IMAGE, random_layers(rng), rng), "model")
        assert max(map(len, text.splitlines())) <= 100
        assert not [line for line in text.splitlines() if line != line.rstrip()]
        (tmp_path / f"model{seed}.py").write_text(text)
    subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", str(tmp_path)],
        check=True,
        timeout=60,
        capture_output=True,
    )


def test_the_file_has_the_functions_of_its_own_layers_only(tmp_path: Path) -> None:
    handloom.to_numpy(small_model(), tmp_path / "model.py")
    names = loaded(tmp_path / "model.py")
    assert {"dense", "softmax", "network", "predict", "classify"} <= set(names)
    assert not {"relu", "conv2d", "sigmoid", "encode"} & set(names)


def test_the_first_lines_describe_the_model() -> None:
    text = file_text(small_model(trained_on="iris"), "flowers", {"test accuracy": 0.96875})
    description = ast.get_docstring(ast.parse(text)) or ""
    for part in ("iris", "a, b, c", "test accuracy: 0.9688", "0.dense", "(3,)", "flowers.predict"):
        assert part in description


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"suffix \.py, got .*model\.txt"):
        handloom.to_numpy(small_model(), tmp_path / "model.txt")


def test_something_else_than_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="model must be"):
        handloom.to_numpy(small_model().network, tmp_path / "model.py")  # type: ignore[arg-type]


def test_nothing_is_written_if_a_layer_has_no_counterpart(tmp_path: Path) -> None:
    class Louder(ReLU):
        """A subclass, which may override forward."""

    with pytest.raises(ModelError, match=r"layer 0\.louder: Louder has no counterpart.*to_numpy"):
        handloom.to_numpy(small_model(layers=[Louder(), Dense(3)]), tmp_path / "model.py")
    assert not list(tmp_path.iterdir())
