"""Which kernels a training uses: a fixed rule, decided before its first step."""

from importlib.util import find_spec

from handloom.errors import MissingExtraError, require_known
from handloom.kernels import NUMPY, Kernels

NAMES = ("auto", "numpy", "fused")

FUSED_FROM = 5e10
"""The work from which compiled kernels are worth loading: about three seconds of training."""


def installed() -> str:
    """Return the name of the quickest kernels that are installed."""
    return "numpy" if find_spec("numba") is None else "fused"


def choose(name: str, *, weights: int, rows: int, steps: int) -> Kernels:
    """Return the kernels for a job, by a rule that looks at its size and at nothing else.

    Parameters
    ----------
    name : str
        ``"numpy"``, ``"fused"``, or ``"auto"``: fused where Numba is installed and the job is long
        enough for loading it to pay.
    weights, rows, steps : int
        The size of the network, and how many rows and updates there will be in all.

    Raises
    ------
    ConfigurationError
        If there is no such set.
    MissingExtraError
        If fused kernels are asked for by name and Numba is not installed.
    """
    require_known("set of kernels", name, NAMES)
    if name == "fused" and installed() != "fused":
        raise MissingExtraError("numba", "fast", "training with fused kernels")
    update = 32  # an update of the weights costs about as much as so many rows
    long = weights * (rows + update * steps) >= FUSED_FROM
    if name == "numpy" or installed() == "numpy" or (name == "auto" and not long):
        return NUMPY
    from handloom.fused import FUSED  # loads Numba

    return FUSED
