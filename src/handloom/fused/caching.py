"""The cache of compiled code: files by which a process uses the code that another compiled.

They are in the directory that the environment variable ``HANDLOOM_CACHE`` names or, without it,
where Numba keeps those of any package: in the first that can be written of ``NUMBA_CACHE_DIR``, the
``__pycache__`` beside the source, and a directory of the user. A cache that cannot be read or
written, or that is damaged, costs time and nothing else.
"""

import hashlib
import os
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numba.core.caching

from handloom import compilation
from handloom.files import size_of

caching: Any = numba.core.caching  # without types

VARIABLE = "HANDLOOM_CACHE"

_CHECKSUM_BYTES = hashlib.sha256().digest_size

_warned: set[str] = set()


# Numba's locator of a directory that the user chose; its name changed between versions
_UserProvided: Any = caching.CompileResultCacheImpl._locator_classes[0]


class ChosenDirectory(_UserProvided):  # type: ignore[misc]
    """The locator of a directory that need not be writable: it may be filled already."""

    def __init__(self, py_func: Any, py_file: str) -> None:
        super().__init__(py_func, py_file)
        folder = Path(os.environ[VARIABLE]).expanduser().absolute()
        self._cache_path = str(folder / self.get_suitable_cache_subpath(py_file))

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> "ChosenDirectory":
        """Return the locator of a function; Numba's own would write to the directory first."""
        return cls(py_func, py_file)


class ChosenImplementation(caching.CompileResultCacheImpl):  # type: ignore[misc]
    """Numba's implementation, for `ChosenDirectory`."""

    _locator_classes = (ChosenDirectory,)


class CheckedFiles(caching.IndexDataCacheFile):  # type: ignore[misc]
    """Numba's files of a function, with checksums: damaged machine code would be executed.

    A checksum follows each pickle, which ends before it. The code is stored with its key: of two
    processes that write at once, the index of one and the code of the other may remain.
    """

    def save(self, key: Any, data: Any) -> None:
        """Save compiled code."""
        super().save(key, (key, data))

    def load(self, key: Any) -> Any:
        """Return compiled code, or None if there is none, or other code than was saved."""
        saved_key, data = super().load(key) or (None, None)
        return data if saved_key == key else None

    def _dump(self, obj: Any) -> bytes:
        content: bytes = super()._dump(obj)
        return content + _checksum(content)

    def _load_data(self, name: str) -> Any:
        path = Path(self._data_path(name))
        size_of(path)  # refuses a pipe
        content = path.read_bytes()
        if _checksum(content[:-_CHECKSUM_BYTES]) != content[-_CHECKSUM_BYTES:]:
            raise OSError(f"{path} is damaged")  # as if it were missing
        return super()._load_data(name)

    def _load_index(self) -> Any:
        path = Path(self._index_path)
        if path.exists():
            size_of(path)
        return super()._load_index()


class Cache(caching.FunctionCache):  # type: ignore[misc]
    """Numba's cache of a function, in which no fault of a file is an error.

    Numba compiles a function again when its own file changes. The functions that it calls are part
    of its compiled code, so here it is compiled again when any file of `handloom.fused` changes.
    """

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self._cache_file = CheckedFiles(
            self._cache_path, self._impl.filename_base, _stamp_of_sources()
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return compiled code, or None if there is none that can be read; it is compiled then."""
        try:
            loaded = super().load_overload(sig, target_context)
        except Exception:  # whatever a damaged pickle raises; the next line writes a new one
            loaded = None
        if loaded is None:
            compilation.begins()
        return loaded

    def save_overload(self, sig: Any, data: Any) -> None:
        """Save compiled code; warn once if that fails."""
        try:
            try:
                super().save_overload(sig, data)
            except OSError:
                raise
            except Exception:  # a damaged index, which is read first
                self.flush()
                super().save_overload(sig, data)
        except Exception as error:
            _warn_once(str(error))


class ChosenCache(Cache):
    """A cache in the directory that ``HANDLOOM_CACHE`` names."""

    _impl_class = ChosenImplementation


class NoCache(caching.NullCache):  # type: ignore[misc]
    """A cache that keeps nothing."""

    def load_overload(self, sig: Any, target_context: Any) -> None:
        """Return None: the code is compiled."""
        compilation.begins()


def cache_of(function: Any) -> Any:
    """Return the cache of a function, or one that keeps nothing if there is no place for it."""
    try:
        return ChosenCache(function) if os.environ.get(VARIABLE) else Cache(function)
    except (RuntimeError, OSError) as error:
        _warn_once(str(error))
        return NoCache()


@cache
def _stamp_of_sources() -> tuple[tuple[str, float, int], ...]:
    """Return name, time of change and size of the files whose values are part of compiled code."""
    package = Path(__file__).parent
    files = [*sorted(package.glob("*.py")), package.parent / "operations.py"]
    stats = [(path.name, path.stat()) for path in files]
    return tuple((name, stat.st_mtime, stat.st_size) for name, stat in stats)


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _warn_once(reason: str) -> None:
    """Warn that compiled code is not kept, once a process."""
    if not _warned:
        _warned.add(reason)
        warnings.warn(
            f"compiled code is not kept, so each process compiles it again, which takes some ten "
            f"seconds: {reason}. Set {VARIABLE} to a directory that can be written.",
            compilation.NotStoredWarning,
            stacklevel=2,
        )
