"""``python -m fuzz``: give every reader inputs that were not intended, and report the findings.

Each reader runs in a process of its own, see `fuzz.engine`. The inputs that were worth keeping stay
in a folder, and the next run goes on from them.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from fuzz.targets import TARGETS, Target

LONGEST = 8192
"""The largest input that is made, in bytes."""

SECONDS_EACH = 20
"""How long one input may take."""


def main() -> None:
    """Fuzz the readers that were asked for; end with status 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="READER", help=", ".join(TARGETS))
    parser.add_argument("--inputs", type=int, default=100_000, help="for each reader")
    parser.add_argument("--seconds", type=int, default=0, help="at most so long for each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/fuzz"))
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; known are {', '.join(TARGETS)}")
    results = options.out / "results.json"
    results.parent.mkdir(parents=True, exist_ok=True)
    findings: dict[str, Any] = json.loads(results.read_text()) if results.exists() else {}
    print("reader                inputs  per second  branches  lines reached  peak MB  finding")
    for name in options.targets or TARGETS:
        findings[name] = one = fuzz(TARGETS[name], options)
        results.write_text(json.dumps(findings, indent=1))
        lines = f"{one['reached']}/{one['lines']}"
        print(
            f"{name:<18}{one['inputs']:>10,}{one['inputs'] / (one['seconds'] or 1):>12,.0f}"
            f"{one['branches']:>10,}{lines:>15}{one['peak_mb']:>9,}  {one['finding'] or 'none'}",
            flush=True,
        )
    sys.exit(any(findings[name]["finding"] for name in options.targets or TARGETS))


def fuzz(target: Target, options: argparse.Namespace) -> dict[str, Any]:
    """Fuzz one reader; return the figures, and the last line of an error if there was one."""
    folder: Path = options.out / target.name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (corpus / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    arguments = [
        *(target.name, str(corpus), f"-runs={options.inputs}", f"-seed={options.seed}"),
        *(f"-max_total_time={options.seconds}", f"-timeout={SECONDS_EACH}"),
        *(f"-max_len={LONGEST}", "-rss_limit_mb=0", "-print_final_stats=1"),
        f"-artifact_prefix={folder}/",
    ]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "fuzz.engine", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    (folder / "log.txt").write_text(done.stdout)
    return {
        "inputs": _last(r"number_of_executed_units: +(\d+)", done.stdout),
        "seconds": _last(r"^Done \d+ runs in (\d+) second", done.stdout),
        "branches": _last(r"cov: (\d+)", done.stdout),
        "peak_mb": _last(r"peak_rss_mb: +(\d+)", done.stdout),
        "finding": _finding(done.stdout, folder) if done.returncode else None,
        **coverage(target.name, corpus),
    }


def coverage(name: str, corpus: Path) -> dict[str, Any]:
    """Return which lines the inputs reach; see `fuzz.coverage`."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "fuzz.coverage", name, str(corpus)],
        capture_output=True,  # libtiff complains on standard error
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    counted: dict[str, Any] = json.loads(done.stdout)
    return counted


def _last(pattern: str, text: str) -> int:
    return int((re.findall(pattern, text, re.MULTILINE) or ["0"])[-1])


def _finding(log: str, folder: Path) -> str:
    errors = re.findall(r"^(?:\w*(?:Error|Exception)\b|==\d+== ERROR).*", log, re.MULTILINE)
    return f"{errors[0] if errors else 'the process died'} (see {folder}/log.txt)"


if __name__ == "__main__":
    main()
