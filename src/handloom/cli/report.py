"""``handloom report``: one page about a run, or about several."""

import os
from dataclasses import replace
from functools import cache
from itertools import chain, count
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from handloom.cli.console import note, say, short
from handloom.cli.datasets import (
    RunData,
    dataset_for,
    load_dataset,
    options_of_run,
    refuse_options,
    with_image_options,
)
from handloom.cli.options import load_model
from handloom.cli.table_options import names_table
from handloom.data import ImageOptions, Splits
from handloom.files import MANIFEST
from handloom.reporting.reading import find_dataset, read_run, run_folders
from handloom.reporting.report import (
    check_page_file,
    report as report_on_model,
    report_of,
    report_of_several,
)
from handloom.reporting.run import ReportedRun
from handloom.secondary import Secondary
from handloom.training.run_folder import REPORT, RUNS, RunFolder, is_run

COMPARISON = "comparison.html"
"""The page of several runs, by default; an earlier one is kept."""

Runs = Annotated[
    list[Path], typer.Argument(metavar="RUN...", help="Run folders, or the folder of a study.")
]
File = Annotated[
    Path | None,
    typer.Option(
        help="The file of the page, .html; an earlier page is replaced.",
        show_default=f"{REPORT} in the folder of the run; for several, {COMPARISON} beside them",
    ),
]


@with_image_options
def report(runs: Runs, options: ImageOptions, out: File = None, data: RunData = None) -> None:
    """Write one page that shows a run, or compares several.

    The page is one file that opens without a network. Examples:

    handloom report runs/train-1

    handloom report runs/train-1 runs/train-2

    handloom report my-model --data new.csv
    """
    if out is not None:
        check_page_file(out)
    if data is not None and len(runs) == 1 and _is_model(runs[0]):
        file = _write_of_model(runs[0], out, data, options)
        say(f"Wrote the page about {runs[0]} to {short(file)}")
        _say_address(file)
        return
    if data is None:
        refuse_options(options, None)
    file = _write(runs, out, None if data is None else _named_data(runs, data, options))
    say(f"Wrote the page about {', '.join(map(str, runs))} to {short(file)}")
    _say_address(file)


def _is_model(folder: Path) -> bool:
    """Return whether a folder is that of a model without a run."""
    return not is_run(folder) and (folder / MANIFEST).is_file()


def _write_of_model(folder: Path, out: Path | None, data: str, options: ImageOptions) -> Path:
    """Write the page about a model without its training, beside its folder; return its path."""
    model = load_model(folder)
    splits = dataset_for(folder, model, data, options)
    whole = folder.resolve()
    file = whole.with_name(f"{whole.name}-{REPORT}") if out is None else out
    return report_on_model(model, splits.test, title=whole.name).save(file)


def _named_data(runs: list[Path], data: str, options: ImageOptions) -> Splits:
    """Return the named dataset; a table is split as that of the first run."""
    if names_table(data):
        refuse_options(options, data)
        first = RunFolder.open(run_folders(runs[0])[0])
        return load_dataset(data, options_of_run(first.description))
    return load_dataset(data, options)


def say_report(folder: Path, splits: Splits) -> None:
    """Write the page about a run or a study that has just ended, and print its address.

    If it cannot be made, a note says so: the training and its results are saved.
    """
    written: list[Path] = []
    runs = [] if is_run(folder) else run_folders(folder)
    for run in runs if len(runs) > 1 else []:  # the page of the study links to theirs
        with Secondary(f"{run / REPORT} is not written", then="", tell=note):
            _write([run], None, splits)
    with Secondary(f"{folder / REPORT} is not written", then="", tell=note):
        written.append(_write([folder], None, splits))
    for file in written:
        _say_address(file)


def _write(paths: list[Path], out: Path | None, splits: Splits | None) -> Path:
    """Write the page about runs, and return its path."""
    folders = [folder for path in paths for folder in run_folders(path)]
    find = cache(find_dataset)  # runs may share a dataset
    file = _default_file(paths) if out is None else out
    runs = [_with_page(read_run(folder, find, splits), folder, file) for folder in folders]
    for reason in dict.fromkeys(run.missing["test"] for run in runs if "test" in run.missing):
        note(f"the page lacks the test rows: {reason}")
    page = report_of(runs[0]) if len(runs) == 1 else report_of_several(runs)
    return page.save(file)


def _default_file(paths: list[Path]) -> Path:
    """Return the file of a page in the folder of a run, or beside those of several."""
    if len(paths) == 1:
        return paths[0] / REPORT
    file = paths[0].resolve().parent / COMPARISON
    numbered = (file.with_stem(f"{file.stem}-{number}") for number in count(2))
    return next(each for each in chain([file], numbered) if not each.exists())


def _with_page(run: ReportedRun, folder: Path, file: Path) -> ReportedRun:
    """Return a run with the address of its own page, if that is below the page of a study."""
    own = folder / REPORT
    if folder.resolve().parent != file.resolve().parent / RUNS or not own.is_file():
        return run
    return replace(run, page=f"{RUNS}{quote(os.fsencode(folder.name), safe='')}/{REPORT}")


def _say_address(file: Path) -> None:
    say(f"report: {file.resolve().as_uri()}")
