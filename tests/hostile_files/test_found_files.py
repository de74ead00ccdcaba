"""Files on which a reader once failed, as the functions that make them, stay refused."""

import gzip
import io
import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzz import mutations, seeds
from fuzz.targets import TARGETS
from fuzz.watch import Watch, attempt, memory_limit
from PIL import Image
from tests.hostile_files.helpers import entry, linux_only, png, time_limit

pytestmark = linux_only


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
        layers = [{"kind": "residual", "block": layers, "shortcut": []}]
    return network(layers=layers)


def tensor(**change: object) -> bytes:
    described = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **change}
    return mutations.safetensors_file(json.dumps({"a": described}).encode(), bytes(4))


FOUND = [
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
    ("target", "data", "message"), [row[1:] for row in FOUND], ids=[row[0] for row in FOUND]
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
