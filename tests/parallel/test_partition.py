"""Rows are dealt to lanes whole and in order, and groups of coupled rows stay coupled."""

import numpy as np
import pytest

from handloom.parallel.partition import (
    LANES,
    PRODUCT_CUT_MULTIPLICATIONS,
    SHARD_ROWS,
    blocks,
    compiled_addition_cut,
    cut_evenly,
    deal_shards,
    even_block_size,
    image_pieces,
    product_pieces,
    shard_rows,
)


@pytest.mark.parametrize("rows", [1, 2, 1023, 1024, 1025, 5000, 60_000])
def test_shards_cover_every_row_once(rows: int) -> None:
    lanes = deal_shards(rows)
    covered = np.concatenate([np.arange(rows)[shard] for lane in lanes for shard in lane])
    assert sorted(covered) == list(range(rows))
    assert len(lanes) <= LANES
    assert all(lane for lane in lanes)
    assert all(shard.stop - shard.start <= SHARD_ROWS for lane in lanes for shard in lane)


@pytest.mark.parametrize("rows", [0, 1, 31, 32, 33, 64, 100, 1000, 5000])
@pytest.mark.parametrize("coupled", [1, 32, None])
@pytest.mark.parametrize("most", [10, 64, SHARD_ROWS])
def test_a_cut_parts_no_group_and_loses_no_row(rows: int, coupled: int | None, most: int) -> None:
    deal = deal_shards(rows, coupled, most)
    slices = sorted((part for lane in deal for part in lane), key=lambda part: part.start)
    assert [part.start for part in slices] == [0, *(part.stop for part in slices[:-1])]
    assert slices[-1].stop == rows
    assert all(lane for lane in deal)
    if coupled is None:
        assert len(slices) == 1
    else:
        assert all(part.start % coupled == 0 for part in slices)
        assert all(part.stop - part.start < most + 2 * coupled for part in slices)


@pytest.mark.parametrize(
    ("images", "width", "rows", "coupled", "lanes"),
    [
        (False, 784, 512, 1, 1),  # flat rows: one lane, whose products are shared
        (False, 50_000, 64, 1, 1),
        (True, 28 * 28 * 16, 128, 64, 2),  # images: a lane for each group
        (True, 14 * 14 * 32, 128, 64, 2),
        (True, 28 * 28 * 64, 128, 1, 4),
        (True, 28 * 28 * 16, 128, None, 1),
    ],
)
def test_a_batch_of_images_is_dealt_to_lanes(
    images: bool, width: int, rows: int, coupled: int | None, lanes: int
) -> None:
    assert len(deal_shards(rows, coupled, shard_rows(width, images=images))) == lanes


def test_rows_that_fill_no_group_join_the_last_shard() -> None:
    assert deal_shards(70, 16, 32, lanes=2) == [[slice(0, 32)], [slice(32, 70)]]
    assert deal_shards(31, 16, 8) == [[slice(0, 31)]]


def test_shards_are_dealt_in_turn() -> None:
    lanes = deal_shards(60, 1, 10, lanes=4)
    starts = [[shard.start for shard in lane] for lane in lanes]
    assert starts == [[0, 40], [10, 50], [20], [30]]


@pytest.mark.parametrize("size", [0, 1, 7, 100])
@pytest.mark.parametrize("pieces", [1, 3, 200])
def test_slices_of_an_even_cut_differ_by_at_most_one(size: int, pieces: int) -> None:
    sizes = [piece.stop - piece.start for piece in cut_evenly(size, pieces)]
    assert sum(sizes) == size
    assert len(sizes) == max(1, min(size, pieces))
    assert max(sizes) - min(sizes) <= 1


def test_an_empty_piece_has_no_block() -> None:
    assert list(blocks(slice(5, 5), None)) == []
    assert list(blocks(slice(5, 12), 3)) == [slice(5, 8), slice(8, 11), slice(11, 12)]


@pytest.mark.parametrize("lanes", [1, 2, 4, 6])
@pytest.mark.parametrize(("times", "expected"), [(0.99, 1), (1, 2), (3.99, 2), (4, 6), (9, 6)])
def test_a_product_is_cut_along_the_longer_side(lanes: int, times: float, expected: int) -> None:
    long = round(times * PRODUCT_CUT_MULTIPLICATIONS / 10_000)
    rows = product_pieces(long, 100, 100, lanes)
    columns = product_pieces(100, 100, long, lanes)
    assert len(rows) == len(columns) == min(expected, lanes)
    assert [piece for piece, _ in rows] == [piece for _, piece in columns]
    assert {(part.start, part.stop) for _, part in rows} == {(0, 100)}
    assert {(part.start, part.stop) for part, _ in columns} == {(0, 100)}
    assert [piece.start for piece, _ in rows] == [0, *(piece.stop for piece, _ in rows[:-1])]
    assert rows[-1][0].stop == long


def test_a_square_product_is_cut_by_rows() -> None:
    assert product_pieces(500, 500, 500, 4)[1] == (slice(125, 250), slice(0, 500))


def test_a_convolution_has_a_piece_for_each_lane_or_one() -> None:
    assert image_pieces(12, PRODUCT_CUT_MULTIPLICATIONS - 1, 4) == [slice(0, 12)]
    assert len(image_pieces(12, PRODUCT_CUT_MULTIPLICATIONS, 4)) == 4


@pytest.mark.parametrize(("images", "size"), [(1, 1), (10, 10), (14, 14), (15, 8), (25, 13)])
def test_blocks_of_images_are_even(images: int, size: int) -> None:
    assert even_block_size(images, 10) == size


def test_the_addition_of_gradients_is_cut_in_the_middle() -> None:
    assert compiled_addition_cut(1001) == 500
