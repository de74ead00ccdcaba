"""Ranks without MPI: processes that gather values through the files of a folder."""

import pickle
import time
from pathlib import Path
from typing import Any


class FileRanks:
    """Some of the ranks of a job, which share a folder."""

    def __init__(self, folder: str, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self._folder, self._calls = Path(folder), 0

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all ranks, in their order."""
        self._calls += 1
        own = self._file(self.rank)
        partial = own.with_suffix(".partial")
        partial.write_bytes(pickle.dumps(value))
        partial.rename(own)
        return [self._read(rank) for rank in range(self.size)]

    def _file(self, rank: int) -> Path:
        return self._folder / f"{self._calls}-{rank}.pickle"

    def _read(self, rank: int) -> Any:
        until = time.monotonic() + 30.0
        while not self._file(rank).exists():
            if time.monotonic() > until:
                raise TimeoutError(f"rank {rank} does not gather")
            time.sleep(0.002)
        return pickle.loads(self._file(rank).read_bytes())  # noqa: S301
