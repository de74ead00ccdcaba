"""Every notebook of the documentation runs, and everything that it shows can be looked at."""

from pathlib import Path
from typing import Any

import pytest
from tests.helpers.notebooks import CELL, execute

NOTEBOOKS = Path(__file__).parent.parent / "docs" / "notebooks"
PAGES = sorted(page for page in NOTEBOOKS.glob("*.md") if page.stem != "README")
PICTURES = {
    "from-your-assignment": 8,
    "why-does-it-not-learn": 3,
    "from-keras-and-pytorch": 2,
    "from-scikit-learn": 0,  # its pictures are pyplot's
    "your-own-table": 5,
    "your-own-photos": 4,
}
"""The number of pictures of a notebook, those of other libraries aside."""

LONGEST = 500
"""The largest number of characters of an object that is shown as text."""


QUICK = ("why-does-it-not-learn", "your-own-table")
"""The notebooks that run in the default suite; the others take longer."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.stem, marks=() if page.stem in QUICK else pytest.mark.long)
        for page in PAGES
    ],
)
@pytest.mark.slow
def test_a_notebook_runs_and_shows_its_pictures(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    monkeypatch.chdir(NOTEBOOKS)
    matplotlib.use("agg")
    pictures = 0
    for output in execute(page):
        shown = output.shown
        if shown is None:
            continue
        assert " object at 0x" not in repr(shown), output.code
        if hasattr(shown, "_repr_png_") and type(shown).__module__.startswith("handloom"):
            pictures += 1
            assert shown._repr_png_()[0].startswith(b"\x89PNG"), output.code
        elif hasattr(shown, "_repr_html_"):
            assert shown._repr_html_(), output.code
        else:
            assert len(repr(shown)) < LONGEST, output.code
    assert pictures == PICTURES[page.stem]


NOTES = {
    "small = ": "is too small for Adam",
    "large = ": "is too large for Adam",
    "dead = ": "are dead",
    "deep = ": "The gradient vanishes",
    "saturated = ": "use smaller initial weights",
    "alike = ": "compute the same function",
    "table(columns)": "scale the input features",
    "sorted_rows = ": "sorted by class and not shuffled",
    "few = ": "seems to overfit",
}
"""A note of each training that a notebook breaks, by the code of its cell."""


@pytest.mark.slow
def test_each_broken_training_of_a_notebook_ends_in_a_note_that_names_the_cause() -> None:
    outputs = list(execute(NOTEBOOKS / "why-does-it-not-learn.md"))
    for code, note in NOTES.items():
        (printed,) = [each.printed for each in outputs if f"\n{code}" in f"\n{each.code}"]
        assert note in " ".join(printed.split()), code


def test_every_notebook_is_on_the_page_that_lists_them() -> None:
    listing = (NOTEBOOKS / "README.md").read_text()
    for page in PAGES:
        assert f"({page.name})" in listing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_opens_as_a_notebook(page: Path) -> None:
    jupytext: Any = pytest.importorskip("jupytext")
    nbformat: Any = pytest.importorskip("nbformat")
    notebook = jupytext.read(page)
    nbformat.validate(notebook)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert cells == [code.rstrip("\n") for code in CELL.findall(page.read_text())]
