"""Pictures: training curves, comparisons of models, samples, confusion matrices, mistakes.

Every function returns a `matplotlib.figure.Figure` and touches nothing else: no window, no global
setting. ``save`` writes one to a PNG file.
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
