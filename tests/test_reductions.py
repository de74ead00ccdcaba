"""Fast sums and maxima agree with those of NumPy, in both orders of memory."""

from typing import Any

import numpy as np
import pytest

from handloom.reductions import column_sums, row_maxima, row_sums


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (300, 10), (0, 4)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_reductions_are_those_of_numpy(dtype: Any, shape: tuple[int, int], order: Any) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype, order=order)
    close: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-4}
    total = np.full(shape[1], np.nan, dtype)  # overwritten
    column_sums(x, total)
    np.testing.assert_allclose(total, x.sum(axis=0), **close)
    np.testing.assert_allclose(row_sums(x), x.sum(axis=1, keepdims=True), **close)
    np.testing.assert_array_equal(row_maxima(x), x.max(axis=1, keepdims=True))
    assert row_sums(x).dtype == row_maxima(x).dtype == dtype


def test_a_maximum_of_nan_is_nan() -> None:
    x = np.array([[0.0, np.nan, 1.0], [1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(row_maxima(x), [[np.nan], [3.0]])
