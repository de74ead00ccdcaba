"""Replaced files: an export replaces an earlier one, and no other file."""

from pathlib import Path

from handloom.files import FileError

MARKS = (
    b"\x12\x08handloom",  # the producer in a file of ONNX
    b'"""A trained neural network in plain NumPy',
    b'"""A network in PyTorch, trained with Handloom',
    b'"producer":"handloom"',  # in the header of a safetensors file
)
"""Marks in the first bytes of a file that an export wrote."""

FIRST_BYTES = 256


def require_replaceable(path: Path) -> None:
    """Check that a file to write does not exist, or that an export wrote it.

    Raises
    ------
    FileError
        If it is another file, which may be a user's own, or cannot be read, or names no file.
    """
    if not path.name or "\0" in str(path):
        raise FileError(f"the path of an export must be the name of a file, got {str(path)!r}")
    try:
        with path.open("rb") as file:
            first = file.read(FIRST_BYTES)
    except FileNotFoundError:
        return
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror}") from None
    if first and not any(mark in first for mark in MARKS):
        raise FileError(
            f"{path} was not written by an export, and is not replaced: name a new file"
        )
