"""``python -m benchmarks.ranks --out DIR``: steps that ranks share, and the messages between them.

Measures messages between processes of this machine, two ranks beside two threads, and the parts of
a step; predicts steps of more ranks with `benchmarks.ranks.model`. Writes ``ranks.json`` and a
picture, and with ``--page`` the tables of a page.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.__main__ import dataset, machine
from benchmarks.digests import mpiexec
from benchmarks.ranks.report import draw, tables, with_tables
from handloom.parallel.threads import default_threads

PARTS = {"messages": (2, 3, 4), "sums": (2,), "trainings": (2,), "costs": (1,)}
"""The measurements, each with its numbers of ranks."""


def measure(part: str, ranks: int, rounds: int) -> Any:
    """Measure a part on some ranks, which mpiexec starts."""
    program = mpiexec()
    if program is None:
        raise RuntimeError("mpiexec is missing: load the MPI of the cluster, or pip install mpich")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "results.json")
        worker = [sys.executable, "-W", "ignore", "-m", "benchmarks.ranks.worker", part]
        options = ["--rounds", str(rounds), "--out", str(out)]
        command = [program, "-n", str(ranks), *worker, *options]
        subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
        return json.loads(out.read_text())


def _libraries() -> dict[str, str]:
    """Return the version of mpi4py, and of MPICH if pip has installed it."""
    versions = {"mpi4py": version("mpi4py")}
    with suppress(PackageNotFoundError):
        versions["mpich"] = version("mpich")
    return versions


def main() -> None:
    """Measure the missing parts of the results, and show all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranks", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/ranks"))
    parser.add_argument("--page", type=Path, help="a page whose tables are written anew")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--anew", nargs="*", choices=list(PARTS), help="measure again; all if none")
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "ranks.json"
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for part in () if options.anew is None else options.anew or PARTS:
        results.pop(part, None)
    for part, counts in {} if options.draw else PARTS.items():
        for ranks in counts:
            if str(ranks) in results.get(part, {}):
                continue
            print(f"{part}, {ranks} rank{'s' * (ranks > 1)} ...", flush=True)
            results.setdefault(part, {})[str(ranks)] = measure(part, ranks, options.rounds)
            results["machine"] = machine(dataset(), default_threads()) | _libraries()
            path.write_text(json.dumps(results, indent=1))
    made = tables(results)
    print("\n\n".join(made.values()))
    draw(results, options.out)
    if options.page:
        options.page.write_text(with_tables(options.page.read_text(), made))


if __name__ == "__main__":
    main()
