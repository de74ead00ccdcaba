"""Names and phrases are the field's own: words that could mean anything have better ones."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import handloom

SOURCE = Path(handloom.__file__).parent
ROOT = Path(__file__).parents[1]

WORDS = {
    "blend": "lerp",
    "book": "registry",
    "circumstances": "environment",
    "copies": "gather, or the copied array's name",
    "course": "convergence",
    "descend": "sgd_step",
    "ending": "suffix, stop reason",
    "found": "the name of the result",
    "given": "the name of the argument",
    "grey": "gray",
    "halves": "split_job",
    "length": "l2_norm, size, extent",
    "numbers": "the name of the values",
    "place": "index, offset",
    "places": "indices, offsets, slices",
    "plain": "settings",
    "position": "progress, index, start",
    "products": "gemm, inner_products",
    "remembered": "the name of the stored value",
    "rule": "optimizer, update",
    "rules": "optimizers, updates",
    "thing": "the object's name",
    "things": "the objects' name",
    "twin": "replica",
    "twins": "replicas",
    "updates": "steps, optimizer_steps",
    "waiting": "atomics, queue",
    "what": "name, kind",
}
"""Identifiers and file names that say too little, each with better ones."""

PHRASES = {
    r"woven by hand": "written by hand",
    r"numbers as targets": "continuous targets",
    r"predicted right": "correct predictions",
    r"keeps a feature that never changes": "added to the variance for numerical stability",
    r"where nobody says": "by default",
    r"means nothing": "is invalid: expected ..., got ...",
    r"weigh together": "the sum of the sample weights",
    r"a kind of it may": "subclasses may override",
    r"ended by max_epochs": "all 15 epochs done",
    r"(?<![\d.,])1 epochs": "1 epoch",
}
"""Phrases, as regular expressions, each with a better one."""

SPELLINGS = {
    r"\w*grey\w*": "gray",
    r"\w*colour\w*": "color",
    r"\w*behaviour\w*": "behavior",
    r"\w*neighbour\w*": "neighbor",
    r"cent(?:re|res|red)": "center, centered",
    r"label(?:led|ling)": "labeled, labeling",
    r"\w*(?:normal|optim|initial|general|serial|standard)is(?:e|ed|er|es|ing|ation)": "-iz-",
}
"""British spellings, as regular expressions of words, each with the American one."""

FILES = sorted(SOURCE.rglob("*.py"))
TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *FILES]


def identifiers(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of each definition, argument, assigned variable and attribute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.lineno, node.asname


def findings(path: Path, patterns: dict[str, str]) -> list[str]:
    """Return the matches in a text, which may continue on the next line, with better words."""
    text = path.read_text()
    return [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()!r}; better: {better}"
        for pattern, better in patterns.items()
        for match in re.finditer(pattern.replace(" ", r"\s+"), text, re.IGNORECASE)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_identifiers_are_the_names_of_their_values(path: Path) -> None:
    names = [(1, path.stem), *identifiers(ast.parse(path.read_text()))]
    assert not [
        f"{path}:{line}: {name!r}; better: {WORDS[word]}"
        for line, name in names
        if (word := name.strip("_").lower()) in WORDS
    ]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.name))
def test_phrases_are_plain_american_english(path: Path) -> None:
    spellings = {rf"\b{pattern}\b": better for pattern, better in SPELLINGS.items()}
    assert not findings(path, PHRASES | spellings)


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("It is woven\nby hand.", "written by hand"),
        ("after 1 epochs", "1 epoch"),
        ("A grey coat.", "gray"),
        ("normalised rows", "-iz-"),
    ],
)
def test_a_finding_names_file_line_and_better_word(tmp_path: Path, text: str, better: str) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"first line\n{text}\n21 epochs, normalized\n")
    (finding,) = findings(path, PHRASES | SPELLINGS)
    assert finding.startswith(f"{path}:2: ")
    assert finding.endswith(f"; better: {better}")


def test_identifiers_of_every_kind_are_looked_at() -> None:
    tree = ast.parse("import a as b\nclass C:\n def f(self, x): self.y = z = x\n")
    assert {name for _, name in identifiers(tree)} == {"b", "C", "f", "self", "x", "y", "z"}
