"""The contestants: each turns training rows of a table into predictions of raw test rows.

Choices were made before any score was seen: Handloom's are the defaults of ``handloom train`` for
tables, and scikit-learn's network has the same layers, optimizer, rate, batches and epochs. Both
hold out a tenth of the training rows and keep the weights that are best on them. Each has one
thread: products of so few rows gain nothing from more, and two libraries then wait alike for a busy
core.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd  # type: ignore[import-untyped]
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, mean_absolute_error, r2_score, roc_auc_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.measure import Spent, spent
from handloom import Embedding, Model, Sequential, open_table
from handloom.cli.table_options import RUN_DEFAULTS
from handloom.data.dataset import Dataset
from handloom.data.formats.tables import open_file
from handloom.data.table_learning import choose_test_rows, read_target
from handloom.data.table_options import TEST, TableOptions
from handloom.recipes import experiment
from handloom.recipes.experiment import Trained
from handloom.recipes.settings import Settings

Scores = dict[str, float]

THREADS = 1

PREPARED = 0.1
"""Seconds: a fit that compiles or loads kernels for longer is repeated, and the second one counts.
"""


@dataclass(frozen=True)
class Split:
    """A table in a file, and the seed that chooses its test rows.

    Attributes
    ----------
    path : Path
    options : TableOptions
        With the seed of the split, which is that of the trainings too.
    train, test : DataFrame
        The raw rows, the target included.
    classes : tuple of str
        Empty for a regression.
    """

    path: Path
    options: TableOptions
    train: pd.DataFrame
    test: pd.DataFrame
    classes: tuple[str, ...]

    @classmethod
    def of(cls, path: Path, options: TableOptions, seed: int) -> "Split":
        """Return the split of a file that `handloom.open_table` makes with a seed."""
        options = replace(options, seed=seed)
        target = read_target(open_file(path, tell=_ignore), options, tell=_ignore)
        test = choose_test_rows(target, TEST, options.seed)
        frame = pd.read_csv(path)
        names = frame[options.target][target.kept]
        classes = () if target.task == "regression" else tuple(map(str, sorted(names.unique())))
        return cls(path, options, frame[target.kept & ~test], frame[test], classes)

    def scores(self, predicted: npt.NDArray[Any]) -> Scores:
        """Return the scores of predictions of the test rows.

        Parameters
        ----------
        predicted : array, shape (n, k) or (n,)
            Probabilities of the classes, or values in units of the target.
        """
        true = self.test[self.options.target]
        if not self.classes:
            error, explained = mean_absolute_error(true, predicted), r2_score(true, predicted)
            return {"R^2": float(explained), "MAE": float(error)}
        texts = true.astype(str).to_numpy()
        best = np.array(self.classes)[predicted.argmax(axis=1)]
        ranked = predicted[:, 1] if len(self.classes) == 2 else predicted
        area = roc_auc_score(texts, ranked, multi_class="ovr", labels=self.classes)
        return {"accuracy": float(accuracy_score(texts, best)), "ROC AUC": float(area)}


@dataclass(frozen=True)
class Embedded(Settings):
    """Settings of a network that begins with a vector for each category."""

    def build(self, train: Dataset) -> Sequential:
        """Return the network for rows with embedded columns, with its initial weights."""
        if train.columns is None:
            raise ValueError(f"{train.name} is no table")
        categories = [len(each.categories) for each in train.columns.inputs if each.embedded]
        first = Embedding(dict(zip(train.columns.embedded, categories, strict=True)))
        rest = self.network(len(train.class_names), classes=train.has_classes).layers
        return Sequential([first, *rest]).build((math.prod(train.input_shape),), seed=self.seed)


@dataclass(frozen=True)
class Fitted:
    """A prediction of the test rows, and the cost of the fit.

    Attributes
    ----------
    predicted : array
        As `Split.scores` takes them.
    spent : Spent
        From the file to the fitted model.
    epochs : int
    """

    predicted: npt.NDArray[Any]
    spent: Spent
    epochs: int


def handloom(split: Split) -> Fitted:
    """Train as ``handloom train`` does with its defaults, and predict raw rows."""
    return _ours(split, Settings(**RUN_DEFAULTS, seed=split.options.seed, threads=THREADS))


def handloom_embedded(split: Split) -> Fitted:
    """Train with a learned vector for each category."""
    embedded = replace(split, options=replace(split.options, embed=True))
    return _ours(embedded, Embedded(**RUN_DEFAULTS, seed=split.options.seed, threads=THREADS))


def _ours(split: Split, settings: Settings) -> Fitted:
    trained, taken = _fit(split, settings)
    if trained.history.preparation_seconds > PREPARED:
        trained, taken = _fit(split, settings)
    return Fitted(_predict(trained.model, split), taken, len(trained.history))


def _fit(split: Split, settings: Settings) -> tuple[Trained, Spent]:
    trained: list[Trained] = []

    def fit() -> None:
        options = split.options
        splits = open_table(
            split.path,
            options.target,
            seed=options.seed,
            embed=options.embed,
            categorical=options.categorical,
            drop=options.drop,
            drop_missing_targets=options.drop_missing_targets,
        )
        trained.append(experiment.train(settings, splits))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # notes of the table, and overfitting
        taken = spent(fit)
    return trained[0], taken


def _predict(model: Model, split: Split) -> npt.NDArray[Any]:
    """Return the predictions of the raw test rows, without their target."""
    predicted = model.predict(split.test.drop(columns=split.options.target))
    if split.classes and model.class_names != split.classes:
        raise RuntimeError(f"{split.path}: classes {model.class_names}, not {split.classes}")
    return predicted if split.classes else predicted[:, 0]


def alike(split: Split) -> Fitted:
    """Fit scikit-learn's network with the layers, rate, batches and epochs of `handloom`."""
    settings = Settings(**RUN_DEFAULTS)
    return _theirs(
        split,
        hidden_layer_sizes=settings.hidden,
        solver="adam",
        learning_rate_init=settings.peak_rate,
        batch_size=settings.batch_size,
        max_iter=settings.epochs,
        alpha=0.0,
        early_stopping=True,  # holds out rows, and keeps the best weights
        validation_fraction=settings.validation_fraction,
        n_iter_no_change=settings.epochs,  # but does not stop
    )


def defaults(split: Split) -> Fitted:
    """Fit scikit-learn's network with its own defaults."""
    return _theirs(split)


def _theirs(split: Split, **parameters: Any) -> Fitted:
    options = split.options
    kind = MLPClassifier if split.classes else MLPRegressor
    columns = split.train.drop(columns=[options.target, *options.drop])
    whole = make_pipeline(
        _preparation(columns, options.categorical),
        kind(random_state=options.seed, **parameters),
    )
    if not split.classes:
        whole = TransformedTargetRegressor(whole, transformer=StandardScaler())
    target = split.train[options.target]

    def fit() -> None:
        pd.read_csv(split.path)  # the peer's reading of the file
        whole.fit(columns, target.astype(str) if split.classes else target)

    with warnings.catch_warnings(), threadpool_limits(THREADS):
        warnings.simplefilter("ignore", ConvergenceWarning)  # of epochs that are all done
        taken = spent(fit)
    predicted = whole.predict_proba(split.test) if split.classes else whole.predict(split.test)
    return Fitted(predicted, taken, int(_network(whole).n_iter_))


def _preparation(columns: pd.DataFrame, categorical: Sequence[str]) -> ColumnTransformer:
    """Return a transformer that prepares columns as `handloom.open_table` does."""
    texts = columns.select_dtypes(exclude="number").columns
    categories = [name for name in columns if name in texts or name in categorical]
    others = [name for name in columns if name not in categories]
    scaled = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    unseen_are_zero = OneHotEncoder(handle_unknown="ignore")  # a missing value is a category
    return ColumnTransformer(
        [("numbers", scaled, others), ("categories", unseen_are_zero, categories)]
    )


def _network(fitted: Any) -> Any:
    """Return the network at the end of a fitted pipeline."""
    return getattr(fitted, "regressor_", fitted)[-1]


def _ignore(_: str) -> None:
    """Take the notes about a table, which the walk shows."""


CONTESTANTS: dict[str, Callable[[Split], Fitted]] = {
    "Handloom": handloom,
    "Handloom, embedded": handloom_embedded,
    "scikit-learn, alike": alike,
    "scikit-learn, defaults": defaults,
}
