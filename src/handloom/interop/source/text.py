"""Text in source code: names and values of users as literals, in docstrings and in comments.

A name may hold quotes, line breaks, backslashes and any other character. None of them ends the
literal, docstring or comment that it is written into.
"""

from collections.abc import Iterable

from handloom.text import printable

LINE = 100
"""The longest line of a file, in characters."""


def literal(value: object) -> str:
    """Return a text, number, boolean, None, or tuple of them as a Python expression, on one line.

    Texts have double quotes unless they hold some. All other characters that are not printable are
    escaped, line breaks included.

    Raises
    ------
    TypeError
        If it is something else, whose ``repr`` might not be an expression.
    """
    if isinstance(value, tuple):
        parts = [literal(each) for each in value]
        return f"({', '.join(parts)}{',' * (len(parts) == 1)})"
    if value is None or type(value) in (bool, int, float):
        return repr(value)
    if type(value) is not str:
        raise TypeError(f"expected a text, number, boolean, None or tuple, got {value!r}")
    text = repr(value)
    return text if '"' in value or text[0] == '"' else f'"{text[1:-1]}"'


def sequence(values: Iterable[object], start: str, indent: int = 0, end: str = "") -> str:
    """Return ``start``, a tuple of values and ``end``, in lines that are filled with values.

    Parameters
    ----------
    values : iterable
        As `literal` takes them.
    start : str
        The code in front of the tuple, such as ``"CLASSES = "``.
    indent : int
        The number of spaces in front of it.
    end : str
        The code after the tuple.
    """
    margin, whole = " " * indent, tuple(values)
    line = f"{margin}{start}{literal(whole)}{end}"
    if len(line) <= LINE:
        return line
    lines = [f"{margin}{start}("]
    for value in whole:
        part = f"{literal(value)},"
        if len(lines) > 1 and len(lines[-1]) + 1 + len(part) <= LINE:
            lines[-1] += f" {part}"
        else:
            lines.append(f"{margin}    {part}")
    return "\n".join([*lines, f"{margin}){end}"])


def call(start: str, arguments: Iterable[str], *, indent: int = 0, comment: str = "") -> str:
    """Return the call ``start(arguments)``: on one line if that fits, else an argument a line.

    Parameters
    ----------
    start : str
        The code in front of the parenthesis, such as ``"x = dense"``.
    arguments : iterable of str
        Expressions, and keywords with them.
    indent : int
        The number of spaces in front of it.
    comment : str
        A comment at its end; see `in_comment`.
    """
    parts, margin = list(arguments), " " * indent
    note = f"  # {comment}" if comment else ""
    line = f"{margin}{start}({', '.join(parts)})"
    if len(line + note) <= LINE:
        return line + note
    inner = f"{margin}    {', '.join(parts)}"
    if len(inner) <= LINE:
        return f"{margin}{start}(\n{inner}\n{margin}){note}"
    lines = "".join(f"{margin}    {part},\n" for part in parts)
    return f"{margin}{start}(\n{lines}{margin}){note}"


def row_shape(shape: tuple[int, ...]) -> str:
    """Return the shape of rows for people, such as ``"(n, 512)"``."""
    return f"({', '.join(map(str, ('n', *shape)))})"


def in_comment(text: str) -> str:
    """Return a text for a comment: one line, with line breaks and control characters escaped."""
    return printable(text)


def in_docstring(text: str) -> str:
    r"""Return a line for a docstring with three double quotes.

    Backslashes are doubled, and three quotes, or one at the end, have backslashes.
    """
    safe = printable(text).replace("\\", "\\\\")
    if '"""' in safe or safe.endswith('"'):
        safe = safe.replace('"', '\\"')
    return safe
