"""``handloom report``: one page about a run, or about several."""

from pathlib import Path
from typing import Annotated

import typer

from handloom.cli.console import note, say, short
from handloom.cli.options import Data, load_dataset
from handloom.reporting.reading import find_dataset, read_run, run_folders
from handloom.reporting.report import report_of, report_of_several

REPORT = "report.html"
"""The name of the page in the folder of a run."""

Runs = Annotated[
    list[Path], typer.Argument(metavar="RUN...", help="Run folders, or the folder of a study.")
]
File = Annotated[
    Path | None,
    typer.Option(help="The file of the page.", show_default=f"{REPORT} in the folder of the run"),
]


def report(runs: Runs, out: File = None, data: Data = None) -> None:
    """Write one page that shows a run, or compares several.

    The page is one file that opens without a network. Examples:

    handloom report runs/train-1

    handloom report runs/train-1 runs/train-2 --out comparison.html
    """
    say(f"file: {short(write_report(runs, out, data))}")


def write_report(runs: list[Path], out: Path | None = None, data: str | None = None) -> Path:
    """Write the page about runs, and return its path."""
    folders = [folder for path in runs for folder in run_folders(path)]
    splits = None if data is None else load_dataset(data)
    read = [read_run(folder, find_dataset, splits) for folder in folders]
    for reason in dict.fromkeys(run.missing["test"] for run in read if "test" in run.missing):
        note(f"the page lacks images: {reason}")
    page = report_of(read[0]) if len(read) == 1 else report_of_several(read)
    return page.save(runs[0] / REPORT if out is None else out)
