"""Fingerprints differ where datasets do."""

import numpy as np

from handloom import Dataset
from handloom.data.fingerprint import fingerprint


def test_rows_that_differ_far_down_are_other_rows() -> None:
    many = np.zeros((6_000, 1_000))
    other = many.copy()
    other[-1, -1] = 1.0
    targets = np.arange(6_000) % 2
    sums = [fingerprint(Dataset(rows, targets, ("a", "b")))["sha256"] for rows in (many, other)]
    assert sums[0] != sums[1]
