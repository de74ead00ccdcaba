"""A watch over the files that a reader opens."""

import pytest
from fuzz.watch import Watch


@pytest.fixture(scope="module")
def watch() -> Watch:
    return Watch()
