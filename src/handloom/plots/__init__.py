"""Plots: curves, comparisons, samples, confusion matrices, mistakes, regressions, weights.

Each function returns a `matplotlib.figure.Figure` and opens no window; global settings of
matplotlib are neither used nor changed. ``save`` writes a figure to a PNG file.
"""

from handloom.plots.curves import comparison, training_curves
from handloom.plots.decision_boundary import decision_boundary
from handloom.plots.figure import save
from handloom.plots.first_layer import weights
from handloom.plots.predictions import confident_mistakes, confusion
from handloom.plots.regression import predicted_against_true, residuals
from handloom.plots.samples import augmented_samples, sample_grid

__all__ = [
    "augmented_samples",
    "comparison",
    "confident_mistakes",
    "confusion",
    "decision_boundary",
    "predicted_against_true",
    "residuals",
    "sample_grid",
    "save",
    "training_curves",
    "weights",
]
