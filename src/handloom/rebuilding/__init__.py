"""Rebuilding: the proof that the description of a model makes the same model again.

A saved model is a description and arrays: loading makes new layers and a new transform from the
values of their ``config`` or ``to_config``. A custom class may omit a setting there, or have the
name of another class; the loaded model would then predict something else. So the description is
tried out as loading does it, by `Model.save` and before a training that saves something.
"""

from handloom.rebuilding.network import check_network
from handloom.rebuilding.transform import check_transform

__all__ = ["check_network", "check_transform"]
