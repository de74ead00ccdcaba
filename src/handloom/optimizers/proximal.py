"""The proximal step of an L1 penalty, which sets small weights to exactly 0."""

import numpy as np

from handloom.operations import Array


def proximal_step(w: Array, threshold: float, scratch: Array) -> None:
    """Move weights toward 0 by ``threshold``, in place; those within it become exactly 0.

    It is also called soft thresholding, the proximal operator of ``threshold * sum |w|``: each
    weight becomes the ``u`` that minimizes ``(u - w)^2 / 2 + threshold |u|``::

        w <- sign(w) max(|w| - threshold, 0)  =  w - min(max(w, -threshold), threshold)

    Parameters
    ----------
    w : array, shape (m,)
        Some of the weights. Entries that are NaN or infinite stay so.
    threshold : float
        At least 0; the learning rate times the strength of the penalty.
    scratch : array, shape (m,)
        Memory for intermediate results.

    References
    ----------
    Parikh, Boyd, "Proximal Algorithms", Foundations and Trends in Optimization 1, 2014.
    """
    np.clip(w, -threshold, threshold, out=scratch)
    w -= scratch
