"""Suggestions for unknown options: the words that other libraries use for the same."""

from collections.abc import Collection, Mapping

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "lr": ("learning-rate",),
    "learning-rate-init": ("learning-rate",),
    "rate": ("learning-rate",),
    "batch": ("batch-size",),
    "bs": ("batch-size",),
    "layers": ("hidden",),
    "hidden-layers": ("hidden",),
    "hidden-layer-sizes": ("hidden",),
    "units": ("hidden",),
    "wd": ("weight-decay",),
    "alpha": ("l2", "weight-decay"),
    "epoch": ("epochs", "steps"),
    "epochs": ("steps",),
    "max-iter": ("epochs",),
    "iterations": ("epochs", "steps"),
    "solver": ("optimizer",),
    "opt": ("optimizer",),
    "scheduler": ("schedule",),
    "val-split": ("validation-fraction",),
    "validation-split": ("validation-fraction",),
    "validation": ("validation-fraction",),
    "early-stopping": ("patience",),
    "ema": ("average",),
    "grad-clip": ("clip-norm",),
    "clip": ("clip-norm",),
    "target-column": ("target",),
    "label": ("target",),
    "exclude": ("drop",),
    "smoothing": ("label-smoothing",),
    "augmentation": ("augment",),
    "random-state": ("seed", "seeds"),
    "device": ("backend",),
    "workers": ("threads",),
    "num-workers": ("threads",),
    "jobs": ("threads",),
    "n-jobs": ("threads",),
    "output": ("out",),
    "out-dir": ("out",),
    "output-dir": ("out",),
    "dataset": ("data",),
    "data-dir": ("data",),
    "tta": ("views",),
}
"""Words of other libraries without their dashes, each with the options that it may stand for."""


def suggestions(unknown: str, options: Collection[str]) -> list[str]:
    """Return the options that an unknown one stands for elsewhere, such as ``--learning-rate``.

    Parameters
    ----------
    unknown : str
        With its dashes.
    options : collection of str
        The options of the command, with theirs.
    """
    word = unknown.lstrip("-").replace("_", "-").lower()
    meant = [f"--{name}" for name in SYNONYMS.get(word, ())]
    return [name for name in [*meant, f"--{word}"] if name in options]
