"""The rooms: imports run downward and never in circles; the backend alone knows compiled code."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import handloom

ROOT = Path(handloom.__file__).parent
PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"

ROOMS = [
    ["handloom", "__main__"],
    ["cli"],
    ["reports", "reporting"],
    ["studies", "walkthroughs"],
    ["interop"],
    ["recipes", "estimators", "plots"],
    ["training", "testing"],
    ["model", "gradcheck"],
    ["rebuilding"],
    ["network"],
    ["network_contents", "predictions"],
    ["layers", "losses", "optimizers", "data"],
    ["parameters"],
    ["backend"],
    ["fused"],
    ["parallel", "reductions"],
    ["operations", "initializers", "schedules", "metrics", "locks", "in_use"],
    ["arguments", "elsewhere", "randomness", "files", "environment", "charts"],
    ["file_systems"],
    ["secondary"],
    ["errors", "_version", "markup"],
    ["text", "compilation"],
]
"""From the top: a room may import those below it, and its own files."""


@cache
def modules() -> dict[str, ast.Module]:
    """Return the parsed files of the library, by their names below it."""
    return {name: ast.parse(path.read_text()) for name, path in paths().items()}


@cache
def paths() -> dict[str, Path]:
    return {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "handloom"


@cache
def imports(name: str) -> frozenset[str]:
    """Return the modules of the library that a file imports, wherever in it, types included."""
    return frozenset(_imports(name))


def _imports(name: str) -> Iterator[str]:
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "handloom":
            below = (node.module or "").partition(".")[2]
            for alias in node.names:
                whole = f"{below}.{alias.name}".lstrip(".")
                yield whole if whole in paths() else below or "handloom"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "handloom":
                    yield alias.name.partition(".")[2] or "handloom"


def room(name: str) -> str:
    return name.split(".", maxsplit=1)[0]


def floor(name: str) -> int:
    """Return how far below the top a file's room is."""
    return next(index for index, rooms in enumerate(ROOMS) if room(name) in rooms)


def arrows() -> dict[str, set[str]]:
    """Return which rooms each room imports."""
    imported_rooms: dict[str, set[str]] = {}
    for name in modules():
        if name != "handloom":
            below = {room(imported) for imported in imports(name)} - {room(name)}
            imported_rooms.setdefault(room(name), set()).update(below)
    imported_rooms["backend"].add("fused")  # by name, when it is asked for
    return imported_rooms


def diagram() -> str:
    """Return the rooms as a picture, without the arrows that a longer way implies."""
    direct = arrows()

    def reached(start: str) -> set[str]:
        return set().union(*({below} | reached(below) for below in direct[start]))

    lines = [
        f"    {above} --> {below}"
        for rooms in ROOMS
        for above in rooms
        for below in sorted(direct.get(above, ()))
        if not any(below in reached(other) for other in direct[above])
    ]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```"])


@pytest.mark.slow
def test_the_page_shows_the_rooms_as_they_are() -> None:
    page = PAGE.read_text()
    (shown,) = re.findall(r"```mermaid\n.*?```", page, re.DOTALL)
    assert shown == diagram(), f"docs/architecture.md wants this picture:\n{diagram()}"
    for rooms in ROOMS:
        for each in rooms:
            assert each == "handloom" or re.search(rf"`{each}(/|\.py)`", page), each


def test_the_files_that_the_page_names_are_there() -> None:
    for path in re.findall(r"`([\w/]+\.py)`", PAGE.read_text()):
        assert any((base / path).exists() for base in (ROOT, PAGE.parents[1])), path


def test_every_file_has_a_room() -> None:
    listed = {each for rooms in ROOMS for each in rooms}
    assert {room(name) for name in modules()} == listed


def test_nothing_but_its_callers_imports_the_trainer() -> None:
    """State, callbacks, checkpoints and snapshots are below it: none of them needs it."""
    loops = {"training.trainer", "training.trainer_options", "training.epoch"}
    importing = {name for name in modules() if loops & imports(name)} - loops
    assert {room(name) for name in importing} - {"training"} <= {"recipes", "estimators", "cli"}
    assert {name for name in importing if room(name) == "training"} <= {"training"}


@pytest.mark.parametrize("name", paths())
def test_imports_run_downward(name: str) -> None:
    for imported in imports(name):
        below = floor(imported) > floor(name) or room(imported) == room(name)
        assert below, f"{name} imports {imported}, which is not below it"


def test_no_file_imports_itself_by_way_of_others() -> None:
    arrows = {name: set(imports(name)) for name in modules()}
    while free := {name for name, below in arrows.items() if not below & set(arrows)}:
        for name in free:
            del arrows[name]
    assert not arrows, f"a circle: {sorted(arrows)}"


def test_compiled_code_is_reached_through_the_backend_alone() -> None:
    for name in modules():
        if room(name) != "fused":
            assert not any(room(imported) == "fused" for imported in imports(name)), name
    text = (ROOT / "backend.py").read_text()
    assert "handloom.fused." in text  # by name, when it is asked for


def test_numba_is_imported_by_compiled_code_alone() -> None:
    for name, tree in modules().items():
        for node in ast.walk(tree):
            roots = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            if any(root.split(".")[0] in ("numba", "llvmlite") for root in roots):
                assert room(name) == "fused", name


def test_a_network_knows_no_layer_by_name() -> None:
    from handloom.layers import LAYERS

    names = {layer.__name__ for layer in LAYERS.values()}
    used = {node.id for node in ast.walk(modules()["network"]) if isinstance(node, ast.Name)}
    assert not used & names


def test_private_attributes_of_estimators_are_used_by_estimators_alone() -> None:
    pytest.importorskip("sklearn")
    from handloom.estimators.base import NetworkEstimator

    private = {name for name in vars(NetworkEstimator) if re.match("_[a-z]", name)}
    for name, tree in modules().items():
        if room(name) != "estimators":
            attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
            used = {each.attr for each in attributes if ast.unparse(each.value) != "self"}
            assert not used & private, name


def test_attributes_that_may_be_absent_have_a_default_and_are_not_looked_up_by_text() -> None:
    for name, path in paths().items():
        assert not re.search(r"__dict__(\.get\(|\[)", path.read_text()), name
