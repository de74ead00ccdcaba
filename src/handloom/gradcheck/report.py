"""The report of a gradient check, and its table."""

from dataclasses import dataclass

from handloom.markup import element, render, table as html_table
from handloom.text import listed, printable

DIRECTIONS = 4
"""The number of random directions per array in the fast mode."""

OK, TINY, WRONG = "ok", "ok, tiny", "WRONG"
UNDECIDED, NOT_FINITE, NOT_WRITTEN = "undecided", "not finite", "not written"
EXPLANATIONS = {
    WRONG: "backward and the differences of forward disagree",
    UNDECIDED: "at every step, most differences met a kink (a max or ReLU that changes side) or "
    "were below rounding; this is no error found: fewer rows have fewer kinks (--rows 2)",
    NOT_FINITE: "the gradient must be finite, got NaN or infinity",
    NOT_WRITTEN: "backward must write every entry of gradients[name], with [...] = and not with +=",
}
#: The columns of the printed table.
COLUMNS = (
    "array",
    "shape",
    "|analytic|",
    "|numeric|",
    "error",
    "worst entry",
    "analytic",
    "numeric",
    "kinks",
    "verdict",
)


@dataclass(frozen=True)
class Entry:
    """One entry of a gradient: its index, its analytic value, and its numeric value."""

    index: tuple[int, ...]
    analytic: float
    numeric: float


@dataclass(frozen=True)
class ArrayCheck:
    """The check of the gradient of one array.

    Attributes
    ----------
    name : str
        The array's name; ``"input"`` for a layer's input, ``"predictions"`` for a loss's.
    shape : tuple of int
        Its shape.
    analytic, numeric : float
        The norm of the gradient by backward, and by differences; in the fast mode estimated from
        projections on random directions.
    error : float
        ``|a - n| / max(|a|, |n|, floor)`` in the 2-norm, over entries or over projections. An
        ``|a - n|`` of the floor times the tolerance, `RESOLUTION` times the function's value for
        each entry, is rounding.
    worst : Entry or None
        The checked entry with the largest difference.
    compared : int
        The number of entries or directions in the error.
    kinks : int
        The number of entries or directions that met a kink and were tried with a shorter step.
    left_out : int
        The number of these that met a kink at every step, and are not part of the error.
    verdict : str
        ``"ok"``, ``"ok, tiny"`` (not zero, and too small for differences), ``"WRONG"``,
        ``"undecided"``, ``"not finite"`` or ``"not written"``.
    factor : float or None
        The factor, if a wrong gradient is a multiple of the numeric one.
    """

    name: str
    shape: tuple[int, ...]
    analytic: float
    numeric: float
    error: float
    worst: Entry | None
    compared: int
    kinks: int
    left_out: int
    verdict: str
    factor: float | None = None

    def __repr__(self) -> str:
        return printable(
            f"ArrayCheck({self.name!r}, shape {self.shape}: {self.verdict}, error {self.error:.1e})"
        )

    @property
    def ok(self) -> bool:
        """Whether the gradient was compared and is correct."""
        return self.verdict in (OK, TINY)

    def cells(self) -> tuple[str, ...]:
        """Return the table row: a string for each of `COLUMNS`."""
        worst = ("", "", "")
        if self.worst is not None:
            index = ", ".join(map(str, self.worst.index))
            worst = (f"[{index}]", f"{self.worst.analytic:#.4g}", f"{self.worst.numeric:#.4g}")
        kinks = f"{self.kinks}" + (f", {self.left_out} left out" if self.left_out else "")
        times = "" if self.factor is None else f": {self.factor:.4g} x numeric"
        error = "< 1e-9" if self.error < 1e-9 else f"{self.error:.1e}"
        norms = (f"{self.analytic:#.4g}", f"{self.numeric:#.4g}")
        return (self.name, str(self.shape), *norms, error, *worst, kinks, self.verdict + times)


@dataclass(frozen=True)
class GradientReport:
    """The result of `check_gradients`; ``str()`` of it is a table.

    Attributes
    ----------
    subject : str
        The name of the checked layer, loss or network.
    rows : tuple of ArrayCheck
        One for each array.
    findings : tuple of str
        Other errors: shapes, dtypes, values.
    thorough : bool
        Whether every entry was checked.
    tolerance : float
        The largest relative error of an array that passes.
    """

    subject: str
    rows: tuple[ArrayCheck, ...]
    findings: tuple[str, ...]
    thorough: bool
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether every gradient is correct and there are no findings."""
        return not self.findings and all(row.ok for row in self.rows)

    @property
    def title(self) -> str:
        """The title of the table: subject, dtype and mode."""
        how = "every entry" if self.thorough else f"{DIRECTIONS} random directions an array"
        return f"gradients of {self.subject}, float64, {how}"

    @property
    def conclusion(self) -> str:
        """The conclusion: one line, and one more for every kind of error."""
        wrong = [row for row in self.rows if not row.ok]
        if self.ok:
            return f"ok: each array agrees within {self.tolerance:g}"
        lines = [f"not ok: {len(wrong)} of {len(self.rows)} arrays"] if wrong else ["not ok"]
        for verdict in dict.fromkeys(row.verdict for row in wrong):
            lines.append(f"- {verdict}: {EXPLANATIONS[verdict]}")
        return "\n".join([*lines, *(f"- {finding}" for finding in self.findings)])

    def __repr__(self) -> str:
        first = self.conclusion.partition("\n")[0]
        wrong = listed((f"{row.name} {row.verdict}" for row in self.rows if not row.ok), 4)
        return printable(f"GradientReport({self.title}; {first}{': ' if wrong else ''}{wrong})")

    def _repr_html_(self) -> str:
        """Return the table and the conclusion, as a notebook shows them."""
        lines = [element("p", line) for line in self.conclusion.split("\n")]
        rows = [row.cells() for row in self.rows]
        return render(element("div", html_table(COLUMNS, rows, self.title), lines))

    def __str__(self) -> str:
        table = [COLUMNS, *(row.cells() for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        left = {0, 1, len(COLUMNS) - 1}  # columns of text; the others are numeric
        lines = [
            "  ".join(
                cell.ljust(width) if column in left else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
            ).rstrip()
            for cells in table
        ]
        whole = "\n".join([self.title, "", *lines, "", self.conclusion])
        return printable(whole, lines=True)
