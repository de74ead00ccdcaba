"""The line of a progress bar: the most important parts first, as many as the width holds."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from handloom.text import printable
from handloom.training.history import EpochRecord

NAMES = {
    "validation_accuracy": ("validation accuracy", "val acc"),
    "accuracy": ("accuracy", "acc"),
    "validation_loss": ("validation loss", "val loss"),
    "loss": ("loss", "loss"),
}
"""The metrics that a trainer measures, each with its name and its short name."""

ORDER = ("acc", "loss", "val acc", "val loss")
"""The short names in the order in which they are written."""

TIMES = len(ORDER) + 1
"""The index of the times, after recorded metrics."""

LONGEST_NAME = 16
"""The most characters that are shown of the name of a recorded metric."""

LONGEST_LABEL = 24
BEFORE_THE_LABEL = 3
"""The number of parts that are more important than the label: a metric, the time, a metric."""

WIDTH = 6  # of a number
BARS, WIDEST_BAR = (3, 10), 40
"""The least columns of the bar beside the most important parts, and beside others; the most."""


@dataclass(frozen=True)
class Metric:
    """A metric of an epoch, as it is shown."""

    name: str
    short_name: str
    value: float

    def text(self, *, short: bool) -> str:
        """Return the name and the value."""
        return f"{self.short_name if short else self.name} {number(self.value):>{WIDTH}}"


def metrics_of(record: EpochRecord) -> list[Metric]:
    """Return the metrics of an epoch in the order of their importance.

    The accuracy or else the loss of validation rows is the first, if there is one.
    """
    values = {name: getattr(record, name) for name in NAMES}
    accuracy = "validation_accuracy" if record.validation_loss is not None else "accuracy"
    first = accuracy if values[accuracy] is not None else accuracy.replace("accuracy", "loss")
    order = dict.fromkeys([first, "loss", *NAMES])
    known = [(name, values[name]) for name in order if values[name] is not None]
    measured = [Metric(*NAMES[name], value) for name, value in known]
    names = {name: cut(name, LONGEST_NAME) for name in record.recorded}
    recorded = [Metric(names[name], names[name], value) for name, value in record.recorded.items()]
    return [*measured, *recorded]


def number(value: float) -> str:
    """Return a number of at most six characters."""
    size = abs(value)
    if not size or 1e-3 <= size < 10**WIDTH:
        fixed = (f"{value:.{digits}f}" for digits in (4, 3, 2, 1, 0))
        short = next((text for text in fixed if len(text) <= WIDTH), "")
        if short:
            return short
    scientific = (f"{value:.{digits}e}" for digits in (3, 2, 1, 0))
    compact = (
        text.replace("e+0", "e").replace("e+", "e").replace("e-0", "e-") for text in scientific
    )
    return next((text for text in compact if len(text) <= WIDTH), f"{value:.0f}")


def clock(seconds: float) -> str:
    """Return a duration in minutes and seconds, or in hours too."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@dataclass(frozen=True)
class Line:
    """The parts of a line that a width holds: text, a bar, and text after it."""

    before: str
    bar: int
    after: str


def layout(
    width: int,
    label: str,
    done: int,
    total: int,
    metrics: Sequence[Metric] = (),
    *,
    left: float | None = None,
    elapsed: float | None = None,
) -> Line:
    """Return the line of a bar for a width; the least important parts are left out until it fits.

    The order of importance is: epochs, bar, the first metric, the time left, the loss, the label,
    the other metrics, the time that has passed. Names are short unless all parts fit. The parts are
    written in the order accuracy, loss, those of validation rows, recorded metrics, times.

    Parameters
    ----------
    width : int
        The columns of the terminal.
    label : str
    done, total : int
        Numbers of epochs.
    metrics : sequence of Metric
        In the order of `metrics_of`.
    left, elapsed : float, optional
        Seconds.
    """
    label, epochs = cut(label, LONGEST_LABEL), f"{done:>{len(str(total))}}/{total}"
    for short in (False, True):
        parts = [(index_in_line(metric), metric.text(short=short)) for metric in metrics]
        if left is not None:
            parts.insert(1, (TIMES, f"{clock(left)} left"))
        if elapsed is not None:
            parts.append((TIMES + 1, f"{clock(elapsed)} passed"))
        whole = _line(width, [label, epochs], parts, BARS[1])
        if whole.bar:
            return whole
    line = _line(width, [epochs], [], BARS[0])
    first = parts[:BEFORE_THE_LABEL]
    wider = [_line(width, [epochs], first[: index + 1], BARS[0]) for index in range(len(first))]
    wider += [
        _line(width, [label, epochs], parts[:index], BARS[1])
        for index in range(len(first), len(parts) + 1)
    ]
    for each in wider:
        if not each.bar:
            break
        line = each
    return line


def index_in_line(metric: Metric) -> int:
    """Return the index of a metric in the line: training, validation, then recorded metrics."""
    return ORDER.index(metric.short_name) if metric.short_name in ORDER else len(ORDER)


def _line(width: int, before: Sequence[str], parts: Sequence[tuple[int, str]], least: int) -> Line:
    """Return a line whose bar has the columns that are left; without it if they are too few."""
    after = [text for _, text in sorted(parts, key=itemgetter(0))]
    start, end = "  ".join(filter(None, before)), "  ".join(after)
    bar = min(width - columns(f"{start} {end} "), WIDEST_BAR)
    if bar < least:
        return Line(cut(start, width), 0, "")
    return Line(f"{start} ", bar, f" {end}" if after else "")


def columns(text: str) -> int:
    """Return the number of columns of a text on a terminal."""
    return sum(map(_columns_of, text))


def cut(text: str, most: int) -> str:
    """Return a text as it is printed, cut off with an ellipsis at a number of columns."""
    text = printable(text[: 4 * most + 4])  # the rest of a long one is cut off anyway
    if columns(text) <= most:
        return text
    while text and columns(text) > most - 1:
        text = text[:-1]
    return f"{text}…" if most > 0 else ""


def _columns_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
