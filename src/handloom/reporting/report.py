"""Report: the page about a run, several runs, or a model, and its file."""

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from pathlib import Path

from handloom.arguments import shows_call
from handloom.data.dataset import Dataset, Splits
from handloom.errors import require_instance
from handloom.files import FileError, make_folder, write_text
from handloom.model import Model
from handloom.reporting.page import BEGINNING, Page
from handloom.reporting.registry import comparison_of, kind_of
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.sections.study import in_order, is_study
from handloom.training.callbacks import GridPredictions
from handloom.training.datasets import require_model
from handloom.training.evaluation import evaluate
from handloom.training.history import History

HEIGHT = 720
"""The height of a report in a notebook, in pixels."""


class Report:
    """A report: one HTML page, complete in itself, which loads nothing.

    A notebook shows it inline.

    Attributes
    ----------
    html : str
        The page.
    """

    def __init__(self, page: Page) -> None:
        self.html = page.html()

    def save(self, path: str | Path) -> Path:
        """Write the page to a file, replacing an earlier page, and return its absolute path.

        Parameters
        ----------
        path : path
            A file with the suffix ``.html``.

        Raises
        ------
        FileError
            If it cannot be written, has another suffix, or is there and no page of Handloom.
        """
        file = Path(path).absolute()
        check_page_file(file)
        make_folder(file.parent)
        write_text(file, self.html)
        return file

    def _repr_html_(self) -> str:
        """Return the page in a frame, so that its styles and scripts stay in it."""
        return (
            f'<iframe srcdoc="{escape(self.html)}" sandbox="allow-scripts" title="Handloom report" '
            f'width="100%" height="{HEIGHT}" frameborder="0"></iframe>'
        )

    def __repr__(self) -> str:
        return f"Report({len(self.html):,} characters; save it with .save('page.html'))"


def check_page_file(file: Path) -> None:
    """Check that a page may be written to a file: a new one, or an earlier page.

    Raises
    ------
    FileError
        If it has another suffix than ``.html``, or is there and no page of Handloom.
    """
    if file.suffix.lower() != ".html":
        raise FileError(f"the file of a page must have the suffix .html, got {file}")
    if file.exists() and not _is_page(file):
        raise FileError(
            f"{file} exists and is no page of Handloom, which alone would be replaced: remove it, "
            "or name a new file"
        )


def _is_page(file: Path) -> bool:
    """Return whether a file begins as a page does."""
    try:
        if not file.is_file():  # reading a pipe could block forever
            return False
        with file.open("rb") as opened:
            return opened.read(len(BEGINNING)) == BEGINNING.encode()
    except OSError as error:
        raise FileError(f"cannot read {file}: {error.strerror}") from None


@shows_call("report(trainer.model(), data, history), with the rows to show predictions of as data")
def report(
    model: Model,
    data: Dataset | Splits,
    history: History | None = None,
    *,
    title: str | None = None,
    grid: GridPredictions | None = None,
) -> Report:
    """Return a report about a model: one page that shows its training and its predictions.

    Parameters
    ----------
    model : Model
    data : Dataset or Splits
        The rows to show predictions of: a dataset, or the test part of one with its training part.
    history : History, optional
        The history of the training, for curves; `Trainer.fit` returns it.
    title : str, optional
        The name in the heading; by default that of the dataset.
    grid : GridPredictions, optional
        The callback that recorded the training of one or two inputs, for the decision boundary or
        the curve over the epochs.

    Returns
    -------
    Report

    Raises
    ------
    ConfigurationError
        If an argument has another type.
    DataError, ModelError
        If the rows do not fit the model.
    """
    require_model(model)
    if not isinstance(data, Splits):
        require_instance("data", data, Dataset)
    if history is not None:
        require_instance("history", history, History)
    if grid is not None:
        require_instance("grid", grid, GridPredictions)
    test = data.test if isinstance(data, Splits) else data
    train = data.train if isinstance(data, Splits) else None
    run = ReportedRun(
        name=title or test.name,
        model=model,
        history=history,
        test=test,
        train=train,
        frames=None if grid is None else grid.frames,
    )
    model.check_rows(test.inputs)
    if not run.classifies and not run.predicts_values:
        return report_of(run)
    measured = evaluate(model, test)
    results = {"test_loss": measured.loss}
    if not run.classifies:
        return report_of(replace(run, results=results))
    results["test_accuracy"] = measured.accuracy
    if measured.binary is not None:
        results["test_roc_auc"] = measured.binary.roc_auc
    return report_of(replace(run, results=results, probabilities=measured.probabilities))


def report_of(run: ReportedRun) -> Report:
    """Return the report of one run."""
    made = [make(run) for make in kind_of(run).sections]
    thumbnails = run.thumbnails
    return Report(
        Page(
            title=f"Training report: {run.name}",
            lead=_lead(run),
            sections=[each for each in made if isinstance(each, Section)],
            omissions=[each for each in made if isinstance(each, Omission)],
            definitions=None if thumbnails is None else thumbnails.definitions(),
        )
    )


def report_of_several(runs: Sequence[ReportedRun]) -> Report:
    """Return the report that compares several runs."""
    study = is_study(runs)
    runs = _distinct(in_order(runs) if study else runs)
    made = [make(runs) for make in comparison_of(runs)]
    return Report(
        Page(
            title="The reference study" if study else f"Comparison of {len(runs)} runs",
            lead=_lead(runs[0]),
            sections=[each for each in made if isinstance(each, Section)],
            omissions=[each for each in made if isinstance(each, Omission)],
        )
    )


def _distinct(runs: Sequence[ReportedRun]) -> list[ReportedRun]:
    """Return runs whose names differ, as those of folders in several places may not."""
    names: dict[str, int] = {}
    distinct = []
    for run in runs:
        names[run.name] = count = names.get(run.name, 0) + 1
        distinct.append(run if count == 1 else replace(run, name=f"{run.name} ({count})"))
    return distinct


def _lead(run: ReportedRun) -> str:
    return f"Trained on {run.dataset}. Everything on this page is in this one file."
