"""Figures that show themselves in a notebook, without pyplot.

The only file of this room that needs matplotlib when it is imported, since it has a subclass of its
figure; `handloom.plots.figure` imports it when a figure is made.
"""

import io

from matplotlib import style
from matplotlib.figure import Figure

SHARPNESS = 2
"""The pixels of the picture for each pixel of a notebook's page, for screens of high resolution."""

PAGE_DOTS_PER_INCH = 72
"""The pixels of a notebook's page for an inch of a figure: a point of a font is a pixel."""


class InlineFigure(Figure):
    """A figure of matplotlib that a Jupyter notebook shows when it is the value of a cell.

    Pyplot teaches notebooks to show figures when it is imported; this one is drawn without it. A
    format that is set for figures there, as by ``%config InlineBackend``, has precedence.
    """

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return the picture, and its width and height on the page, in pixels."""
        content = io.BytesIO()
        with style.context("default"):
            self.savefig(content, format="png", dpi=SHARPNESS * PAGE_DOTS_PER_INCH)
        across, high = (round(PAGE_DOTS_PER_INCH * side) for side in self.get_size_inches())
        return content.getvalue(), {"width": across, "height": high}

    def __repr__(self) -> str:
        across, high = self.get_size_inches()
        title = self.get_suptitle().partition("\n")[0]
        return (
            f"Figure({title!r}, {across:.1f} x {high:.1f} inches; "
            "save it with plots.save(figure, 'name.png'))"
        )
