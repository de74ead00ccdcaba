"""Rows are dealt to lanes whole and in order, and groups of coupled rows stay coupled."""

import numpy as np
import pytest

from handloom.parallel.partition import LANES, SHARD_ROWS, deal_shards, shard_rows


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
