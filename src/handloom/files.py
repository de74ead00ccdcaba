"""Atomic writes of files, and reads that verify checksums.

A file is written to a temporary name in the same folder, flushed to disk and renamed. Files that
belong together are named after their content; a manifest that lists each with its SHA-256 comes
last. So a reader finds the old state or the new one, never a part of one. Of several savers at
once, the last one wins, whole.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from handloom import file_systems
from handloom.errors import DataError, HandloomError, ModelError

MANIFEST = "manifest.json"

SAVING = ".saving"
"""The lock file of a set, which exists while its files are replaced."""

ABANDONED = 3600.0
"""The age, in seconds, at which a temporary file is removed: its saver was killed."""

MAX_WAIT = 60.0
"""The longest time, in seconds, for which a saver waits for others; each takes milliseconds."""

MAX_MANIFEST_BYTES = 1 << 20
"""The largest manifest that is read: 1 MiB, some thousands of files."""

MAX_JSON_BYTES = 1 << 20
"""The largest JSON file that is read where no other bound is passed: 1 MiB."""

MAX_SET_BYTES = 1 << 33
"""The largest total size of the files of a set, 8 GiB: they are read into memory."""


class FileError(HandloomError, OSError):
    """A file or folder cannot be read or written."""


class VersionError(ModelError):
    """Files are in another version of their format than the one that this Handloom reads.

    Parameters
    ----------
    path : path
        The file that states the version.
    version : int
        The version of the files.
    expected : int
        The version that this Handloom reads.
    """

    def __init__(self, path: Path, version: object, expected: int) -> None:
        self.is_later = isinstance(version, int) and version > expected
        writer = "a later" if self.is_later else "an earlier"
        remedy = "update Handloom" if self.is_later else "read it with the Handloom that wrote it"
        super().__init__(
            f"{path}: version {version!r} of the format, written by {writer} Handloom; this one "
            f"reads version {expected}: {remedy}"
        )


def make_folder(folder: Path) -> Path:
    """Create a folder, and check that it is writable.

    Raises
    ------
    FileError
        If it cannot be created or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, prefix=".handloom-"):
            pass
    except FileExistsError:
        raise FileError(f"cannot write to the folder {folder}: not a folder") from None
    except OSError as error:
        raise FileError(f"cannot write to the folder {folder}: {error.strerror}") from None
    except ValueError as error:  # of a null character
        raise FileError(f"cannot write to the folder {str(folder)!r}: {error}") from None
    return folder


def new_folder(path: Path) -> Path:
    """Create a folder that did not exist: ``path``, or else ``path-2``, ``path-3`` and so on.

    However many create one at once, each gets its own.

    Raises
    ------
    FileError
        If it cannot be created.
    """
    for number in count(1):
        folder = path if number == 1 else path.with_name(f"{path.name}-{number}")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
        except FileExistsError:
            if folder.parent.is_dir():
                continue
            raise FileError(f"cannot create {folder}: {folder.parent} is not a folder") from None
        except OSError as error:
            raise FileError(f"cannot create {folder}: {error.strerror}") from None
        return folder
    raise AssertionError("unreachable")


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file atomically: a reader sees the old content or the new.

    Raises
    ------
    FileError
        If it cannot be written, or is a pipe or a device; an earlier file of that name is left as
        it was.
    """
    with _written_beside(path, content) as temporary:
        _remove_abandoned(path.parent, re.escape(path.name), temporary)
        temporary.replace(path)
    _flush_folder(path.parent)


def _is_special(path: Path) -> bool:
    """Return whether a path is a pipe, device or socket, by one look: a file may be removed."""
    try:
        mode = path.stat().st_mode
    except OSError:  # nothing is there, or writing will raise the same
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextlib.contextmanager
def _written_beside(path: Path, content: bytes) -> Iterator[Path]:
    """Write a temporary file beside a path, flushed to disk, for the block to move there."""
    if not path.name or "\0" in str(path):
        raise FileError(f"cannot write {str(path)!r}: it is not the name of a file")
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(6)}")
    try:
        if _is_special(path):
            raise FileError(f"cannot write {path}: it is not a regular file")
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            file_systems.flush(file.fileno())
        yield temporary
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot write {path}: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace a text file atomically; see `write_bytes`."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: object) -> None:
    """Replace a JSON file in one move; see `write_bytes`. NumPy scalars and paths are converted.

    Raises
    ------
    DataError
        If a value is not JSON, such as NaN or an array.
    FileError
        If it cannot be written.
    """
    write_bytes(path, _json(path, value))


def _json(path: Path, value: object) -> bytes:
    try:
        text = json.dumps(value, indent=2, allow_nan=False, default=_as_json)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{path}: values must be finite numbers, strings, lists, mappings: {error}"
        ) from None
    return f"{text}\n".encode()


def _as_json(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"got {type(value).__name__} {value!r}")


def read_bytes(path: Path) -> bytes:
    """Return a file's content.

    Raises
    ------
    FileError
        If it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from None
    except MemoryError:
        raise FileError(f"cannot read {path}: it is larger than the memory") from None


def read_json(path: Path, *, at_most: int = MAX_JSON_BYTES) -> Any:
    """Return the value that a JSON file holds.

    Parameters
    ----------
    path : path
    at_most : int
        The largest file that is read, in bytes.

    Raises
    ------
    FileError
        If it cannot be read, or is not a regular file.
    ModelError
        If it is too large, or not JSON.
    """
    size = readable_size(path)
    if size > at_most:
        raise ModelError(f"{path}: {size} bytes, expected at most {at_most}")
    try:
        return json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not JSON: {error}") from None


def readable_size(path: Path) -> int:
    """Return the size of a regular file in bytes, before it is read.

    Raises
    ------
    FileError
        If there is no such file, or it is a folder, a pipe or a device.
    """
    try:
        return size_of(path)
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from None


def size_of(path: Path) -> int:
    """Return the size of a regular file in bytes; reading a pipe could block forever.

    Raises
    ------
    OSError
        If the file does not exist, or is a folder, a pipe or a device.
    """
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "not the name of a file", str(path))
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return status.st_size


def write_set(folder: Path, kind: str, version: int, files: Mapping[str, bytes]) -> None:
    """Write files that belong together, replacing an earlier set atomically.

    Of several savers at once, in threads or processes, the last one wins, whole. If one is
    interrupted, the earlier set remains.

    Parameters
    ----------
    folder : path
        Created if it is missing.
    kind, version : str, int
        The kind of the set and the version of its format; `read_set` checks both.
    files : mapping of str to bytes
        Content by name, such as ``"weights.safetensors"``.

    Raises
    ------
    FileError
        If the folder is not writable, the files together exceed `MAX_SET_BYTES`, another saver
        holds the folder for more than `MAX_WAIT` seconds, or its manifest is that of another kind
        or program; an earlier set is left as it was.
    """
    size = sum(map(len, files.values()))
    if size > MAX_SET_BYTES:
        raise FileError(f"{folder}: a {kind} of {size} bytes, expected at most {MAX_SET_BYTES}")
    folder = folder.absolute()
    make_folder(folder)
    _require_no_other(folder / MANIFEST, kind)
    _flush_folder(folder.parent)
    entries, written = {}, {}
    for name, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        stem, dot, suffix = name.partition(".")
        stored_as = f"{stem}-{digest[:12]}{dot}{suffix}"
        entries[name] = {"stored_as": stored_as, "bytes": len(content), "sha256": digest}
        written[folder / stored_as] = content
    manifest: dict[str, object] = {"kind": kind, "version": version, "files": entries}
    manifest["sha256"] = _digest(manifest)
    path = folder / MANIFEST
    with contextlib.ExitStack() as stack:
        # all is on disk before the lock, which is held for milliseconds then, whatever the size
        *moves, last = (
            (stack.enter_context(_written_beside(target, content)), target)
            for target, content in {**written, path: _json(path, manifest)}.items()
        )
        stack.enter_context(_only_saver(folder))
        _remove_abandoned(folder, _stored_names(files), last[0])
        for each in (moves, [last]):
            for temporary, target in each:
                temporary.replace(target)
            _flush_folder(folder)
        _remove_replaced(folder, files, {*written, path})


def remove_set(folder: Path, *names: str) -> None:
    """Remove the files that `write_set` wrote, also unfinished ones, and the folder if it is empty.

    All other files stay, and so do those that cannot be removed.

    Parameters
    ----------
    folder : path
        A folder to which no saver writes.
    *names : str
        The names of the files of the set.
    """
    if folder.is_symlink():
        return
    stored = _stored_names(names)
    with contextlib.suppress(OSError):
        for path in _matching(folder, f"{re.escape(SAVING)}|{stored}|{_temporaries(stored)}"):
            path.unlink()
        folder.rmdir()


def _require_no_other(path: Path, kind: str) -> None:
    """Refuse to replace a manifest of another kind, or of another program; not a damaged one."""
    try:
        manifest = read_json(path, at_most=MAX_MANIFEST_BYTES)
    except (ModelError, FileError):
        return
    other = manifest.get("kind") if isinstance(manifest, dict) else None
    if other != kind:
        holds = "of another program" if other is None else f"of a {other!r}"
        raise FileError(
            f"{path} is the file {holds}, which no {kind} replaces: choose another folder"
        )


def _stored_names(names: Iterable[str]) -> str:
    """Return the pattern of the names under which files of a set are stored, and its manifest."""
    parts = [map(re.escape, name.partition(".")) for name in names]
    stored = [f"{stem}-[0-9a-f]{{12}}{dot}{suffix}" for stem, dot, suffix in parts]
    return "|".join([*stored, re.escape(MANIFEST)])


def _temporaries(names: str) -> str:
    """Return the pattern of the temporary files for names that match another pattern."""
    return rf"\.(?:{names})-[0-9a-f]{{12}}"


def _matching(folder: Path, names: str) -> list[Path]:
    """Return the paths in a folder whose names match a pattern."""
    return [path for path in folder.iterdir() if re.fullmatch(names, path.name)]


def _remove_replaced(folder: Path, names: Iterable[str], current: set[Path]) -> None:
    """Remove the stored files of earlier sets."""
    for path in _matching(folder, _stored_names(names)):
        if path not in current:
            path.unlink(missing_ok=True)


def _remove_abandoned(folder: Path, names: str, newest: Path) -> None:
    """Remove the temporary files of killed savers: those much older than one just written."""
    with contextlib.suppress(OSError):  # by the clock of the file system
        now = newest.stat().st_mtime
        for path in _matching(folder, _temporaries(names)):
            if now - path.stat().st_mtime > ABANDONED:
                path.unlink()


@contextlib.contextmanager
def _only_saver(folder: Path) -> Iterator[None]:
    """Wait until no other saver replaces the files of a folder, and keep others waiting."""
    path = folder / SAVING
    deadline = time.monotonic() + MAX_WAIT
    while (descriptor := _locked(path)) is None:
        if time.monotonic() > deadline:
            raise FileError(
                f"cannot write to {folder}: another saver has held {path} for {MAX_WAIT:g} s"
            )
        time.sleep(0.002)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # still locked: the saver that waits for it tries again
            path.unlink()
        file_systems.unlock(descriptor)


def _locked(path: Path) -> int | None:
    """Return the descriptor of a lock file, or None if another holds or has just removed it."""
    descriptor = file_systems.open_lock(path)
    try:
        if file_systems.lock(descriptor) and os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except FileNotFoundError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def read_set(folder: Path, kind: str, version: int) -> dict[str, bytes]:
    """Return the files that `write_set` wrote, content by name.

    Raises
    ------
    FileError
        If a file cannot be read.
    ModelError
        If a file is missing or changed, or the kind or version of the set is another.
        The version is checked first, as a `VersionError`.
    """
    if not folder.is_dir():
        raise FileError(f"{folder} is not a folder that holds a {kind}")
    while True:
        written = _last_written(folder / MANIFEST)
        manifest = _read_manifest(folder / MANIFEST)
        try:
            return _read_files(folder, manifest, kind, version)
        except (ModelError, FileError):
            # replacing a set removes its old files: then there is a new manifest, which may have
            # the same content as the one before the last
            if _last_written(folder / MANIFEST) == written:
                raise


def _read_files(
    folder: Path, manifest: Mapping[str, Any], kind: str, version: int
) -> dict[str, bytes]:
    if manifest.get("kind") != kind:
        raise ModelError(f"{folder} holds a {manifest.get('kind')!r}, expected a {kind!r}")
    if manifest.get("version") != version:
        raise VersionError(folder / MANIFEST, manifest.get("version"), version)
    contents: dict[str, bytes] = {}
    total = 0
    for name, entry in manifest["files"].items():
        stored_as, expected, digest = (entry.get(key) for key in ("stored_as", "bytes", "sha256"))
        path = folder / str(stored_as)
        try:
            size = size_of(path) if path.parent == folder else None
        except (OSError, ValueError):  # the name may be invalid for a file
            size = None
        if size is None:
            raise ModelError(f"{folder}: the file {stored_as!r} is missing")
        if size != expected:
            raise ModelError(
                f"{path}: {size} bytes, expected {expected}: it was truncated or changed"
            )
        total += size
        if total > MAX_SET_BYTES:
            raise ModelError(f"{folder}: more than {MAX_SET_BYTES} bytes in a {kind}")
        contents[name] = read_bytes(path)
        if hashlib.sha256(contents[name]).hexdigest() != digest:
            raise ModelError(f"{path}: its SHA-256 is not the one in {MANIFEST}: it was changed")
    return contents


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        size = size_of(path)
    except OSError:
        raise ModelError(f"{path.parent}: {MANIFEST} is missing") from None
    if size > MAX_MANIFEST_BYTES:
        raise ModelError(f"{path}: {size} bytes, expected at most {MAX_MANIFEST_BYTES}")
    try:
        manifest = json.loads(read_bytes(path))
        claimed = manifest.pop("sha256")
        valid = claimed == _digest(manifest) and all(
            isinstance(entry, dict) for entry in manifest["files"].values()
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        valid = False
    if not valid:
        raise ModelError(f"{path}: damaged or changed since it was written")
    return manifest  # type: ignore[no-any-return]


def _last_written(path: Path) -> tuple[int, int] | None:
    """Return inode and modification time, which differ once the file was replaced."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _digest(manifest: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _flush_folder(folder: Path) -> None:
    """Flush a rename to disk, where folders can be flushed."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
