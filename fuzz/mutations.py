"""Changes to valid files that keep their checksums and lengths right, so that they get far.

A mutation is a function of an input and a random generator. Most begin with bytes: random changes
are the business of `anywhere`, the rest know one format and repair it afterwards.
"""

import ast
import contextlib
import gzip
import json
import random
import struct
import zlib
from collections.abc import Callable
from typing import Any

from fuzz.seeds import bundled, unbundled
from handloom.errors import HandloomError
from handloom.interop.onnx.metadata import DIGEST, digest, files_of
from handloom.interop.onnx.reading import _arrays

Mutation = Callable[[bytes, random.Random], bytes]

INTEGERS = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 100_000, 2**31 - 1, 2**31, 2**32 - 1)
"""Values at which readers of binary files go wrong."""

VALUES: tuple[Any, ...] = (
    *(None, True, False, "", "..", "../x", "/etc/passwd", "\ud800", "\0", "x" * 5000),
    *(0, 1, 2, 3, -1, 1.5, 2**31, 2**63, 10**12, 10**400, 1e308, float("inf"), float("nan")),
    *([], {}, [[]], [0], [-1], [2**62, 4], {"": {}}, {"kind": "dense", "units": 10**9}),
    *("float16", "float64", ">f4", "(1000000,)f8", "O", "|S9999999", "[" * 200),
)
"""Unexpected values in JSON, or in the header of a .npy file."""


def anywhere(data: bytes, rng: random.Random) -> bytes:
    """Flip, set, cut, repeat or insert something, one to four times."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(changed) + 1)
        end = min(len(changed), start + rng.choice((1, 1, 2, 4, 8, 64)))
        match rng.randrange(6):
            case 0 if start < end:
                changed[start] ^= 1 << rng.randrange(8)
            case 1 if start < end:
                changed[start] = rng.choice((0, 1, 127, 128, 254, 255, rng.randrange(256)))
            case 2:
                del changed[start:end]
            case 3:
                changed[start:start] = changed[start:end] * rng.choice((1, 2, 16))
            case 4:
                changed[start:start] = rng.randbytes(end - start)
            case _:
                order = rng.choice("<>")
                size = rng.choice("HIQ")
                number = struct.pack(f"{order}Q", rng.choice(INTEGERS))
                width = struct.calcsize(f"={size}")
                changed[start : start + width] = number[:width] if order == "<" else number[-width:]
    return bytes(changed)


def in_json(data: bytes, rng: random.Random) -> bytes:
    """Replace, remove or repeat a value somewhere in a JSON document."""
    try:
        document = json.loads(data)
        return json.dumps(_elsewhere(document, rng)).encode()
    except (ValueError, RecursionError):
        return anywhere(data, rng)


CELLS = (
    *("", "NA", "nan", "inf", "-inf", "1e308", "-1e308", "1e-320", "1e400", "0x10", "1_0", "1,5"),
    *("true", "False", "2020-01-02", "10:30", "=1+1", '"', '""', "a;b", "a\tb", "\u0661", "\ufeff"),
    *("9" * 400, "0" * 400, "x" * 300, "-0.0", " 1 ", "\r", "\0", "size", "a", "2", "3.0"),
)
"""Cells that a reader of tables may take for another kind."""


def in_csv(data: bytes, rng: random.Random) -> bytes:
    """Change a cell or a column of a CSV file, or repeat or remove a line; or change any byte."""
    if rng.random() < 0.2:
        return anywhere(data, rng)
    lines = data.decode(errors="replace").split("\n")
    separator = ";" if ";" in lines[0] else ","
    rows = [line.split(separator) for line in lines]
    row = rng.randrange(len(rows))
    column, cell, choice = rng.randrange(len(rows[0])), rng.choice(CELLS), rng.random()
    if choice < 0.4:
        rows[row][column % len(rows[row])] = cell
    elif choice < 0.6:
        for each in rows[1:]:
            each[column % len(each)] = cell
    elif choice < 0.8:
        rows[row:row] = rows[: rng.randrange(30)]
    else:
        del rows[row]
    return "\n".join(map(separator.join, rows)).encode(errors="replace")


def in_gzip(data: bytes, rng: random.Random) -> bytes:
    """Change the compressed content."""
    try:
        return gzip.compress(anywhere(gzip.decompress(data), rng), 1, mtime=0)
    except (OSError, EOFError, zlib.error):
        return anywhere(data, rng)


def in_bundle(data: bytes, rng: random.Random) -> bytes:
    """Change one of several files that are one input."""
    files = unbundled(data) or [b""]
    index = rng.randrange(len(files))
    files[index] = anywhere(files[index], rng)
    return bundled(files)


def in_npy_bundle(data: bytes, rng: random.Random) -> bytes:
    """Change the header of one of several ``.npy`` files that are one input."""
    files = unbundled(data) or [b""]
    index = rng.randrange(len(files))
    files[index] = in_npy_header(files[index], rng)
    return bundled(files)


def in_png(data: bytes, rng: random.Random) -> bytes:
    """Change the content of a chunk of a PNG file and mend its length and checksum."""
    chunks, start = [], 8
    while data[:4] == b"\x89PNG" and len(data) - start >= 12:
        end = start + 8 + int.from_bytes(data[start : start + 4], "big")
        chunks.append((data[start + 4 : start + 8], data[start + 8 : end]))
        start = end + 4
    if not chunks:
        return anywhere(data, rng)
    index = rng.randrange(len(chunks))
    kind, content = chunks[index]
    if rng.random() < 0.2:
        kind = rng.choice((b"tRNS", b"iCCP", b"zTXt", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"pHYs"))
        chunks.insert(rng.randrange(len(chunks)), (kind, rng.randbytes(rng.randrange(40))))
    else:
        chunks[index] = kind, anywhere(content, rng)
    return data[:8] + b"".join(map(png_chunk, *zip(*chunks, strict=True)))


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG file: length, kind, content, checksum."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def in_npy_header(data: bytes, rng: random.Random) -> bytes:
    """Change an entry of the header of a .npy file and mend its length."""
    try:
        end = 10 + int.from_bytes(data[8:10], "little")
        header = ast.literal_eval(data[10:end].decode("latin-1"))
        return npy_file(_elsewhere(header, rng), data[end:])
    except (ValueError, SyntaxError, TypeError, AttributeError, RecursionError, MemoryError):
        return anywhere(data, rng)


def npy_file(header: object, content: bytes) -> bytes:
    """Return a .npy file that begins with a header of our choice."""
    text = (repr(header) + "\n").encode("latin-1", "replace")
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) & 0xFFFF) + text + content


def in_safetensors_header(data: bytes, rng: random.Random) -> bytes:
    """Change the header of a safetensors file and mend its length."""
    end = 8 + int.from_bytes(data[:8], "little")
    changed = in_json(data[8:end], rng)
    return safetensors_file(changed, data[end:])


def safetensors_file(header: bytes, content: bytes) -> bytes:
    """Return a safetensors file that begins with a header of our choice."""
    return struct.pack("<Q", len(header)) + header + content


def in_onnx(data: bytes, rng: random.Random) -> bytes:
    """Change a text, an array or an operator of a file of ONNX, and mend its checksum."""
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    try:
        proto = ModelProto.FromString(data)
        texts = [each for each in proto.metadata_props if each.key.endswith(".json")]
        choice = rng.randrange(4)
        if choice == 0 and texts:
            text = rng.choice(texts)
            text.value = in_json(text.value.encode(), rng).decode(errors="replace")
        elif choice == 1 and proto.graph.initializer:
            tensor = rng.choice(proto.graph.initializer)
            if rng.random() < 0.5:
                tensor.raw_data = anywhere(tensor.raw_data, rng)
            else:
                tensor.dims[:] = [rng.choice((0, 1, 2, 3, -1, 2**31, 2**62)) for _ in tensor.dims]
        elif choice == 2 and proto.graph.node:
            nodes = proto.graph.node
            _change_node(rng.choice(nodes), rng.choice(nodes), rng)
        else:
            return anywhere(data, rng)
        return _signed_onnx(proto)
    except (DecodeError, AttributeError, TypeError, ValueError):  # a text may be bytes
        return anywhere(data, rng)


def _change_node(node: Any, other: Any, rng: random.Random) -> None:
    """Give a node of ONNX the operator, an input or other values of the attributes."""
    match rng.randrange(4):
        case 0:
            node.op_type = other.op_type
        case 1 if node.input and other.output:
            node.input[rng.randrange(len(node.input))] = other.output[0]
        case 2 if node.attribute:
            attribute = rng.choice(node.attribute)
            attribute.i = rng.choice((0, 1, 2, -1, 2**31, 2**62))
            attribute.ints[:] = [rng.choice((0, 1, 2, -1, 2**40)) for _ in attribute.ints]
            attribute.f = rng.choice((0.0, 0.5, -1.0, float("inf"), float("nan")))
        case _:
            node.CopyFrom(other)


def _signed_onnx(proto: Any) -> bytes:
    """Return a file of ONNX with the checksum that fits, if it has one."""
    metadata = {each.key: each.value for each in proto.metadata_props}
    with contextlib.suppress(HandloomError, AttributeError):
        files = files_of(metadata)
        signed = digest(files, _arrays(proto, files, None))
        for each in proto.metadata_props:
            if each.key == DIGEST:
                each.value = signed
    return bytes(proto.SerializeToString())


def _elsewhere(value: Any, rng: random.Random) -> Any:
    """Return a document in which one value is another."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if _is_row(value) else ()
    if not keys or rng.random() < 0.15:
        return rng.choice(VALUES)
    key = rng.choice(keys)
    if isinstance(value, dict):
        changed = dict(value)
        match rng.randrange(8):
            case 0:
                del changed[key]
            case 1:
                changed[str(rng.choice(VALUES))] = changed[key]
            case _:
                changed[key] = _elsewhere(value[key], rng)
        return changed
    row = list(value)
    match rng.randrange(8):
        case 0:
            del row[key]
        case 1:
            row[key:key] = [row[key]] * rng.choice((1, 3, 50))
        case _:
            row[key] = _elsewhere(row[key], rng)
    return type(value)(row)


def _is_row(value: object) -> bool:
    return isinstance(value, list | tuple)
