"""The tables: files of installed packages, written as CSV when they are needed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pandas as pd  # type: ignore[import-untyped]
import sklearn.datasets

from handloom.data.table_options import TableOptions

REQUIREMENTS = "benchmarks/tables/requirements.txt"


@dataclass(frozen=True)
class Source:
    """A table, how it is used, and where it comes from.

    Attributes
    ----------
    name : str
    kind : str
        The kind of tables that it is an example of.
    package : str
        The distribution that has it.
    read : callable
        Returns the frame.
    options : TableOptions
        Those of a first look: target, columns to leave out, numbers that are categories.
    data, license : str
        Where the rows come from, and their license as their package states it.
    embed : bool
        Whether it has categories.
    splits : int
        The number of splits into training and test rows.
    """

    name: str
    kind: str
    package: str
    read: Callable[[], pd.DataFrame]
    options: TableOptions
    data: str
    license: str
    embed: bool = False
    splits: int = 10

    def write(self, folder: Path) -> Path:
        """Write the table as ``<name>.csv`` into a folder, and return its path."""
        path = folder / f"{self.name}.csv"
        self.read().to_csv(path, index=False)
        return path


@dataclass(frozen=True)
class FileOf:
    """A file that a distribution installs.

    Parameters
    ----------
    package : str
        The name of the distribution.
    path : str
        The path of the file, as seen from the folder of all packages.
    change : callable, optional
        Called with the frame.
    """

    package: str
    path: str
    change: Callable[[pd.DataFrame], pd.DataFrame] = field(default=lambda frame: frame)

    def __call__(self) -> pd.DataFrame:
        """Return the table, without importing the package.

        Raises
        ------
        RuntimeError
            If the package is not installed, or lacks the file.
        """
        try:
            path = Path(str(distribution(self.package).locate_file(self.path)))
        except PackageNotFoundError:
            raise RuntimeError(_advice(f"the package {self.package} is not installed")) from None
        if not path.is_file():
            raise RuntimeError(_advice(f"the installed {self.package} has no {self.path}"))
        if path.suffix == ".json":
            return self.change(pd.DataFrame(json.loads(path.read_text(encoding="utf-8"))))
        return self.change(pd.read_csv(path))


def _advice(problem: str) -> str:
    return f"{problem}: pip install --no-deps -r {REQUIREMENTS}"


def sources() -> list[Source]:
    """Return the six tables of the comparison."""
    return [
        Source(
            "penguins",
            "missing values and categories",
            "palmerpenguins",
            FileOf("palmerpenguins", "palmerpenguins/data/penguins.csv"),
            TableOptions("species"),
            'Horst, Hill, Gorman, "palmerpenguins: Palmer Archipelago (Antarctica) penguin data", '
            "2020",
            "CC0",
            embed=True,
        ),
        Source(
            "cars",
            "a regression with missing values, some of them targets",
            "vega_datasets",
            FileOf("vega_datasets", "vega_datasets/_data/cars.json"),
            TableOptions("Miles_per_Gallon", drop=("Name", "Year"), drop_missing_targets=True),
            'Donoho, Ramos, "PRIMDATA: Data Sets for Use with PRIM-H", 1982, from StatLib',
            "none stated; the package: MIT",
            embed=True,
        ),
        Source(
            "fair",
            "two classes of unequal size; numbers that are categories",
            "statsmodels",
            FileOf("statsmodels", "statsmodels/datasets/fair/fair.csv", _with_affair),
            TableOptions(
                "affair", drop=("affairs",), categorical=("occupation", "occupation_husb")
            ),
            'Fair, "A Theory of Extramarital Affairs", Journal of Political Economy 86, 1978',
            "with permission of the author; the package: BSD-3-Clause",
            embed=True,
        ),
        digits(),
        wine(),
        Source(
            "diamonds",
            "many rows; a skewed target; categories",
            "plotnine",
            FileOf("plotnine", "plotnine/data/diamonds.csv"),
            TableOptions("price"),
            "prices of diamonds, from ggplot2",
            "MIT",
            embed=True,
            splits=5,
        ),
    ]


def of_scikit_learn() -> list[Source]:
    """Return tables that need no further package, for tests."""
    return [
        digits(),
        wine(),
        _shipped(
            "breast_cancer",
            "two classes",
            'Wolberg, Street, Mangasarian, "Breast Cancer Wisconsin (Diagnostic)", UCI, 1995',
        ),
        _shipped(
            "diabetes",
            "a regression",
            'Efron, Hastie, Johnstone, Tibshirani, "Least Angle Regression", Annals of Statistics '
            "32, 2004",
        ),
    ]


def digits() -> Source:
    """Return small images of digits, a column for each pixel."""
    return _shipped(
        "digits",
        "ten classes; constant columns",
        'Alpaydin, Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998',
    )


def wine() -> Source:
    """Return the smallest table."""
    return _shipped("wine", "few rows", 'Aeberhard, Forina, "Wine", UCI, 1991')


def _shipped(name: str, kind: str, data: str) -> Source:
    """Return a table of scikit-learn, whose target is called ``target``."""
    read = partial(_frame_of, getattr(sklearn.datasets, f"load_{name}"))
    license = "CC BY 4.0 (UCI)" if "UCI" in data else "none stated; the package: BSD-3-Clause"
    return Source(name, kind, "scikit-learn", read, TableOptions("target"), data, license)


def _frame_of(load: Callable[..., Mapping[str, Any]]) -> pd.DataFrame:
    frame: pd.DataFrame = load(as_frame=True)["frame"]
    return frame


def _with_affair(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(affair=(frame["affairs"] > 0).map({True: "yes", False: "no"}))
