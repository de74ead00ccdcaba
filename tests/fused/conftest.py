"""The parameters for which every test of compiled versions is repeated."""

from typing import Any

import numpy as np
import pytest


@pytest.fixture(params=[np.float32, pytest.param(np.float64, marks=pytest.mark.slow)])
def real(request: pytest.FixtureRequest) -> Any:
    return request.param
