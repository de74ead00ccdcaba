"""How a batch is cut into shards and dealt to lanes.

Cut and deal look at the number of rows only, and lanes are summed in their order. So the arithmetic
is the same whoever runs it, and results agree to the bit for any number of threads.
"""

from handloom.kernels import LANES, cut_evenly

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
