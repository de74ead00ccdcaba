"""Plots: curves, samples, weights, activations, boundaries, confusion, mistakes, calibration.

Each function returns a `matplotlib.figure.Figure` and opens no window; a notebook shows it inline.
Global settings of matplotlib are neither used nor changed. ``save`` writes a figure to a file.
"""

from handloom.plots.activations import activations
from handloom.plots.calibration import calibration
from handloom.plots.curves import comparison, history
from handloom.plots.decision_boundary import decision_boundary
from handloom.plots.figure import save
from handloom.plots.first_layer import weights
from handloom.plots.predictions import confusion, mistakes
from handloom.plots.samples import augmented_samples, samples

__all__ = [
    "activations",
    "augmented_samples",
    "calibration",
    "comparison",
    "confusion",
    "decision_boundary",
    "history",
    "mistakes",
    "samples",
    "save",
    "weights",
]
