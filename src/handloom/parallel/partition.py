"""Partition of work: shards, lanes, pieces of a matrix product or an update, blocks.

The cuts depend on shapes, on the network, on the backend and on the number of lanes that is
recorded with a training. They never depend on the number of threads or ranks, so results agree to
the bit for any number of both.

=======  =========================================================================================
batch    the rows of one step
shard    rows of a batch that go through the network together
lane     the shards that one thread runs one after another; lanes' sums are added in lane order
rank     a process with a part of the lanes; see `handloom.parallel.ranks`
piece    a part of one product, update or convolution; any thread runs any piece
part     the first or the second part of a compiled job; see `handloom.fused.split_job`
block    the part of a vector, or the images, that fit the cache of one core
=======  =========================================================================================

All functions that return a list of slices cover every entry once, in order.
"""

from collections.abc import Iterator
from itertools import pairwise

LANES = 4
"""The default number of lanes of a training, and so the largest useful number of threads."""

MOST_LANES = 64
"""The most lanes of a training: each has its own memory."""

SHARD_ROWS = 1024
"""The most rows of a shard, so that narrow activations stay in the cache of one core."""

SHARD_ENTRIES = 1 << 22
"""The most entries of a shard's largest activation, rows times entries of a row."""

IMAGE_SHARD_ENTRIES = 1 << 19
"""As `SHARD_ENTRIES`, for a network in which any activation is an image.

Its weights are few compared with its activations, so adding the gradients of lanes is cheap, and a
few images keep a core busy. A batch of a hundred images is dealt to several lanes.
"""

PRODUCT_CUT_MULTIPLICATIONS = 25_000_000
"""The fewest multiplications of a matrix product that is cut into pieces.

It is cut in two; a product of four times as many multiplications, into one piece per lane. A
convolution of this many is cut into one piece per lane right away. Below it, handing a piece to
another thread takes longer than computing it.
"""

UPDATE_CUT_WEIGHTS = 1 << 18
"""The fewest weights of an update that is cut, into one piece per lane."""

BLOCK = 16_384
"""The most entries of a block, where NumPy makes several passes over the same vector."""

COMPILED_CUT_MULTIPLICATIONS = 400_000
"""The fewest multiplications of a compiled forward pass whose rows are cut in two.

The backward pass is cut at the same row.
"""

COMPILED_CUT_ROWS = 32
"""The fewest rows that a compiled pass cuts in two: matrix products of few rows are slow."""

COMPILED_CUT_BYTES = 1 << 17
"""The fewest bytes of a compiled copy or update that is cut in two."""

CONVOLUTION_BYTES = 1 << 22
"""The most memory, in bytes, of a block of images between convolution's matrix products.

Smaller blocks would stay closer to the core, but threads then wait for each other more often.
"""

COMPILED_CONVOLUTION_BYTES = 1 << 21
"""As `CONVOLUTION_BYTES`, for the compiled loop, in which no thread waits between blocks."""


def cut_evenly(size: int, pieces: int) -> list[slice]:
    """Cut ``size`` entries into slices whose lengths differ by at most 1.

    There are ``pieces`` slices, or ``size`` if that is fewer, and none is empty; of no entries
    there is a single, empty slice. Slice ``i`` of ``p`` begins at ``size * i // p``.
    """
    pieces = max(1, min(pieces, size))
    bounds = [size * piece // pieces for piece in range(pieces + 1)]
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def blocks(piece: slice, size: int | None) -> Iterator[slice]:
    """Cut a piece into blocks of ``size``, the last one shorter; None leaves it whole.

    An empty piece has no block.
    """
    size = size or max(1, piece.stop - piece.start)
    for start in range(piece.start, piece.stop, size):
        yield slice(start, min(start + size, piece.stop))


def batch_count(rows: int, batch_size: int, fewest: int = 1) -> int:
    """Return the number of batches of an epoch.

    Each has ``batch_size`` rows. Rows that are left over make a last batch or, if they are fewer
    than ``fewest``, join the batch before them. There is at least one batch.

    Parameters
    ----------
    rows, batch_size : int
        At least 1.
    fewest : int
        The fewest rows of a training pass, at least 1; see `handloom.Layer.fewest_rows`.
    """
    full, left_over = divmod(rows, batch_size)
    return max(1, full + (left_over >= fewest))


def shard_rows(activation: int, *, images: bool) -> int:
    """Return the most rows of a shard, rounded down, at least 1.

    They are at most `SHARD_ROWS`, and their largest activation has at most `SHARD_ENTRIES` entries,
    or `IMAGE_SHARD_ENTRIES` with images.

    Parameters
    ----------
    activation : int
        The number of entries of the largest activation of one row.
    images : bool
        Whether any activation is an image.
    """
    entries = IMAGE_SHARD_ENTRIES if images else SHARD_ENTRIES
    return max(1, min(SHARD_ROWS, entries // activation))


def deal_shards(
    rows: int, coupled: int | None = 1, most: int = SHARD_ROWS, lanes: int = LANES
) -> list[list[slice]]:
    """Cut the rows of a batch into shards of nearly equal size and deal them to lanes.

    The whole groups of ``coupled`` rows are cut by `cut_evenly` into as few shards as possible,
    each of at most ``max(1, most // coupled)`` groups. Rows that fill no group join the last shard.
    Shards are dealt in turn: of ``p`` lanes, lane ``i`` gets the shards ``i``, ``i + p``,
    ``i + 2 p``, ...

    Parameters
    ----------
    rows : int
    coupled : int or None
        The number of consecutive rows that the network couples: a group, which is in one shard.
        None for all rows.
    most : int
        The most rows of a shard, or ``coupled`` if that is more. The last shard has up to
        ``coupled - 1`` rows in addition.
    lanes : int
        The most lanes.

    Returns
    -------
    list of list of slice
        The shards of each lane, in order. No lane is empty. With ``coupled=None``, or fewer rows
        than two groups, all rows are one shard.
    """
    if coupled is None or rows < 2 * coupled:
        return [[slice(0, rows)]]
    groups = rows // coupled
    in_groups = cut_evenly(groups, -(-groups // max(1, most // coupled)))
    shards = [slice(part.start * coupled, part.stop * coupled) for part in in_groups]
    shards[-1] = slice(shards[-1].start, rows)
    count = min(lanes, len(shards))
    return [shards[lane::count] for lane in range(count)]


def deal_lanes(lanes: int, ranks: int) -> list[slice]:
    """Deal the lanes of a step to ranks: consecutive ones, in numbers that differ by at most 1.

    Returns
    -------
    list of slice
        The lanes of each rank. Where there are fewer lanes than ranks, the last ranks have none. A
        single lane belongs to every rank: it is computed by all, and nothing has to be sent.
    """
    if lanes == 1:
        return [slice(0, 1)] * ranks
    owned = cut_evenly(lanes, ranks)
    return owned + [slice(lanes, lanes)] * (ranks - len(owned))


def rank_slices(size: int, ranks: int) -> list[slice]:
    """Cut a vector into a slice for each rank, which adds the lanes there; some may be empty."""
    slices = cut_evenly(size, ranks)
    return slices + [slice(size, size)] * (ranks - len(slices))


def product_is_cut(n: int, d: int, h: int) -> bool:
    """Return whether a matrix product of ``(n, d)`` and ``(d, h)`` is cut into pieces.

    It is if it has at least `PRODUCT_CUT_MULTIPLICATIONS` multiplications, ``n d h``.
    """
    return n * d * h >= PRODUCT_CUT_MULTIPLICATIONS


def product_pieces(n: int, d: int, h: int, lanes: int) -> list[tuple[slice, slice]]:
    """Cut the result of a matrix product of ``(n, d)`` and ``(d, h)``, shape (n, h), into pieces.

    The rows are cut if ``n >= h``, else the columns, so that no sum over ``d`` crosses a cut. A
    product of at least `PRODUCT_CUT_MULTIPLICATIONS` multiplications has two pieces, one of at
    least four times as many ``lanes`` pieces, and a smaller one a single piece. There are never
    more than ``lanes``.

    Returns
    -------
    list of (rows, columns)
        Two slices of the result for each piece.
    """
    if not product_is_cut(n, d, h):
        return [(slice(0, n), slice(0, h))]
    pieces = min(lanes, 2 if n * d * h < 4 * PRODUCT_CUT_MULTIPLICATIONS else lanes)
    if n >= h:
        return [(rows, slice(0, h)) for rows in cut_evenly(n, pieces)]
    return [(slice(0, n), columns) for columns in cut_evenly(h, pieces)]


def update_pieces(size: int, lanes: int) -> list[slice]:
    """Cut the update of a vector: ``lanes`` pieces, or one below `UPDATE_CUT_WEIGHTS` entries."""
    return cut_evenly(size, lanes if size >= UPDATE_CUT_WEIGHTS else 1)


def image_pieces(images: int, multiplications: int, lanes: int) -> list[slice]:
    """Cut the images of a convolution: ``lanes`` pieces, or one if there is little work.

    Parameters
    ----------
    images : int
    multiplications : int
        Those of all images; below `PRODUCT_CUT_MULTIPLICATIONS` there is one piece.
    lanes : int
    """
    return cut_evenly(images, lanes if multiplications >= PRODUCT_CUT_MULTIPLICATIONS else 1)


def images_per_block(bytes_per_image: int, *, compiled: bool = False) -> int:
    """Return the most images in a block of a convolution, rounded down, at least 1.

    They take at most `CONVOLUTION_BYTES`, or `COMPILED_CONVOLUTION_BYTES` if compiled.
    """
    most = COMPILED_CONVOLUTION_BYTES if compiled else CONVOLUTION_BYTES
    return max(1, most // bytes_per_image)


def even_block_size(images: int, most: int) -> int:
    """Return a block size near ``most`` with which all blocks have nearly equal size.

    There are ``round(images / most)`` blocks (a half is rounded to even), at least one; their size
    is rounded up. So a block may have more than ``most`` images.
    """
    return max(1, -(-images // max(1, round(images / most))))


def rows_per_block(columns: int) -> int:
    """Return the most rows in a block of ``columns`` columns, at least 1; see `BLOCK`."""
    return max(1, BLOCK // columns)


def prediction_rows(activation: int) -> int:
    """Return the number of rows of a batch of predictions: `shard_rows` without images.

    The limit for images is made for dealing rows to lanes, and a prediction has no lanes.
    """
    return shard_rows(activation, images=False)


def compiled_pass_cut(rows: int, multiplications_per_row: int, lanes: int) -> int | None:
    """Return the row at which compiled code cuts a pass in two, ``rows // 2``, or None.

    It cuts a pass of at least `COMPILED_CUT_ROWS` rows whose forward pass has at least
    `COMPILED_CUT_MULTIPLICATIONS` multiplications, ``rows * multiplications_per_row``.

    Parameters
    ----------
    rows : int
    multiplications_per_row : int
        Those of a forward pass of one row.
    lanes : int
        The recorded number of lanes; with a single lane nothing is cut.
    """
    multiplications = rows * multiplications_per_row
    large = rows >= COMPILED_CUT_ROWS and multiplications >= COMPILED_CUT_MULTIPLICATIONS
    return rows // 2 if large and lanes > 1 else None


def compiled_cut(size: int, nbytes: int, lanes: int) -> int | None:
    """Return the index at which compiled code cuts a copy or update in two, ``size // 2``, or None.

    It cuts arrays of at least `COMPILED_CUT_BYTES` bytes.

    Parameters
    ----------
    size : int
        The number of rows, or of weights; a single one is not cut.
    nbytes : int
        The memory of all of them.
    lanes : int
        The recorded number of lanes; with a single lane nothing is cut.
    """
    large = size > 1 and nbytes >= COMPILED_CUT_BYTES
    return size // 2 if large and lanes > 1 else None


def compiled_addition_cut(size: int) -> int:
    """Return the index at which compiled code cuts the addition of two gradients: the middle.

    A pass that was cut in two adds the gradients of its two parts, for any number of weights.
    """
    return size // 2


def step_parts(rows: int, multiplications_per_row: int, lanes: int) -> int:
    """Return the number of parts that the phases of a compiled step have.

    A step has two parts where `compiled_pass_cut` would cut its pass, and one part per lane where
    each has at least as many multiplications as a product that is cut.

    Parameters
    ----------
    rows : int
        The rows of a full batch; a smaller one has the same parts.
    multiplications_per_row : int
        Those of a forward pass of one row.
    lanes : int
        The recorded number of lanes.
    """
    if compiled_pass_cut(rows, multiplications_per_row, lanes) is None:
        return 1
    large = rows * multiplications_per_row >= lanes * PRODUCT_CUT_MULTIPLICATIONS
    return lanes if large else min(lanes, 2)
