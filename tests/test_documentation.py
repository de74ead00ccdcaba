"""Every example in the documentation runs and prints the output on the page."""

import ast
import contextlib
import importlib
import importlib.util
import inspect
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

import handloom
import handloom.training.history
from handloom.training import History, probe, trainer
from handloom.training.findings import Finding, findings

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"\d+\.\d+")


def examples(page: Path) -> list[tuple[str, str]]:
    """Return the page's Python blocks, each with the output block that follows it."""
    blocks = [(kind, text) for kind, text in BLOCK.findall(page.read_text())]
    pairs = []
    for index, (kind, text) in enumerate(blocks):
        if kind == "python":
            after = blocks[index + 1] if index + 1 < len(blocks) else ("", "")
            pairs.append((text, after[1] if after[0] == "output" else ""))
    return pairs


OPTIONAL = ("sklearn.callback", "torch", "skops", "fastapi")
"""Imports of examples that `make test` does not install: the first is of scikit-learn 1.9."""


def not_installed(code: str) -> bool:
    """Whether an example imports a package of `OPTIONAL` that is not installed."""
    imported = set(re.findall(r"^(?:from|import) ([\w.]+)", code, re.MULTILINE))
    return any(
        importlib.util.find_spec(name) is None
        for name in OPTIONAL
        if any(each == name or each.startswith(f"{name}.") for each in imported)
    )


WITH_FINDINGS = {"training": 2}
"""The number of examples of a page that show a training which does not work."""

# notebooks have tests of their own
WITH_EXAMPLES = [page for page in PAGES if examples(page) and page.parent.name != "notebooks"]


SLOW_EXAMPLES = ("migration", "training", "muon")
"""The pages whose examples train for seconds."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] * (page.stem in SLOW_EXAMPLES), id=page.stem)
        for page in WITH_EXAMPLES
    ],
)
def test_examples_print_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))  # pages import files that they wrote
    (tmp_path / "docs").mkdir()  # pages name the photographs as seen from the repository
    (tmp_path / "docs" / "photos").symlink_to(ROOT / "docs" / "photos")
    monkeypatch.setattr(probe, "SHORT_SECONDS", 1e9)
    symptoms: list[list[str]] = []

    def recorded(history: History) -> list[Finding]:
        each = findings(history)
        symptoms.append([finding.symptom for finding in each])
        return each

    monkeypatch.setattr(trainer, "findings", recorded)
    names: dict[str, object] = {}  # a page's examples build on each other
    for code, expected in examples(page):
        if not_installed(code):
            continue
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(code, str(page), "exec"), names)
        printed = said.getvalue()
        # decimals may differ a little between machines; everything else is to the letter
        assert NUMBER.sub("#", printed) == NUMBER.sub("#", expected)
        for ours, theirs in zip(NUMBER.findall(printed), NUMBER.findall(expected), strict=True):
            assert float(ours) == pytest.approx(float(theirs), rel=0.1, abs=0.03)
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]
    assert len([each for each in symptoms if each]) == WITH_FINDINGS.get(page.stem, 0), symptoms


def test_the_readme_is_found() -> None:
    assert ROOT / "README.md" in WITH_EXAMPLES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page}: {target}"


def test_the_start_page_leads_to_every_page() -> None:
    """Their lists of links are the site's navigation, see docs/_ext/contents.py."""
    start = ROOT / "docs" / "index.md"
    reached, unread = {start}, [start]
    while unread:
        page = unread.pop()
        for target in re.findall(r"^(?:-|\d+\.) \[.+?\]\((.+?\.md)\)", page.read_text(), re.M):
            linked = (page.parent / target).resolve()
            if linked not in reached:
                reached.add(linked)
                unread.append(linked)
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} <= reached


@pytest.mark.long
def test_every_public_name_has_a_room(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "_ext"))
    importlib.import_module("public").rooms()  # raises an error for a name without one


@pytest.mark.skipif(not importlib.util.find_spec("furo"), reason="needs the extra 'docs'")
def test_the_site_is_built_without_a_warning_and_needs_no_network(tmp_path: Path) -> None:
    flags = ["-W", "--keep-going", "--nitpicky", "--quiet", "-d", str(tmp_path / "trees")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *flags, "-b", "html", str(ROOT / "docs"), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    def page(name: str) -> str:
        return (tmp_path / f"{name}.html").read_text()

    for name in handloom.__all__:
        pages = (tmp_path / "reference").glob("*.html")
        assert any(f'id="handloom.{name}"' in each.read_text() for each in pages), name
    assert 'href="../derivations/adam.html"' in page("reference/handloom.Adam")
    assert 'href="../reference/handloom.Adam.html#handloom.Adam"' in page("derivations/adam")
    assert 'href="../source/optimizers/adam.html"' in page("derivations/adam")
    assert "<math" in page("derivations/adam")
    for each in tmp_path.rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|img|link)[^>]* (?:src|href)="(http[^"]+)"', each.read_text()
        )
        assert not loaded, (each, loaded)


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
        for keyword in call.keywords:
            argument = str(keyword.arg)
            assert argument in known, (name, argument)
            if ast.unparse(keyword.value) not in ("...", "[...]"):
                assert ast.literal_eval(keyword.value) == known[argument].default, (name, argument)


def test_the_command_lines_in_the_readme_are_known() -> None:
    from handloom.cli.app import run

    command = r"^(?:\$ )?(?:mpiexec -n \d+ )?handloom ([a-z].*?)(?:\s+#.*)?$"
    lines = [line for page in PAGES for line in re.findall(command, page.read_text(), re.M)]
    assert any("--distributed mpi" in line for line in lines)
    for line in lines:
        words = line.split()
        command = words[:2] if words[0] == "data" else words[:1]
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            assert run([*command, "--help"]) == 0
        for option in (word for word in words if word.startswith("--")):
            assert option in said.getvalue()
