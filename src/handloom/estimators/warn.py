"""Warnings of the estimators, which filters written for scikit-learn's perceptrons silence."""

from handloom import secondary

MODULE = "sklearn.neural_network._multilayer_perceptron"
"""The module of scikit-learn that warns in the same words; filters may name it."""


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line that called the library, as `MODULE`.

    So ``warnings.filterwarnings("ignore", module="sklearn")`` applies, as does a filter by
    category.
    """
    secondary.warn(message, category, module=MODULE)
