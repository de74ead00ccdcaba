"""Gradient clipping by the l2 norm."""

from handloom.errors import require_number
from handloom.operations import Array, ClipNorm


class ClipByNorm:
    """Gradient clipping by norm: a gradient with a larger l2 norm than the limit is scaled down.

    With ``g`` the gradient of a step and ``c`` the limit::

        g <- g min(1, c / ||g||)

    Parameters
    ----------
    limit : float
        The largest l2 norm, above 0.

    Raises
    ------
    ConfigurationError
        If the limit is out of range.

    References
    ----------
    Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", ICML 2013.
    """

    def __init__(self, limit: float) -> None:
        self.limit = require_number("clip_norm", limit, minimum=0.0, exclusive=True)

    def __call__(self, gradient: Array, norm: float) -> None:
        """Clip a gradient, shape (size,), in place; ``norm`` is its l2 norm."""
        if norm > self.limit:
            gradient *= self.limit / norm

    def as_operation(self) -> ClipNorm:
        """Return the clipping as a record."""
        return ClipNorm(self.limit)
