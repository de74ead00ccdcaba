"""Plots: curves, comparisons, samples, confusion matrices, mistakes, weights, boundaries.

Each function returns a `matplotlib.figure.Figure` and opens no window; global settings of
matplotlib are neither used nor changed. ``save`` writes a figure to a PNG file.
"""

from handloom.plots.curves import comparison, history
from handloom.plots.decision_boundary import decision_boundary
from handloom.plots.figure import save
from handloom.plots.first_layer import weights
from handloom.plots.predictions import confusion, mistakes
from handloom.plots.samples import augmented_samples, samples

__all__ = [
    "augmented_samples",
    "comparison",
    "confusion",
    "decision_boundary",
    "history",
    "mistakes",
    "samples",
    "save",
    "weights",
]
