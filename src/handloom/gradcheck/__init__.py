"""The gradient check of a layer, a loss, or a network with its penalty."""

from handloom.gradcheck.check import check_gradients
from handloom.gradcheck.report import COLUMNS, ArrayCheck, Entry, GradientReport

__all__ = ["COLUMNS", "ArrayCheck", "Entry", "GradientReport", "check_gradients"]
