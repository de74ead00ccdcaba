"""The page of the results, and its tables in Markdown."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.statistics import CONFIDENCE, Interval, paired
from benchmarks.tables.comparison import OURS
from benchmarks.tables.contestants import CONTESTANTS
from benchmarks.tables.sources import Source
from handloom.cli.table_options import RUN_DEFAULTS
from handloom.data.table_options import TEST
from handloom.recipes.settings import Settings

SMALLER_IS_BETTER = ("MAE",)
OTHERS = ("scikit-learn, alike", "scikit-learn, defaults", "Handloom, embedded")
Results = dict[str, dict[str, Any]]
"""The results by the name of the table."""

PAGE = """# Tables beside scikit-learn

Six tables that installed packages ship, from the CSV file to predictions of raw rows: Handloom's
`open_table` and the network of `handloom train`, and scikit-learn's `MLPClassifier` and
`MLPRegressor` in a pipeline that prepares alike. `python -m benchmarks.tables --out
docs/performance` writes this page; `benchmarks/tables/requirements.txt` lists the packages. It
takes up to a quarter of an hour on a machine without other work, and goes on where it was
stopped. No table is in the repository; the files of results in `docs/performance/tables` have the
SHA-256 of each.

{machine}

## The tables

{sources}

Cars are predicted without their names and years, which are texts and dates, and rows without the
target are left out. The target of `fair` is made of its column `affairs` (above zero or not),
which is then left out; the two occupations are numbers that are read as categories. The target of
`diamonds` is skewed: no contestant transforms it but for standardization.

## The contestants

- **Handloom**: `open_table(..., seed=split)`, then the defaults of `handloom train` for tables:
  layers of {hidden} units with ReLU, Adam with a largest rate of {rate:g} that falls with the
  steps, batches of {batch_size}, {epochs} epochs. A tenth of the training rows is held out, and
  the final weights are those of the epoch with the lowest loss on them.
- **Handloom, embedded**: the same with `embed=True`, for tables with categories.
- **scikit-learn, alike**: `SimpleImputer(add_indicator=True)` and `StandardScaler` for numbers,
  `OneHotEncoder(handle_unknown="ignore")` for categories, `TransformedTargetRegressor` with
  `StandardScaler` for a regression; the same layers, optimizer, rate, batches and epochs, without
  a penalty. `early_stopping=True` holds out a tenth and keeps the weights with the best score on
  it; `n_iter_no_change` is the number of epochs, so that it does not stop. Its rate is constant.
- **scikit-learn, defaults**: the same pipeline, with the defaults of its network (100 units,
  batches of 200, a rate of 0.001, at most 200 epochs, a small L2 penalty, no rows held out).

These choices were made before any score was seen, and none was changed afterwards. All
contestants have the same training and test rows in each split, 80 and 20 %; the seed of the split
is that of the training too. Test rows are predicted raw, without their target. Each has one
thread.

## Scores

Means over the splits, with the standard deviation. The ROC AUC of several classes is the mean of
each against the rest; the mean absolute error (MAE) has the unit of the target.

{scores}

## Differences

Handloom's score minus the other's on the same split: the mean, with a {confidence:.0f} %
t-interval. The splits share their rows, so `1/n + 1/4` of the variance of the differences is in
place of `1/n` (Nadeau, Bengio, "Inference for the Generalization Error", Machine Learning 52,
2003). **Bold** differences have intervals without zero; about one in twenty would by chance alone.
The others are within noise, and say nothing about who is better. A table with a single split has no
interval.

{differences}

{verdict}

## Time

Processor seconds of a fit, from the CSV file to the fitted model: the median over the splits. The
table is read, prepared and trained on. Kernels were compiled and loaded before.

{times}

Handloom compiles a training in `auto` only where it is long enough, here that of `diamonds`; the
others run on NumPy. A step with `Embedding` is not compiled as a whole.

## The commands

On each table: `handloom data verify`, `train --report`, `evaluate`, `predict run new.csv --out
predictions.csv` and `summary`. New rows are each fifth row of the table, without its target. The
written predictions are compared with `Model.load(...).predict(frame)`.

{walks}

## What it does not show

A table has few test rows: of `wine` 36. The splits are of one table each, and the widened
intervals are about other rows of the same kind, not about other kinds of tables. Networks are one
choice for tables of this size; trees and linear models are not compared.
"""


def page(sources: Sequence[Source], results: Results) -> str:
    """Return the page of the tables that have results."""
    shown = [source for source in sources if source.name in results]
    settings = Settings(**RUN_DEFAULTS)
    return PAGE.format(
        machine=_machine(list(results.values())),
        sources=_sources(shown, results),
        hidden=" and ".join(map(str, settings.hidden)),
        rate=settings.peak_rate,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        scores=_scores(shown, results),
        confidence=100 * CONFIDENCE,
        differences=_differences(shown, results),
        verdict=_verdict(shown, results),
        times=_times(shown, results),
        walks=_walks(shown, results),
    )


def _machine(results: Sequence[dict[str, Any]]) -> str:
    """Return the machine and the versions of the results, in words."""
    first = results[0]
    versions = first["environment"]["versions"]
    packages: dict[str, str] = {}
    for each in results:
        packages |= each["packages"]
    listed = ", ".join(f"{name} {version}" for name, version in packages.items())
    load = max(each["load"] for each in results)
    shared = (
        f" Other work ran on the machine (a load of up to {load:.0f}), so that times are those of "
        "the processor, not of the clock."
        if load > first["environment"]["cores"]
        else ""
    )
    return (
        f"Measured on {first['environment']['cores']} cores ({first['processor']}), "
        f"{', '.join(first['environment']['blas'])}, Python {versions['python']}, "
        f"NumPy {versions['numpy']}, Numba {versions['numba']}, {listed}.{shared}"
    )


def _sources(sources: Sequence[Source], results: Results) -> str:
    rows = []
    for source in sources:
        table = results[source.name]["table"]
        target = f"{table['classes']} classes" if table["classes"] else "regression"
        cells = [source.name, source.kind, f"{table['rows']:,}", f"{table['columns']}", target]
        rows.append([*cells, source.package, source.data, source.license])
    head = ["table", "stands for", "rows", "columns", "target", "package", "data", "license"]
    return _table(head, rows, left=len(head))


def _scores(sources: Sequence[Source], results: Results) -> str:
    rows = []
    for source, runs, metric in _each(sources, results):
        cells = [source.name, metric, f"{len(runs)}"]
        for name in CONTESTANTS:
            values = [run[name][metric] for run in runs if name in run]
            spread = f" ± {_number(statistics.stdev(values))}" if len(values) > 1 else ""
            cells.append(f"{_number(statistics.mean(values))}{spread}" if values else "")
        rows.append(cells)
    return _table(["table", "score", "splits", *CONTESTANTS], rows, left=2)


def _differences(sources: Sequence[Source], results: Results) -> str:
    rows = []
    for source, runs, metric in _each(sources, results):
        better = "less is better" if metric in SMALLER_IS_BETTER else ""
        cells = [source.name, f"{metric} ({better})" if better else metric]
        for other in OTHERS:
            difference = _difference(runs, metric, other)
            cells.append("" if difference is None else _interval(difference))
        rows.append(cells)
    return _table(["table", "score", *(f"minus {name}" for name in OTHERS)], rows, left=2)


def _verdict(sources: Sequence[Source], results: Results) -> str:
    """Return the list of differences whose interval has no zero."""
    differences = _named_differences(sources, results, CONFIDENCE)
    share = (1.0 - CONFIDENCE) / max(1, len(differences))  # Bonferroni
    at_once = _named_differences(sources, results, 1.0 - share)
    within, within_at_once = (
        sum(difference.has_zero for difference, *_ in each) for each in (differences, at_once)
    )
    better: list[str] = []
    worse: list[str] = []
    for difference, metric, name in differences:
        if not difference.has_zero:
            side = better if (difference.mean > 0) != (metric in SMALLER_IS_BETTER) else worse
            side.append(name)
    lines = [
        f"Of {len(differences)} differences, {within} are within noise; by wider intervals, which "
        f"hold all at once with {100 * CONFIDENCE:.0f} % (Bonferroni), {within_at_once}."
    ]
    lines += [f"By single intervals, Handloom is better in: {'; '.join(better)}."] * bool(better)
    lines += [f"By single intervals, Handloom is worse in: {'; '.join(worse)}."] * bool(worse)
    return "\n\n".join(lines)


def _named_differences(
    sources: Sequence[Source], results: Results, confidence: float
) -> list[tuple[Interval, str, str]]:
    """Return the interval, the metric and the name of each difference."""
    return [
        (difference, metric, f"{metric} of `{source.name}`, to {other}")
        for source, runs, metric in _each(sources, results)
        for other in OTHERS
        if (difference := _difference(runs, metric, other, confidence)) is not None
    ]


def _times(sources: Sequence[Source], results: Results) -> str:
    rows = []
    for source in sources:
        runs = results[source.name].get("runs", [])
        cells = [f"{source.name}, {len(runs)} split{'s' * (len(runs) != 1)}"]
        for name in CONTESTANTS:
            taken = [run[name] for run in runs if name in run]
            if not taken:
                cells.append("")
                continue
            seconds = statistics.median(each["processor"] for each in taken)
            epochs = statistics.median(each["epochs"] for each in taken)
            cells.append(f"{seconds:.2f} ({epochs:.0f} epochs)")
        rows.append(cells)
    return _table(["table", *CONTESTANTS], rows)


def _walks(sources: Sequence[Source], results: Results) -> str:
    rows = []
    for source in sources:
        walked = results[source.name].get("walk")
        if walked is None:
            continue
        statuses = ", ".join(str(step["status"]) for step in walked["steps"])
        notes = [note for step in walked["steps"] for note in step["notes"]]
        same = "the same" if walked["agrees"] else "**differ**"
        told = "<br>".join(dict.fromkeys(notes)) or "none"
        rows.append([source.name, statuses, f"{walked['rows']:,}", same, told])
    head = ["table", "exit statuses", "new rows", "predictions in Python", "notes"]
    return _table(head, rows, left=5)


def _each(
    sources: Sequence[Source], results: Results
) -> Iterator[tuple[Source, list[dict[str, Any]], str]]:
    """Yield each table with its runs and each of its scores."""
    for source in sources:
        runs = results[source.name].get("runs", [])
        for metric in list(runs[0][OURS])[:2] if runs else ():
            yield source, runs, metric


def _difference(
    runs: list[dict[str, Any]], metric: str, other: str, confidence: float = CONFIDENCE
) -> Interval | None:
    """Return the interval of our scores minus another's; None if it did not take part."""
    if other not in runs[0] or len(runs) < 2:
        return None
    ours, theirs = ([run[name][metric] for run in runs] for name in (OURS, other))
    return paired(ours, theirs, TEST, confidence)


def _interval(interval: Interval) -> str:
    mean = _number(interval.mean, sign=True)
    shown = mean if interval.has_zero else f"**{mean}**"
    low, high = (_number(end, sign=True) for end in (interval.low, interval.high))
    return f"{shown} ({low} to {high})"


def _number(value: float, *, sign: bool = False) -> str:
    """Return a score with four decimals, or a large one with one."""
    decimals = 1 if abs(value) >= 10 else 4
    return f"{round(value, decimals) + 0.0:{'+' if sign else ''}.{decimals}f}"  # no negative zero


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *rows])
