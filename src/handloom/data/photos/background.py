"""The background of a photograph: a smooth surface, fitted to the pixels near the border."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]

BORDER = 0.06
"""The width of the border, as a fraction of the shorter side."""

_ROUNDS = 8
_POINTS = 2000
_SMALLEST_SCALE = 1.5  # levels; those of a flat background may have no spread at all


def border_of(shape: tuple[int, ...]) -> Mask:
    """Return the pixels near the border of an image of shape (y, x, ...)."""
    width = max(1, round(BORDER * min(shape[:2])))
    border = np.ones(shape[:2], dtype=bool)
    border[width:-width, width:-width] = False
    return border


def fit_background(pixels: Floats, samples: Mask, degree: int = 2) -> Floats:
    """Return the background of an image, of shape (y, x, c).

    A polynomial in y and x of degree ``degree`` is fitted to the samples by iteratively reweighted
    least squares with Tukey's biweight, which ignores an object that covers a smaller part of the
    samples.

    Parameters
    ----------
    pixels : array, shape (y, x, c)
    samples : array of bool, shape (y, x)
        The pixels that mostly show the background.
    degree : int

    References
    ----------
    Beaton, Tukey, "The Fitting of Power Series, Meaning Polynomials, Illustrated on
    Band-Spectroscopic Data", Technometrics 16, 1974.
    """
    terms = _terms(pixels.shape, degree)
    chosen = np.flatnonzero(samples)
    chosen = chosen[:: max(1, len(chosen) // _POINTS)]
    known, values = terms[chosen], pixels.reshape(-1, pixels.shape[2])[chosen]
    distance = np.abs(values - np.median(values, axis=0)).max(axis=1)
    for _ in range(_ROUNDS):
        scale = max(1.4826 * float(np.median(distance)), _SMALLEST_SCALE)
        weights = np.clip(1.0 - (distance / (4.685 * scale)) ** 2, 0.0, None) ** 2
        weighted = known.T * weights
        # the normal equations; terms of an image of one row or column may be the same
        solution = np.linalg.lstsq(weighted @ known, weighted @ values, rcond=None)[0]
        before, distance = distance, np.abs(values - known @ solution).max(axis=1)
        if np.array_equal(distance, before):  # as on a flat background: so are all further rounds
            break
    return np.asarray(terms @ solution).reshape(pixels.shape)


def _terms(shape: tuple[int, ...], degree: int) -> Floats:
    """Return the monomials of every pixel, shape (y * x, terms)."""
    y, x = (np.linspace(-1.0, 1.0, side) for side in shape[:2])
    powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
    return np.stack([np.outer(y**i, x**j).reshape(-1) for i, j in powers], axis=1)
