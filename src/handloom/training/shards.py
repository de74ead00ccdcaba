"""How a batch is cut into shards and dealt to lanes.

Cut and deal look at the number of rows and at the network only, and lanes are summed in their
order. So the arithmetic is the same whoever runs it, and results agree to the bit for any number of
threads.
"""

from dataclasses import dataclass

from handloom.kernels import LANES, cut_evenly
from handloom.losses import Targets
from handloom.parameters import Array
from handloom.randomness import Stream

SHARD_ROWS = 1024
"""The most rows of a shard: their activations stay in the cache of one core."""

SHARD_NUMBERS = 1 << 22
"""How many numbers a shard has at most, where its activation is widest."""

IMAGE_NUMBERS = 1 << 19
"""The same for a network of images, whose weights are few beside the numbers that a row becomes.

A few images are work enough for a core, and the gradients that lanes then add up are small. So a
batch of a hundred is dealt to lanes, each of which does all of the work on its own images.
"""


def largest(width: int, *, images: bool) -> int:
    """Return how many rows a shard has at most.

    Parameters
    ----------
    width : int
        The most numbers that a row becomes on its way.
    images : bool
        Whether it is an image somewhere.
    """
    numbers = IMAGE_NUMBERS if images else SHARD_NUMBERS
    return max(1, min(SHARD_ROWS, numbers // width))


def cut(rows: int, together: int | None = 1, most: int = SHARD_ROWS) -> list[list[slice]]:
    """Cut rows into shards of nearly equal size and deal them to lanes.

    Parameters
    ----------
    rows : int
        How many there are.
    together : int or None
        How many rows in a row a network couples, and so must find in one shard; None for all.
    most : int
        How many rows a shard has at most, unless more belong together.

    Returns
    -------
    list of list of slice
        For each lane, its shards in order. There are at most ``LANES`` lanes, and none is without a
        shard.
    """
    if together is None or rows < 2 * together:
        return [[slice(0, rows)]]
    groups = rows // together
    in_groups = cut_evenly(groups, -(-groups // max(1, most // together)))
    slices = [slice(part.start * together, part.stop * together) for part in in_groups]
    slices[-1] = slice(slices[-1].start, rows)  # what does not fill a group goes with the last
    lanes = min(LANES, len(slices))
    return [slices[lane::lanes] for lane in range(lanes)]


@dataclass(frozen=True)
class Shard:
    """Rows of a step, ready for the network.

    Attributes
    ----------
    x : array, shape (n, *input_shape)
    targets : array, shape (n,) or (n, k)
    weights : array, shape (n,), or None
        A weight a row.
    stream : Stream, or None
        Where stochastic layers draw from, if there are any.
    dlogits : array, shape (n, *output_shape)
        Takes the gradient of the logits.
    """

    x: Array
    targets: Targets
    weights: Array | None
    stream: Stream | None
    dlogits: Array
