"""Every random draw is a function of one seed and of the place that draws.

No generator is carried along and none is global: whoever needs numbers names the place (purpose,
epoch, step, shard, layer) and gets the generator that belongs to it. So threads, prefetching and
a resumed training draw the same numbers as a training that runs straight through.

Draws inside a training step come from `StepStream`, whose generators are NumPy's Philox: a function
of a key and a counter, so that compiled code can draw the same bits (see `philox`). All other draws
come from `Stream`.
"""

from __future__ import annotations  # numpy.random is loaded when it is used

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Protocol

import numpy as np
import numpy.typing as npt

from handloom.errors import ConfigurationError, require_count


class Purpose(IntEnum):
    """What random numbers are drawn for; the values are part of what a seed means."""

    INITIALIZE = 0
    SHUFFLE = 1
    SPLIT = 2
    LAYER = 3
    AUGMENT = 4
    GENERATE = 5


class Source(Protocol):
    """A place to draw at, and the places below it."""

    def at(self, *place: int) -> Source:
        """Return a place below this one."""
        ...

    def generator(self) -> np.random.Generator:
        """Return a fresh generator for this place: the same one, whoever asks and whenever."""
        ...


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


@dataclass(frozen=True)
class StepStream:
    """A place inside a training step, from which Philox draws.

    Parameters
    ----------
    seed : int
        The seed of the training, zero or more.
    purpose : Purpose
        With the seed it makes Philox's key.
    place : tuple of int
        As far as it is known: epoch, step within the epoch, first row of the shard, layer; each
        below 2^64, epoch and step below 2^32. The rest counts as 0.
    """

    seed: int
    purpose: Purpose
    place: tuple[int, ...] = ()

    def at(self, *place: int) -> StepStream:
        """Return the stream of a place below this one."""
        return StepStream(self.seed, self.purpose, (*self.place, *place))

    def key(self) -> npt.NDArray[np.uint64]:
        """Return Philox's key, shape (2,)."""
        return _key(self.seed, self.purpose)

    def counter(self) -> npt.NDArray[np.uint64]:
        """Return Philox's counter before the first draw, shape (4,), the lowest word first.

        The words are 0, layer, shard, and ``2^32 epoch + step``: 2^64 blocks of four words belong
        to every place.

        Raises
        ------
        ConfigurationError
            If the place has more than four numbers, or one that is too large for its word.
        """
        epoch, step, shard, layer, *more = (*self.place, *(0,) * (4 - len(self.place)))
        fits = all(0 <= n < 1 << 32 for n in (epoch, step))
        if more or not fits or not all(0 <= n < 1 << 64 for n in (shard, layer)):
            raise ConfigurationError(
                f"a place in a training is (epoch, step, shard, layer), epoch and step below 2^32, "
                f"got {self.place}"
            )
        return np.array([0, layer, shard, (epoch << 32) | step], np.uint64)

    def generator(self) -> np.random.Generator:
        """Return a fresh generator for this place: the same one, whoever asks and whenever."""
        return np.random.Generator(np.random.Philox(counter=self.counter(), key=self.key()))


@lru_cache(maxsize=64)  # it takes longer than the generator itself
def _key(seed: int, purpose: Purpose) -> npt.NDArray[np.uint64]:
    sequence = np.random.SeedSequence(seed, spawn_key=(purpose,))
    key = np.asarray(sequence.generate_state(2, np.uint64), np.uint64)
    key.flags.writeable = False
    return key


def philox(
    key: npt.NDArray[np.uint64], counter: npt.NDArray[np.uint64], out: npt.NDArray[np.uint64]
) -> None:
    """Write the words that Philox draws at a place.

    Philox-4x64-10 encrypts the counter, block of four words by block, and adds one to the counter
    before each.

    Parameters
    ----------
    key : uint64 array, shape (2,)
    counter : uint64 array, shape (4,)
        The lowest word first; left as it is.
    out : uint64 array, shape (n,)

    References
    ----------
    Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
    """
    out[...] = np.random.Philox(counter=counter, key=key).random_raw(len(out))


def spawn(rng: np.random.Generator, count: int) -> list[np.random.Generator]:
    """Return independent generators for the places below one, keyed by what it draws first."""
    keys = rng.integers(0, 1 << 64, (count, 2), np.uint64)
    return [np.random.Generator(np.random.Philox(key=key)) for key in keys]
