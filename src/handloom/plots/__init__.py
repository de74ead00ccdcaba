"""Plots: training curves, comparisons of models, samples, confusion matrices, mistakes.

Each function returns a `matplotlib.figure.Figure` and opens no window; global settings of
matplotlib are neither used nor changed. ``save`` writes a figure to a PNG file.
"""

from handloom.plots.curves import comparison, training_curves
from handloom.plots.figure import save
from handloom.plots.predictions import confident_mistakes, confusion, sample_grid

__all__ = [
    "comparison",
    "confident_mistakes",
    "confusion",
    "sample_grid",
    "save",
    "training_curves",
]
