"""Text as it is printed: names of foreign files may hold characters that act on a terminal."""

import re
from collections.abc import Iterable, Sequence
from textwrap import fill

_ACTING = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL and C1: they move the cursor, erase, or set the clipboard
    "\u2028\u2029"  # the separators of lines and paragraphs
    "\u202a-\u202e\u2066-\u2069"  # bidirectional: they reorder the text around them
    "\ud800-\udfff]"  # surrogates, of names that are not UTF-8: they cannot be encoded
)


def printable(text: str, *, lines: bool = False) -> str:
    r"""Return text with its control characters escaped visibly, such as ``\x1b``.

    All other characters stay as they are, of any language. Every text that is printed or drawn
    passes this function once; files keep the original.

    Parameters
    ----------
    text : str
        One line; a line break in it is escaped too.
    lines : bool
        Whether the text has several lines, whose breaks are kept.
    """
    if lines:
        return "\n".join(map(printable, text.split("\n")))
    return _ACTING.sub(lambda match: escaped(match[0]), text)


def escaped(character: str) -> str:
    r"""Return a character as its escape sequence, such as ``\x1b``."""
    return character.encode("unicode_escape").decode()


def wrapped(line: str, width: int, *, indent: str = "") -> str:
    """Return a line wrapped at spaces, with an indent from its second line; no word is broken.

    Parameters
    ----------
    line : str
    width : int
        The columns of the terminal.
    indent : str
    """
    return fill(
        line,
        max(width, 2 * len(indent) + 1),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def listed(names: Iterable[str], most: int = 12) -> str:
    """Return names for a message, ``a, b, c``: at most ``most``, and then three dots."""
    every = list(names)
    return ", ".join(every[:most]) + (", ..." if len(every) > most else "")


def enumerated(names: Sequence[str]) -> str:
    """Return all names as a part of a sentence: ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
