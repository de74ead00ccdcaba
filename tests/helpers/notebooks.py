"""Notebooks kept as text, executed cell by cell as a kernel does."""

import ast
import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CELL = re.compile(r"^```\{code-cell\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Output:
    """The output of a cell, and the object that its last line shows, if there is one."""

    code: str
    printed: str
    shown: Any


def execute(page: Path) -> Iterator[Output]:
    """Execute the cells of a notebook one after the other."""
    names: dict[str, object] = {"__name__": "__main__"}
    for code in CELL.findall(page.read_text()):
        tree, said = ast.parse(code), io.StringIO()
        last = tree.body[-1]
        shows = isinstance(last, ast.Expr)
        if shows:
            tree.body.pop()
        with contextlib.redirect_stdout(said), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a kernel prints them
            exec(compile(tree, str(page), "exec"), names)
            shown = None
            if isinstance(last, ast.Expr):
                value = ast.Expression(last.value)
                shown = eval(compile(value, str(page), "eval"), names)
        yield Output(code, said.getvalue(), shown)
