"""Augmentation: the effect on images, its frequency, and its dependence on seed, epoch and step."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.data.helpers import Images, images

from handloom.data.augment import (
    AUGMENTATIONS,
    Augmentation,
    Draw,
    Erase,
    Flip,
    Shift,
    StepAugmentation,
    named_augmentation,
)
from handloom.errors import ConfigurationError
from handloom.randomness import Purpose, StepStream, Stream

N, Y, X = 4000, 9, 7


def changed(change: Augmentation, before: Images, *, epoch: int = 0, seed: int = 0) -> Images:
    after = before.copy()
    rng = np.random.default_rng([seed, epoch])
    change(after, Draw(rng, np.arange(len(before)), epoch, seed))
    return after


def share(which: npt.NDArray[np.bool_]) -> float:
    return float(np.mean(which))


def mirrored(before: Images, after: Images) -> npt.NDArray[np.bool_]:
    """Return which images were mirrored; see that the others were left as they are."""
    axes = tuple(range(1, before.ndim))
    same = (after == before).all(axis=axes)
    flipped: npt.NDArray[np.bool_] = (after == before[..., ::-1]).all(axis=axes)
    assert (same ^ flipped).all()
    return flipped


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("shape", [(50, Y, X), (50, 3, Y, X), (50, 2, 1, X)])
def test_moves_are_what_flips_and_a_shift_do(shape: tuple[int, ...], seed: int) -> None:
    before, rng = images(*shape), np.random.default_rng(seed)
    flips = [Flip(alternating=bool(each)) for each in rng.integers(0, 2, 3)]
    shifts = [Shift(int(rng.integers(1, 12)))] * (seed % 4 > 0)
    changes: list[Augmentation] = [*flips[: seed % 3], *shifts, *flips[2:]]
    augmentation = StepAugmentation(changes, StepStream(seed, Purpose.AUGMENT, (3, 5)), 3)
    rows, after = rng.permutation(50), before.copy()
    augmentation(after, rows, 0)
    height, width = shape[-2:]
    for image, expected, (mirrored, top, left) in zip(
        before, after, augmentation.moves(rows, 0), strict=True
    ):
        seen = image[..., ::-1] if mirrored else image
        moved = np.zeros_like(image)
        for y in range(max(0, -top), min(height, height - top)):
            for x in range(max(0, -left), min(width, width - left)):
                moved[..., y, x] = seen[..., y + top, x + left]
        np.testing.assert_array_equal(moved, expected)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", list(AUGMENTATIONS))
def test_channels_are_changed_as_a_gray_image_is(name: str, channels: int) -> None:
    before = images(60, channels, Y, X)
    after = changed(named_augmentation(name), before)
    assert (after != before).any()
    for channel in range(channels):
        gray = changed(named_augmentation(name), before[:, channel].copy())
        np.testing.assert_array_equal(after[:, channel], gray)


@pytest.mark.parametrize("shape", [(N, Y, X), (N, 3, Y, X)])
def test_a_flip_mirrors_half_of_the_images_each_time_anew(shape: tuple[int, ...]) -> None:
    before = images(*shape)
    first, second = (mirrored(before, changed(Flip(), before, epoch=e)) for e in (0, 1))
    assert share(first) == pytest.approx(0.5, abs=0.04)
    assert share(first & second) == pytest.approx(0.25, abs=0.04)


def test_alternating_epochs_mirror_complementary_halves() -> None:
    before, change = images(N, Y, X), Flip(alternating=True)
    epochs = [mirrored(before, changed(change, before, epoch=epoch)) for epoch in range(4)]
    assert share(epochs[0]) == pytest.approx(0.5, abs=0.04)
    assert share(epochs[0][1:] == epochs[0][:-1]) == pytest.approx(0.5, abs=0.04)
    assert np.array_equal(epochs[0], ~epochs[1])
    assert np.array_equal(epochs[0], epochs[2])
    assert np.array_equal(epochs[1], epochs[3])
    other = mirrored(before, changed(change, before, seed=1))
    assert share(other == epochs[0]) == pytest.approx(0.5, abs=0.04)


def test_alternating_belongs_to_the_row_and_not_to_its_place_in_the_batch() -> None:
    before, change = images(N, Y, X), Flip(alternating=True)
    whole = changed(change, before)
    order = np.random.default_rng(5).permutation(N)[:100]
    part = before[order]
    change(part, Draw(np.random.default_rng(9), order, 0, 0))
    assert np.array_equal(part, whole[order])


@pytest.mark.parametrize("shape", [(N, Y, X), (N, 2, Y, X)])
def test_a_shift_moves_by_every_offset_equally_often_and_brings_zeros(
    shape: tuple[int, ...],
) -> None:
    before = images(*shape)
    after = changed(Shift(2), before)
    axes, counts = tuple(range(1, before.ndim)), {}
    for down in range(-2, 3):
        for right in range(-2, 3):
            moved = np.zeros_like(before)
            for y in range(Y):
                for x in range(X):
                    if 0 <= y - down < Y and 0 <= x - right < X:
                        moved[..., y, x] = before[..., y - down, x - right]
            counts[down, right] = int((after == moved).all(axis=axes).sum())
    assert sum(counts.values()) == N
    assert all(count == pytest.approx(N / 25, abs=5 * np.sqrt(N / 25)) for count in counts.values())


def erased(change: Erase, before: Images) -> tuple[npt.NDArray[np.bool_], list[tuple[int, int]]]:
    """Return which images were touched, and the sides of their rectangles; see that they are."""
    after = changed(change, before)
    holes = after != before
    axes = tuple(range(1, before.ndim))
    touched, sides = holes.any(axis=axes), []
    for hole, image in zip(holes[touched], after[touched], strict=True):
        flat = hole.reshape(-1, Y, X)
        rows, columns = np.flatnonzero(flat[0].any(axis=1)), np.flatnonzero(flat[0].any(axis=0))
        block = np.ix_(np.arange(len(flat)), rows, columns)
        assert flat[block].all()
        assert (np.diff(rows) == 1).all()
        assert (np.diff(columns) == 1).all()
        assert (image[hole] == change.value).all()
        assert hole.sum() == flat[block].size
        sides.append((len(rows), len(columns)))
    return touched, sides


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("shape", [(N, Y, X), (N, 2, Y, X)])
def test_erasing_overwrites_one_rectangle_of_some_images(
    shape: tuple[int, ...], value: int
) -> None:
    before = np.minimum(images(*shape), 254).astype(np.uint8)
    touched, sides = erased(Erase(0.25, 0.1, 0.3, value=value), before)
    assert share(touched) == pytest.approx(0.25, abs=0.03)
    areas = [rows * columns / (Y * X) for rows, columns in sides]
    assert np.mean(areas) == pytest.approx(0.2, abs=0.02)
    assert {rows > columns for rows, columns in sides} == {True, False}


def test_erasing_reaches_every_pixel_and_never_more_than_the_image() -> None:
    before = images(N, Y, X)
    after = changed(Erase(1.0, 0.1, 1.0, aspect=0.05), before)
    holes = (after == 0).mean(axis=0)
    assert holes.min() > 0.1
    np.testing.assert_allclose(holes, holes[::-1, ::-1], atol=0.04)  # no side is preferred
    assert (after == 0).any(axis=(1, 2)).all()
    everything = changed(Erase(1.0, 1.0, 1.0, aspect=1.0), images(N, 8, 8))
    assert not everything.any()


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
def test_the_place_decides_and_nothing_else(name: str) -> None:
    before = images(500, Y, X)

    def step(seed: int, epoch: int, index: int, start: int = 0) -> Images:
        stream = Stream(seed).at(Purpose.AUGMENT, epoch, index)
        after = before.copy()
        StepAugmentation([named_augmentation(name)], stream, epoch)(after, slice(0, 500), start)
        return after

    first = step(3, 0, 0)
    assert np.array_equal(first, step(3, 0, 0))
    others = [step(4, 0, 0), step(3, 1, 0)]
    if name != "alternating-flip":
        others += [step(3, 0, 1), step(3, 0, 0, start=500)]
    assert not any(np.array_equal(first, other) for other in others)


def test_augmentations_are_applied_in_their_order() -> None:
    before = images(200, Y, X)
    after = before.copy()
    changes: list[Augmentation] = [Shift(3), Erase(1.0, value=7)]
    StepAugmentation(changes, Stream(0), 0)(after, np.arange(200), 0)
    rng = Stream(0).at(0).generator()
    expected = before.copy()
    for change in changes:
        change(expected, Draw(rng, np.arange(200), 0, 0))
    assert np.array_equal(after, expected)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Shift(0), "pixels"),
        (lambda: Shift(1.5), "pixels"),  # type: ignore[arg-type]
        (lambda: Erase(0.0), "probability"),
        (lambda: Erase(1.5), "probability"),
        (lambda: Erase(smallest=0.0), "smallest"),
        (lambda: Erase(largest=1.1), "largest"),
        (lambda: Erase(smallest=0.5, largest=0.1), "smallest must be at most largest"),
        (lambda: Erase(aspect=0.0), "aspect"),
        (lambda: Erase(value=256), "value"),
        (lambda: Erase(value=-1), "value"),
        (lambda: named_augmentation("flp"), "Did you mean 'flip'"),
    ],
)
def test_invalid_options_are_refused_by_name(make: Callable[[], Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        make()
