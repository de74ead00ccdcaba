"""The log of runs, choices and looks: a file of JSON lines that only grows.

Each line holds the SHA-256 of the line before, so that a line which was changed, taken out or put
in later is noticed when the log is read.
"""

import fcntl
import hashlib
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Entry = dict[str, Any]
START = "start"
"""The value in the first line in place of the digest of the line before."""


class Log:
    """A log in a file.

    Parameters
    ----------
    path : path
        It need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries, oldest first.

        Raises
        ------
        ValueError
            If the log was edited.
        """
        before = START
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        for number, line in enumerate(lines, start=1):
            entry: Entry = json.loads(line)
            if entry["before"] != before:
                raise ValueError(
                    f"{self.path}:{number} does not follow the line before it: the log was edited"
                )
            before = _digest(line)
            yield entry

    def append(self, kind: str, **values: object) -> Entry:
        """Add an entry with the time and the commit, and return it.

        Processes that append at once wait for each other.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            entries = [*self]  # refuses a log that was edited
            last = _digest(self.path.read_text().splitlines()[-1]) if entries else START
            now = datetime.now(UTC).isoformat(timespec="seconds")
            entry = {"before": last, "kind": kind, "time": now, "commit": commit(), **values}
            file.write(json.dumps(entry, allow_nan=False) + "\n")
        return entry

    def last(self, kind: str, **values: object) -> Entry | None:
        """Return the newest entry of a kind with some values, or None."""
        matching = [
            entry
            for entry in self
            if entry["kind"] == kind and all(entry[name] == values[name] for name in values)
        ]
        return matching[-1] if matching else None


def commit() -> str:
    """Return the commit of the code that runs, with a ``+`` if files differ from it."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "../../src")
    return git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")


def _digest(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()[:16]
