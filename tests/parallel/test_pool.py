"""A matrix product that threads share is the product."""

import numpy as np

from handloom.parallel.pool import matmul
from handloom.parallel.threads import Threads


def test_a_product_that_is_shared_is_the_product() -> None:
    generator = np.random.default_rng(0)
    with Threads(3) as threads:
        for n, d, h in ((300, 400, 500), (600, 800, 3), (64, 1000, 401)):
            a, b = generator.standard_normal((n, d)), generator.standard_normal((d, h))
            shared = matmul(a, b, np.empty((n, h)), threads)
            np.testing.assert_allclose(shared, a @ b, rtol=1e-10, atol=1e-10)
            back = matmul(a.T, shared, np.empty((d, h)), threads)
            np.testing.assert_allclose(back, a.T @ (a @ b), rtol=1e-10, atol=1e-7)
