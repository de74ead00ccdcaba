"""Hostile files are refused with an error of ours: no crash, no hang, no memory or path abuse.

`make fuzz` gives every reader a hundred thousand inputs; here each gets a few of that kind, and
those on which a reader once failed, as the functions that make them.
"""

import ast
import gzip
import hashlib
import io
import json
import math
import os
import pickle
import random
import re
import signal
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzz import mutations, seeds
from fuzz.targets import MB, TARGETS, signed
from fuzz.watch import FindingError, Watch, attempt, memory_limit
from PIL import Image

import handloom
from handloom import DataError, HandloomError, Model, ModelError, files, read_npy
from handloom.data import read_idx
from handloom.data.formats import idx, images, npy, photographs
from handloom.data.formats.photographs import read_photograph
from handloom.files import MANIFEST, FileError, read_set, write_set
from handloom.layers import Dense, Flatten, MaxPool2D
from handloom.model import MAX_DIMENSIONS
from handloom.network import Sequential
from handloom.training.run_folder import MAX_HISTORY_BYTES

SOURCE = Path(handloom.__file__).parent

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="bounds are set as Linux sets them"
)


@pytest.fixture(scope="module")
def watch() -> Watch:
    return Watch()


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """End a test that would otherwise never end."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"still busy after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", TARGETS)
def test_valid_files_are_taken_and_changed_ones_are_taken_or_refused(
    name: str, tmp_path: Path, watch: Watch
) -> None:
    target, refused = TARGETS[name], 0
    read, valid = target.prepare(tmp_path), target.seeds()
    for data in valid:
        assert attempt(read, data) is None
    with memory_limit(target.memory), time_limit(60):
        for number in range(100):
            rng = random.Random(number)
            data = target.mutation(rng.choice(valid), rng)
            with watch.over(tmp_path):
                refused += attempt(read, data) is not None
    assert refused


def png(width: int, height: int) -> bytes:
    header = mutations.png_chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0))
    pixels = mutations.png_chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + mutations.png_chunk(b"IEND", b"")


def idx_header(*shape: int) -> bytes:
    return struct.pack(f">{1 + len(shape)}I", 0x0800 + len(shape), *shape)


def npy_header(**change: object) -> bytes:
    header = {"descr": "|u1", "fortran_order": False, "shape": (3,), **change}
    return mutations.npy_file(header, bytes(64))


def npy_text(text: str) -> bytes:
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode()


def box_of_jpeg2000() -> bytes:
    signature = bytes.fromhex("0000000c6a5020200d0a870a")
    return signature + struct.pack(">I4s", 1, b"jp2h") + struct.pack(">Q", 1 << 40) + bytes(64)


def deep_tiff(level: float) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((4, 4), level, np.float32)).save(file, "TIFF")
    return file.getvalue()


def postscript_in_iptc() -> bytes:
    def field(record: int, number: int, content: bytes) -> bytes:
        return struct.pack(">3BH", 0x1C, record, number, len(content)) + content

    gray, width, height = field(3, 60, b"\1\0"), field(3, 20, b"\0\4"), field(3, 30, b"\0\4")
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\nshowpage\n"
    return gray + width + height + field(3, 120, b"\5") + field(8, 10, program)


def entry(**change: object) -> bytes:
    """Return a manifest with a changed entry."""
    (manifest,) = map(json.loads, seeds.manifests())
    manifest["files"]["a.json"].update(change)
    return json.dumps(manifest).encode()


def model(**change: object) -> bytes:
    return json.dumps({**json.loads(seeds.models()[0]), **change}).encode()


def network(**change: object) -> dict[str, object]:
    return {**seeds.network().config(), **change}


def units(count: object) -> dict[str, object]:
    described: Any = network()
    first = next(layer for layer in described["layers"] if layer["kind"] == "dense")
    first["units"] = count
    return dict(described)


def block(layers: list[object]) -> dict[str, object]:
    return network(layers=[{"kind": "residual", "block": layers, "shortcut": []}])


def nested(depth: int) -> dict[str, object]:
    layers: list[object] = [{"kind": "relu"}]
    for _ in range(depth):
        layers = block(layers)["layers"]  # type: ignore[assignment]
    return network(layers=layers)


def tensor(**change: object) -> bytes:
    described = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **change}
    return mutations.safetensors_file(json.dumps({"a": described}).encode(), bytes(4))


CASES = [
    # (name, target, input, message)
    (
        "uncompressed IDX claims 1 GB",
        "idx",
        idx_header(1000, 1000, 1000),
        "expected 1000000000 bytes",
    ),
    ("IDX claims terabytes", "idx", idx_header(1 << 20, 1 << 10, 1 << 10), "expected at most"),
    (
        "compressed IDX claims 1 GB",
        "idx-gzip",
        gzip.compress(idx_header(1 << 30, 1, 1)),
        "truncated",
    ),
    ("gzip bomb", "idx-gzip", gzip.compress(idx_header(1, 2, 2) + bytes(1 << 25)), "trailing"),
    ("PNG of 100,000 x 100,000", "images", png(100_000, 100_000), "claims"),
    ("photograph of 100,000 x 100,000", "photographs", png(100_000, 100_000), "claims"),
    ("photograph of 9,460 x 9,459", "photographs", png(9_460, 9_459), "claims"),
    ("JPEG 2000 claims a terabyte", "images", box_of_jpeg2000(), "damaged|not an image"),
    ("PostScript in IPTC", "images", postscript_in_iptc(), "not an image"),
    ("PostScript in IPTC, as photograph", "photographs", postscript_in_iptc(), "not an image"),
    ("levels that are NaN", "photographs", deep_tiff(float("nan")), "levels must be finite"),
    ("levels that are infinite", "photographs", deep_tiff(float("inf")), "levels must be finite"),
    ("bracket left open", "npy-inputs", npy_text("{'a'("), "not a complete .npy"),
    ("brackets in brackets", "npy-inputs", npy_text("[" * 4000), "not a complete .npy"),
    ("header of 4 GB", "npy-targets", b"\x93NUMPY\2\0" + b"\xff" * 4, "not a complete .npy"),
    ("size of 400 digits", "npy-inputs", npy_header(shape=(10**400,)), "not a complete .npy"),
    ("size that is negative", "npy-inputs", npy_header(shape=(-1,)), "the shape"),
    ("sizes that overflow", "npy-inputs", npy_header(shape=(2**62, 4, 0)), "the shape"),
    ("claims terabytes", "npy-inputs", npy_header(shape=(2**20, 2**20)), "expected .* got"),
    ("Python objects", "npy-targets", npy_header(descr="|O"), "it holds object"),
    ("numbers of no bytes", "npy-targets", npy_header(descr="|V0", shape=(10**12,)), "it holds"),
    ("a trillion classes", "npy-targets", seeds.npy_file(np.array([0, 10**12])), "at most 65535"),
    ("name too long for any file", "manifest", entry(stored_as="x" * 5000), "missing"),
    ("name with a zero byte", "manifest", entry(stored_as="a\0b"), "missing"),
    ("name that is no text", "manifest", entry(stored_as="\ud800"), "missing"),
    ("manifest of a megabyte", "manifest", b" " * (1 << 20) + b"[]", "expected at most"),
    ("brackets in a manifest", "manifest", b"[" * 100_000, "damaged"),
    ("brackets in a model", "model", b"[" * 100_000, "RecursionError"),
    ("a network of terabytes", "model", model(network=units(10**12)), "1,000,000,000,000 numbers"),
    ("a network of gigabytes", "model", model(network=units(10**7)), "must be float32 of shape"),
    ("a size that is infinite", "model", model(row_shape=[float("inf")]), "row_shape"),
    (
        "an input that is infinite",
        "model",
        model(network=network(input_shape=[float("inf")])),
        "input_shape",
    ),
    ("a layer that is a word", "model", model(network=network(layers=["relu"])), "configuration"),
    ("a layer in a block that is a word", "model", model(network=block(["x"])), "by an object"),
    ("a block in a block in a block", "model", model(network=nested(400)), "RecursionError"),
    ("rows of terabytes", "model", model(row_shape=[10**6, 10**6]), "do not fit"),
    ("rows of 65 dimensions", "model", model(row_shape=[2, *[1] * 64, 2]), "66 dimensions"),
    ("a class without a name", "model", model(class_names=["one"]), "1 class names do not fit"),
    (
        "a type that is a program",
        "model",
        model(network=network(dtype="(1000000,)f8,O")),
        "unknown dtype",
    ),
    (
        "a strength of 400 digits",
        "config",
        json.dumps({"name": "scale", "shift": 10**400, "divisor": 1}).encode(),
        "shift of Scale",
    ),
    ("a transform that is a list", "model", model(transform=[1]), "described by an object"),
    ("a header of exabytes", "weights", struct.pack("<Q", 1 << 62) + b"{}", "SafetensorError"),
    ("a tensor of terabytes", "weights", tensor(shape=[1 << 40]), "SafetensorError"),
    ("a type that NumPy lacks", "weights", tensor(dtype="BF16", shape=[2]), "BF16"),
]


@pytest.mark.parametrize(
    ("target", "data", "message"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_what_was_found_stays_mended(
    target: str, data: bytes, message: str, tmp_path: Path, watch: Watch
) -> None:
    read = TARGETS[target].prepare(tmp_path)
    attempt(read, TARGETS[target].seeds()[0])  # loads modules that are loaded at first use
    with memory_limit(TARGETS[target].memory), time_limit(20), watch.over(tmp_path):
        refused = attempt(read, data)
    assert refused is not None
    assert re.search(message, str(refused))


def test_what_the_bounds_are() -> None:
    assert (idx.MAX_BYTES, images.MAX_PIXELS, photographs.MAX_PIXELS) == (2**30, 2**24, 89_478_485)
    assert (images.MAX_FILE_BYTES, photographs.MAX_FILE_BYTES) == (64 * MB, 1024 * MB)
    assert (npy.MAX_HEADER_BYTES, npy.MAX_CLASSES) == (2**14, 2**16)
    assert (files.MAX_MANIFEST_BYTES, files.MAX_SET_BYTES) == (MB, 8192 * MB)
    assert (files.MAX_JSON_BYTES, MAX_HISTORY_BYTES) == (MB, 1024 * MB)
    assert MAX_DIMENSIONS == 8


@pytest.mark.long
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG2000"])
def test_the_largest_photograph_keeps_within_its_memory(kind: str, tmp_path: Path) -> None:
    side = math.isqrt(photographs.MAX_PIXELS)
    Image.new("RGBA", (side, side), (40, 50, 60, 70)).save(tmp_path / "image", kind)
    with memory_limit(TARGETS["photographs"].memory):
        read_photograph(tmp_path / "image", (28, 28))


@pytest.mark.parametrize("target", ["images", "photographs"])
def test_a_bomb_is_refused_where_pillow_has_been_told_to_take_any(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    refused = attempt(TARGETS[target].prepare(tmp_path), png(100_000, 100_000))
    assert "claims 100000 x 100000 pixels" in str(refused)


def test_a_network_of_few_weights_cannot_ask_for_huge_rows() -> None:
    layers = [MaxPool2D(100_000), Flatten(), Dense(2)]
    with memory_limit(16 * MB), pytest.raises(ModelError, match="10,000,000,000 numbers"):
        Sequential(layers).build((1, 100_000, 100_000))


def test_an_image_file_beyond_the_bound_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.touch()
    os.truncate(path, images.MAX_FILE_BYTES + 1)  # takes no room on the disk
    with memory_limit(16 * MB), pytest.raises(DataError, match="expected an image of at most"):
        images.read_size(path)


def test_a_set_beyond_the_bound_is_neither_written_nor_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_set(tmp_path, "thing", 1, seeds.FILES)
    monkeypatch.setattr(files, "MAX_SET_BYTES", sum(map(len, seeds.FILES.values())) - 1)
    with pytest.raises(ModelError, match="more than 71 bytes"):
        read_set(tmp_path, "thing", 1)
    with pytest.raises(FileError, match="72 bytes, expected at most 71"):
        write_set(tmp_path, "thing", 1, seeds.FILES)


@pytest.mark.parametrize("stored_as", ["../secret", "{folder}/../secret", "x/../../secret"])
def test_no_name_in_a_manifest_reaches_outside_its_folder(
    stored_as: str, tmp_path: Path, watch: Watch
) -> None:
    folder = tmp_path / "set"
    write_set(folder, "thing", 1, seeds.FILES)
    secret = b"a secret"
    (tmp_path / "secret").write_bytes(secret)
    data = entry(
        stored_as=stored_as.format(folder=folder),
        bytes=len(secret),
        sha256=hashlib.sha256(secret).hexdigest(),
    )
    (folder / MANIFEST).write_bytes(signed(data))
    with watch.over(folder), pytest.raises(ModelError, match="secret' is missing"):
        read_set(folder, "thing", 1)


def test_the_watch_notices_what_is_opened_outside(tmp_path: Path, watch: Watch) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "secret").touch()
    with pytest.raises(FindingError, match="secret"), watch.over(tmp_path / "set"):
        (tmp_path / "set" / ".." / "secret").read_bytes()


def labels_beside(path: Path) -> Path:
    np.save(path.parent / "labels.npy", seeds.LABELS)
    return path.parent / "labels.npy"


@pytest.mark.parametrize(
    "read",
    [
        lambda pipe: read_idx(pipe, dimensions=1),
        lambda pipe: read_npy(pipe, labels_beside(pipe)),
        lambda pipe: read_npy(labels_beside(pipe), pipe),
        lambda pipe: read_photograph(pipe, (28, 28)),
        images.read_size,
        lambda pipe: images.read_gray(pipe, images.Size((28, 28), pipe)),
        lambda pipe: read_set(pipe.parent, "thing", 1),
    ],
    ids=["idx", "npy inputs", "npy targets", "photograph", "image size", "image", "manifest"],
)
def test_nobody_waits_at_a_pipe(read: Callable[[Path], object], tmp_path: Path) -> None:
    pipe = tmp_path / MANIFEST
    os.mkfifo(pipe)
    with time_limit(20), pytest.raises(HandloomError, match=r"not a regular file|is missing"):
        read(pipe)


def test_nobody_waits_at_a_pipe_in_a_set(tmp_path: Path) -> None:
    write_set(tmp_path, "thing", 1, seeds.FILES)
    (path,) = tmp_path.glob("a-*")
    path.unlink()
    os.mkfifo(path)
    with time_limit(20), pytest.raises(ModelError, match="is missing"):
        read_set(tmp_path, "thing", 1)


UNPICKLERS = {"pickle", "_pickle", "cPickle", "marshal", "shelve", "joblib", "dill", "cloudpickle"}


@pytest.fixture(scope="module")
def nodes() -> list[tuple[str, ast.AST]]:
    """All nodes of our source, with their file."""
    return [
        (f"{path.relative_to(SOURCE)}:{getattr(node, 'lineno', 0)}", node)
        for path in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
    ]


def test_nothing_that_unpickles_is_imported(nodes: list[tuple[str, ast.AST]]) -> None:
    for file, node in nodes:
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert not UNPICKLERS & {name.partition(".")[0] for name in names}, file


def test_nothing_in_a_file_is_run(nodes: list[tuple[str, ast.AST]]) -> None:
    for file, node in nodes:
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            options = {option.arg: ast.unparse(option.value) for option in node.keywords}
            assert called not in {"eval", "exec", "__import__"}, file
            if re.fullmatch(r"(np|numpy)\.(load|lib\.format\.read_array)", called):
                assert options.get("allow_pickle") == "False", file


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.marker,)


def test_the_payload_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "marker")))  # noqa: S301
    assert (tmp_path / "marker").exists()


@pytest.mark.parametrize("protocol", [0, pickle.HIGHEST_PROTOCOL])
@pytest.mark.parametrize("name", TARGETS)
def test_a_pickle_is_not_unpickled(name: str, protocol: int, tmp_path: Path, watch: Watch) -> None:
    marker = tmp_path / "marker"
    read = TARGETS[name].prepare(tmp_path)
    attempt(read, TARGETS[name].seeds()[0])
    objects = io.BytesIO()
    np.save(objects, np.array([Payload(marker)], object), allow_pickle=True)
    for data in (pickle.dumps(Payload(marker), protocol), objects.getvalue()):
        with watch.over(tmp_path):
            refused = attempt(read, data)
        assert refused is not None or name == "config"  # which is given JSON only
        assert not marker.exists()


def test_a_pickle_in_place_of_a_models_weights_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    TARGETS["model"].prepare(tmp_path)
    (weights,) = tmp_path.glob("weights-*")
    weights.write_bytes(pickle.dumps(Payload(marker)))
    with pytest.raises(ModelError, match="changed"):
        Model.load(tmp_path)
    assert not marker.exists()
