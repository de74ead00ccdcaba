"""Reading runs for a report: every part of a folder that is there, and why others are not."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from handloom.data import fashion_mnist
from handloom.data.dataset import Dataset, Splits
from handloom.data.fingerprint import fingerprint
from handloom.data.formats.tables import is_table
from handloom.data.notes import Tell
from handloom.data.sources.generated import GENERATED
from handloom.data.sources.open_folder import read_folder
from handloom.data.sources.open_table import read_splits
from handloom.data.sources.published import NAME, RESERVED
from handloom.data.table_options import DataOptions, TableOptions, data_options_from_json
from handloom.errors import DataError, DivergenceWarning, HandloomError
from handloom.files import MANIFEST, FileError, read_json
from handloom.model import Model
from handloom.parameters import Array
from handloom.reporting.run import ReportedRun
from handloom.training.evaluation import evaluate
from handloom.training.run_description import RunDescription
from handloom.training.run_folder import (
    BEST_MODEL,
    CHECKPOINTS,
    DESCRIPTION,
    GRID,
    RUNS,
    RunFolder,
    is_run,
)

Part = TypeVar("Part")
FindData = Callable[[str, DataOptions], Splits]
"""A function from the name of a dataset, or the path of its folder, and options, to the dataset."""

SAME = 1e-3
"""The largest difference of probabilities that are predicted again: other processors round
otherwise."""

MOST = 0.9
"""The fraction of rows whose predictions must be the same: those of a diverged model may differ."""

CHECKED_ROWS = 200
"""The number of test rows that are predicted again, to recognize them."""


def run_folders(path: Path) -> list[Path]:
    """Return the folders of the runs of a study, or the folder of a run itself.

    Raises
    ------
    FileError
        If there is no run.
    """
    if is_run(path):
        return [path]
    folders = sorted(each.parent for each in (path / RUNS).glob(f"*/{DESCRIPTION}"))
    if not folders and (path / MANIFEST).is_file():
        if is_run(path.parent):
            raise FileError(f"{path} is the model of a run: name the run, {path.parent}")
        raise FileError(f"{path} is a model without its run: name it alone, with --data")
    if not folders:
        raise FileError(f"{path} is neither the folder of a run nor that of a study")
    return folders


def read_run(path: Path, find_data: FindData, data: Splits | None = None) -> ReportedRun:
    """Return a run as far as its folder and its dataset are there.

    Parameters
    ----------
    path : Path
        A run folder.
    find_data : callable
        Returns the dataset that the description of the run names.
    data : Splits, optional
        The dataset, in place of the one that the run names.

    Raises
    ------
    FileError, ModelError
        If the folder holds no run, or its description is damaged.
    DataError
        If ``data`` was passed and is not the dataset of the run.
    """
    folder, missing = RunFolder.open(path), dict[str, str]()

    def part(name: str, read: Callable[[], Part]) -> Part | None:
        try:
            return read()
        except HandloomError:
            named = name.replace("_", " ")
            missing[name] = f"the folder of the run has no {named}, or one that is damaged."
            return None

    predictions = part("predictions", folder.predictions)
    run = ReportedRun(
        name=path.resolve().name,
        model=part("model", folder.model),
        best_model=part("best_model", folder.best_model) if (path / BEST_MODEL).is_dir() else None,
        history=part("history", folder.history),
        description=folder.description,
        results=part("results", folder.results) or {},
        probabilities=None if predictions is None else predictions.get("test"),
        frames=part("grid", folder.grid) if (path / GRID).is_file() else None,
        missing=missing,
    )
    return _with_rows(run, _recorded_fingerprint(path), find_data, data)


def _with_rows(
    run: ReportedRun, recorded: dict[str, Any] | None, find_data: FindData, data: Splits | None
) -> ReportedRun:
    """Return a run with the rows of its dataset, if that is there and is the same."""
    assert run.description is not None
    try:
        splits = _named(run.description, find_data) if data is None else data
        own = fingerprint(splits.train)
        _require_same(run, splits, own, recorded)
    except (HandloomError, OSError) as error:
        if data is not None:
            raise
        named = run.description.data
        shown = named if named in RESERVED else "its file" if is_table(named) else "its folder"
        reason = (
            f"the dataset was not found where the run names it ({shown}), or it has changed; pass "
            "--data to name it."
        )
        if isinstance(error, DataError) and str(error).startswith(_OTHER):
            reason = f"{error}."
        absent = {**run.missing, "test": reason, "train": reason}
        return replace(run, fingerprint=recorded, missing=absent)
    whole = replace(run, test=splits.test, train=splits.train, fingerprint=own)
    if run.probabilities is None and run.model is not None and run.classifies:
        again = _probabilities(run.model, splits.test)
        whole = replace(whole, probabilities=again)
    return whole


_OTHER = "the dataset is not that of the run"


def _named(description: RunDescription, find_data: FindData) -> Splits:
    return find_data(description.data, data_options_from_json(description.data_options))


def _require_same(
    run: ReportedRun, splits: Splits, own: dict[str, object], recorded: dict[str, Any] | None
) -> None:
    """Check that a dataset is that of a run: by fingerprint, shapes, and predictions again."""
    model, test = run.model, splits.test
    # rows held out for validation are not in the recorded fingerprint
    if recorded is not None and recorded.get("rows") == own["rows"] and recorded != own:
        raise DataError(f"{_OTHER} {run.name}: its training rows have another fingerprint")
    if model is not None:
        if test.class_names != (model.classes or model.class_names):
            raise DataError(f"{_OTHER} {run.name}: it has other classes")
        if test.input_shape != model.row_shape:
            raise DataError(f"{_OTHER} {run.name}: its rows have another shape")
    if run.probabilities is not None:
        if len(run.probabilities) != len(test):
            raise DataError(f"{_OTHER} {run.name}: it has another number of test rows")
        if model is not None and run.classifies:
            few = test.take(slice(CHECKED_ROWS))
            again = _probabilities(model, few)
            stored = run.probabilities[: len(few)]
            same = np.isclose(again, stored, rtol=0.0, atol=SAME, equal_nan=True).all(axis=1)
            if same.mean() < MOST:
                raise DataError(f"{_OTHER} {run.name}: the model predicts its test rows otherwise")
        if model is not None and run.predicts_values:
            few = test.take(slice(CHECKED_ROWS))
            again, stored = _values(model, few), run.probabilities[: len(few)]
            tolerance = SAME * float(np.nanstd(stored))
            if np.isclose(again, stored, rtol=SAME, atol=tolerance, equal_nan=True).mean() < MOST:
                raise DataError(f"{_OTHER} {run.name}: the model predicts its test rows otherwise")
        measured = run.results.get("test_accuracy")
        if isinstance(measured, float) and test.has_classes:
            correct = float(np.mean(run.probabilities.argmax(axis=1) == test.targets))
            if abs(correct - measured) > 0.5 / len(test):
                raise DataError(f"{_OTHER} {run.name}: its test rows have other classes")


def _probabilities(model: Model, data: Dataset) -> Array:
    """Return predictions, without a warning of those that are not finite: the page shows them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DivergenceWarning)
        return evaluate(model, data).probabilities


def _values(model: Model, data: Dataset) -> Array:
    """Return continuous predictions, without a warning of those that are not finite."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DivergenceWarning)
        regression = evaluate(model, data).regression
    assert regression is not None
    return regression.predictions


def _recorded_fingerprint(path: Path) -> dict[str, Any] | None:
    """Return the fingerprint of the training rows in the newest checkpoint, or None."""
    for file in sorted((path / CHECKPOINTS).glob("*/state-*.json"), reverse=True):
        try:
            recorded = read_json(file)["configuration"]["data"]
        except (HandloomError, OSError, LookupError, TypeError):
            continue
        if isinstance(recorded, dict):
            return recorded
    return None


def find_dataset(named: str, options: DataOptions) -> Splits:
    """Return the dataset with a name, or in a folder; nothing is downloaded.

    Raises
    ------
    DataError, FileError
        If it is not there.
    """
    if named in GENERATED:
        return GENERATED[named]()
    if named == NAME:
        return fashion_mnist(download=False)
    tell: Tell = lambda _: None  # noqa: E731 - the training has told it
    if isinstance(options, TableOptions):
        return read_splits(named, options, tell=tell)
    return read_folder(named, options=options, tell=tell)
