"""Models in PyTorch and back, beside PyTorch itself, where it is installed."""

import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.helpers.random_networks import SINGLE_LAYERS, Layers, random_layers, random_model
from tests.interop.torch.test_file import DoubledInBoth

from handloom import (
    Adam,
    BatchNorm,
    DataError,
    Dataset,
    Dense,
    Dropout,
    Model,
    ModelError,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Tanh,
    Trainer,
)
from handloom.data.transforms import AsFloat, Scale
from handloom.interop.torch import ModuleSource, from_torch, to_module, to_torch
from handloom.recipes.registry import RECIPES

torch = pytest.importorskip("torch")
nn = torch.nn
pytestmark = pytest.mark.parity

RNG = np.random.default_rng(0)
CLOSE = {"float32": 1e-6, "float64": 1e-13}


def written(path: Path) -> dict[str, Any]:
    """Return the names that a written file defines."""
    names: dict[str, Any] = {"__name__": "written", "__file__": str(path)}
    exec(compile(path.read_text(), str(path), "exec"), names)
    return names


def loaded(path: Path) -> Any:
    """Return the network of a written file."""
    return written(path)["load"]()


def assert_close(ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> None:
    assert ours.shape == theirs.shape
    scale = max(1.0, float(np.abs(ours).max(initial=0.0)))
    assert np.abs(ours - theirs).max(initial=0.0) <= tolerance * scale


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize(("shape", "layers"), SINGLE_LAYERS.values(), ids=SINGLE_LAYERS)
def test_every_layer_predicts_the_same(
    shape: tuple[int, ...], layers: Layers, dtype: str, tmp_path: Path
) -> None:
    model = random_model(shape, layers, RNG, dtype=dtype)
    exported = to_torch(model, tmp_path / "model")
    assert exported.compared_rows == 64
    rows = RNG.standard_normal((200, *shape)).astype(np.float32)
    for column in layers[0].index_columns:
        rows[:, column] = RNG.integers(0, 3, 200)
    for count in (0, 1, 7, 200):
        theirs = loaded(exported.path).predict(rows[:count]).numpy()
        assert theirs.dtype == dtype
        assert_close(model.predict(rows[:count]), theirs, CLOSE[dtype])


@pytest.mark.parametrize("seed", range(6))
def test_random_networks_predict_the_same(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    model = random_model((3, 9, 7), random_layers(rng), rng, output_activation="softmax")
    rows = rng.standard_normal((20, 3, 9, 7)).astype(np.float32)
    exported = to_torch(model, tmp_path / "model", rows=rows)
    assert exported.compared_rows == 20
    assert exported.largest_difference is not None
    assert exported.largest_difference < 1e-6


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "exp", "identity", "sort"])
def test_every_output_activation(activation: str, tmp_path: Path) -> None:
    model = random_model((12,), [Dense(5)], RNG, dtype="float64", output_activation=activation)
    difference = to_torch(model, tmp_path / "model").largest_difference
    assert difference is not None
    assert difference < 1e-12


@pytest.mark.parametrize(
    ("recipe", "bound"),
    [("mlp", 1e-6), ("cnn", 5e-6)],  # some roundings, and the error of Winograd's algorithm
)
def test_a_recipe_predicts_the_same_of_bytes(recipe: str, bound: float, tmp_path: Path) -> None:
    network = Sequential(RECIPES[recipe].layers((28, 28), 10)).build((784,))
    names = tuple(map(str, range(10)))
    exported = to_torch(Model(network, Scale(), names, (28, 28), "uint8"), tmp_path / "model")
    assert exported.largest_difference is not None
    assert exported.largest_difference < bound


def test_two_classes_with_one_output(tmp_path: Path) -> None:
    network = Sequential([Dense(1), Sigmoid()]).build((3,))
    known = {"output_activation": "sigmoid", "binary_classes": ("no", "yes")}
    model = Model(network, AsFloat(), ("yes",), (3,), "float32", **known)  # type: ignore[arg-type]
    exported = to_torch(model, tmp_path / "model")
    assert exported.largest_difference is not None
    assert exported.largest_difference < 1e-6
    assert 'CLASSES = ("no", "yes")' in exported.path.read_text()


def table_model(target: str, **options: Any) -> tuple[Model, Any]:
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(
        {
            "age": rng.normal(40.0, 10.0, 200),
            "city": rng.choice(["Bern", '"Basel"', "Zug"], 200),
            "member": rng.random(200) < 0.5,
            "price": np.exp(rng.normal(3.0, 0.5, 200)),
            "kind": rng.choice(["a", "b", "c"], 200),
        }
    )
    frame.loc[3, ["age", "city"]] = None
    data = Dataset.from_frame(frame, target, **options)
    outputs = len(data.class_names)
    network = Sequential([Dense(8), Tanh(), Dense(outputs)]).build(data.input_shape)
    loss = "mean_squared_error" if outputs == 1 else None
    trainer = Trainer(network, Adam(), 1e-2, epochs=2, loss=loss)
    trainer.fit(data)
    return trainer.model(), frame


@pytest.mark.parametrize(
    ("target", "options"),
    [("kind", {}), ("price", {}), ("price", {"target_scaling": "log"})],
    ids=["classes", "standardized", "logarithms"],
)
def test_a_table_is_predicted_from_raw_rows(
    target: str, options: dict[str, Any], tmp_path: Path
) -> None:
    model, frame = table_model(target, **options)
    exported = to_torch(model, tmp_path / "model")
    assert exported.compared_rows == 64
    assert exported.largest_difference is not None
    expected = model.predict(frame)
    network = loaded(exported.path)
    for table in (frame, frame.to_dict("list"), frame.to_dict("records")):
        assert_close(expected, network.predict(table).numpy(), 1e-6)


def test_a_layer_of_ones_own_predicts_the_same(tmp_path: Path) -> None:
    model = random_model((4,), [DoubledInBoth(), Residual([Dense(4), DoubledInBoth()])], RNG)
    exported = to_torch(model, tmp_path / "model")
    assert exported.largest_difference is not None
    assert exported.largest_difference < 1e-5


class WithoutModule(DoubledInBoth):
    def to_torch(self, shape: tuple[int, ...]) -> ModuleSource:
        return ModuleSource("Missing()")


def test_source_that_does_not_run_is_named(tmp_path: Path) -> None:
    model = random_model((4,), [WithoutModule()], RNG)
    with pytest.raises(ModelError, match=r"model\.py does not run: NameError.*Missing"):
        to_torch(model, tmp_path / "model")


def test_rows_that_do_not_fit_are_refused_before_a_file_is_written(tmp_path: Path) -> None:
    model = random_model((4,), [Dense(2)], RNG)
    with pytest.raises((ModelError, DataError)):
        to_torch(model, tmp_path / "model", rows=np.zeros((2, 7)))
    assert not list(tmp_path.iterdir())


def test_a_file_needs_nothing_of_handloom_and_trains_further(tmp_path: Path) -> None:
    model = random_model((4,), [Dense(8), Dropout(0.5), ReLU(), Dense(3)], RNG)
    to_torch(model, tmp_path / "net")
    code = """
import sys
sys.modules["handloom"] = None
import numpy, torch, net
network = net.load()
rows = numpy.ones((5, 4), numpy.float32)
before = network.predict(rows)
network.train()
assert (network(torch.ones(500, 4)).std(dim=0) > 0).all()  # dropout is there
optimizer = torch.optim.SGD(network.parameters(), 0.1)
torch.nn.functional.cross_entropy(network(network.prepare(rows)), torch.zeros(5).long()).backward()
optimizer.step()
after = network.predict(rows)
assert not torch.equal(before, after) and torch.equal(after, network.predict(rows))
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=120)


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize(("shape", "layers"), SINGLE_LAYERS.values(), ids=SINGLE_LAYERS)
def test_a_module_of_layers_comes_back_with_the_same_bits(
    shape: tuple[int, ...], layers: Layers, dtype: str
) -> None:
    network = random_model(shape, layers, RNG, dtype=dtype).network
    module = to_module(network).eval()
    back = from_torch(module, copy.deepcopy(layers), input_shape=shape)
    for name, array in network.parameters.weights.items():
        assert np.array_equal(back.parameters.weights[name], array)


SEQUENTIALS: dict[str, tuple[tuple[int, ...], Callable[[], Any]]] = {
    "dense": ((6,), lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3, bias=False))),
    "nested": (
        (6,),
        lambda: nn.Sequential(
            nn.Sequential(nn.Linear(6, 5), nn.Tanh()), nn.Identity(), nn.Softmax(1)
        ),
    ),
    "activations": (
        (6,),
        lambda: nn.Sequential(
            *(nn.LeakyReLU(0.2), nn.ELU(0.5), nn.SiLU(), nn.GELU("tanh"), nn.Sigmoid()),
            *(nn.LeakyReLU(0.0), nn.Dropout(0.3)),
        ),
    ),
    "normalization": (
        (6,),
        lambda: nn.Sequential(
            nn.BatchNorm1d(6, momentum=0.3),
            nn.LayerNorm(6, eps=1e-3),
            nn.BatchNorm1d(6, affine=False),
        ),
    ),
    "images": (
        (3, 9, 8),
        lambda: nn.Sequential(
            *(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True)),
            *(nn.Conv2d(4, 4, 3, padding="same", bias=False), nn.MaxPool2d(2), nn.Flatten()),
            *(nn.Linear(16, 8), nn.Unflatten(1, (2, 2, 2)), nn.LayerNorm((2, 2, 2))),
            *(nn.AvgPool2d((2, 2)), nn.Flatten()),
        ),
    ),
    "global pooling": (
        (3, 9, 8),
        lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, 2, 1), nn.Flatten()),
    ),
    "global pooling, flat": (
        (3, 9, 8),
        lambda: nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(3, 2)),
    ),
}


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize(("shape", "make"), SEQUENTIALS.values(), ids=SEQUENTIALS)
def test_a_sequential_of_theirs_computes_the_same(
    shape: tuple[int, ...], make: Callable[[], Any], dtype: str
) -> None:
    torch.manual_seed(0)
    module = make().to(getattr(torch, dtype))
    for name, values in module.state_dict().items():
        if name.endswith(("running_mean", "running_var")):
            values.uniform_(0.5, 2.0)
    module.eval()
    network = from_torch(module, input_shape=shape)
    rows = RNG.standard_normal((50, *shape)).astype(dtype)
    theirs = module(torch.from_numpy(rows.copy())).detach().numpy()
    if module.state_dict():
        assert network.parameters.dtype == dtype
        assert_close(network.predict(rows), theirs, CLOSE[dtype])
    else:  # without weights there is no dtype
        assert_close(network.predict(rows), theirs, 1e-6)


def test_the_first_linear_says_the_input_shape() -> None:
    assert from_torch(nn.Sequential(nn.Linear(7, 2))).input_shape == (7,)
    with pytest.raises(ModelError, match=r"input_shape must be set .* Tanh"):
        from_torch(nn.Sequential(nn.Tanh(), nn.Linear(7, 2)))


def test_weights_that_are_not_trained_are_a_frozen_layer_and_back() -> None:
    module = nn.Sequential(nn.Linear(4, 3).requires_grad_(False), nn.Linear(3, 2))
    network = from_torch(module)
    assert [layer.trainable for layer in network] == [False, True]
    grads = [each.requires_grad for each in to_module(network).parameters()]
    assert grads == [False, False, True, True]


class Own(torch.nn.Module):  # type: ignore[name-defined, misc]
    def forward(self, x: Any) -> Any:
        return x


IMAGE, FLAT = (1, 8, 8), (8,)

REFUSED: list[tuple[tuple[int, ...], Callable[[], Any], str]] = [
    (IMAGE, lambda: nn.Conv2d(1, 4, 3, dilation=2), "dilation must be 1 .* got .2, 2."),
    (IMAGE, lambda: nn.Conv2d(1, 4, (3, 2)), "kernel_size must be the same"),
    (IMAGE, lambda: nn.Conv2d(1, 4, 3, padding=1, padding_mode="circular"), "'zeros'.*'circular'"),
    (IMAGE, lambda: nn.Conv2d(1, 4, 3, padding=3), "padding must be smaller"),
    ((2, 8, 8), lambda: nn.Conv2d(2, 4, 3, groups=2), "groups must be 1"),
    (IMAGE, lambda: nn.MaxPool2d(2, padding=1), "padding must be 0"),
    (IMAGE, lambda: nn.AvgPool2d(2, ceil_mode=True), "ceil_mode must be False"),
    (IMAGE, lambda: nn.AdaptiveAvgPool2d(2), "output_size must be 1"),
    (IMAGE, lambda: nn.BatchNorm2d(1, momentum=None), "momentum must be"),
    (
        IMAGE,
        lambda: nn.BatchNorm2d(1, track_running_stats=False),
        "track_running_stats must be True",
    ),
    (IMAGE, lambda: nn.LayerNorm(8), r"normalized_shape must be \(1, 8, 8\)"),
    (IMAGE, lambda: nn.Softmax(dim=1), "must be flat"),
    (IMAGE, lambda: nn.Linear(8, 2), "must be flat"),
    (FLAT, nn.GELU, "approximate must be 'tanh' .* got 'none'"),
    (FLAT, lambda: nn.LogSoftmax(dim=1), "unknown module 'LogSoftmax'.*Leave it out"),
    (FLAT, lambda: nn.Embedding(8, 2), "unknown module 'Embedding'.*handloom.Embedding"),
    (FLAT, lambda: nn.Softmax(dim=0), "dim must be 1, got 0"),
    (FLAT, lambda: nn.Dropout(1.0), "rate must be at least 0 and below 1"),
    (FLAT, nn.ReLU6, "Did you mean 'ReLU'"),
    (FLAT, Own, "unknown module 'Own'.*Build a network"),
    (FLAT, lambda: nn.Linear(9, 2), r"must have shape \(2, 8\).*got shape \(2, 9\)"),
    (FLAT, lambda: nn.Linear(8, 2).to(torch.bfloat16), "got torch.bfloat16: convert"),
]


@pytest.mark.parametrize(("shape", "make", "message"), REFUSED)
def test_a_module_without_a_counterpart_is_refused_by_name(
    shape: tuple[int, ...], make: Callable[[], Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message) as refused:
        from_torch(nn.Sequential(nn.Sequential(make())), input_shape=shape)
    assert "0.0" in str(refused.value)


def test_a_module_with_code_of_its_own_or_hooks_is_refused() -> None:
    with pytest.raises(ModelError, match=r"must be an nn.Sequential, got Own"):
        from_torch(Own(), input_shape=3)
    linear = nn.Linear(3, 2)
    linear.register_forward_hook(lambda *_: None)
    with pytest.raises(ModelError, match=r"module '0' \(Linear\) has hooks"):
        from_torch(nn.Sequential(linear))
    for inner in (nn.Sequential(nn.ReLU()), nn.Identity()):
        inner.register_forward_pre_hook(lambda *_: None)
        with pytest.raises(ModelError, match=r"module '1' .* has hooks"):
            from_torch(nn.Sequential(nn.Linear(3, 2), inner))


def test_a_module_that_is_used_twice_is_two_layers() -> None:
    shared, linear = nn.ReLU(), nn.Linear(4, 4)
    module = nn.Sequential(linear, shared, linear, shared, nn.Linear(4, 2), shared)
    network = from_torch(module)
    assert [layer.kind for layer in network.layers] == ["dense", "relu"] * 3
    x = RNG.standard_normal((20, 4)).astype("float32")
    with torch.no_grad():
        expected = module(torch.tensor(x)).numpy()
    assert_close(expected, network.forward(x), CLOSE["float32"])


UNLIKE: dict[str, tuple[npt.ArrayLike, str]] = {
    "another shape": (np.zeros((4, 36), np.uint8), "shape"),
    "rows that would become others": (np.zeros((2, 6, 6, 2), np.uint8), "shape"),
    "a single row": (np.zeros((6, 6), np.uint8), "shape"),
    "pixels from 0 to 1": (np.zeros((2, 6, 6), np.float32), "uint8"),
}


@pytest.mark.parametrize(("rows", "message"), UNLIKE.values(), ids=UNLIKE)
def test_rows_unlike_those_of_the_training_are_refused(
    rows: npt.ArrayLike, message: str, tmp_path: Path
) -> None:
    network = Sequential([Dense(2)]).build((36,), seed=0)
    model = Model(network, Scale(), ("a", "b"), (6, 6), "uint8")
    theirs = loaded(to_torch(model, tmp_path / "net").path)
    assert theirs.predict(np.zeros((0, 6, 6), np.uint8)).shape == (0, 2)
    with pytest.raises(ValueError, match=message):
        theirs.predict(rows)


def test_features_that_are_bytes_or_not_finite_are_refused(tmp_path: Path) -> None:
    network = Sequential([Dense(2)]).build((3,), seed=0)
    model = Model(network, AsFloat(), ("a", "b"), (3,), "float32")
    theirs = loaded(to_torch(model, tmp_path / "net").path)
    with pytest.raises(ValueError, match="uint8"):
        theirs.predict(np.zeros((2, 3), np.uint8))
    with pytest.raises(ValueError, match="NaN"):
        theirs.predict(np.full((2, 3), np.nan, np.float32))


def test_weights_of_another_export_are_refused(tmp_path: Path) -> None:
    for name in ("model", "other"):
        to_torch(random_model((3,), [Dense(2)], RNG), tmp_path / name)
    other = tmp_path / "other.safetensors"
    (tmp_path / "model.safetensors").write_bytes(other.read_bytes())
    names = written(tmp_path / "model.py")
    with pytest.raises(ValueError, match="are not those that were exported with this file"):
        names["load"]()
    rows = RNG.standard_normal((2, 3)).astype(np.float32)
    chosen = names["load"](other).predict(rows)  # weights of one's own are not compared
    assert torch.equal(chosen, loaded(tmp_path / "other.py").predict(rows))


def test_predict_leaves_every_module_in_its_mode(tmp_path: Path) -> None:
    layers = [Dense(4), BatchNorm(), Dropout(0.5), Dense(2)]
    exported = to_torch(random_model((3,), layers, RNG), tmp_path / "model")
    network = loaded(exported.path)
    rows = RNG.standard_normal((40, 3)).astype(np.float32)
    expected = network.predict(rows)
    network.train()
    network.layers[1].eval()  # as is usual in fine-tuning
    assert torch.equal(network.predict(rows), expected)
    with pytest.raises(ValueError, match="expected rows of shape"):
        network.predict(rows[:, :2])
    modes = [module.training for module in network.layers]
    assert network.training
    assert modes == [True, False, True, True]


@pytest.mark.parametrize("index", [-1.0, -0.5, 2.5])
def test_fractions_and_negatives_are_no_indices(index: float, tmp_path: Path) -> None:
    shape, layers = SINGLE_LAYERS["embedding of a single column"]
    network = loaded(to_torch(random_model(shape, layers, RNG), tmp_path / "model").path)
    rows = np.zeros((2, *shape), np.float32)
    assert network.predict(rows).shape[0] == 2
    rows[1, 0] = index
    with pytest.raises(ValueError, match=r"columns \(0,\) must hold indices, whole numbers"):
        network.predict(rows)


def read_only(rows: np.ndarray) -> np.ndarray:
    rows = rows.copy()
    rows.flags.writeable = False
    return rows


ARRAYS: dict[str, Callable[[np.ndarray], Any]] = {
    "negative strides": lambda rows: rows[::-1, ::-1],
    "columns in order": np.asfortranarray,
    "big-endian": lambda rows: rows.astype(">f4"),
    "read-only": read_only,  # without a warning, which would be an error here
    "half": lambda rows: rows.astype(np.float16),
    "long": lambda rows: rows.astype(np.longdouble),
    "integers": lambda rows: rows.astype(np.int16),
    "lists": np.ndarray.tolist,
    "tensor": torch.tensor,
    "frame": lambda rows: pytest.importorskip("pandas").DataFrame(rows),
    "no rows": lambda rows: rows[:0],
}


@pytest.mark.parametrize("form", ARRAYS)
def test_a_file_takes_the_arrays_that_a_model_takes(form: str, tmp_path: Path) -> None:
    model = random_model((3,), [Dense(2)], RNG)
    rows = ARRAYS[form](RNG.standard_normal((5, 3)).astype(np.float32))
    network = loaded(to_torch(model, tmp_path / "model").path)
    assert_close(model.predict(rows), network.predict(rows).numpy(), CLOSE["float32"])


def test_a_file_refuses_complex_numbers(tmp_path: Path) -> None:
    network = loaded(to_torch(random_model((3,), [Dense(2)], RNG), tmp_path / "model").path)
    with pytest.raises(ValueError, match=r"expected rows of float32, .* got torch.complex64"):
        network.predict(np.ones((2, 3), np.complex64))
