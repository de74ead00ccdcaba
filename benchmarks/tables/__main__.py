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
from benchmarks.tables.contestants import THREADS, Split
from benchmarks.tables.page import page
from benchmarks.tables.sources import Source, sources
from benchmarks.tables.walk import walk
from handloom.environment import environment, processor_name
from handloom.files import write_text


def main() -> None:
    """Measure the missing parts of the results, and write the page."""
    known = {source.name: source for source in sources()}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/tables"))
    parser.add_argument("--only", nargs="*", choices=list(known), default=list(known))
    parser.add_argument("--splits", type=int, default=10, help="at most so many of each table")
    parser.add_argument("--anew", action="store_true", help="measure everything again")
    options = parser.parse_args()
    (options.out / "tables").mkdir(parents=True, exist_ok=True)
    for name in options.only:
        file = _results_file(options.out, name)
        earlier = json.loads(file.read_text()) if file.exists() and not options.anew else {}
        measure(known[name], earlier, file, options.splits)
    write_text(options.out / "tables.md", page(sources(), stored(options.out)))
    print(f"wrote {options.out / 'tables.md'}")


def measure(source: Source, earlier: dict[str, Any], file: Path, splits: int) -> None:
    """Measure the missing results of a table, and write them after each split."""
    with tempfile.TemporaryDirectory() as folder:
        path = source.write(Path(folder))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if earlier.get("sha256") != digest:  # another table, or another version of it
            earlier = {}
        results = {"sha256": digest, **machine(source), "table": _shape(source, path), **earlier}
        if "walk" not in results:
            print(f"{source.name}: commands", flush=True)
            results["walk"] = walk(source, Path(folder)).to_json()
            write_text(file, json.dumps(results, indent=1) + "\n")
        for runs in compare(source, path, results.get("runs", []), splits):
            results |= {**machine(source), "runs": runs}
            write_text(file, json.dumps(results, indent=1) + "\n")
            print(f"{source.name}: {len(runs)} splits", flush=True)


def stored(out: Path) -> dict[str, dict[str, Any]]:
    """Return the results in a folder, by the name of the table."""
    files = {source.name: _results_file(out, source.name) for source in sources()}
    return {name: json.loads(file.read_text()) for name, file in files.items() if file.exists()}


def _results_file(out: Path, name: str) -> Path:
    return out / "tables" / f"{name}.json"


def _shape(source: Source, path: Path) -> dict[str, int]:
    """Return the numbers of rows and input columns that are used, and of classes."""
    split = Split.of(path, source.options, seed=0)
    return {
        "rows": len(split.train) + len(split.test),
        "columns": split.train.shape[1] - 1 - len(source.options.drop),
        "classes": len(split.classes),
    }


def machine(source: Source) -> dict[str, Any]:
    """Return the versions and the processor of a result."""
    packages = dict.fromkeys(["scikit-learn", "pandas", source.package])
    return {
        "environment": environment(),
        "packages": {name: version(name) for name in packages},
        "processor": processor_name(),
        "threads": THREADS,
        "load": os.getloadavg()[0],
    }


if __name__ == "__main__":
    main()
