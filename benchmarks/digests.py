"""``python -m benchmarks.digests --out PAGE``: one table of trainings, the same bits on all ranks.

Every case of `benchmarks.digest_cases` is trained without MPI, then under ``mpiexec`` on 1 to 4
ranks with 1 and 2 threads each. Then it is trained once more, with a random rank killed (SIGKILL)
at random moments, and resumed each time on other numbers of ranks and threads. The table is written
as Markdown.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.digest_cases import CASES, DIGITS

BACKENDS = ("numpy", "fused")
MOST_KILLS = 6
MOST_SECONDS = 600.0
"""The time after which a training counts as hung."""


class Setup(NamedTuple):
    """The numbers of ranks and threads; 0 ranks are a process without MPI."""

    ranks: int
    threads: int

    def __str__(self) -> str:
        return f"{self.ranks} x {self.threads}"


ALONE = Setup(0, 1)
SETUPS = [Setup(ranks, threads) for ranks in (1, 2, 3, 4) for threads in (1, 2)]


@dataclass(frozen=True)
class Killed:
    """A training that was killed and resumed.

    Attributes
    ----------
    digest : str
    setups : list of Setup
        Of each process group; all but the last one were killed.
    """

    digest: str
    setups: list[Setup]


def mpiexec() -> str | None:
    """Return the path of mpiexec: the one beside Python, or that of the environment."""
    beside = str(Path(sys.executable).parent)
    return shutil.which("mpiexec", path=beside) or shutil.which("mpiexec")


@contextmanager
def started(
    setup: Setup,
    cases: Sequence[str],
    backend: str,
    *,
    folder: Path | None = None,
    epochs: int | None = None,
) -> Iterator["subprocess.Popen[str]"]:
    """Start a training of cases in processes that end with the block."""
    own = [sys.executable, "-m", "benchmarks.digest_cases", *cases, "--backend", backend]
    own += ["--threads", str(setup.threads)]
    own += [] if folder is None else ["--folder", str(folder)]
    own += [] if epochs is None else ["--epochs", str(epochs)]
    launcher = mpiexec() or "mpiexec"
    command = [launcher, "-n", str(setup.ranks), *own, "--mpi"] if setup.ranks else own
    with subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.terminate()  # mpiexec then ends its ranks


def digests(
    setup: Setup, cases: Sequence[str], backend: str, *, epochs: int | None = None
) -> dict[str, str]:
    """Return the digest of each case.

    Raises
    ------
    RuntimeError
        If a training fails.
    TimeoutExpired
        If it hangs.
    """
    with started(setup, cases, backend, epochs=epochs) as process:
        out, err = process.communicate(timeout=MOST_SECONDS)
    if process.returncode:
        raise RuntimeError(f"{setup}, {backend}: {err[-2000:]}")
    result: dict[str, str] = json.loads(out)
    return result


def killed(
    case: str,
    backend: str,
    folder: Path,
    generator: np.random.Generator,
    *,
    most: int = MOST_KILLS,
) -> Killed:
    """Train a case in a new folder, killed up to ``most`` times and resumed on other ranks."""
    setups: list[Setup] = []
    folder.mkdir()
    for attempt in count():
        setups.append(_another(setups, generator))
        with started(setups[-1], [case], backend, folder=folder) as process:
            if attempt < most:
                _kill(process, setups[-1], folder, folder / case, generator)
            out, err = process.communicate(timeout=MOST_SECONDS)
        for path in folder.glob("rank-*"):
            path.unlink()
        if process.returncode == 0:
            return Killed(json.loads(out)[case], setups)
        if "Traceback" in err:
            raise RuntimeError(f"{case}, {backend}, {setups[-1]}: {err[-2000:]}")
    raise AssertionError


def _another(setups: list[Setup], generator: np.random.Generator) -> Setup:
    """Return a setup with another number of ranks than the last one."""
    others = [each for each in SETUPS if not setups or each.ranks != setups[-1].ranks]
    return others[generator.integers(len(others))]


def _kill(
    process: "subprocess.Popen[str]",
    setup: Setup,
    folder: Path,
    checkpoints: Path,
    generator: np.random.Generator,
) -> None:
    """Kill a random rank at a random moment, mostly after a new checkpoint."""
    ranks = [folder / f"rank-{rank}" for rank in range(setup.ranks)]
    before = set(checkpoints.glob("step-*/manifest.json"))
    early = generator.random() < 0.2
    delay = generator.uniform(0.0, 0.2)
    chosen = ranks[generator.integers(setup.ranks)]
    _wait(process, lambda: all(path.exists() and path.read_text() for path in ranks))
    if not early:
        _wait(process, lambda: bool(set(checkpoints.glob("step-*/manifest.json")) - before))
    time.sleep(delay)
    if process.poll() is None:
        try:
            os.kill(int(chosen.read_text()), signal.SIGKILL)
        except ProcessLookupError:  # it has just ended
            return


def _wait(process: "subprocess.Popen[str]", happened: Callable[[], bool]) -> None:
    """Wait until something has happened, or the process has ended."""
    until = time.monotonic() + MOST_SECONDS
    while process.poll() is None and not happened():
        if time.monotonic() > until:
            raise TimeoutError(f"nothing happened for {MOST_SECONDS:.0f} s")
        time.sleep(0.005)


def table(
    alone: dict[str, dict[str, str]],
    on_ranks: dict[str, dict[Setup, dict[str, str]]],
    resumed: dict[str, dict[str, Killed]],
) -> str:
    """Return the results as a Markdown table, a row for each case and backend."""
    columns = ["case", "backend", "digest", *map(str, SETUPS), "killed and resumed"]
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for name in CASES:
        for backend, expected in alone.items():
            digest = expected[name]
            cells = [CASES[name].shows, backend, f"`{digest[:DIGITS]}`"]
            cells += [_compared(on_ranks[backend][setup][name], digest) for setup in SETUPS]
            last = resumed[backend][name]
            trail = ", ".join(map(str, last.setups))
            lines.append(f"| {' | '.join(cells)} | {_compared(last.digest, digest)}: {trail} |")
    return "\n".join(lines)


def _compared(digest: str, expected: str) -> str:
    return "same" if digest == expected else f"**`{digest[:DIGITS]}`**"


PAGE = """# Digests

The weights and the history of small trainings: without MPI, on 1 to 4 ranks with 1 and 2 threads
each (`ranks x threads`), and with a random rank killed at random moments and resumed on another
number of ranks. A digest is the first {digits} digits of the SHA-256 of all weights, running
statistics included, and of the history without times. "Same" means that all 64 digits are those of
the training without MPI. The last column lists the ranks and threads of each start; all but the
last one were killed with SIGKILL.

NumPy and compiled code round differently, so each backend has digests of its own, and so has each
kind of processor. Most steps have 4 lanes, so that of 3 ranks one has two of them; the last step of
an epoch has 3 lanes, so that of 4 ranks one has none. `python -m benchmarks.digests` writes this
page; two cores need about half an hour.

{same} of {total} digests are the same. A rank was killed {kills} times.

{table}
"""


def main() -> None:
    """Train all cases, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.digests", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/digests.md"))
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    options = parser.parse_args()
    alone = {backend: digests(ALONE, list(CASES), backend) for backend in BACKENDS}
    on_ranks: dict[str, dict[Setup, dict[str, str]]] = {backend: {} for backend in BACKENDS}
    resumed: dict[str, dict[str, Killed]] = {backend: {} for backend in BACKENDS}
    for backend in BACKENDS:
        for setup in SETUPS:
            on_ranks[backend][setup] = digests(setup, list(CASES), backend)
            wrong = [n for n in CASES if on_ranks[backend][setup][n] != alone[backend][n]]
            print(f"{backend}, {setup}: {'differ: ' + ', '.join(wrong) if wrong else 'same'}")
        with tempfile.TemporaryDirectory() as folder:
            for index, name in enumerate(CASES):
                generator = np.random.default_rng([options.seed, index])
                result = killed(name, backend, Path(folder) / str(index), generator)
                resumed[backend][name] = result
                shown = _compared(result.digest, alone[backend][name])
                print(
                    f"{backend}, {name}: {shown}, {', '.join(map(str, result.setups))}", flush=True
                )
    rows = table(alone, on_ranks, resumed)
    kills = sum(len(each.setups) - 1 for by_case in resumed.values() for each in by_case.values())
    total = len(BACKENDS) * len(CASES) * (len(SETUPS) + 1)
    same = total - rows.count("**`")
    text = PAGE.format(digits=DIGITS, same=same, total=total, kills=kills, table=rows)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text)
    print(f"{same} of {total} are the same; wrote {options.out}")


if __name__ == "__main__":
    main()
