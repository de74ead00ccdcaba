"""Connected components."""

import numpy as np

from handloom.data.photos.components import components


def flooded(mask: np.ndarray) -> int:
    """Return the number of components, by flood filling."""
    left, count = set(zip(*np.nonzero(mask), strict=True)), 0
    while left:
        stack, count = [left.pop()], count + 1
        while stack:
            y, x = stack.pop()
            near = {(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            stack += near
    return count


def test_components_are_those_of_flood_filling() -> None:
    rng = np.random.default_rng(0)
    for density in (0.0, 0.2, 0.35, 0.6, 1.0):
        mask = rng.random((40, 30)) < density
        labels = components(mask)
        assert labels.max() == flooded(mask)
        assert np.array_equal(labels > 0, mask)
        for label in range(1, labels.max() + 1):
            assert flooded(labels == label) == 1


def test_a_snake_is_one_component() -> None:
    snake = np.zeros((101, 101), bool)
    snake[::2] = True
    snake[1::4, -1] = snake[3::4, 0] = True
    assert components(snake).max() == 1
