"""Texts of a page hold no path of a machine."""

import pytest

from handloom.reporting.wording import without_paths


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/anna/data/fashion", "fashion"),
        ("the data at /home/anna/my-data differ", "the data at my-data differ"),
        (r"C:\Users\anna\runs\a", "a"),
        ("~/runs/a", "a"),
        ("T-shirt/top", "T-shirt/top"),
        ("1/2 of 3 / 4", "1/2 of 3 / 4"),
        ("norm/0.dense", "norm/0.dense"),
    ],
)
def test_only_the_last_part_of_a_path_is_shown(text: str, expected: str) -> None:
    assert without_paths(text) == expected
