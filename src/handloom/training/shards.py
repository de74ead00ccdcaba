"""How a batch is cut into shards and dealt to lanes.

Cut and deal look at the number of rows and the size of the network only, and lanes are summed in
their order. So the arithmetic is the same whoever runs it, and results agree to the bit for any
number of threads.
"""

from itertools import pairwise

SHARD_ROWS = 1024
"""The most rows of a shard: its activations stay in the cache of one core."""

LANES = 4
"""The most lanes, and so the most threads that can share a step."""

WORTH_TWO_LANES = 25_000_000
WORTH_FOUR_LANES = 120_000_000
"""Rows times weights from which a batch is worth sharing, though it would fit into one shard.

Below the first, handing work to another thread takes longer than doing it.
"""


def cut(rows: int, weights: int) -> list[list[slice]]:
    """Cut rows into shards of nearly equal size and deal them to lanes.

    Parameters
    ----------
    rows : int
        How many rows there are.
    weights : int
        The size of the network.

    Returns
    -------
    list of list of slice
        For each lane, its shards in order: runs of at most ``SHARD_ROWS`` rows. There are at most
        ``LANES`` lanes, and none is without a shard.
    """
    work = rows * weights
    worth = LANES if work >= WORTH_FOUR_LANES else 2 if work >= WORTH_TWO_LANES else 1
    shards = max(-(-rows // SHARD_ROWS), min(worth, rows), 1)
    bounds = [rows * shard // shards for shard in range(shards + 1)]
    slices = [slice(start, stop) for start, stop in pairwise(bounds)]
    lanes = min(LANES, shards)
    return [slices[lane::lanes] for lane in range(lanes)]
