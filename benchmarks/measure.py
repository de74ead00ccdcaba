"""Timing that can be compared: everybody in turn, several rounds, medians with their spread."""

import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypedDict

REPEATS = 5


class Timing(TypedDict):
    """Seconds of one contestant: each round, their median, the least and the most."""

    rounds: list[float]
    median: float
    low: float
    high: float


def in_turn(
    calls: Mapping[str, Callable[[], object]], rounds: int, *, repeat: int = 1, warm_up: int = 1
) -> dict[str, Timing]:
    """Time calls against each other: round by round, each in turn.

    Parameters
    ----------
    calls : mapping of str to callable
        What returns a float says how long it took itself.
    rounds : int
        How many rounds count.
    repeat : int
        How often each is called in a round; the time is that of one call.
    warm_up : int
        How many rounds go before and do not count.
    """
    seconds_of: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(warm_up + rounds):
        for name, call in calls.items():
            gc.collect()
            started = time.perf_counter()
            said = [call() for _ in range(repeat)]
            seconds = time.perf_counter() - started
            if turn >= warm_up:
                own = [value for value in said if isinstance(value, float)]
                seconds_of[name].append((sum(own) if own else seconds) / repeat)
    return {name: summary(times) for name, times in seconds_of.items()}


def summary(times: list[float]) -> Timing:
    """Return the median of some times, and their spread."""
    return Timing(
        rounds=[round(value, 7) for value in times],
        median=statistics.median(times),
        low=min(times),
        high=max(times),
    )


def process(code: str, *arguments: str) -> tuple[float, str]:
    """Run Python code in a process of its own; return how long it took and what it printed."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(done.stderr)
    return seconds, done.stdout


def peak_memory() -> float:
    """Return the most memory that this process has had, in MB.

    Linux keeps the figure that `resource` gives across the start of a program, so a child begins
    with its parent's; this one begins anew.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (text for text in status.read_text().splitlines() if text.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
