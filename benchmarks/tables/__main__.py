"""``python -m benchmarks.tables --out DIR``: six real tables, from the file to predictions.

Compares Handloom with scikit-learn on the same splits, walks through the commands on each table,
and writes a page ``tables.md`` with its results in ``tables/<name>.json``. Splits that are there
are not fitted again.
"""

import argparse
import hashlib
import json
import os
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.tables.comparison import compare
from benchmarks.tables.contestants import THREADS
from benchmarks.tables.sources import Source, sources
from handloom.environment import environment, processor_name
from handloom.files import write_text


def main() -> None:
    """Compare, and write the results after each split."""
    known = {source.name: source for source in sources()}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/tables"))
    parser.add_argument("--only", nargs="*", choices=list(known), default=list(known))
    parser.add_argument("--splits", type=int, default=10, help="at most so many of each table")
    parser.add_argument("--anew", action="store_true", help="measure everything again")
    options = parser.parse_args()
    (options.out / "tables").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only:
            measure(known[name], Path(folder), options)


def measure(source: Source, folder: Path, options: argparse.Namespace) -> None:
    """Measure what is missing in the results of a table."""
    path, results = source.write(folder), options.out / "tables" / f"{source.name}.json"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    earlier: dict[str, Any] = {}
    if results.exists() and not options.anew:
        earlier = json.loads(results.read_text())
    if earlier.get("sha256") != digest:  # another table, or another version of it
        earlier = {}
    for runs in compare(source, path, earlier.get("runs", []), options.splits):
        earlier = {"sha256": digest, **machine(source), "runs": runs}
        write_text(results, json.dumps(earlier, indent=1))
        print(f"{source.name}: {len(runs)} splits", flush=True)


def machine(source: Source) -> dict[str, Any]:
    """Return the versions and the processor of a result."""
    packages = ("scikit-learn", "pandas", source.package)
    return {
        "environment": environment(),
        "packages": {name: version(name) for name in packages},
        "processor": processor_name(),
        "threads": THREADS,
        "load": os.getloadavg()[0],
    }


if __name__ == "__main__":
    main()
