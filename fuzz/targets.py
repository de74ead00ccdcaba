"""The readers under fire, a row each: a reader that is added later is one row more."""

import hashlib
import json
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from fuzz import mutations, seeds
from fuzz.mutations import Mutation
from handloom.cli.runs import experiment_of
from handloom.data import Columns, ImageOptions, read_idx, read_npy, transform_from_config
from handloom.data.formats.idx_names import FILE_STEMS
from handloom.data.formats.image_options import Color, Fit
from handloom.data.formats.images import MODES, read_image
from handloom.data.formats.photographs import read_photograph
from handloom.data.formats.tables import open_file
from handloom.data.photos.framing import Framing
from handloom.data.photos.preparation import prepare_photograph
from handloom.data.sources.open_folder import read_folder
from handloom.data.sources.open_table import read_splits
from handloom.data.table_options import TableOptions
from handloom.data.table_report import report_on_table
from handloom.files import MANIFEST, _digest, read_set, write_set
from handloom.interop.onnx import from_onnx, network_from_onnx
from handloom.interop.torch import from_torch
from handloom.layers import Dense
from handloom.losses import SoftmaxCrossEntropy
from handloom.model import KIND, VERSION, Model
from handloom.network import Sequential
from handloom.training.objective_making import model_for
from handloom.training.run_folder import DESCRIPTION, HISTORY, RESULTS, RunFolder
from handloom.training.snapshot import Snapshot

MB = 1 << 20

Read = Callable[[bytes], object]
"""Gives one input to a reader."""


class Target(NamedTuple):
    """A reader, with inputs and limits.

    Attributes
    ----------
    name : str
    prepare : callable
        Takes an empty folder, puts other files of the reader there, and returns the function
        that gives an input to the reader and uses the result.
    seeds : callable
        Returns valid inputs.
    mutation : callable
        Changes an input, knowing its format.
    memory : int
        How many bytes the reader may need, whatever the input.
    """

    name: str
    prepare: Callable[[Path], Read]
    seeds: Callable[[], list[bytes]]
    mutation: Mutation
    memory: int


def _idx(folder: Path) -> Read:
    path = folder / "file"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        read_idx(path, dimensions=1 if data[3:4] == b"\1" else 3)

    return read


def _idx_folder(folder: Path) -> Read:
    return _bundle(folder, [stem for stems in FILE_STEMS.values() for stem in stems])


def _emnist(folder: Path) -> Read:
    """Names of EMNIST, with a prefix; the last file of a bundle names the classes."""
    stems = [stem.replace("t10k", "test") for pair in FILE_STEMS.values() for stem in pair]
    names = [*(f"emnist-x-{stem}" for stem in stems), "emnist-x-mapping.txt"]

    return _bundle(folder, names)


def _dotted(folder: Path) -> Read:
    """Names of MNIST with a dot; the last file of a bundle names the classes."""
    stems = [stem.replace("-idx", ".idx") for pair in FILE_STEMS.values() for stem in pair]

    return _bundle(folder, [*stems, "classes.txt"])


def _npy_folder(folder: Path) -> Read:
    """Several files of the training part; the last file of a bundle names the classes."""
    train = [f"train-{kind}-{index}.npy" for kind in ("inputs", "targets") for index in (0, 1)]

    return _bundle(folder, [*train, "test-inputs.npy", "test-targets.npy", "classes.txt"])


def _bundle(folder: Path, names: Sequence[str]) -> Read:
    def read(data: bytes) -> None:
        files = seeds.unbundled(data)
        for index, name in enumerate(names):
            (folder / name).write_bytes(files[index] if index < len(files) else b"")
        notes: list[str] = []
        splits = read_folder(folder, tell=notes.append)
        splits.test.rows_per_class.sum()
        np.array(splits.train.inputs[:])

    return read


def _images(folder: Path) -> Read:
    path = folder / "image"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        pixels, own, _ = read_image(path)
        if pixels.dtype != np.uint8 or own not in MODES or pixels.ndim not in (2, 3):
            raise TypeError(f"got {pixels.dtype} of shape {pixels.shape} and mode {own}")

    return read


def _image_folders(folder: Path) -> Read:
    """One file of four is the input; its bytes choose size, fit, color and skipped files."""
    valid = seeds.color_image()
    for name in ("a/0", "a/1", "b/0", "b/1"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(valid)

    def read(data: bytes) -> None:
        (folder / "b/1").write_bytes(data)
        choice = sum(data[-4:]) + len(data)
        options = ImageOptions(
            size=(3, (7, 2), (2, 40))[choice % 3],
            fit=get_args(Fit)[choice // 3 % 3],
            color=(None, *get_args(Color))[choice // 9 % 4],
            test=0.5,
            skip_bad=choice // 36 % 2 == 1,
        )
        notes: list[str] = []
        splits = read_folder(folder, options=options, tell=notes.append)
        shape = splits.train.input_shape
        if len(shape) == 3 and shape[0] not in (3, 4):
            raise TypeError(f"got rows of shape {shape}")

    return read


def _photographs(folder: Path) -> Read:
    path = folder / "image"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        _expect(read_photograph(path, (28, 28), invert=len(data) % 2 == 0), (28, 28))
        colored = len(data) % 3 == 0
        shape = (3, 28, 28) if colored else (28, 28)
        _expect(prepare_photograph(path, shape, Framing(flat=len(data) % 4 < 3)), shape)

    return read


def _npy_inputs(folder: Path) -> Read:
    inputs, targets = folder / "inputs.npy", folder / "targets.npy"
    np.save(targets, seeds.LABELS)

    def read(data: bytes) -> None:
        inputs.write_bytes(data)
        np.array(read_npy(inputs, targets).inputs)

    return read


def _npy_targets(folder: Path) -> Read:
    inputs, targets = folder / "inputs.npy", folder / "targets.npy"
    np.save(inputs, seeds.PIXELS)

    def read(data: bytes) -> None:
        targets.write_bytes(data)
        read_npy(inputs, targets).rows_per_class.sum()

    return read


def _tables(folder: Path) -> Read:
    return _table(folder / "table.csv")


def _parquet_files(folder: Path) -> Read:
    return _table(folder / "table.parquet")


def _table(path: Path) -> Read:
    """Report on the table, split it, and transform its rows again."""

    def read(data: bytes) -> None:
        path.write_bytes(data)
        notes: list[str] = []
        table = open_file(path, tell=notes.append)
        report_on_table(table)
        known = "open" in table.names and len(data) % 7 > 0
        target = "open" if known else table.names[len(data) % len(table.names)]
        options = TableOptions(target, drop_missing_targets=True)
        splits = read_splits(path, options, tell=notes.append)
        again = read_splits(path, options, splits.train.columns, tell=notes.append)
        if not np.array_equal(again.test.inputs, splits.test.inputs):
            raise TypeError("the same rows differ")

    return read


def _columns(folder: Path) -> Read:
    data = seeds.table()
    network = Sequential([Dense(2)]).build(data.input_shape, seed=0)
    model_for(network, SoftmaxCrossEntropy(), data).save(folder)

    def read(content: bytes) -> None:
        replace_in_set(folder, "columns.json", content)
        columns = Model.load(folder).columns
        if columns is not None:
            Columns.from_json(columns.to_json())

    return read


def _manifest(folder: Path) -> Read:
    write_set(folder, "thing", 1, seeds.FILES)

    def read(data: bytes) -> None:
        (folder / MANIFEST).write_bytes(signed(data))
        read_set(folder, "thing", 1)

    return read


def signed(manifest: bytes) -> bytes:
    """Return a manifest with its own sum; anything but a JSON object stays as it is."""
    try:
        described = json.loads(manifest)
        return json.dumps({**described, "sha256": _digest(described)}).encode()
    except (ValueError, TypeError, RecursionError):
        return manifest


def replace_in_set(folder: Path, name: str, content: bytes) -> None:
    """Change a file of a set, and its size and sum in the manifest with it."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    del manifest["sha256"]
    entry = manifest["files"][name]
    entry.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    (folder / entry["stored_as"]).write_bytes(content)
    (folder / MANIFEST).write_bytes(signed(json.dumps(manifest).encode()))


def _model(folder: Path) -> Read:
    return _part_of_model(folder, "model.json")


def _weights(folder: Path) -> Read:
    return _part_of_model(folder, "weights.safetensors")


def _part_of_model(folder: Path, name: str) -> Read:
    whole = {"model.json": seeds.models()[0], "weights.safetensors": seeds.weights()[0]}
    write_set(folder, KIND, VERSION, whole)

    def read(data: bytes) -> None:
        replace_in_set(folder, name, data)
        _use(Model.load(folder))

    return read


def _state_dict(folder: Path) -> Read:
    path, network = folder / "model.safetensors", seeds.network()

    def read(data: bytes) -> None:
        path.write_bytes(data)
        from_torch(path, network)
        if not np.isfinite(network.parameters.values).all():
            raise TypeError("a weight is not finite")

    return read


def _use(model: Model) -> None:
    """Use a loaded model as the commands do."""
    dtype = np.uint8 if model.row_dtype == "uint8" else np.float32
    with np.errstate(all="ignore"):  # the weights may be any numbers
        (row,) = model.predict(np.zeros((1, *model.row_shape), dtype))
    dict(zip(model.class_names, row, strict=True))


def _onnx(folder: Path) -> Read:
    path = folder / "model.onnx"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        _use(from_onnx(path))

    return read


def _onnx_chain(folder: Path) -> Read:
    path = folder / "chain.onnx"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        network = network_from_onnx(path)
        if network.largest_activation < MB // 8:  # a file may claim any input
            with np.errstate(all="ignore"):  # the weights may be any numbers
                network.predict(np.zeros((1, *network.input_shape), np.float32))

    return read


def _checkpoint(folder: Path) -> Read:
    return _part_of_checkpoint(folder, "state.json")


def _checkpoint_arrays(folder: Path) -> Read:
    return _part_of_checkpoint(folder, "arrays.safetensors")


def _part_of_checkpoint(folder: Path, name: str) -> Read:
    trainer = seeds.trained()
    Snapshot.take(trainer.state).save(folder)

    def read(data: bytes) -> None:
        replace_in_set(folder, name, data)
        Snapshot.load(folder).restore(trainer.state)
        trainer.history.to_csv()

    return read


def _run(folder: Path) -> Read:
    path = folder / DESCRIPTION

    def read(data: bytes) -> None:
        path.write_bytes(data)
        experiment_of(RunFolder.open(folder))

    return read


def _history(folder: Path) -> Read:
    run = seeds.run(folder)

    def read(data: bytes) -> None:
        (folder / HISTORY).write_bytes(data)
        run.history().to_csv()

    return read


def _results(folder: Path) -> Read:
    run = seeds.run(folder)

    def read(data: bytes) -> None:
        (folder / RESULTS).write_bytes(data)
        run.results()

    return read


def _config(_: Path) -> Read:
    weights = seeds.network().parameters.weights

    def read(data: bytes) -> None:
        try:
            described = json.loads(data)
        except (ValueError, RecursionError):
            return  # readers of files refuse anything but JSON
        if isinstance(described, dict):
            if "name" in described:
                transform_from_config(described)
            else:
                Sequential.from_config(described, weights=weights)

    return read


def _expect(pixels: npt.NDArray[np.generic], shape: tuple[int, ...]) -> None:
    if pixels.shape != shape or pixels.dtype != np.uint8:
        raise TypeError(f"got {pixels.dtype} of shape {pixels.shape}, expected {shape}")


TARGETS = {
    target.name: target
    for target in (
        Target("idx", _idx, seeds.idx, mutations.anywhere, 16 * MB),
        Target("idx-gzip", _idx, seeds.idx_gzip, mutations.in_gzip, 16 * MB),
        Target("idx-folder", _idx_folder, seeds.idx_folder, mutations.in_bundle, 16 * MB),
        Target("emnist", _emnist, seeds.named_idx_folder, mutations.in_bundle, 16 * MB),
        Target("dotted", _dotted, seeds.named_idx_folder, mutations.in_bundle, 16 * MB),
        Target("images", _images, seeds.images, mutations.in_png, 512 * MB),
        Target("image-folders", _image_folders, seeds.images, mutations.in_png, 2560 * MB),
        Target("photographs", _photographs, seeds.photographs, mutations.in_png, 2560 * MB),
        Target("npy-inputs", _npy_inputs, seeds.npy_inputs, mutations.in_npy_header, 16 * MB),
        Target("npy-targets", _npy_targets, seeds.npy_targets, mutations.in_npy_header, 16 * MB),
        Target("npy-folder", _npy_folder, seeds.npy_folder, mutations.in_npy_bundle, 16 * MB),
        Target("tables", _tables, seeds.tables, mutations.in_csv, 64 * MB),
        *(
            [Target("parquet", _parquet_files, seeds.parquet_files, mutations.anywhere, 512 * MB)]
            if find_spec("pyarrow")
            else []
        ),
        Target("columns", _columns, seeds.columns, mutations.in_json, 16 * MB),
        Target("manifest", _manifest, seeds.manifests, mutations.in_json, 16 * MB),
        Target("model", _model, seeds.models, mutations.in_json, 16 * MB),
        Target("weights", _weights, seeds.weights, mutations.in_safetensors_header, 16 * MB),
        *(
            [
                Target("onnx", _onnx, seeds.onnx_models, mutations.in_onnx, 16 * MB),
                Target("onnx-chain", _onnx_chain, seeds.onnx_chains, mutations.in_onnx, 16 * MB),
            ]
            if find_spec("onnx")
            else []
        ),
        Target(
            "state-dict", _state_dict, seeds.state_dicts, mutations.in_safetensors_header, 16 * MB
        ),
        Target("checkpoint", _checkpoint, seeds.checkpoints, mutations.in_json, 16 * MB),
        Target(
            *("checkpoint-arrays", _checkpoint_arrays, seeds.checkpoint_arrays),
            *(mutations.in_safetensors_header, 16 * MB),
        ),
        Target("run", _run, seeds.runs, mutations.in_json, 16 * MB),
        Target("history", _history, seeds.histories, mutations.in_json, 16 * MB),
        Target("results", _results, seeds.results, mutations.in_json, 16 * MB),
        Target("config", _config, seeds.configurations, mutations.in_json, 16 * MB),
    )
}
