"""Familiarity: whether an image resembles the images that a network was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.errors import ConfigurationError, require_known, require_number
from handloom.parallel.blas import single_threaded_blas

Floats = npt.NDArray[np.floating]

GRID = 14
"""Images are averaged to at most this number of cells in a row or a column."""

UNFAMILIAR = 0.015
"""The fraction of rows of the training data, other than those of the fit, beyond the limit."""

FEWEST_ROWS = 60
"""The fewest images that a familiarity is fitted to."""

_SHRINKAGE = 0.1


@dataclass(frozen=True, eq=False)
class Familiarity:
    r"""The distance of an image from the nearest class of the training data.

    It is the Mahalanobis distance from the nearest class mean, with a covariance matrix that all
    classes share (Lee, Lee, Lee, Shin, "A Simple Unified Framework for Detecting
    Out-of-Distribution Samples and Adversarial Attacks", NeurIPS 2018), of pixels instead of
    features: the gray levels :math:`x` of the image, averaged to a coarse grid.

    .. math:: \min_k \left\lVert A^\top (x - \mu_k) \right\rVert^2,
        \qquad A A^\top = (\Sigma + \rho I)^{-1}

    Parameters
    ----------
    means : array, shape (k, d)
        The class means :math:`\mu_k`.
    whitening : array, shape (d, d)
        The matrix :math:`A`.
    limit : float
        The largest distance of a familiar image.
    faintest : float
        The smallest standard deviation of the levels of a familiar image.
    """

    means: Floats
    whitening: Floats
    limit: float
    faintest: float

    def __post_init__(self) -> None:
        for name in ("limit", "faintest"):
            require_number(f"{name} of a familiarity", getattr(self, name), minimum=0.0)
        entries = self.means.shape[-1] if self.means.ndim == 2 and len(self.means) else 0
        if not entries or self.whitening.shape != (entries, entries):
            raise ConfigurationError(
                f"a familiarity has means of shape (k, d) and a whitening matrix of shape (d, d), "
                f"got {self.means.shape} and {self.whitening.shape}"
            )
        for array in (self.means, self.whitening):
            if array.dtype != np.float32 or not np.isfinite(array).all():
                raise ConfigurationError("the arrays of a familiarity must be finite float32")

    def check_shape(self, row_shape: tuple[int, ...]) -> None:
        """Raise a `ConfigurationError` if it was fitted to images of another shape."""
        entries = len(_coarse(np.zeros((1, *row_shape), np.uint8))[0])
        if self.means.shape[1] != entries:
            raise ConfigurationError(
                f"a familiarity of images of shape {row_shape} has {entries} entries, got "
                f"{self.means.shape[1]}"
            )

    def is_familiar(self, image: npt.NDArray[np.uint8]) -> bool:
        """Return whether an image, shape (y, x) or (c, y, x), resembles the training data."""
        x = _coarse(image[None])
        distance = _distances(x, self.means, self.whitening)[0]
        return bool(distance <= self.limit and x.std() >= self.faintest)

    def to_config(self) -> dict[str, Any]:
        """Return the limits as a JSON object."""
        return {"limit": self.limit, "faintest": self.faintest}

    def arrays(self) -> dict[str, Floats]:
        """Return the arrays by name."""
        return {"means": self.means, "whitening": self.whitening}

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]
    ) -> "Familiarity":
        """Return the familiarity that `to_config` and `arrays` described.

        Raises
        ------
        ConfigurationError
            If a part is unknown, missing or invalid.
        """
        for name in config:
            require_known("limit of a familiarity", name, ("limit", "faintest"))
        if len(config) < 2 or set(arrays) != {"means", "whitening"}:
            raise ConfigurationError(
                "a familiarity needs limit, faintest and the arrays means and whitening"
            )
        return cls(arrays["means"], arrays["whitening"], config["limit"], config["faintest"])


def familiarity_of(
    images: npt.NDArray[np.uint8], classes: npt.NDArray[np.int64] | None
) -> Familiarity | None:
    """Return the familiarity of images, shape (n, ...); None for fewer than `FEWEST_ROWS`.

    Two of three images are fitted; the limit is set by the others.

    Parameters
    ----------
    images : array of uint8, shape (n, y, x) or (n, c, y, x)
    classes : array of int, shape (n,), optional
        Without classes there is a single mean.
    """
    if len(images) < FEWEST_ROWS:
        return None
    x = _coarse(images)
    fitted = np.random.default_rng(0).permutation(len(x)) % 3 > 0
    rows = x[fitted].astype(np.float64)
    labels = np.zeros(len(rows), int) if classes is None else classes[fitted]
    _, labels = np.unique(labels, return_inverse=True)
    sums = np.zeros((labels.max() + 1, x.shape[1]))
    np.add.at(sums, labels, rows)
    means = sums / np.bincount(labels)[:, None]
    with single_threaded_blas():  # the sums do not depend on the number of threads
        rest = rows - means[labels]
        covariance = rest.T @ rest / len(rest)
        ridge = max(_SHRINKAGE * float(np.trace(covariance)) / len(covariance), 1e-3)
        covariance[np.diag_indices_from(covariance)] += ridge
        whitening = np.linalg.inv(np.linalg.cholesky(covariance)).T.astype(np.float32, order="C")
        distances = _distances(x[~fitted], means.astype(np.float32), whitening)
    limit = float(np.quantile(distances, 1.0 - UNFAMILIAR))
    faintest = 0.5 * float(np.quantile(x.std(axis=1), 0.002))
    return Familiarity(means.astype(np.float32), whitening, limit, faintest)


def _distances(x: Floats, means: Floats, whitening: Floats) -> Floats:
    """Return the squared Mahalanobis distance of rows from the nearest mean, shape (n,)."""
    differences = x @ whitening - (means @ whitening)[:, None]
    return np.asarray((differences**2).sum(axis=2).min(axis=0))


def _coarse(images: npt.NDArray[np.uint8]) -> Floats:
    """Return the mean levels of the cells of each image, shape (n, d), the channels averaged."""
    levels: Floats = images.astype(np.float32)
    if levels.ndim == 4:
        levels = levels.mean(axis=1)
    for axis in (1, 2):
        side = levels.shape[axis]
        starts = np.linspace(0, side, min(side, GRID) + 1).astype(int)
        counts = np.diff(starts).reshape([-1 if axis == each else 1 for each in range(3)])
        levels = np.add.reduceat(levels, starts[:-1], axis=axis) / counts
    return levels.reshape(len(levels), -1)
