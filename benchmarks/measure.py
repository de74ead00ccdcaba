"""Timing that can be compared: everybody in turn, several rounds, medians with their spread."""

import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, NotRequired, TypedDict

REPEATS = 5


class Spent(NamedTuple):
    """The time of a call: seconds, and seconds of all processors together."""

    seconds: float
    processors: float


class Timing(TypedDict):
    """Seconds of one contestant: each round, their median, the least and the most.

    ``first`` is the first round that did not count, in which some compile; ``cores`` the processors
    that were busy at a time, at the median.
    """

    rounds: list[float]
    median: float
    low: float
    high: float
    first: NotRequired[float]
    cores: NotRequired[float]


def spent(call: Callable[[], object]) -> Spent:
    """Call once, and return the time in this process."""
    started, busy = time.perf_counter(), time.process_time()
    call()
    return Spent(time.perf_counter() - started, time.process_time() - busy)


def in_turn(
    calls: Mapping[str, Callable[[], object]], rounds: int, *, repeat: int = 1, warm_up: int = 1
) -> dict[str, Timing]:
    """Time calls against each other: round by round, each in turn.

    Parameters
    ----------
    calls : mapping of str to callable
        Calls to time; the time of one that returns a `Spent` is that.
    rounds : int
        How many rounds count.
    repeat : int
        How often each is called in a round; the time is that of one call.
    warm_up : int
        How many rounds go before and do not count.
    """
    taken: dict[str, list[Spent]] = {name: [] for name in calls}
    for _ in range(warm_up + rounds):
        for name, call in calls.items():
            gc.collect()
            taken[name].append(_repeated(call, repeat))
    return {name: _timing(taken[name], warm_up) for name in calls}


def _repeated(call: Callable[[], object], repeat: int) -> Spent:
    """Return the mean time of several calls, as they return it or as measured here."""
    said: list[object] = []
    seen = spent(lambda: said.extend(call() for _ in range(repeat)))
    own = [value for value in said if isinstance(value, Spent)] or [seen]
    return Spent(*(sum(part) / repeat for part in zip(*own, strict=True)))


def _timing(taken: list[Spent], warm_up: int) -> Timing:
    counted = taken[warm_up:]
    timing = summary([one.seconds for one in counted])
    timing["cores"] = statistics.median(one.processors / one.seconds for one in counted)
    if warm_up:
        timing["first"] = taken[0].seconds
    return timing


def summary(times: list[float]) -> Timing:
    """Return the median of some times, and their spread."""
    return Timing(
        rounds=[round(value, 7) for value in times],
        median=statistics.median(times),
        low=min(times),
        high=max(times),
    )


def process(code: str, *arguments: str) -> tuple[float, str]:
    """Run Python code in a process of its own; return its time and its output."""
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
