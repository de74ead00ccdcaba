"""The derivations: a page for everything that has a gradient or an update, and all of it true."""

import contextlib
import io
import re
from pathlib import Path
from textwrap import dedent

import pytest
from tests.helpers.arithmetic import sides, unit

from handloom.initializers import INITIALIZERS
from handloom.layers import LAYERS
from handloom.losses import LOSSES
from handloom.optimizers import OPTIMIZERS

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "derivations"
INDEX = FOLDER / "README.md"
PAGES = sorted(set(FOLDER.glob("*.md")) - {INDEX})

SECTIONS = ["What it computes", "Shapes", "Derivation", "Code", "Check", "Worked example"]
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"\d+\.\d*")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def page_name(name: str) -> str:
    """Return ``batch-norm`` for ``batch_norm``."""
    return name.replace("_", "-")


def sections(page: Path) -> dict[str, str]:
    parts = re.split(r"^## (.+)\n", page.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def blocks(text: str, kind: str, *, of_file: bool = False) -> list[tuple[str, str]]:
    """Return the fenced blocks of a kind, each with the file that it quotes, if it names one."""
    return [
        (file, content)
        for of_kind, file, content in BLOCK.findall(text)
        if of_kind == kind and bool(file) == of_file
    ]


@pytest.mark.parametrize("name", [*LAYERS, *OPTIMIZERS, *LOSSES])
def test_every_layer_loss_and_optimizer_has_a_page(name: str) -> None:
    assert FOLDER / f"{page_name(name)}.md" in PAGES


def test_every_initializer_is_derived() -> None:
    text = (FOLDER / "initializers.md").read_text()
    assert [name for name in INITIALIZERS if f"`{name}`" not in text] == []


def test_the_index_leads_to_every_page_once() -> None:
    linked = re.findall(r"^\d+\. \[.+?\]\((.+?)\)", INDEX.read_text(), flags=re.MULTILINE)
    assert sorted(linked) == [page.name for page in PAGES]


@every_page
def test_a_page_has_its_sections_in_order(page: Path) -> None:
    by_title = sections(page)
    assert list(by_title) == SECTIONS
    for name in ("What it computes", "Derivation"):
        assert blocks(by_title[name], "math") or "|" in by_title[name]
    assert blocks(by_title["Code"], "python", of_file=True)
    for name in ("Check", "Worked example"):
        assert blocks(by_title[name], "python")
        assert all(printed.strip() for _, printed in blocks(by_title[name], "output"))
    assert blocks(by_title["Worked example"], "pencil")


@every_page
def test_quoted_code_stands_in_the_source_word_for_word(page: Path) -> None:
    text = page.read_text()
    for file, quote in blocks(text, "python", of_file=True):
        assert occurs(quote, (ROOT / file).read_text()), f"{page.name}: not in {file}:\n{quote}"
        assert f"](../../{file})" in text  # the page names the file to its reader


def occurs(quote: str, source: str) -> bool:
    """Return whether whole lines of the source read like the quote, whatever their indent."""
    lines, size = source.splitlines(keepends=True), len(quote.splitlines())
    return any(
        dedent("".join(lines[start : start + size])) == quote
        for start in range(len(lines) - size + 1)
    )


def test_a_quote_that_has_drifted_is_noticed() -> None:
    source = "def f():\n    a = 1\n    b = 2\n"
    assert occurs("a = 1\nb = 2\n", source)
    for drifted in ("a = 1\nb = 3\n", "a = 1\nb = 2", "b = 2\na = 1\n", "= 1\n"):
        assert not occurs(drifted, source)


@every_page
def test_a_page_is_right_to_the_last_digit(page: Path) -> None:
    names: dict[str, object] = {}
    printed, lines = "", 0
    for kind, file, content in BLOCK.findall(page.read_text()):
        if kind == "python" and not file:
            with contextlib.redirect_stdout(io.StringIO()) as said:
                exec(compile(content, str(page), "exec"), names)
            printed = said.getvalue()
        elif kind == "output":
            assert_prints(printed, content)
        elif kind == "pencil":
            for line in content.splitlines():
                values = sides(line, names)
                assert len(values) > 1
                assert values == pytest.approx(
                    [values[-1]] * len(values), abs=0.51 * unit(line), rel=0
                ), line
                lines += 1
    assert lines


@every_page
def test_a_letter_has_one_meaning_on_all_pages(page: Path) -> None:
    """The index lists the pages of each letter that the literature uses for several things."""
    text = page.read_text()
    assert not letters_of(text) ^ {letter for letter, pages in meanings() if page.name in pages}


def test_a_letter_that_is_used_for_something_else_is_noticed() -> None:
    assert letters_of(
        "With $\\max_i a_i \\text{, most}$ and $su + i$:\n```math\nr_t k\n```\n"
    ) == set("stk")
    assert letters_of("`(n, k)`, `m`, `stem`, `m.md`, `f(s)`") == set("kms")
    assert letters_of("```math\n\\begin{cases} x & y \\end{cases}\n```\n") == set()


def letters_of(text: str) -> set[str]:
    """Return the letters of the index's second table that occur in formulas, and in code as `k`."""
    known = "".join(letter for letter, _ in meanings())
    prose = BLOCK.sub("", text)
    spans = re.findall(r"`([^`\n]+)`", prose)
    formulas = [content for _, content in blocks(text, "math")]
    formulas += re.findall(r"\$([^$]+)\$", re.sub(r"`[^`\n]+`", "", prose))
    letters: set[str] = set()
    for formula in formulas:
        symbols = re.sub(r"\\(?:text|mathrm|begin|end)\{[^}]*\}|\\[a-zA-Z]+", " ", formula)
        letters |= set(re.findall(f"[{known}]", symbols))
    for span in spans:
        letters |= set(re.findall(rf"(?<![\w.])[{known}](?![\w.(])", span))
    return letters


def meanings() -> list[tuple[str, list[str]]]:
    """Return each letter of the index's second table, with the pages that use it."""
    table = INDEX.read_text().partition("| letter | meaning | pages |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w)` \| (.+?) \| (.+) \|$", table, flags=re.MULTILINE)
    return [(letter, re.findall(r"\]\((.+?)\)", pages)) for letter, _, pages in rows]


def assert_prints(printed: str, expected: str) -> None:
    """Compare to the letter; the last decimal of a number may be one off."""
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", expected)
    for ours, theirs in zip(NUMBER.findall(printed), NUMBER.findall(expected), strict=True):
        last = 10.0 ** -len(theirs.partition(".")[2])
        assert float(ours) == pytest.approx(float(theirs), abs=1.01 * last, rel=0)


@pytest.mark.parametrize("page", [*PAGES, INDEX], ids=lambda page: page.stem)
def test_formulas_in_a_line_survive_markdown(page: Path) -> None:
    """Markdown takes a backslash before punctuation and a star for its own; `$` needs room."""
    prose = re.sub(r"`[^`\n]+`", "", BLOCK.sub("", page.read_text()))
    for line in prose.splitlines():
        parts = line.split("$")
        texts, formulas = parts[0::2], parts[1::2]
        assert len(texts) == len(formulas) + 1, line
        for before, formula, after in zip(texts, formulas, texts[1:], strict=False):
            assert not re.search(r"\\[^a-zA-Z]|\*|\}_|^\s|\s$", formula), line
            assert not before[-1:].isalnum(), line
            assert not after[:1].isalnum(), line
