"""Every random draw is a function of one seed and of the place that draws.

No generator is carried along and none is global: whoever needs numbers names the place (what for,
epoch, step, shard, layer) and gets the generator that belongs to it. So threads, prefetching and
a resumed training draw the same numbers as a training that runs straight through.
"""

from __future__ import annotations  # numpy.random is loaded when it is used

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from handloom.errors import require_count


class Purpose(IntEnum):
    """What random numbers are drawn for; the values are part of what a seed means."""

    INITIALIZE = 0
    SHUFFLE = 1
    SPLIT = 2
    LAYER = 3
    AUGMENT = 4
    GENERATE = 5


@dataclass(frozen=True)
class Stream:
    """A place in the tree of random streams that grows from one seed.

    Parameters
    ----------
    seed : int
        The seed, zero or more.
    key : tuple of int
        The path from the root to this place.
    """

    seed: int
    key: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        require_count("seed", self.seed, minimum=0)

    def at(self, *place: int) -> Stream:
        """Return the stream of a place below this one."""
        return Stream(self.seed, (*self.key, *(int(step) for step in place)))

    def generator(self) -> np.random.Generator:
        """Return a fresh generator for this place: the same one, whoever asks and whenever."""
        return np.random.Generator(
            np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=self.key))
        )
