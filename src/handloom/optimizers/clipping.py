"""Gradient clipping: a step no longer than it may be."""

from handloom.errors import require_number
from handloom.operations import Array, ClipNorm


class ClipByNorm:
    """Scales a gradient down whose l2 norm is too large.

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
        """Clip a gradient, shape (size,), of a known l2 norm, in place."""
        if norm > self.limit:
            gradient *= self.limit / norm

    def as_operation(self) -> ClipNorm:
        """Return the clipping as a record."""
        return ClipNorm(self.limit)
