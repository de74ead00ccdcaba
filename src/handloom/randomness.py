"""Random streams: every draw is a function of one seed and of the indices of its stream.

No generator is global and none is passed along: code that draws names its stream by indices
(purpose, epoch, step, first row of the shard, layer) and gets the generator of that stream. The
indices name no thread and no lane, so any number of threads, prefetching and a resumed training
draw the same random numbers as an uninterrupted training.

Draws inside a training step come from `StepStream`, whose generators are NumPy's Philox: a function
of a key and a counter, so that compiled code draws the same bits (see `philox`). All other draws
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
    """The purposes of random draws; the draws of a seed depend on these values."""

    INITIALIZE = 0
    SHUFFLE = 1
    SPLIT = 2
    LAYER = 3
    AUGMENT = 4
    GENERATE = 5
    TOY = 6
    PERMUTE = 7


class Source(Protocol):
    """A random stream and its substreams."""

    def at(self, *indices: int) -> Source:
        """Return the substream of some indices."""
        ...

    def generator(self) -> np.random.Generator:
        """Return a new generator of this stream: all of its generators draw the same numbers."""
        ...


@dataclass(frozen=True)
class Stream:
    """A random stream in the tree of streams of one seed.

    Parameters
    ----------
    seed : int
        The seed, zero or more.
    key : tuple of int
        The indices from the root of the tree to this stream.
    """

    seed: int
    key: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        require_count("seed", self.seed, minimum=0)

    def at(self, *indices: int) -> Stream:
        """Return the substream of some indices."""
        return Stream(self.seed, (*self.key, *(int(index) for index in indices)))

    def generator(self) -> np.random.Generator:
        """Return a new generator of this stream: all of its generators draw the same numbers."""
        return np.random.Generator(
            np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=self.key))
        )


@dataclass(frozen=True)
class StepStream:
    """A random stream inside a training step, drawn by Philox.

    Parameters
    ----------
    seed : int
        The seed of the training, zero or more.
    purpose : Purpose
        Philox's key is computed from the seed and the purpose.
    indices : tuple of int
        Up to four: epoch, step within the epoch, first row of the shard, layer; each
        below 2^64, epoch and step below 2^32. Missing ones count as 0.
    """

    seed: int
    purpose: Purpose
    indices: tuple[int, ...] = ()

    def at(self, *indices: int) -> StepStream:
        """Return the substream of some indices."""
        return StepStream(self.seed, self.purpose, (*self.indices, *indices))

    def key(self) -> npt.NDArray[np.uint64]:
        """Return Philox's key, shape (2,)."""
        return _key(self.seed, self.purpose)

    def counter(self) -> npt.NDArray[np.uint64]:
        """Return Philox's counter before the first draw, shape (4,), the lowest word first.

        The words are 0, layer, shard, and ``2^32 epoch + step``: 2^64 blocks of four words belong
        to every stream.

        Raises
        ------
        ConfigurationError
            If there are more than four indices, or one is negative or too large for its word.
        """
        epoch, step, shard, layer, *more = (*self.indices, *(0,) * (4 - len(self.indices)))
        fits = all(0 <= n < 1 << 32 for n in (epoch, step))
        if more or not fits or not all(0 <= n < 1 << 64 for n in (shard, layer)):
            raise ConfigurationError(
                f"the indices of a step stream must be (epoch, step, shard, layer), epoch and step "
                f"below 2^32, got {self.indices}"
            )
        return np.array([0, layer, shard, (epoch << 32) | step], np.uint64)

    def generator(self) -> np.random.Generator:
        """Return a new generator of this stream: all of its generators draw the same numbers."""
        return np.random.Generator(np.random.Philox(counter=self.counter(), key=self.key()))


@lru_cache(maxsize=64)  # computing it takes longer than making the generator
def _key(seed: int, purpose: Purpose) -> npt.NDArray[np.uint64]:
    sequence = np.random.SeedSequence(seed, spawn_key=(purpose,))
    key = np.asarray(sequence.generate_state(2, np.uint64), np.uint64)
    key.flags.writeable = False
    return key


def philox(
    key: npt.NDArray[np.uint64], counter: npt.NDArray[np.uint64], out: npt.NDArray[np.uint64]
) -> None:
    """Write the words that Philox draws from a counter on.

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
    """Return independent generators, keyed by the first draws of a parent generator."""
    keys = rng.integers(0, 1 << 64, (count, 2), np.uint64)
    return [np.random.Generator(np.random.Philox(key=key)) for key in keys]
