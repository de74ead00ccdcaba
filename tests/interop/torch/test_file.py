"""The file of a model in PyTorch, without PyTorch: its text, its names, and refused models."""

import ast
import copy
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tests.helpers.random_networks import SINGLE_LAYERS, random_model

import handloom
from handloom import Dense, LayerNorm, Model, ModelError, ReLU, Residual, Sequential
from handloom.data.transforms import AsFloat, Scale
from handloom.files import FileError, write_bytes
from handloom.interop.torch import ModuleSource, export, to_module, to_torch
from handloom.interop.torch.sources import source_of, source_of_chain
from handloom.layers import LAYERS, BatchNorm, Conv2D, Dropout, Flatten, Layer, Reshape, Softmax
from handloom.parameters import Array

RNG = np.random.default_rng(0)


def model_of(layers: list[Layer], shape: tuple[int, ...], **options: object) -> Model:
    network = Sequential(layers).build(shape)
    names = tuple(f"class {index}" for index in range(network.output_shape[0]))
    arguments = {"row_shape": shape, "row_dtype": "float32", "transform": AsFloat(), **options}
    return Model(network, class_names=names, **arguments)  # type: ignore[arg-type]


def text_of(model: Model, folder: Path) -> str:
    text = to_torch(model, folder / "model").path.read_text()
    ast.parse(text)
    return text


def test_a_file_reads_as_a_person_would_write_it(tmp_path: Path) -> None:
    layers = [Reshape((1, 8, 8)), Conv2D(4, 3, padding="same", biases=False), BatchNorm(), ReLU()]
    network = [*layers, Flatten(), Dropout(0.2), Dense(3), Softmax()]
    model = model_of(network, (64,), row_shape=(8, 8), row_dtype="uint8", transform=Scale())
    text = text_of(model, tmp_path)
    assert (
        """
        self.layers = nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(256, 3),
        )

    def prepare(self, rows):
        \"""Return uint8 rows of shape (n, 8, 8) as the input of the first layer.\"""
        x = checked(rows).to(next(self.parameters()))
        x = (x - 127.5) / 127.5
        return x.reshape(-1, 64)
"""
        in text
    )
    assert 'CLASSES = ("class 0", "class 1", "class 2")' in text
    assert "torch.softmax(outputs, dim=1)" in text
    imports = [
        each for each in ast.parse(text).body if isinstance(each, ast.Import | ast.ImportFrom)
    ]
    modules = {
        each.module if isinstance(each, ast.ImportFrom) else each.names[0].name for each in imports
    }
    assert modules == {"hashlib", "pathlib", "torch", "safetensors.torch"}
    assert max(map(len, text.splitlines())) <= 100


def test_arrays_have_pytorchs_names_and_axes(tmp_path: Path) -> None:
    block = Residual([Dense(5), LayerNorm(epsilon=1e-3)], [Dense(5)])
    model = model_of([Dense(4), BatchNorm(momentum=0.75), block], (7,))
    exported = to_torch(model, tmp_path / "model.py")
    (path,) = exported.other_files
    arrays = load_file(path)
    shapes = {name: array.shape for name, array in arrays.items()}
    assert shapes == {
        "layers.0.weight": (4, 7),
        "layers.0.bias": (4,),
        "layers.1.weight": (4,),
        "layers.1.bias": (4,),
        "layers.1.running_mean": (4,),
        "layers.1.running_var": (4,),
        "layers.1.num_batches_tracked": (),
        "layers.2.block.0.weight": (5, 4),
        "layers.2.block.0.bias": (5,),
        "layers.2.block.1.weight": (5,),
        "layers.2.block.1.bias": (5,),
        "layers.2.shortcut.0.weight": (5, 4),
        "layers.2.shortcut.0.bias": (5,),
    }
    own = model.network.parameters.weights
    assert np.array_equal(arrays["layers.0.weight"], own["0.dense.weights"].T)
    text = exported.path.read_text()
    assert "nn.BatchNorm1d(4, momentum=0.25)" in text
    assert "nn.LayerNorm(5, eps=0.001)" in text
    assert "class Residual(nn.Module)" in text
    assert "class PaddedConv2d" not in text
    assert "class ColumnEmbedding" not in text


def test_the_kernel_of_a_convolution_has_filters_first() -> None:
    layer = Conv2D(2, 3)
    network = Sequential([layer]).build((4, 5, 5))
    state = source_of("0.conv2d", layer, (4, 5, 5)).state
    assert state["weight"].shape == (2, 4, 3, 3)
    assert state["weight"][1, 2, 0, 1] == network.parameters.weights["0.conv2d.weights"][0, 1, 2, 1]


def test_every_layer_has_a_counterpart() -> None:
    covered = {layer.kind for _, layers in SINGLE_LAYERS.values() for layer in layers}
    assert covered == set(LAYERS)
    for shape, layers in SINGLE_LAYERS.values():
        network = Sequential(copy.deepcopy(layers)).build(shape)
        ast.parse(source_of_chain(network.named_layers(), shape).call)


def test_names_of_users_stay_texts(tmp_path: Path) -> None:
    name = 'a"""\n\\ \' {braces} \x1b'
    network = Sequential([Dense(2)]).build((3,))
    model = Model(network, AsFloat(), (name, "b"), (3,), "float32", trained_on=name)
    parsed = ast.parse(text_of(model, tmp_path))
    (classes,) = [
        ast.literal_eval(each.value)
        for each in parsed.body
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "CLASSES"
    ]
    assert classes == (name, "b")


def test_a_frozen_layer_stays_frozen() -> None:
    network = Sequential([Dense(3), Dense(2).freeze()]).build((4,))
    calls = [source_of(name, layer, (4,)).call for name, layer in network.named_layers()]
    assert calls[0] == "nn.Linear(4, 3)"
    assert calls[1].endswith(".requires_grad_(False)")


class Doubled(Layer):
    def forward(self, x: Array, **_: object) -> Array:
        return x * 2

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return dy * 2


class DoubledInBoth(Doubled):
    def to_torch(self, shape: tuple[int, ...]) -> ModuleSource:
        source = "class Doubled(nn.Module):\n    def forward(self, x):\n        return 2 * x\n"
        return ModuleSource("Doubled()", classes=(source,))


class Tripled(DoubledInBoth):
    def forward(self, x: Array, **_: object) -> Array:
        return x * 3


class Careless(Doubled):
    def to_torch(self, shape: tuple[int, ...]) -> str:
        return "Doubled()"


def test_a_layer_of_ones_own_brings_its_module(tmp_path: Path) -> None:
    text = text_of(model_of([DoubledInBoth(), Residual([DoubledInBoth()])], (2,)), tmp_path)
    assert text.count("class Doubled(nn.Module)") == 1
    assert "            Doubled(),\n" in text


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            Doubled(),
            "layer 0.residual.block.0.doubled: Doubled has no counterpart in PyTorch.*to_t",
        ),
        (Tripled(), "Tripled has no counterpart"),
        (Careless(), "to_torch of Careless must return a .*ModuleSource, got str"),
    ],
    ids=["none", "inherited", "careless"],
)
def test_a_layer_without_a_counterpart_is_refused_by_name(
    layer: Layer, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=message):
        to_torch(model_of([Residual([layer])], (2,)), tmp_path / "model")
    assert not list(tmp_path.iterdir())


class Halved(AsFloat):
    pass


def test_a_transform_of_ones_own_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the transform Halved has no counterpart"):
        to_torch(model_of([Dense(2)], (2,), transform=Halved()), tmp_path / "model")


def test_paths_of_either_file_name_both(tmp_path: Path) -> None:
    model = random_model((3,), [Dense(2)], RNG)
    for name in ("net", "net.py", "net.safetensors"):
        exported = handloom.to_torch(model, tmp_path / name)
        assert [exported.path, *exported.other_files] == [
            tmp_path / "net.py",
            tmp_path / "net.safetensors",
        ]
    assert to_torch(model, tmp_path / "net.v2").path == tmp_path / "net.v2.py"


def test_without_pytorch_nothing_is_compared_and_the_record_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    exported = to_torch(random_model((3,), [Dense(2)], RNG), tmp_path / "net")
    assert exported.largest_difference is None
    assert "PyTorch is not installed. Where it is, export again, or" in exported.not_compared
    with pytest.raises(handloom.DataError, match="inputs must be an array"):
        to_torch(random_model((3,), [Dense(2)], RNG), tmp_path / "other", rows="rows")
    assert not (tmp_path / "other.py").exists()
    with pytest.raises(handloom.errors.MissingExtraError, match="the extra 'torch'"):
        to_module([Dense(2)], 3)


def test_rows_that_are_refused_leave_the_earlier_files(tmp_path: Path) -> None:
    model = model_of([Dense(2)], (3,))
    path = to_torch(model, tmp_path / "model").path
    before = path.read_text()
    with pytest.raises(ModelError, match="shape"):
        to_torch(model, path, rows=np.zeros((2, 4), np.float32))
    assert path.read_text() == before


def test_the_code_names_the_weights_that_belong_to_it(tmp_path: Path) -> None:
    exported = to_torch(model_of([Dense(2)], (3,)), tmp_path / "model")
    (weights,) = exported.other_files
    assert f'SHA256 = "{sha256(weights.read_bytes()).hexdigest()}"' in exported.path.read_text()


@pytest.mark.parametrize("written_before", [True, False])
@pytest.mark.parametrize("error", [FileError("cannot write: no space"), KeyboardInterrupt()])
def test_an_export_that_fails_halfway_leaves_the_files_as_they_were(
    written_before: bool, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    if written_before:
        to_torch(model_of([Dense(2)], (3,)), path)
    before = {each: each.read_bytes() for each in tmp_path.iterdir()}
    left = [error]  # raised once

    def write(path: Path, content: bytes) -> None:
        if path == tmp_path / "model.py" and left:
            raise left.pop()
        write_bytes(path, content)

    monkeypatch.setattr(export, "write_bytes", write)
    with pytest.raises(type(error)):
        to_torch(model_of([ReLU(), Dense(2)], (3,)), path)
    assert {each: each.read_bytes() for each in tmp_path.iterdir()} == before
