"""A paper is cited by its whole title, and everywhere alike: authors, "Title", venue year."""

import calendar
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
FILES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "src").rglob("*.py")),
    *sorted((ROOT / "benchmarks").rglob("*.py")),
]

NAME = r"[A-Z][\w-]*[a-z]"
AUTHORS = rf"(?:{NAME}, )*{NAME}(?: and others)?"
LONGEST_LIST = 150  # characters
TITLE = re.compile(
    r'(?<=[a-z]), "(?P<title>[^"]+)",? '
    r"(?P<published>[^;()]{0,110}?\b(?:19|20)\d\d\b(?:, arXiv \d{4}\.\d{4,5})?)"
)
SHORT = re.compile(
    rf"\((?!{'|'.join(calendar.month_name[1:])})(?P<authors>{AUTHORS}) (?P<year>(?:19|20)\d\d)\b"
)
ARXIV = re.compile(r"[Aa]r[Xx]iv\b(?!\.org)(?P<number>.{0,12})")


class Reference(NamedTuple):
    """A paper as a file cites it; ``published`` is where and when."""

    authors: str
    title: str
    published: str


def read(text: str) -> str:
    """Return a text on one line, without comment signs, joints of strings, and links' addresses."""
    text = re.sub(r"\n *# |' *\n *\"", lambda joint: " " * ("#" in joint.group()), text)
    return re.sub(r"\[([^\[\]]+)\]\([^)\s]+\)", r"\1", " ".join(text.split()))


def references(text: str) -> Iterator[Reference]:
    """Yield the whole references of a text that `read` returned."""
    for match in TITLE.finditer(text):
        before = text[max(0, match.start() - LONGEST_LIST) : match.start()]
        if authors := re.search(rf"(?<![\w-]){AUTHORS}$", before):
            yield Reference(authors.group(), *match.groups())


def differences(cited: list[Reference]) -> list[tuple[Reference, Reference]]:
    """Return the pairs that cite one paper, whole or with a part of its title, in two ways."""
    different = sorted(set(cited), key=lambda each: _simplified(each.title))
    return [
        (one, other)
        for one, other in pairwise(different)
        if _simplified(other.title).startswith(_simplified(one.title))
    ]


def _simplified(title: str) -> str:
    return re.sub(r"\W+", " ", title).casefold()


def incomplete(text: str) -> list[str]:
    """Return the short references of a text, as (Name, Name 2020), without a whole one."""
    whole = [(each.authors, each.published) for each in references(text)]
    return [
        match.group()
        for match in SHORT.finditer(text)
        if not any(match["authors"] == who and match["year"] in when for who, when in whole)
    ]


def malformed(text: str) -> list[str]:
    """Return numbers that do not name a paper as in "arXiv 1606.08415": year, month and number."""
    return [
        match.group()
        for match in ARXIV.finditer(text)
        if not re.match(r" \d\d(?:0[1-9]|1[0-2])\.\d{4,5}\b", match["number"])
    ]


@pytest.fixture(scope="module")
def texts() -> dict[Path, str]:
    return {path: read(path.read_text()) for path in FILES}


def test_a_paper_is_cited_everywhere_alike(texts: dict[Path, str]) -> None:
    cited = [each for text in texts.values() for each in references(text)]
    assert len(cited) > 100  # so that the patterns match
    assert not differences(cited)


def test_every_short_reference_has_a_whole_one_in_its_file(texts: dict[Path, str]) -> None:
    assert not {path: left for path, text in texts.items() if (left := incomplete(text))}


def test_numbers_of_arxiv_are_well_formed(texts: dict[Path, str]) -> None:
    assert not {path: wrong for path, text in texts.items() if (wrong := malformed(text))}


def test_others_are_called_so(texts: dict[Path, str]) -> None:
    assert not [path for path, text in texts.items() if re.search(r" et al\b", text)]


@pytest.mark.parametrize(
    "other",
    [
        'Roe, Doe, "On Looms: a Theory", ICML 2020',
        'Doe, Roe, "On Looms", ICML 2020',
        'Doe, Roe, "On looms: a theory", ICML 2020',
        'Doe, Roe, "On Looms: a Theory", ICML 2021',
    ],
    ids=["authors", "part of the title", "spelling", "year"],
)
def test_a_second_form_is_noticed(other: str) -> None:
    first = 'See Doe, Roe, "[On\nLooms: a Theory](https://example.org)", ICML\n    # 2020.'
    assert not differences([*references(read(first))] * 2)
    assert len(differences([*references(read(f"{first} {other}."))])) == 1


def test_short_references_and_numbers_are_checked() -> None:
    assert incomplete("It is fast (Doe, Roe 2020).") == ["(Doe, Roe 2020"]
    assert not incomplete('(Doe, Roe 2020). Doe, Roe, "On Looms", ICML 2020.')
    assert malformed("arXiv:1606.08415")
    assert malformed("arXiv 1613.08415")
    assert not malformed("2016, arXiv 1606.08415.")
