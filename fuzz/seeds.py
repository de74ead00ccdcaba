"""Small valid files of every kind that Handloom reads."""

import gzip
import io
import json
import struct
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from safetensors.numpy import save

from handloom.data import AsFloat, Dataset, ImageOptions, Scale, Transform
from handloom.data.sources.open_table import read_splits
from handloom.data.table_options import TableOptions
from handloom.files import MANIFEST, read_set, write_set
from handloom.interop.onnx import Graph, add_layers, to_onnx
from handloom.interop.onnx.files import model_bytes
from handloom.interop.torch.sources import source_of_chain
from handloom.layers import (
    ELU,
    GELU,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Layer,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Reshape,
    Residual,
    Softmax,
    Tanh,
)
from handloom.model import Model
from handloom.network import Sequential
from handloom.optimizers import Adam
from handloom.recipes.experiment import experiment_to_json
from handloom.recipes.settings import Settings
from handloom.training import Trainer
from handloom.training.checkpoints import Checkpoints
from handloom.training.run_description import RunDescription
from handloom.training.run_folder import DESCRIPTION, HISTORY, RESULTS, RunFolder
from handloom.training.snapshot import KIND, VERSION, Snapshot

PIXELS = np.arange(0, 240, 4, dtype=np.uint8).reshape(3, 4, 5)
LABELS = np.array([2, 0, 1], np.uint8)

FILES = {"a.json": b'{"x": 1}', "b.bin": bytes(range(64))}
"""The files of a manifest."""

DESCRIBED = RunDescription(experiment_to_json(Settings()), "fashion-mnist", "3", 1)
"""A run whose training takes the default settings."""

EIGHT_BITS = ("L", "1", "LA", "P", "RGB", "RGBA", "CMYK")
"""Modes of Pillow that a dataset may have."""

LEFT_OUT = frozenset({"EPS", "PDF", "PALM", "BUFR", "GRIB", "HDF5", "WMF", "IM"})
"""Formats that Pillow writes and does not read again by itself, and one that it will drop."""


def idx_file(array: npt.NDArray[np.uint8]) -> bytes:
    """Return an IDX file."""
    header = struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape)
    return header + array.tobytes()


def idx() -> list[bytes]:
    """Return images and labels."""
    return [idx_file(PIXELS), idx_file(LABELS)]


def idx_gzip() -> list[bytes]:
    """Return images packed, stored, and in two members with zeros behind them."""
    whole = idx_file(PIXELS)
    members = gzip.compress(whole[:20], mtime=0) + gzip.compress(whole[20:], mtime=0)
    return [gzip.compress(whole, mtime=0), gzip.compress(whole, 0, mtime=0), members + bytes(3)]


def idx_folder() -> list[bytes]:
    """Return the four files of a dataset in one."""
    return [bundled([idx_file(array) for array in (PIXELS, LABELS, PIXELS[1:], LABELS[1:])])]


def bundled(files: Sequence[bytes]) -> bytes:
    """Return several files as one: each after its length in two bytes."""
    return b"".join(struct.pack(">H", len(file) & 0xFFFF) + file for file in files)


def unbundled(data: bytes) -> list[bytes]:
    """Return the files that are one; a part cut off at the end is one too."""
    files = []
    while data:
        end = 2 + int.from_bytes(data[:2], "big")
        files.append(data[2:end])
        data = data[end:]
    return files


def named_idx_folder() -> list[bytes]:
    """Return the four files of a dataset and one that names its classes, in one."""
    files = [idx_file(array) for array in (PIXELS, LABELS, PIXELS[1:], LABELS[1:])]
    return [bundled([*files, b"0 48\n1 49\n2 50 98\n"])]


def npy_folder() -> list[bytes]:
    """Return the files of a dataset whose training part has two of each kind, in one."""
    arrays = (PIXELS[:2], PIXELS[2:], LABELS[:2], LABELS[2:], PIXELS[1:], LABELS[1:])
    return [bundled([*map(npy_file, arrays), b"cat\ndog\nowl\n"])]


def images() -> list[bytes]:
    """Return an image of each mode of a dataset in every format that Pillow writes and reads."""
    files = [(file, Image.open(io.BytesIO(file))) for file in _images(EIGHT_BITS)]
    # Pillow loses the palette of an ICNS image, so that its colors are not known
    return [file for file, image in files if image.mode in EIGHT_BITS and image.format != "ICNS"]


def color_image() -> bytes:
    """Return a PNG file of the size of the other images."""
    file = io.BytesIO()
    Image.fromarray(PIXELS[0]).convert("RGB").save(file, "PNG")
    return file.getvalue()


def photographs() -> list[bytes]:
    """Return an image of every mode in every format that Pillow can write it in and reads back."""
    return _images(("L", "1", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"))


@cache
def _images(modes: tuple[str, ...]) -> list[bytes]:
    Image.init()
    files = []
    for kind in sorted(set(Image.SAVE) - LEFT_OUT):
        for mode in modes:
            file = io.BytesIO()
            try:
                Image.fromarray(PIXELS[0]).convert(mode).save(file, kind)
                Image.open(io.BytesIO(file.getvalue()))
            except (OSError, ValueError, KeyError):
                continue  # this format has no such mode, or no image so small
            files.append(file.getvalue())
    return files


def npy_file(array: npt.NDArray[np.generic]) -> bytes:
    """Return a .npy file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_inputs() -> list[bytes]:
    """Return images, and features of several types and orders."""
    rows = np.linspace(-1, 1, 12).reshape(3, 4)
    features = [rows.astype(kind) for kind in ("f2", "f4", ">f8")]
    return [npy_file(array) for array in (PIXELS, *features, np.asfortranarray(rows))]


def npy_targets() -> list[bytes]:
    """Return classes of several types."""
    return [npy_file(LABELS.astype(kind)) for kind in ("i1", "u2", ">i4", "i8", "u8")]


def tables() -> list[bytes]:
    """Return CSV files with numbers, texts, booleans and missing values."""
    rows = [(n / 4, "ab"[n % 2], n % 3 > 0, n % 5) for n in range(24)]
    lines = ["size,kind,open,class", *(",".join(map(str, row)) for row in rows), "NA,,True,1"]
    text = "\n".join(lines)
    return [text.encode(), text.replace(",", ";").encode("utf-8-sig")]


def parquet_files() -> list[bytes]:
    """Return Parquet files, of which pyarrow writes any."""
    import pyarrow
    from pyarrow import parquet

    columns = {
        "size": [n / 4 if n % 7 else None for n in range(24)],
        "kind": [None if n % 5 == 0 else "ab"[n % 2] for n in range(24)],
        "open": [n % 3 > 0 for n in range(24)],
    }
    files = []
    for compression in ("none", "snappy", "zstd"):
        file = io.BytesIO()
        parquet.write_table(pyarrow.table(columns), file, compression=compression)
        files.append(file.getvalue())
    return files


def table() -> Dataset:
    """Return the rows of a small table, with the columns that were learned of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(tables()[0])
        options = TableOptions("open", categorical=["class"])
        return read_splits(path, options, tell=lambda _: None).train


def columns() -> list[bytes]:
    """Return the learned columns of a table as JSON."""
    learned = table().columns
    assert learned is not None
    return [json.dumps(learned.to_json()).encode()]


def manifests() -> list[bytes]:
    """Return the manifest of `FILES`, without its own sum."""
    with tempfile.TemporaryDirectory() as folder:
        write_set(Path(folder), "thing", 1, FILES)
        manifest = json.loads((Path(folder) / MANIFEST).read_bytes())
    del manifest["sha256"]
    return [json.dumps(manifest).encode()]


def network() -> Sequential:
    """Return a small network with layers of many kinds."""
    image = [Reshape((1, 2, 2)), Conv2D(2, 2, padding=1), BatchNorm(), Residual([ReLU()])]
    flat = [MaxPool2D(2, stride=1), Flatten(), Dropout(0.1), Dense(3, weights_l2=1e-4), LayerNorm()]
    return Sequential([*image, *flat, GELU(), Dense(2, weights="glorot"), Softmax()]).build((4,))


def models() -> list[bytes]:
    """Return descriptions of models, as ``model.json`` holds them."""
    return [_model(Scale(), "uint8"), _model(AsFloat(), "float32")]


def _model(transform: Transform, dtype: str) -> bytes:
    described = {
        "network": network().config(),
        "transform": transform.to_config(),
        "class_names": ["left", "right"],
        "row_shape": [2, 2],
        "row_dtype": dtype,
        "trained_on": "made up",
    }
    return json.dumps(described).encode()


def onnx_models() -> list[bytes]:
    """Return models as `handloom.to_onnx` writes them, of `network` and with embeddings."""
    own = Sequential([Embedding({1: 2}, width=2), LeakyReLU(), Dense(2)]).build((3,))
    models = (
        Model(network(), Scale(), ("left", "right"), (2, 2), "uint8"),
        Model(own, AsFloat(), ("left", "right"), (3,), "float32"),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        return [to_onnx(model, path).path.read_bytes() for model in models]


def onnx_chains() -> list[bytes]:
    """Return chains of standard operators."""
    image = [Conv2D(2, 2, padding="same"), BatchNorm(), ReLU(), MaxPool2D(2), Flatten(), Dense(2)]
    flat = [
        Dense(3),
        LeakyReLU(),
        ELU(),
        Tanh(),
        BatchNorm(),
        Reshape((3, 1)),
        Flatten(),
        Softmax(),
    ]
    return [_onnx_chain((1, 4, 5), image), _onnx_chain((4,), flat)]


def _onnx_chain(shape: tuple[int, ...], layers: list[Layer]) -> bytes:
    chain = Sequential(layers).build(shape)
    graph = Graph()
    x = graph.input("x", "float32", shape)
    graph.output("y", add_layers(graph, chain.named_layers(), x, shape), chain.output_shape)
    return model_bytes(graph, {})


def weights() -> list[bytes]:
    """Return the weights of `network` as a safetensors file."""
    arrays = network().parameters.weights
    return [save({name: array.copy() for name, array in arrays.items()})]


def state_dicts() -> list[bytes]:
    """Return the weights of `network` as a state dict of PyTorch, with two sorts of names."""
    own = network()
    state = source_of_chain(own.named_layers(), own.input_shape).state
    other = {
        f"net{name.replace('.', '_', name.count('.') - 1)}": each for name, each in state.items()
    }
    return [save(dict(state)), save(other)]


def trained() -> Trainer:
    """Return a training that has ended."""
    rows = np.arange(0, 240, 10).astype(np.uint8).reshape(6, 2, 2)
    data = Dataset(rows, np.arange(6) % 2, ("left", "right"))
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(network(), Adam(), 1e-3, epochs=2, checkpoints=Checkpoints(folder))
        trainer.fit(data)
    return trainer


def checkpoints() -> list[bytes]:
    """Return the state of `trained`, as ``state.json`` holds it."""
    return [_checkpoint_file("state.json")]


def checkpoint_arrays() -> list[bytes]:
    """Return the arrays of `trained` as a safetensors file."""
    return [_checkpoint_file("arrays.safetensors")]


def _checkpoint_file(name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        Snapshot.take(trained().state).save(Path(folder))
        return read_set(Path(folder), KIND, VERSION)[name]


def runs() -> list[bytes]:
    """Return descriptions of runs, as ``run.json`` holds them."""
    options = ImageOptions(size=(6, 8), fit="crop", color="rgb", test=0.2, seed=1, skip_bad=True)
    settings = experiment_to_json(Settings(hidden=(4,), decay=0.1))
    wide = RunDescription(settings, "silhouettes", "5m", 2, data_options=options.to_json())
    return [_run_file(DESCRIPTION, each) for each in (wide, DESCRIBED)]


def histories() -> list[bytes]:
    """Return the history of `trained`, as ``history.json`` holds it."""
    return [_run_file(HISTORY)]


def results() -> list[bytes]:
    """Return the figures of a run, as ``results.json`` holds them."""
    return [_run_file(RESULTS)]


def run(folder: Path, description: RunDescription = DESCRIBED) -> RunFolder:
    """Write a run folder, and return it."""
    written = RunFolder(folder, description)
    written.write_description()
    written.write_history(trained().history)
    written.write_results({"dataset": "made up", "test_accuracy": 0.5, "test_loss": None})
    return written


def _run_file(name: str, description: RunDescription = DESCRIBED) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return (run(Path(folder), description).path / name).read_bytes()


def configurations() -> list[bytes]:
    """Return the configuration of a network, and those of transforms."""
    configs: list[Mapping[str, object]] = [network().config(), Scale().to_config()]
    return [json.dumps(one).encode() for one in configs]
