"""How a batch is cut into shards and dealt to lanes.

Cut and deal look at the number of rows only, and lanes are summed in their order. So the arithmetic
is the same whoever runs it, and results agree to the bit for any number of threads.
"""

from dataclasses import dataclass

from handloom.kernels import LANES, cut_evenly
from handloom.losses import Targets
from handloom.parameters import Array
from handloom.randomness import Stream

SHARD_ROWS = 1024
"""The most rows of a shard: its activations stay in the cache of one core."""


def cut(rows: int) -> list[list[slice]]:
    """Cut rows into shards of nearly equal size and deal them to lanes.

    Returns
    -------
    list of list of slice
        For each lane, its shards in order: runs of at most ``SHARD_ROWS`` rows. There are at most
        ``LANES`` lanes, and none is without a shard.
    """
    shards = max(1, -(-rows // SHARD_ROWS))
    slices = cut_evenly(rows, shards) if rows else [slice(0, 0)]
    lanes = min(LANES, shards)
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
    stream : Stream
        Where stochastic layers draw from.
    dlogits : array, shape (n, *output_shape)
        Takes the gradient of the logits.
    """

    x: Array
    targets: Targets
    weights: Array | None
    stream: Stream
    dlogits: Array
