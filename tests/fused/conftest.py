"""What every test of compiled versions is repeated for."""

from typing import Any

import numpy as np
import pytest


@pytest.fixture(params=[np.float32, np.float64])
def real(request: pytest.FixtureRequest) -> Any:
    return request.param
