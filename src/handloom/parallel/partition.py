"""Partition of work: shards, lanes, pieces of a matrix product or an update, blocks.

It depends on shapes, on the network and on the number of lanes that is recorded with a training,
and on nothing else. So results agree to the bit for any number of threads.

=======  =========================================================================================
batch    the rows of one step
shard    rows of a batch that go through the network together
lane     the shards, or pieces, that one thread takes in order; lanes' sums are added in lane order
block    the part of a vector, or the images, that fit the cache of one core
=======  =========================================================================================
"""

from collections.abc import Iterator
from itertools import pairwise

LANES = 4
"""The number of lanes of a training, the most threads that can share a step."""

MOST_LANES = 1024
"""The most lanes of a training: each has its own memory."""

SHARD_ROWS = 1024
"""The most rows of a shard: their activations stay in the cache of one core."""

SHARD_NUMBERS = 1 << 22
"""The largest size of a shard's widest activation, in entries."""

IMAGE_NUMBERS = 1 << 19
"""The same for a network of images, whose weights are few beside the entries of a row.

A few images are work enough for a core, and the gradients that lanes then add up are small. So a
batch of a hundred is dealt to lanes, and each lane does all of the work on its own images.
"""

PRODUCT_SHARED_FROM = 25_000_000
"""Multiplications from which a matrix product is cut in two, and from four times as many in four.

Below, handing a piece to another thread takes longer than computing it.
"""

UPDATE_SHARED_FROM = 1 << 18
"""Weights from which lanes share their update."""

BLOCK = 16_384
"""Entries of a block, where NumPy makes several passes over the same vector."""

COMPILED_SHARED_FROM = 400_000
"""Multiplications of a compiled forward pass from which its rows go to two lanes."""

COMPILED_SHARED_FROM_ROWS = 32
"""Rows from which they do: matrix products of few rows are slow."""

COMPILED_SHARED_FROM_BYTES = 1 << 17
"""Bytes from which a compiled copy or update goes to two lanes."""

CONVOLUTION_BYTES = 1 << 22
"""The most memory, in bytes, of a block of images between convolution's matrix products.

Smaller blocks would stay closer to the core, but threads then meet more often between their calls.
"""

COMPILED_CONVOLUTION_BYTES = 1 << 21
"""The same for a compiled loop over blocks, in which threads do not meet."""


def cut_evenly(size: int, pieces: int) -> list[slice]:
    """Cut ``size`` entries into ``pieces`` slices of nearly equal length, none of them empty."""
    pieces = max(1, min(pieces, size))
    bounds = [size * piece // pieces for piece in range(pieces + 1)]
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def blocks(piece: slice, size: int | None) -> Iterator[slice]:
    """Cut a piece into blocks of ``size``, or leave it whole."""
    size = size or max(1, piece.stop - piece.start)
    for start in range(piece.start, piece.stop, size):
        yield slice(start, min(start + size, piece.stop))


def batch_count(rows: int, batch_size: int, fewest: int = 1) -> int:
    """Return the number of batches of an epoch.

    Each has ``batch_size`` rows. Rows that are left over make a last batch or, if they are fewer
    than ``fewest``, join the batch before them.

    Parameters
    ----------
    rows, batch_size : int
        At least 1.
    fewest : int
        The fewest rows of a training pass; see `handloom.Layer.fewest_rows`.
    """
    full, left_over = divmod(rows, batch_size)
    return max(1, full + (left_over >= fewest))


def shard_rows(width: int, *, images: bool) -> int:
    """Return the most rows of a shard.

    Parameters
    ----------
    width : int
        The largest size of a row between two layers, in entries.
    images : bool
        Whether it is an image between any of them.
    """
    entries = IMAGE_NUMBERS if images else SHARD_NUMBERS
    return max(1, min(SHARD_ROWS, entries // width))


def deal_shards(
    rows: int, together: int | None = 1, most: int = SHARD_ROWS, lanes: int = LANES
) -> list[list[slice]]:
    """Cut the rows of a batch into shards of nearly equal size and deal them to lanes.

    Parameters
    ----------
    rows : int
    together : int or None
        The number of consecutive rows that a network couples, which must be in one shard; None for
        all.
    most : int
        The most rows of a shard, unless more belong together.
    lanes : int
        The most lanes.

    Returns
    -------
    list of list of slice
        The shards of each lane, in order. No lane is empty.
    """
    if together is None or rows < 2 * together:
        return [[slice(0, rows)]]
    groups = rows // together
    in_groups = cut_evenly(groups, -(-groups // max(1, most // together)))
    shards = [slice(part.start * together, part.stop * together) for part in in_groups]
    shards[-1] = slice(shards[-1].start, rows)  # rows that fill no group join the last shard
    count = min(lanes, len(shards))
    return [shards[lane::count] for lane in range(count)]


def product_is_shared(n: int, d: int, h: int) -> bool:
    """Return whether lanes share a matrix product of ``(n, d)`` and ``(d, h)``."""
    return n * d * h >= PRODUCT_SHARED_FROM


def product_pieces(n: int, d: int, h: int, lanes: int) -> list[slice]:
    """Cut the longer side of the result of a shared product, where no sum crosses a cut."""
    pieces = 2 if n * d * h < 4 * PRODUCT_SHARED_FROM else lanes
    return cut_evenly(max(n, h), min(pieces, lanes))


def update_pieces(size: int, lanes: int) -> list[slice]:
    """Cut a vector into the pieces in which lanes update it."""
    return cut_evenly(size, lanes if size >= UPDATE_SHARED_FROM else 1)


def image_pieces(images: int, multiplications: int, lanes: int) -> list[slice]:
    """Cut the images of a convolution into pieces that lanes share.

    Parameters
    ----------
    images : int
    multiplications : int
        Of all of them.
    lanes : int
    """
    return cut_evenly(images, lanes if multiplications >= PRODUCT_SHARED_FROM else 1)


def image_block(bytes_per_image: int, *, compiled: bool = False) -> int:
    """Return how many images a convolution takes at a time."""
    most = COMPILED_CONVOLUTION_BYTES if compiled else CONVOLUTION_BYTES
    return max(1, most // bytes_per_image)


def even_block(images: int, most: int) -> int:
    """Return the size of blocks of at most about ``most`` images that cut them evenly."""
    return max(1, -(-images // max(1, round(images / most))))


def row_block(columns: int) -> int:
    """Return the number of rows in a block of an array with ``columns`` columns; see `BLOCK`."""
    return max(1, BLOCK // columns)


def prediction_rows(width: int) -> int:
    """Return the most rows of a batch of prediction; see `shard_rows`."""
    return shard_rows(width, images=False)


def compiled_row_cut(rows: int, multiplications: int, lanes: int) -> int | None:
    """Return where compiled code cuts the rows of a pass in two, or None if it does not.

    Parameters
    ----------
    rows : int
    multiplications : int
        Of one row, forward.
    lanes : int
        The most lanes.
    """
    shared = rows >= COMPILED_SHARED_FROM_ROWS and rows * multiplications >= COMPILED_SHARED_FROM
    return rows // 2 if shared and lanes > 1 else None


def compiled_cut(size: int, nbytes: int, lanes: int) -> int | None:
    """Return where compiled code cuts a copy or an update in two, or None if it does not.

    Parameters
    ----------
    size : int
        The number of rows, or of weights.
    nbytes : int
        Of all of them.
    lanes : int
        The most lanes.
    """
    shared = size > 1 and nbytes >= COMPILED_SHARED_FROM_BYTES
    return size // 2 if shared and lanes > 1 else None
