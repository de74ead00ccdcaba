"""The tables of ``docs/records.md``: looks of the protocol, and the results before it."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.goals import ACCURACIES
from benchmarks.records.log import Entry
from benchmarks.statistics import binomial_error, deviation, interval, paired
from handloom.files import write_text

HEAD = (
    "| recipe | goal | mean ± deviation | seeds | 95 % interval of the mean | binomial error "
    "| seconds | minus PyTorch, same seeds |\n|---|---|---|---|---|---|---|---|"
)
NOTHING_YET = "No recipe has been looked at under this protocol yet."
NO_CHOICE_YET = "No choice has been made under this protocol yet."
CHOICES_HEAD = (
    "| recipe | compared with the recipe as it is | seeds | difference, points | chosen |\n"
    "|---|---|---|---|---|"
)
TEST_ROWS = 10_000


def row(
    recipe: str,
    accuracies: Sequence[float],
    seconds: float,
    theirs: Sequence[float] | None,
    test_rows: int = TEST_ROWS,
) -> str:
    """Return a row of the table: figures in percent, differences in points."""
    percent = [100 * accuracy for accuracy in accuracies]
    mean, low, high = interval(percent)
    error = 100 * binomial_error(mean / 100, test_rows)
    spread, ends = f"± {deviation(percent):.2f}", f"{low:.2f} to {high:.2f}"
    if len(percent) < 2:
        spread, ends = "± ?", "unknown"
    difference, shown = "not run", f"{float(f'{seconds:.3g}'):,g}"  # three digits, no exponent
    if theirs is not None and len(theirs) < 2:
        difference = f"{100 * (accuracies[0] - theirs[0]):+.2f} (1 seed)"
    elif theirs is not None:
        each = paired(percent, [100 * accuracy for accuracy in theirs])
        difference = f"{each.mean:+.2f} ({each.low:+.2f} to {each.high:+.2f})"
    return (
        f"| `{recipe}` | {ACCURACIES[recipe]:g} % | **{mean:.2f} % {spread}** | {len(percent)} "
        f"| {ends} | {error:.2f} | {shown} | {difference} |"
    )


def looks_table(entries: Iterable[Entry], data: str) -> str:
    """Return the newest look of each recipe at a dataset."""
    looks = [look for look in entries if look["kind"] == "look" and look["data"] == data]
    newest = {look["recipe"]: look for look in looks}
    if not newest:
        return NOTHING_YET
    rows = []
    for name in [name for name in ACCURACIES if name in newest]:
        look = newest[name]
        theirs = look["torch"]["accuracies"] if look["torch"] else None
        seconds = statistics.median(look["seconds"])
        rows.append(row(name, look["accuracies"], seconds, theirs, look["test_rows"]))
    return "\n".join([HEAD, *rows])


def choices_table(entries: Iterable[Entry], data: str) -> str:
    """Return the newest choice of each recipe on a dataset, a line for each candidate."""
    choices = [each for each in entries if each["kind"] == "choice" and each["data"] == data]
    newest = {choice["recipe"]: choice for choice in choices}
    lines = []
    for name in [name for name in ACCURACIES if name in newest]:
        choice = newest[name]
        if choice["chosen"] is None:
            lines.append(f"| `{name}` | nothing | - | - | as it is: {choice['reason']} |")
            continue
        for label, difference in choice["differences"].items():
            mean, low, high = (100 * each for each in difference)
            lines.append(
                f"| `{name}` | {label} | {len(choice['seeds'])} | {mean:+.2f} ({low:+.2f} to "
                f"{high:+.2f}) | {choice['chosen']} |"
            )
    return "\n".join([CHOICES_HEAD, *lines]) if lines else NO_CHOICE_YET


def earlier_table(results: Mapping[str, Any]) -> str:
    """Return the results of `benchmarks.recipes`, measured before the protocol."""
    rows = []
    for name in [name for name in ACCURACIES if name in results]:
        ours, torch = results[name]["handloom"], results[name].get("torch")
        theirs = torch["accuracies"] if torch else None
        rows.append(row(name, ours["accuracies"], ours["seconds"], theirs))
    return "\n".join([HEAD, *rows])


def between(text: str, mark: str) -> str:
    """Return the part of a page between a mark and its end."""
    return text.partition(f"<!-- {mark} -->\n")[2].partition(f"<!-- end of {mark} -->")[0].strip()


def write(page: Path, tables: Mapping[str, str]) -> None:
    """Write tables between their marks."""
    text = page.read_text()
    for mark, table in tables.items():
        before, start, rest = text.partition(f"<!-- {mark} -->\n")
        _, end, after = rest.partition(f"<!-- end of {mark} -->")
        if not end:
            raise ValueError(f"{page} has no part marked {mark!r}")
        text = f"{before}{start}{table}\n{end}{after}"
    write_text(page, text)
