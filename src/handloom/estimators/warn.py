"""Warnings of the estimators, which filters written for scikit-learn's perceptrons silence."""

import sys
import warnings
from functools import partial

from handloom.secondary import show

MODULE = "sklearn.neural_network._multilayer_perceptron"
"""The module of scikit-learn that warns in the same words; filters may name it."""

OWN = ("handloom.", "sklearn.callback.")
"""The modules of the frames of a fit; scikit-learn's callbacks wrap it."""


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line that called the library, as `MODULE`.

    So ``warnings.filterwarnings("ignore", module="sklearn")`` applies, as does a filter by
    category.
    """
    frame = sys._getframe(1)
    while frame.f_globals.get("__name__", "").startswith(OWN) and frame.f_back:
        frame = frame.f_back
    issue = partial(
        warnings.warn_explicit,
        message,
        category,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=MODULE,
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )
    show(message, issue)
