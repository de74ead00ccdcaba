"""Hostile files are refused with an error of ours: no crash, no hang, no memory or path abuse.

`make fuzz` gives every reader a hundred thousand inputs; here each gets a few of that kind.
"""

import random
from pathlib import Path

import pytest
from fuzz.targets import TARGETS
from fuzz.watch import Watch, attempt, memory_limit
from tests.hostile_files.helpers import linux_only, time_limit

pytestmark = linux_only


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.slow
def test_valid_files_are_taken_and_changed_ones_are_taken_or_refused(
    name: str, tmp_path: Path, watch: Watch
) -> None:
    target, refused = TARGETS[name], 0
    read, valid = target.prepare(tmp_path), target.seeds()
    for data in valid:
        assert attempt(read, data) is None
    with memory_limit(target.memory), time_limit(60):
        for number in range(100):
            rng = random.Random(number)
            data = target.mutation(rng.choice(valid), rng)
            with watch.over(tmp_path):
                refused += attempt(read, data) is not None
    assert refused
