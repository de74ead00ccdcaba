"""Held-out rows: a random part of the rows of every class."""

import numpy as np
import numpy.typing as npt

from handloom.randomness import Purpose, Stream

Mask = npt.NDArray[np.bool_]


def held_out_rows(
    strata: npt.NDArray[np.int64], among: Mask, fraction: float, stream: Stream
) -> Mask:
    """Return the rows of the held-out part: a fraction of every stratum, at random.

    Of a stratum at least one row is held out and at least one is not; a single row is not.

    Parameters
    ----------
    strata : array, shape (n,)
        The number of the stratum of each row.
    among : array of bool, shape (n,)
        The rows to hold out from.
    fraction : float
        Of the rows of a stratum, above 0 and below 1.
    stream : Stream
        The source of random numbers. Strata draw in the order of their numbers.

    Returns
    -------
    array of bool, shape (n,)
    """
    generator = stream.at(Purpose.SPLIT).generator()
    held_out = np.zeros(len(strata), bool)
    for stratum in np.unique(strata[among]):
        rows = np.flatnonzero(among & (strata == stratum))
        if len(rows) > 1:
            size = min(max(1, round(fraction * len(rows))), len(rows) - 1)
            held_out[generator.permutation(rows)[:size]] = True
    return held_out
