"""The phases of a compiled step: a small program, made of the layers of a network."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from handloom.fused.layer_table import Pair, first_trained
from handloom.operations import NormalizeColumns

ROWS, STATISTICS, SUMS, WEIGHTS, UPDATE = range(5)
"""The kinds of phases.

==========  ====================================================================================
ROWS        some stages for some rows of the batch; see `handloom.fused.step_rows`
STATISTICS  the means and variances of some columns; see `handloom.fused.step_columns`
SUMS        the sums of some columns that the gradient of a normalization needs; see there
WEIGHTS     the gradient of some weights; see `handloom.fused.step_weights`
UPDATE      the update of the same weights; see there
==========  ====================================================================================
"""


def phases_of(pairs: Sequence[Pair]) -> npt.NDArray[np.int64]:
    """Return the phases of a step, shape (phases, 3): a kind and two numbers.

    Those of ``ROWS`` are the first of its stages, and the one that the next such phase begins with.
    Of ``L`` layers, layer ``k`` has the stage ``k`` forward and ``2 L - k`` backward; between them,
    stage ``L`` is the loss. The last layer with a stage backward is the second one with weights.
    Statistics and sums run over all rows of a group, which the stages before them must have
    written. The first number of both is the layer.
    """
    last, start, phases = 2 * len(pairs), 0, []
    end = last - first_trained(pairs)
    norms = [k for k, each in enumerate(pairs) if isinstance(each.layer, NormalizeColumns)]
    between = [(STATISTICS, k, k) for k in norms] + [(SUMS, k, last - k) for k in reversed(norms)]
    for kind, layer, stage in between:
        phases += [(ROWS, start, stage), (kind, layer, 0)]
        start = stage
    phases += [(ROWS, start, end), (WEIGHTS, 0, 0), (UPDATE, 0, 0)]
    return np.array(phases, np.int64)
