"""Every example in the documentation runs and prints what the page says it prints."""

import ast
import contextlib
import inspect
import io
import re
from pathlib import Path

import pytest

import handloom
import handloom.training.history

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"\d+\.\d+")


def examples(page: Path) -> list[tuple[str, str]]:
    """Return the page's Python blocks, each with the output block that follows it."""
    blocks = [(kind, text) for kind, text in BLOCK.findall(page.read_text())]
    found = []
    for place, (kind, text) in enumerate(blocks):
        if kind == "python":
            after = blocks[place + 1] if place + 1 < len(blocks) else ("", "")
            found.append((text, after[1] if after[0] == "output" else ""))
    return found


WITH_EXAMPLES = [page for page in PAGES if examples(page)]


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: page.stem)
def test_examples_print_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}  # a page's examples build on each other
    for code, expected in examples(page):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(code, str(page), "exec"), names)
        printed = said.getvalue()
        # decimals may differ a little between machines; everything else is to the letter
        assert NUMBER.sub("#", printed) == NUMBER.sub("#", expected)
        for ours, theirs in zip(NUMBER.findall(printed), NUMBER.findall(expected), strict=True):
            assert float(ours) == pytest.approx(float(theirs), rel=0.1, abs=0.03)


def test_the_readme_is_found() -> None:
    assert ROOT / "README.md" in WITH_EXAMPLES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page}: {target}"


def test_the_guide_of_parts_names_every_part() -> None:
    page = (ROOT / "docs" / "guides" / "parts.md").read_text()
    for name in [*vars(handloom)["__all__"], *handloom.training.history.COLUMNS]:
        assert re.search(rf"`{name}\b", page), name


def test_the_guide_of_parts_shows_the_defaults_that_there_are() -> None:
    page = (ROOT / "docs" / "guides" / "parts.md").read_text()
    shown = re.findall(r"`(\w+)\(([^`]*=[^`]*)\)`", page)
    assert len(shown) > 20
    for name, arguments in shown:
        call = ast.parse(f"f({arguments})", mode="eval").body
        assert isinstance(call, ast.Call)
        known = inspect.signature(getattr(handloom, name)).parameters
        for given in call.keywords:
            argument = str(given.arg)
            assert argument in known, (name, argument)
            if ast.unparse(given.value) not in ("...", "[...]"):
                assert ast.literal_eval(given.value) == known[argument].default, (name, argument)


def test_the_command_lines_in_the_readme_are_known() -> None:
    from handloom.cli.app import run

    lines = re.findall(r"^handloom (.+?)(?:\s+#.*)?$", (ROOT / "README.md").read_text(), re.M)
    assert lines
    for line in lines:
        words = line.split()
        command = words[:2] if words[0] == "data" else words[:1]
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            assert run([*command, "--help"]) == 0
        for option in (word for word in words if word.startswith("--")):
            assert option in said.getvalue()
