"""The style of all figures, and saving them to files.

The colors are the color-blind safe palette of Okabe and Ito; line styles and markers differ too,
for prints in gray.
"""

import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from handloom.data.pictures import Images
from handloom.errors import ConfigurationError, MissingExtraError
from handloom.files import write_bytes
from handloom.plots.fonts import LONGEST_LINE, families, fitted, legible, shortened, width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LineStyle = str | tuple[int, tuple[int, ...]]

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
COLORS = (BLUE, VERMILLION, GREEN, PURPLE, "#E69F00", "#56B4E9", "#000000")
LINES: tuple[LineStyle, ...] = ("-", (0, (6, 2)), (0, (6, 2, 1, 2)), (0, (2, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DARK, GRAY, PALE, LIGHT = "#222222", "#666666", "#AAAAAA", "#DDDDDD"
SMALL, MEDIUM, LARGE = 12, 14, 18
EDGE = 0.12
"""The margin of a figure in inches."""

LINE = 1.3 / 72
"""The height of a line of text in inches for each point of the font's size."""

SETTINGS = {
    "font.size": MEDIUM,
    "axes.labelsize": MEDIUM,
    "axes.edgecolor": GRAY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "text.color": DARK,
    "axes.labelcolor": DARK,
    "figure.constrained_layout.w_pad": EDGE,
    "figure.constrained_layout.h_pad": EDGE,
    "text.parse_math": False,  # dollar signs in class names are text
}
FORMATS = (".png", ".pdf", ".svg")
DOTS_PER_INCH = 150
UNNAMED = "unnamed"
"""The name of a dataset without a name, which is left out."""

LONGEST = 40
"""The largest number of characters of a class name that are drawn."""


def color_of(index: int) -> str:
    """Return the color of a class."""
    return COLORS[index % len(COLORS)]


def marker_of(index: int) -> str:
    """Return the marker of a class; of 49 classes no two have the same color and marker."""
    return MARKERS[(index + index // len(COLORS)) % len(MARKERS)]


@contextmanager
def drawing(*names: str) -> Iterator[None]:
    """Draw with the settings of this module, and restore the user's afterwards.

    Parameters
    ----------
    names : str
        The names to draw, of the user's data; the fonts contain their characters if the machine
        has such fonts.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    ConfigurationError
        If it refuses its settings.
    """
    try:
        from matplotlib import style
    except ImportError:
        raise MissingExtraError("matplotlib", "cli", "drawing pictures") from None
    except (ValueError, RuntimeError, OSError) as error:  # of MPLBACKEND, or of a damaged file
        raise ConfigurationError(f"matplotlib cannot be used: {error}") from None
    with style.context(["default", {**SETTINGS, "font.family": families(names)}]):
        yield


def new_figure(across: float, high: float, *title: str, placed: bool = False) -> "Figure":
    """Return an empty figure with a size in inches and a title, which may have several lines.

    The title is as large as the figure allows; a very long line is cut in the middle. If not
    ``placed`` with `add_panel`, panels are laid out by matplotlib, which leaves too little space
    for the labels of panels whose sides have a fixed ratio, those of images.
    """
    from handloom.plots.inline import InlineFigure  # loads matplotlib

    figure = InlineFigure(figsize=(across, high), layout=None if placed else "constrained")
    lines, room = list(map(legible, title)), across - 0.4
    size = max(SMALL, LARGE * min(1.0, room / widest(lines, LARGE)))
    text = "\n".join(fitted(line, room, size) for line in lines)
    figure.suptitle(text, fontsize=size, **({"y": 1 - EDGE / high} if placed else {}))
    return figure


def headline(dataset: str, title: str) -> str:
    """Return the title of a figure: the name of the dataset, if it has one, and the title."""
    return title if dataset in ("", UNNAMED) else f"{dataset}: {title}"


def add_panel(figure: "Figure", left: float, top: float, across: float, high: float) -> "Axes":
    """Return a new panel at distances in inches from the left and upper edge of a figure."""
    x, y = figure.get_size_inches()
    return figure.add_axes((left / x, 1 - (top + high) / y, across / x, high / y))


def class_labels(
    class_names: Sequence[str],
    inches: float = math.inf,
    size: float = MEDIUM,
    *,
    longest: int = LONGEST,
    indices: Iterable[int] | None = None,
) -> list[str]:
    """Return the names as they are drawn; long ones, which would leave no space, are cut.

    Names that become equal have the index of their class in front, to tell them apart.

    Parameters
    ----------
    class_names : sequence of str
    inches, size : float
        The largest width of a name, and the size of its font in points.
    longest : int
        The largest number of characters of a name.
    indices : iterable of int, optional
        The indices of the classes; by default their order.
    """

    def cut(name: str) -> str:
        return fitted(shortened(legible(name), longest), inches, size)

    labels = [cut(name) for name in class_names]
    counts = Counter(labels)
    numbered = zip(range(len(labels)) if indices is None else indices, class_names, strict=True)
    return [
        label if counts[label] == 1 else cut(f"{index}: {name}")
        for label, (index, name) in zip(labels, numbered, strict=True)
    ]


def widest(labels: Sequence[str], size: float) -> float:
    """Return the width of the widest label in inches."""
    return max((width(shortened(label, LONGEST_LINE), size) for label in labels), default=0.01)


def show(panel: "Axes", pixels: Images) -> None:
    """Show gray or RGB pixels in a panel without frame and ticks.

    By default matplotlib enlarges small images by nearest neighbor, and interpolates larger ones.
    """
    panel.imshow(pixels, cmap="gray", vmin=0, vmax=255)
    bare(panel)


def bare(panel: "Axes") -> None:
    """Remove frame and ticks of a panel that shows an image."""
    panel.spines[:].set_visible(False)
    panel.set_xticks([])
    panel.set_yticks([])


def save(figure: "Figure", path: str | Path) -> None:
    """Save a figure to a file, replacing an existing one atomically.

    Parameters
    ----------
    figure : Figure
        A figure of the other functions.
    path : path
        The file, which ends in ``.png``, ``.pdf`` or ``.svg``; its folder must exist.

    Raises
    ------
    ConfigurationError
        If the file ends in anything else.
    FileError
        If the file cannot be written.
    """
    content, suffix = io.BytesIO(), Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise ConfigurationError(
            f"a picture must be a file that ends in {', '.join(FORMATS)}, got {str(path)!r}"
        )
    with drawing():
        figure.savefig(content, format=suffix[1:], dpi=DOTS_PER_INCH)
    write_bytes(Path(path), content.getvalue())
