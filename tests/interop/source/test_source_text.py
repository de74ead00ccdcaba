"""Names and values of users stay text in source code."""

import ast
from typing import Any

import pytest

from handloom.interop.source.functions import without_annotations
from handloom.interop.source.text import LINE, call, in_comment, in_docstring, literal, sequence

TEXTS = [
    *(
        "",
        "simple",
        "it's",
        'a "b"',
        "both ' and \"",
        '"',
        '""',
        '"""',
        '""""',
        "\\",
        "\\\\",
        '\\"',
    ),
    *(
        "'''",
        "line\nbreak",
        "\r\n\t\x00\x85\u2028",
        "Müller 名前 😀",
        "\u202eright to left",
        "\ud800",
    ),
    *('end"', "end\\", '"""\\', '\\"""', "# comment", "{x!r}", "%s"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_survive_as_literals_and_stay_in_docstrings_and_comments(text: str) -> None:
    assert ast.literal_eval(literal(text)) == text
    assert len(literal(text).splitlines()) == 1
    literal(text).encode()
    parsed = ast.parse(f'"""{in_docstring(text)}"""').body
    assert len(parsed) == 1
    assert isinstance(ast.literal_eval(parsed[0].value), str)  # type: ignore[attr-defined]
    commented = ast.parse(f"x = 1  # {in_comment(text)}\ny = 2")
    assert [type(each) for each in commented.body] == [ast.Assign, ast.Assign]


@pytest.mark.parametrize("value", [1, -2.5, 1e-5, True, None, (), (1,), ("a", (2, 3.0))])
def test_simple_values_are_literals(value: object) -> None:
    assert ast.literal_eval(literal(value)) == value


@pytest.mark.parametrize("value", [object(), [1], {"a": 1}, ("a", object())])
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="expected a text, number"):
        literal(value)


@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_sequences_fill_lines(count: int) -> None:
    names = tuple(f"class number {index}" for index in range(count))
    text = sequence(names, "CLASSES = ")
    assert ast.literal_eval(text.removeprefix("CLASSES = ")) == names
    assert max(map(len, text.splitlines())) <= LINE


def test_calls_are_cut_where_they_are_too_long() -> None:
    assert call("x = f", ["x", "y=1"], indent=4, comment="(n, 2)") == "    x = f(x, y=1)  # (n, 2)"
    long = call("x = f", [f"argument{index}={index}" for index in range(20)])
    assert long.startswith("x = f(\n    argument0=0,\n")
    ast.parse(long)


def test_functions_lose_their_annotations_only() -> None:
    source = (
        "def f(\n    x: list[int],\n    *others: int,\n    key: str = ')',\n) -> int:\n"
        '    """é: int."""\n    y: int = len(x)  # a comment\n    return y\n'
    )
    assert without_annotations(source) == (
        "def f(x, *others, key=')'):\n"
        '    """é: int."""\n    y = len(x)  # a comment\n    return y'
    )


@pytest.mark.parametrize(
    "statement",
    [
        "y: int = (x + 1) * 2",
        "y: int = (x + 1)",
        "y: int = (\n        x + 1\n    )",
        "(y): int = x",
    ],
)
def test_variables_lose_their_annotations_whatever_their_values(statement: str) -> None:
    source = f"def f(x):\n    {statement}\n    return y"
    written, expected = dict[str, Any](), dict[str, Any]()
    exec(without_annotations(source), written)
    exec(source, expected)
    assert written["f"](3) == expected["f"](3)
