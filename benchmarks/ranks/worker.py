"""A process that ``mpiexec`` starts for `benchmarks.ranks`: measures a part on all ranks."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.ranks.messages import messages, sums
from benchmarks.ranks.steps import costs, trainings
from benchmarks.ranks.turns import WORLD

PARTS: dict[str, Callable[[int], Any]] = {
    "messages": messages,
    "sums": sums,
    "trainings": trainings,
    "costs": costs,
}


def main() -> None:
    """Measure a part; rank 0 writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=list(PARTS))
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    results = PARTS[options.part](options.rounds)
    if WORLD.Get_rank() == 0:
        options.out.write_text(json.dumps(results))


if __name__ == "__main__":
    main()
