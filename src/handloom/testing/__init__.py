"""Checks of the contract of layers and losses: for Handloom's own and for yours."""

from handloom.errors import CheckError
from handloom.testing.layers import check_layer
from handloom.testing.losses import check_loss

__all__ = ["CheckError", "check_layer", "check_loss"]
