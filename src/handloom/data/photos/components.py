"""Connected components of a mask."""

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


def components(mask: Mask) -> npt.NDArray[np.int64]:
    """Return the component of each pixel, shape (y, x): 0 outside, then 1, 2, ...

    Pixels that share a side or a corner are connected. Every pixel starts with a label of its own
    and takes the smallest of its neighbors', then the label of that label (pointer jumping), until
    none changes.
    """
    size = mask.size
    labels = np.full((mask.shape[0] + 2, mask.shape[1] + 2), size)
    inner = labels[1:-1, 1:-1]
    inner[mask] = np.flatnonzero(mask)
    next_label = np.arange(size + 1)
    while True:
        smallest = inner.copy()
        for down in range(3):
            for right in range(3):
                shifted = labels[down : down + mask.shape[0], right : right + mask.shape[1]]
                np.minimum(smallest, shifted, out=smallest)
        before, after = inner[mask], smallest[mask]
        if np.array_equal(before, after):
            break
        np.minimum.at(next_label, before, after)
        while not np.array_equal(jumped := next_label[next_label], next_label):
            next_label = jumped
        inner[mask] = next_label[after]
    result = np.zeros(mask.shape, dtype=np.int64)
    result[mask] = np.unique(inner[mask], return_inverse=True)[1] + 1
    return result
