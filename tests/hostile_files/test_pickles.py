"""Nothing in a file is unpickled or run."""

import ast
import io
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from fuzz.targets import TARGETS
from fuzz.watch import Watch, attempt
from tests.hostile_files.helpers import linux_only

import handloom
from handloom import Model, ModelError

pytestmark = linux_only
SOURCE = Path(handloom.__file__).parent
UNPICKLERS = {"pickle", "_pickle", "cPickle", "marshal", "shelve", "joblib", "dill", "cloudpickle"}
RUNS = {"eval", "exec", "__import__"}
EXPORTS = ("interop/numpy/export.py", "interop/torch/export.py", "interop/torch/modules.py")
"""Files of the library that run a text which they have just made; none was read from a file."""


@pytest.fixture(scope="module")
def nodes() -> list[tuple[str, ast.AST]]:
    """All imports and calls of our source, with their file."""
    return [
        (f"{path.relative_to(SOURCE)}:{getattr(node, 'lineno', 0)}", node)
        for path in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Call)
    ]


def name_of(function: ast.expr) -> str:
    """Return the last name of a function that is called, so load of numpy.load."""
    return str(getattr(function, "attr", getattr(function, "id", "")))


@pytest.mark.slow
def test_nothing_that_unpickles_is_imported(nodes: list[tuple[str, ast.AST]]) -> None:
    for place, node in nodes:
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert not UNPICKLERS & {name.partition(".")[0] for name in names}, place


def test_nothing_in_a_file_is_run(nodes: list[tuple[str, ast.AST]]) -> None:
    for place, node in nodes:
        if isinstance(node, ast.Call) and name_of(node.func) in RUNS | {"load", "read_array"}:
            called = ast.unparse(node.func)
            options = {option.arg: ast.unparse(option.value) for option in node.keywords}
            assert called not in RUNS or place.startswith(EXPORTS), place
            if re.fullmatch(r"(np|numpy)\.(load|lib\.format\.read_array)", called):
                assert options.get("allow_pickle") == "False", place


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.marker,)


def test_the_payload_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "marker")))  # noqa: S301
    assert (tmp_path / "marker").exists()


@pytest.mark.parametrize("protocol", [0, pickle.HIGHEST_PROTOCOL])
@pytest.mark.parametrize("name", TARGETS)
def test_a_pickle_is_not_unpickled(name: str, protocol: int, tmp_path: Path, watch: Watch) -> None:
    marker = tmp_path / "marker"
    read = TARGETS[name].prepare(tmp_path)
    attempt(read, TARGETS[name].seeds()[0])
    objects = io.BytesIO()
    np.save(objects, np.array([Payload(marker)], object), allow_pickle=True)
    for data in (pickle.dumps(Payload(marker), protocol), objects.getvalue()):
        with watch.over(tmp_path):
            refused = attempt(read, data)
        assert refused is not None or name == "config"  # which is given JSON only
        assert not marker.exists()


def test_a_pickle_in_place_of_a_models_weights_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    TARGETS["model"].prepare(tmp_path)
    (weights,) = tmp_path.glob("weights-*")
    weights.write_bytes(pickle.dumps(Payload(marker)))
    with pytest.raises(ModelError, match="changed"):
        Model.load(tmp_path)
    assert not marker.exists()
