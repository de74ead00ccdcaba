"""Checksums of code differ where code does, and only there."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from handloom.training.code import Code

GAIN = 1.0


def first(x: float) -> float:
    return x * GAIN


def with_docstring(x: float) -> float:
    """Return a multiple."""
    # a comment
    return x * GAIN


def other_constant(x: float) -> float:
    return x * GAIN * 2.0


def other_operation(x: float) -> float:
    return x + GAIN


def other_name(x: float) -> float:
    return x * SCALE


SCALE = 1.0


def calls_first(x: float) -> float:
    return first(x)


def digest(function: Any) -> str:
    return Code([("same", function)]).digest


@pytest.mark.parametrize("other", [other_constant, other_operation, other_name, calls_first])
def test_other_code_has_another_checksum(other: Callable[[float], float]) -> None:
    assert digest(first) != digest(other)


def test_comments_line_numbers_and_runs_do_not_change_the_checksum() -> None:
    def made(text: str) -> Any:
        names: dict[str, Any] = {}
        exec(text, names)
        return names["f"]

    plain = made("def f(x):\n    y = x in {'a', 'b', 'c'}\n    return [y for _ in (1, 2)]\n")
    other = made(
        "# a comment\n\n\ndef f(x):\n    # another\n    y = x in {'a', 'b', 'c'}\n\n"
        "    return [y for _ in (1, 2)]  # one more\n"
    )
    assert digest(plain) == digest(other)
    before = digest(plain)
    for _ in range(100):  # specialized bytecode
        plain("a")
    assert digest(plain) == before
    assert digest(made("def f(x):\n    'one'\n    return x")) == digest(
        made("def f(x):\n    'another'\n    return x")
    )


def test_the_checksum_changes_with_functions_that_are_called_and_with_inner_ones() -> None:
    def made(inner: str, called: str) -> Any:
        names: dict[str, Any] = {"__name__": "mine"}
        text = f"def g(x):\n    return {called}\n\ndef f(x):\n    return (lambda: {inner}), g(x)\n"
        exec(text, names)
        return names["f"]

    digests = {digest(made(*code)) for code in [("x", "x"), ("x", "-x"), ("-x", "x")]}
    assert len(digests) == 3


def test_recursive_functions_end() -> None:
    def endless(x: int) -> int:
        return endless(x - 1) if x else 0

    assert digest(endless)
    assert Code([("f", cast(Any, recursive))]).globals == {"SCALE": "1.0"}


def recursive(x: float) -> float:
    return recursive(x - SCALE) if x else 0.0
