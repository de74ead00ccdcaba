"""NumPy: models as one readable Python file that imports NumPy alone."""

from handloom.interop.numpy.export import to_numpy

__all__ = ["to_numpy"]
