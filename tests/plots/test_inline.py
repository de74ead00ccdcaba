"""A figure shows itself in a notebook, though pyplot is not imported, and stays a real figure."""

import copy
import io
import pickle
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from tests.plots.helpers import curves, dataset, falling, history

from handloom import plots
from handloom.plots.figure import drawing
from handloom.plots.inline import InlineFigure

CODE = """
import sys
from handloom import plots, silhouettes
figure = plots.samples(silhouettes(rows=30, test_rows=10).train, per_class=1)
png, _ = figure._repr_png_()
assert png.startswith(b"\\x89PNG")
assert "matplotlib.pyplot" not in sys.modules
"""


@pytest.mark.slow
def test_it_needs_no_pyplot() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True)


def test_the_picture_is_the_one_that_is_saved() -> None:
    figure = curves(history(falling(5), validated=True))
    assert isinstance(figure, InlineFigure)
    png, size = figure._repr_png_()
    saved = io.BytesIO()
    with drawing():
        figure.savefig(saved, format="png", dpi=144)
    pixels = np.asarray(Image.open(io.BytesIO(png)))
    np.testing.assert_array_equal(pixels, np.asarray(Image.open(saved)))
    assert size == {"width": pixels.shape[1] // 2, "height": pixels.shape[0] // 2}


def test_it_is_a_figure_that_can_be_copied_and_pickled() -> None:
    figure = plots.samples(dataset())
    assert isinstance(figure, InlineFigure)
    assert isinstance(figure, Figure)
    for other in (pickle.loads(pickle.dumps(figure)), copy.deepcopy(figure)):  # noqa: S301
        assert isinstance(other, InlineFigure)
        assert other._repr_png_() == figure._repr_png_()
    figure.axes[0].set_title("mine")


def test_its_text_says_how_to_save_it() -> None:
    shown = repr(plots.samples(dataset()))
    assert shown.startswith("Figure('pets-3: samples', ")
    assert "plots.save(figure, 'name.png')" in shown
