"""TableTarget: the target column of a table, as classes or continuous values."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from handloom.data.cells import Cells, cells_of
from handloom.data.column_encoding import closed_object, text_list
from handloom.data.column_statistics import ColumnStatistics, require_finite
from handloom.data.notes import Tell
from handloom.data.table import Chunk
from handloom.data.text_index import TextIndex
from handloom.errors import (
    ConfigurationError,
    DataError,
    did_you_mean,
    require_known,
    require_number,
)
from handloom.text import listed

Task = Literal["classification", "regression"]

Scaling = Literal["standardize", "log", "divide"]

DOMAINS = {"log": "above 0", "divide": "0 or more"}
"""The targets that a scaling takes, if not all."""

SKEWNESS = 3.0
"""The skewness of positive targets above which their logarithm is suggested."""

FEW_INTEGERS = 20
"""The largest number of different integers that are classes, unless the task is regression."""

MAX_CLASSES = 1000
"""The largest number of classes that are read from a table."""


@dataclass(frozen=True)
class TableTarget:
    """The target of a table, learned from the training rows.

    Parameters
    ----------
    name : str
        The name of its column.
    task : {"classification", "regression"}
    classes : tuple of str
        The classes in their order.
    mean, scale : float
        The mean and the standard deviation of continuous targets, which are standardized for the
        training; of their logarithms, or 0 and their mean, if ``scaling`` says so.
    scaling : {"standardize", "log", "divide"}
        How continuous targets are scaled for the training: see `handloom.Dataset.from_frame`.
    average : float or None
        The mean of continuous targets of the training rows, in their own units; by default
        ``mean``.

    Raises
    ------
    ConfigurationError
        If a value is invalid.
    """

    name: str
    task: Task
    classes: tuple[str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0
    scaling: Scaling = "standardize"
    average: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ConfigurationError(f"the name of the target must be a text, got {self.name!r}")
        require_known("task", self.task, get_args(Task))
        require_number("mean of the target", self.mean)
        require_number("scale of the target", self.scale, minimum=0.0, exclusive=True)
        require_known("scaling of the target", self.scaling, get_args(Scaling))
        if self.average is not None:
            require_number("average of the target", self.average)
        texts = all(isinstance(each, str) for each in self.classes)
        if not texts or len(set(self.classes)) < len(self.classes):
            raise ConfigurationError("classes of the target must be different texts")
        if (self.task == "classification") != bool(self.classes):
            raise ConfigurationError(f"classes of the target do not fit the task {self.task}")

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, or of the only output."""
        return self.classes or (self.name,)

    @property
    def constant(self) -> float:
        """The mean of continuous targets in their own units, the best constant prediction."""
        return self.mean if self.average is None else self.average

    def cells(self, chunk: Chunk) -> Cells:
        """Return the cells of the target: a text that names a class is no missing value."""
        return cells_of(chunk.columns[self.name], self.classes)

    def values(self, chunk: Chunk, where: str = "") -> npt.NDArray[Any]:
        """Return the targets of rows: int64 classes, shape (n,), or standardized, shape (n, 1).

        Raises
        ------
        DataError
            If a target is missing, not a number, or a class that is unknown; naming the row.
        """
        cells, column = self.cells(chunk), f"{where}the target {self.name!r}"
        if cells.missing.any():
            row = int(cells.missing.argmax())
            raise DataError(f"{column} has no value in {chunk.row(row)}: {FILL}")
        if self.task == "regression":
            require_numbers(cells, self.name, chunk, where)
            self._require_domain(cells, chunk, column)
            with np.errstate(over="ignore"):  # infinity is refused with its row
                targets = self.scaled(cells.values).astype(np.float32)
            if not np.isfinite(targets).all():
                row = int(np.isfinite(targets).argmin())
                raise DataError(
                    f"{column} must be like those of the training rows, whose mean is "
                    f"{self.constant:g}, got {cells.values[row]:g} in {chunk.row(row)}"
                )
            return targets[:, None]
        index, texts = TextIndex(self.classes), cells.texts.tolist()
        labels = [index.get(text) for text in texts]  # 1.0 is the class 1
        if None in labels:
            row = labels.index(None)
            raise DataError(
                f"{column} is {texts[row]!r} in {chunk.row(row)}, no class of the training rows, "
                f"which are {', '.join(self.classes[:12])}.{did_you_mean(texts[row], self.classes)}"
            )
        return np.array(labels, np.int64)

    def _require_domain(self, cells: Cells, chunk: Chunk, column: str) -> None:
        """Refuse a target that has no logarithm, or is negative where targets are divided."""
        if self.scaling == "standardize":
            return
        bad = cells.values <= 0.0 if self.scaling == "log" else cells.values < 0.0
        if bad.any():
            row = int(bad.argmax())
            raise DataError(
                f"{column} must be {DOMAINS[self.scaling]} with target_scaling={self.scaling!r}, "
                f"got {cells.values[row]:g} in {chunk.row(row)}"
            )

    def scaled(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return continuous targets as those of the training, the reverse of `restore`."""
        values = np.log(values) if self.scaling == "log" else values
        return (values - self.mean) / self.scale

    def restore(self, outputs: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Return scaled targets in their own units; those of classes are unchanged."""
        if self.task == "classification":
            return outputs
        values = np.asarray(outputs, np.float64) * self.scale + self.mean
        with np.errstate(over="ignore"):  # a prediction may be infinite, and metrics show it
            return np.exp(values) if self.scaling == "log" else values

    def to_json(self) -> dict[str, Any]:
        """Return the target as a JSON object."""
        return {**asdict(self), "classes": list(self.classes)}

    @classmethod
    def from_json(cls, values: object) -> Self:
        """Return the target that `to_json` described.

        Raises
        ------
        ConfigurationError
            If a value is missing, unknown or invalid.
        """
        if isinstance(values, dict):  # of before there were several scalings
            values = {"scaling": "standardize", "average": None, **values}
        described = closed_object("the target", values, cls.__dataclass_fields__)
        return cls(**{**described, "classes": text_list("classes", described["classes"])})


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


FILL = "fill it in, or leave such rows out with drop_missing_targets=True (--drop-missing-targets)"


def learn_task(statistics: ColumnStatistics, task: Task | None, *, tell: Tell) -> Task:
    """Return the task: that of the user, or the one that the values of the target suggest.

    Raises
    ------
    DataError
        If the values do not fit the task.
    """
    name, distinct, kind = statistics.name, len(statistics.counts), statistics.kind
    if kind == "nothing":
        raise DataError(f"{statistics.where}the target {name!r} has no value in any row")
    if task == "regression" and kind == "category":
        bad = statistics.not_a_number or repr(next(iter(statistics.counts)))
        raise DataError(
            f"{statistics.where}the target {name!r} must hold numbers for a regression, got {bad}"
        )
    whole = kind == "number" and statistics.whole
    if task is None and whole:
        few = distinct <= _most_classes(statistics)
        task = "classification" if few else "regression"
        if few and distinct > 2:
            tell(
                f"the target {name!r} holds {distinct} different integers, which are read as "
                "classes: for continuous targets pass task='regression' (--task regression)"
            )
        elif not few:
            tell(
                f"the target {name!r} holds {distinct:,} different integers, which are read as "
                "continuous: for classes pass task='classification' (--task classification)"
            )
    if task is None and kind == "number" and (values := _few_whole(statistics)):
        tell(
            f"the target {name!r} holds {values} different floating-point numbers, all whole, "
            "which are read as continuous, as with task='regression': for classes pass "
            "task='classification' (--task classification)"
        )
    task = task or ("regression" if kind == "number" else "classification")
    if task == "classification":
        _check_classes(statistics)
    return task


def _few_whole(statistics: ColumnStatistics) -> int:
    """Return the number of different values if they are few and whole, as in 0.0 and 1.0; or 0.

    A frame has them where integers had missing values. Amounts lie farther from each other.
    """
    if statistics.high - statistics.low > FEW_INTEGERS or len(statistics.counts) > MAX_CLASSES:
        return 0
    values = set(map(float, statistics.counts))
    whole = all(value.is_integer() for value in values)
    return len(values) if whole and 1 < len(values) <= _most_classes(statistics) else 0


def _most_classes(statistics: ColumnStatistics) -> int:
    """Return the largest number of different whole numbers that may be classes."""
    return min(FEW_INTEGERS, max(2, statistics.present // 2))


def _check_classes(statistics: ColumnStatistics) -> None:
    name, distinct = statistics.name, len(statistics.counts)
    several = distinct > max(2, statistics.present // 2)
    if distinct > MAX_CLASSES or (statistics.kind == "category" and distinct > 10 and several):
        numeric = statistics.not_a_number and statistics.mostly_numbers()
        first = f"; the first that is no number is {statistics.not_a_number}" if numeric else ""
        raise DataError(
            f"{statistics.where}the target {name!r} holds {distinct:,} different values in "
            f"{statistics.present:,} rows, too many for classes{first}"
        )
    if distinct < 2:
        raise DataError(
            f"{statistics.where}the target {name!r} holds a single class, "
            f"{next(iter(statistics.counts))!r}: nothing can be learned"
        )


def learn_target(
    statistics: ColumnStatistics, task: Task, positive: str | None = None
) -> TableTarget:
    """Return the target of a table from the statistics of its training rows.

    Continuous targets are standardized.

    Parameters
    ----------
    statistics : ColumnStatistics
    task : {"classification", "regression"}
    positive : str, optional
        Of two classes, the one that becomes the second.

    Raises
    ------
    DataError
        If continuous targets are constant, or too large, or there is no such class of two.
    """
    if task == "classification":
        return TableTarget(statistics.name, task, _ordered(statistics, positive))
    if positive is not None:
        raise ConfigurationError(f"positive is for two classes, got {positive!r} for a regression")
    scale = statistics.scale
    if not scale or not math.isfinite(scale):
        raise DataError(
            f"{statistics.where}the target {statistics.name!r} must hold different numbers whose "
            f"standard deviation is finite, got {statistics.low:g} to {statistics.high:g}"
        )
    return TableTarget(statistics.name, task, (), statistics.mean, scale, average=statistics.mean)


def _ordered(statistics: ColumnStatistics, positive: str | None) -> tuple[str, ...]:
    """Return the classes in their order, with the positive one of two at the end."""
    classes = statistics.order()
    if positive is None:
        return classes
    if positive not in classes:
        raise DataError(
            f"{statistics.where}positive must be a class of the target {statistics.name!r}, "
            f"{listed(classes)}, got {positive!r}.{did_you_mean(positive, classes)}"
        )
    if len(classes) != 2:
        raise DataError(
            f"{statistics.where}positive is for two classes, but the target "
            f"{statistics.name!r} has {len(classes)}"
        )
    return tuple(sorted(classes, key=lambda name: name == positive))


def rescaled(
    target: TableTarget,
    scaling: Scaling,
    values: npt.NDArray[np.float64],
    where: str,
    *,
    tell: Tell,
) -> TableTarget:
    """Return a standardized continuous target in another scaling, and tell when it would help.

    Parameters
    ----------
    target : TableTarget
    scaling : {"standardize", "log", "divide"}
    values : array, shape (n,)
        The targets of the training rows.
    where : str
        The beginning of messages; see `Table`.
    tell : callable
        Called with a note about a positive target that is very skewed.

    Raises
    ------
    DataError
        If the scaling does not take a target.
    """
    low, name = float(values.min()), f"{where}the target {target.name!r}"
    if scaling == "standardize":
        if low > 0.0 and (skewness := _skewness(values)) > SKEWNESS:
            tell(
                f"{name} is positive and very skewed (skewness {skewness:.1f}, from {low:g} to "
                f"{values.max():g}): target_scaling='log' (--target-scaling log) trains on its "
                "logarithm, which often predicts better"
            )
        return target
    if low < 0.0 or (scaling == "log" and low == 0.0):
        raise DataError(
            f"{name} must be {DOMAINS[scaling]} with target_scaling={scaling!r} "
            f"(--target-scaling {scaling}), got {low:g}"
        )
    if scaling == "divide":
        return replace(target, mean=0.0, scale=target.constant, scaling=scaling)
    logarithms = np.log(values)
    mean, scale = float(logarithms.mean()), float(logarithms.std())
    return replace(target, mean=mean, scale=scale, scaling=scaling)


def _skewness(values: npt.NDArray[np.float64]) -> float:
    """Return the third standardized moment."""
    deviations = values - values.mean()
    spread = np.sqrt((deviations**2).mean())
    return float(((deviations / spread) ** 3).mean())


def require_numbers(cells: Cells, name: str, chunk: Chunk, where: str = "") -> None:
    """Refuse a column of texts, and infinity; numbers and booleans of a file may be mixed.

    Raises
    ------
    DataError
        Naming column and row.
    """
    no_number = np.isnan(cells.values) & ~cells.missing
    if cells.content in ("text", "date") and no_number.any():
        row = cells.not_a_number
        row = int((~cells.missing).argmax()) if row is None else row
        raise DataError(
            f"{where}column {name!r} must hold numbers, as in the training rows, got "
            f"{str(cells.texts[row])!r} in {chunk.row(row)}"
        )
    require_finite(cells, name, chunk, where)
