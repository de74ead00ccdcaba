"""Distribution: how the steps of a training are shared by ranks, in one line."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Distribution:
    """How the steps of a training are shared.

    Attributes
    ----------
    hosts : tuple of str
        The host of each rank.
    threads : int
        The threads of rank 0.
    rows, lanes : int
        The rows of a step, and the number of lanes that they are dealt to.
    sharing, cores : int
        The number of ranks that share the cores of rank 0, and the number of these cores.
    """

    hosts: tuple[str, ...]
    threads: int
    rows: int
    lanes: int
    sharing: int
    cores: int

    def __str__(self) -> str:
        ranks, hosts = len(self.hosts), len(set(self.hosts))
        line = f"{_count(ranks, 'rank')} on {_count(hosts, 'host')}, "
        line += f"{_count(self.threads, 'thread')} each"
        if self.sharing > self.cores:
            line += f" ({self.sharing} ranks share {_count(self.cores, 'core')})"
        line += "; "
        line += f"a step of {_count(self.rows, 'row')} has {_count(self.lanes, 'lane')}: "
        if self.lanes >= ranks:
            return line + ("the rank has work" if ranks == 1 else f"all {ranks} ranks have work")
        if self.lanes == 1:
            return line + "every rank computes it whole, and more ranks save no time"
        return line + f"{self.lanes} of {ranks} ranks have work"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def idle_ranks(distribution: Distribution) -> list[str]:
    """Return a line of advice if there are fewer lanes than ranks."""
    ranks, lanes = len(distribution.hosts), distribution.lanes
    if lanes >= ranks:
        return []
    return [
        f"a step of {_count(distribution.rows, 'row')} has {_count(lanes, 'lane')} for {ranks} "
        "ranks: with smaller shard_rows or more lanes more of them have work"
    ]
