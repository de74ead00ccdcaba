"""What a gradient check found, and the table that shows it."""

from dataclasses import dataclass

DIRECTIONS = 4
"""How many random directions the fast mode looks along, for each array."""

OK, TINY, WRONG = "ok", "ok, tiny", "WRONG"
UNDECIDED, NOT_FINITE, NOT_WRITTEN = "undecided", "not finite", "not written"
EXPLANATIONS = {
    WRONG: "backward and the differences of forward disagree",
    UNDECIDED: "most of what was tried met a kink or drowned in rounding, at every step",
    NOT_FINITE: "the gradient holds NaN or infinity",
    NOT_WRITTEN: "backward must write every entry of gradients[name], with [...] = and not with +=",
}
#: The columns of a report that is printed.
COLUMNS = (
    *("array", "shape", "|analytic|", "|numeric|", "error"),
    *("worst entry", "analytic", "numeric", "kinks", "verdict"),
)


@dataclass(frozen=True)
class Entry:
    """One entry of a gradient: where it stands, what backward says, what differences measure."""

    index: tuple[int, ...]
    analytic: float
    numeric: float


@dataclass(frozen=True)
class ArrayCheck:
    """What was found for the gradient of one array.

    Attributes
    ----------
    name : str
        The array's name; ``"input"`` and ``"predictions"`` are what a layer or a loss was given.
    shape : tuple of int
        Its shape.
    analytic, numeric : float
        The norm of the gradient as backward says and as differences measure; in the fast mode
        estimated from its projections on random directions.
    error : float
        ``|a - n| / max(|a|, |n|, floor)`` in the 2-norm, over entries or over projections. The
        floor is where differences end: ``a - n`` below `RESOLUTION` times the function's value
        is rounding.
    worst : Entry or None
        Of the entries that were looked at, the one with the largest difference.
    compared : int
        How many entries or directions the error is made of.
    kinks : int
        How many met a kink and were looked at again with a shorter step.
    left_out : int
        How many of these met one at every step, and are not part of the error.
    verdict : str
        ``"ok"``, ``"ok, tiny"`` (not zero, and too small for differences to tell), ``"WRONG"``,
        ``"undecided"``, ``"not finite"`` or ``"not written"``.
    factor : float or None
        Where a wrong gradient is a multiple of the right one: which.
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

    @property
    def ok(self) -> bool:
        """Whether the gradient was compared and nothing is wrong with it."""
        return self.verdict in (OK, TINY)

    def cells(self) -> tuple[str, ...]:
        """Return this row of the table, a text for each of `COLUMNS`."""
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
    """What `check_gradients` found; ``str()`` of it is a table.

    Attributes
    ----------
    subject : str
        What was checked.
    rows : tuple of ArrayCheck
        One for each array.
    findings : tuple of str
        What else is wrong: shapes, dtypes, values.
    thorough : bool
        Whether every entry was looked at.
    tolerance : float
        The largest error of an array that is right.
    """

    subject: str
    rows: tuple[ArrayCheck, ...]
    findings: tuple[str, ...]
    thorough: bool
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether every gradient is right and nothing else was found."""
        return not self.findings and all(row.ok for row in self.rows)

    @property
    def title(self) -> str:
        """What was checked and how."""
        how = "every entry" if self.thorough else f"{DIRECTIONS} random directions an array"
        return f"gradients of {self.subject}, float64, {how}"

    @property
    def conclusion(self) -> str:
        """What it comes to: a line, and one more for everything that is wrong."""
        wrong = [row for row in self.rows if not row.ok]
        if self.ok:
            return f"ok: each array agrees within {self.tolerance:g}"
        lines = [f"not ok: {len(wrong)} of {len(self.rows)} arrays"] if wrong else ["not ok"]
        for verdict in dict.fromkeys(row.verdict for row in wrong):
            lines.append(f"- {verdict}: {EXPLANATIONS[verdict]}")
        return "\n".join([*lines, *(f"- {finding}" for finding in self.findings)])

    def __str__(self) -> str:
        table = [COLUMNS, *(row.cells() for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        left = {0, 1, len(COLUMNS) - 1}  # texts; the others are figures
        lines = [
            "  ".join(
                cell.ljust(width) if place in left else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
            ).rstrip()
            for cells in table
        ]
        return "\n".join([self.title, "", *lines, "", self.conclusion])
