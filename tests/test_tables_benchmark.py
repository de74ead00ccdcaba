"""The benchmark of tables: alike splits, honest intervals, and a walk through all commands."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import pandas as pd  # type: ignore[import-untyped]
from benchmarks.statistics import paired
from benchmarks.tables import comparison
from benchmarks.tables.__main__ import stored
from benchmarks.tables.comparison import compare, contestants_of
from benchmarks.tables.contestants import CONTESTANTS, Split
from benchmarks.tables.page import page
from benchmarks.tables.sources import FileOf, Source, of_scikit_learn, sources, wine
from benchmarks.tables.walk import walk

from handloom import open_table
from handloom.data.table_options import TableOptions

DOCS = Path(__file__).parent.parent / "docs"


def small(options: TableOptions) -> Source:
    """Return a table of 60 rows with a missing value, a category and two targets."""
    generator = np.random.default_rng(0)
    size, town = generator.normal(size=60), np.array(["Bern", "Thun", "Genf"])[np.arange(60) % 3]
    frame = pd.DataFrame({"size": size, "town": town, "code": np.arange(60) % 4, "price": 9 * size})
    frame["large"] = np.where(size > 0, "yes", "no")
    frame.loc[7, "size"], frame.loc[8, "price"] = np.nan, np.nan
    return Source("small", "", "", lambda: frame, options, "", "", embed=True)


REGRESSION = TableOptions(
    "price", drop=("large",), categorical=("code",), drop_missing_targets=True
)
CLASSES = TableOptions("large", drop=("price",))


def test_an_interval_is_that_of_correlated_splits() -> None:
    interval = paired([3.0, 1.0, 2.0], [0.0, 0.0, 0.0], test=0.25)
    width = 4.302652729911275 * (1 / 3 + 1 / 3) ** 0.5  # Student's t of two degrees of freedom
    assert interval == pytest.approx((2.0, 2.0 - width, 2.0 + width))
    assert interval.has_zero
    assert not paired([3.0, 3.1, 3.2], [0.0, 0.0, 0.0], test=0.2).has_zero


@pytest.mark.filterwarnings("ignore::handloom.DataWarning")
@pytest.mark.parametrize("options", [REGRESSION, CLASSES], ids=["regression", "classes"])
def test_the_raw_rows_of_a_split_are_those_of_open_table(
    tmp_path: Path, options: TableOptions
) -> None:
    path = small(options).write(tmp_path)
    for seed in (0, 1):
        split = Split.of(path, options, seed)
        ours = open_table(
            path,
            options.target,
            seed=seed,
            drop=options.drop,
            categorical=options.categorical,
            drop_missing_targets=options.drop_missing_targets,
        )
        assert ours.train.columns is not None
        for part, raw in ((ours.train, split.train), (ours.test, split.test)):
            np.testing.assert_array_equal(part.inputs, ours.train.columns.transform(raw))
        assert split.classes == (("no", "yes") if options is CLASSES else ())


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::handloom.DataWarning")
@pytest.mark.parametrize("options", [REGRESSION, CLASSES], ids=["regression", "classes"])
def test_contestants_learn_a_table_and_splits_are_not_fitted_twice(
    tmp_path: Path, options: TableOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "REST", 0.0)
    source = small(options)
    path = source.write(tmp_path)
    (runs,) = compare(source, path, [], most=1)
    for run in runs:
        assert list(run) == contestants_of(source) == list(CONTESTANTS)
        for scores in run.values():
            first = scores["ROC AUC" if options is CLASSES else "R^2"]
            assert 0.5 < first <= 1.0
            assert scores["epochs"] >= 50
    assert not list(compare(source, path, runs, most=1))


def test_a_package_that_is_missing_is_named() -> None:
    with pytest.raises(RuntimeError, match="package no-such-tables is not installed: pip install"):
        FileOf("no-such-tables", "data.csv")()
    with pytest.raises(RuntimeError, match="has no numpy/no-such-file: pip install"):
        FileOf("numpy", "numpy/no-such-file")()


def test_the_page_is_that_of_its_results() -> None:
    results = stored(DOCS / "performance")
    assert list(results) == [source.name for source in sources()]
    assert (DOCS / "performance/tables.md").read_text() == page(sources(), results)


def test_the_page_says_which_differences_are_beyond_noise() -> None:
    def run(shift: float) -> dict[str, Any]:
        scores = {"processor": 1.0, "epochs": 50}
        ours = {"accuracy": 0.9 + shift, "ROC AUC": 0.9 - shift, **scores}
        theirs = {"accuracy": 0.8 + shift, "ROC AUC": 0.9 + shift, **scores}
        return {"Handloom": ours, "scikit-learn, alike": theirs, "scikit-learn, defaults": theirs}

    results = json.loads((DOCS / "performance/tables/wine.json").read_text())
    results["runs"] = [run(0.01), run(-0.01), run(0.0)]
    text = page([wine()], {"wine": results})
    assert "**+0.1000** (+0.1000 to +0.1000)" in text
    assert "Of 4 differences, 2 are within noise; by wider intervals" in text
    assert "(Bonferroni), 2." in text
    assert "better in: accuracy of `wine`, to scikit-learn, alike; accuracy of `wine`" in text
    assert "is worse in" not in text
    results["load"], results["environment"]["cores"] = 0.5, 2
    assert "Other work ran" not in page([wine()], {"wine": results})


@pytest.mark.long
@pytest.mark.parametrize("source", of_scikit_learn(), ids=lambda source: source.name)
def test_the_commands_lead_from_a_real_table_to_predictions(source: Source, tmp_path: Path) -> None:
    walked = walk(source, tmp_path)
    assert [step.status for step in walked.steps] == [0] * 5, walked
    assert walked.agrees
    report = (tmp_path / "run/report.html").read_text()
    assert "Results at a glance" in report
    notes = "\n".join(note for step in walked.steps for note in step.notes)
    integers = {"digits": 10, "wine": 3}.get(source.name)
    assert ("read as classes" in notes) == (integers is not None)
    assert ("'pixel_0_0', 'pixel_4_0'" in notes) == (source.name == "digits")
    assert "error" not in notes.lower()
    assert "Traceback" not in notes
