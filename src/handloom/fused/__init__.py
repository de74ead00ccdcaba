"""The kernels as single passes over memory, compiled by Numba: the extra ``fast``.

Compiled code is cached on disk, so only the first training ever waits for the compiler.
"""

from handloom.fused.kernels import FUSED, FusedKernels

__all__ = ["FUSED", "FusedKernels"]
