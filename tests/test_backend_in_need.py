"""Compiled code where it cannot be kept or cannot work: "auto" goes on, "fused" says why."""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import handloom
from handloom import Adam, Dense, ReLU, Sequential, Trainer, silhouettes
from handloom.backend import OLDEST_NUMBA, FusedBackend, problem_of_fused
from handloom.environment import environment
from handloom.errors import ConfigurationError
from handloom.optimizers.adam import adam_step

pytest.importorskip("numba")

SOURCE = Path(handloom.__file__).parent

FIT = """
import warnings
import numpy as np
from handloom import MLPClassifier
warnings.simplefilter("always")
warnings.filterwarnings("ignore", module="sklearn")
X = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
for _ in range(2):
    model = MLPClassifier(
        (4,), solver={solver!r}, max_iter=3, random_state=0, backend={backend!r}
    )
    print(model.fit(X, X[:, 0] > 0).predict(X).shape)
"""
STEP = """
import numpy as np
from handloom.backend import choose_backend
from handloom.optimizers.adam import adam_step
backend = choose_backend("fused", np.float32, work=1)
with backend.threads(1) as pool:
    backend.version_of(adam_step, pool)
print("ready")
"""


def run(
    code: str, *, path: Path | None = None, by: Sequence[str] = (), **variables: str | Path
) -> subprocess.CompletedProcess[str]:
    """Run code in another process, which imports from ``path`` first; ``by`` starts it."""
    paths = os.pathsep.join([*([str(path)] if path else []), str(SOURCE.parent)])
    given = {name: str(value) for name, value in variables.items()}
    return subprocess.run(
        [*by, sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"} | given,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def installed() -> Iterator[Path]:
    """Yield the folder of a copy of the library that nobody can write to."""
    folder = Path(tempfile.mkdtemp())  # pytest's own folders cannot be read by other users
    shutil.copytree(SOURCE, folder / "handloom", ignore=shutil.ignore_patterns("__pycache__"))
    for each in [folder, *folder.rglob("*")]:
        each.chmod(0o555 if each.is_dir() else 0o444)
    yield folder
    for each in [folder, *folder.rglob("*")]:
        each.chmod(0o755)
    shutil.rmtree(folder)


def package(folder: Path, content: str) -> Path:
    """Write a package "numba" that hides the installed one; return the folder to import from."""
    (folder / "numba").mkdir()
    (folder / "numba" / "__init__.py").write_text(content)
    return folder


USERS = {
    "nobody": ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
    "root without its rights": ["setpriv", "--bounding-set=-all", "--inh-caps=-all"],
    "the user of this process": [],
}


OTHER_ROOT = "root without its rights"


@pytest.mark.long
@pytest.mark.parametrize(
    ("backend", "solver"),
    [("auto", "adam"), ("fused", "lbfgs")],  # whole steps, which take long to compile, and passes
)
@pytest.mark.parametrize(
    "user",
    [pytest.param(user, marks=[pytest.mark.long] * (user == OTHER_ROOT)) for user in USERS],
)
def test_a_read_only_installation_serves_users_without_a_home(
    installed: Path, user: str, backend: str, solver: str
) -> None:
    is_root, by = os.getuid() == 0, USERS[user]
    if is_root != bool(by) or (by and not shutil.which("setpriv")):
        pytest.skip("only root becomes another user, and root itself writes anywhere")
    if run("import numba, sklearn, safetensors", by=by).returncode:
        pytest.skip("this user cannot read this Python and its packages")
    done = run(
        FIT.format(backend=backend, solver=solver),
        path=installed,
        by=by,
        HOME="/dev/null/x",
        XDG_CACHE_HOME="/dev/null/x",
    )
    assert done.stdout == "(50,)\n(50,)\n", done.stderr
    assert done.stderr.count("compiled code is not kept") == 1
    assert "Set HANDLOOM_CACHE to a directory that can be written" in done.stderr
    assert not list(installed.rglob("*.nbi"))


BROKEN = {
    "import": ("raise RuntimeError('libLLVM is not there')", "libLLVM is not there"),
    "old": ("__version__ = '0.59.1'", "Numba must be of version 0.60 or later, got 0.59.1"),
    "empty": ("", "Numba must be of version 0.60 or later, got unknown"),
    "switched off": (None, "NUMBA_DISABLE_JIT is set"),
}


@pytest.mark.parametrize(
    "name", ["import", *(pytest.param(name, marks=pytest.mark.long) for name in list(BROKEN)[1:])]
)
@pytest.mark.slow
def test_where_numba_does_not_work_a_fit_takes_numpy_and_says_so_once(
    tmp_path: Path, name: str
) -> None:
    content, reason = BROKEN[name]
    given: dict[str, Any] = {"NUMBA_DISABLE_JIT": "1"}
    if content is not None:
        given = {"path": package(tmp_path, content)}
    done = run(FIT.format(backend="auto", solver="adam"), **given)
    assert done.stdout == "(50,)\n(50,)\n", done.stderr
    assert done.stderr.count("NumPy runs in place of compiled code") == 1
    assert reason in done.stderr
    failed = run(FIT.format(backend="fused", solver="adam"), **given)
    *_, error = failed.stderr.strip().splitlines()
    assert "ConfigurationError: backend='fused' must be able to compile code" in error
    assert reason in error


def test_the_history_says_why_numpy_took_the_place_of_compiled_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("handloom.backend.FUSED_FROM", 0)
    monkeypatch.setattr("handloom.backend.problem_of_fused", lambda: "the tests do without")
    data = silhouettes(rows=40, test_rows=10)
    network = Sequential([Dense(4), ReLU(), Dense(10)]).build((784,), seed=0)
    trainer = Trainer(network, Adam(), 1e-3, epochs=1, batch_size=20)
    with pytest.warns(RuntimeWarning, match="NumPy runs in place of compiled code: the tests do"):
        history = trainer.fit(data.train)
    assert history.backend == "numpy"
    assert history.notes == ["NumPy runs in place of compiled code: the tests do without"]


def test_a_function_that_does_not_compile_is_replaced_or_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def compile_for(_: object) -> None:
        raise TypeError("no lowering of this")

    monkeypatch.setattr("handloom.fused.adam.compile_for", compile_for)
    lenient = FusedBackend(np.float32, fall_back=True)
    with pytest.warns(RuntimeWarning, match=r"fused/adam.py does not compile: TypeError"):
        assert lenient.version_of(adam_step) is adam_step
    assert len(lenient.notes) == 1
    with pytest.raises(ConfigurationError, match=r"must be able .*'no lowering of this'"):
        FusedBackend(np.float32).version_of(adam_step)


@pytest.mark.long
def test_the_variable_chooses_where_compiled_code_is_kept(tmp_path: Path) -> None:
    first = run(STEP, HANDLOOM_CACHE=tmp_path / "kept")
    assert first.stdout == "ready\n", first.stderr
    kept = {each: each.stat().st_mtime_ns for each in (tmp_path / "kept").rglob("*.nb?")}
    assert any("adam" in each.name for each in kept)
    assert run(STEP, HANDLOOM_CACHE=tmp_path / "kept").stdout == "ready\n"
    assert kept == {each: each.stat().st_mtime_ns for each in (tmp_path / "kept").rglob("*.nb?")}


@pytest.mark.long
def test_a_cache_that_was_filled_before_may_be_read_only(installed: Path) -> None:
    cache = Path(tempfile.mkdtemp())
    try:
        assert run(STEP, path=installed, HANDLOOM_CACHE=cache).stdout == "ready\n"
        kept = set(cache.rglob("*"))
        for each in [cache, *kept]:
            each.chmod(0o555 if each.is_dir() else 0o444)
        done = run(STEP, path=installed, HANDLOOM_CACHE=cache)
        assert (done.stdout, done.stderr) == ("ready\n", "")
        by = USERS["nobody"]
        if os.getuid() == 0 and not run("import numba", by=by).returncode:
            done = run(STEP, path=installed, by=by, HANDLOOM_CACHE=cache)
            assert (done.stdout, done.stderr) == ("ready\n", "")
        assert set(cache.rglob("*")) == kept
    finally:
        for each in [cache, *cache.rglob("*")]:
            each.chmod(0o755)
        shutil.rmtree(cache)


@pytest.mark.parametrize("left", [pytest.param(0.0, marks=pytest.mark.long), 0.5])
@pytest.mark.slow
def test_damaged_files_of_compiled_code_are_compiled_again(tmp_path: Path, left: float) -> None:
    run(STEP, HANDLOOM_CACHE=tmp_path)
    damaged = {}
    for each in tmp_path.rglob("*.nb?"):
        content = each.read_bytes()
        damaged[each] = content[: int(left * len(content))]
        each.write_bytes(damaged[each])
    again = run(STEP, HANDLOOM_CACHE=tmp_path)
    assert (again.stdout, again.stderr) == ("ready\n", "")
    assert damaged
    assert all(each.read_bytes() != content for each, content in damaged.items())


@pytest.mark.long
@pytest.mark.parametrize(
    "damage",
    ["bytes", *(pytest.param(other, marks=pytest.mark.long) for other in ("pipe", "exchange"))],
)
def test_compiled_code_that_is_not_what_was_saved_is_compiled_again(
    tmp_path: Path, damage: str
) -> None:
    run(STEP, HANDLOOM_CACHE=tmp_path)
    files = sorted(tmp_path.rglob("*.nbc"))
    contents = {each: each.read_bytes() for each in files}
    for each, other in zip(files, [*files[1:], files[0]], strict=True):
        if damage == "bytes":  # of the machine code, which is in the middle
            content = bytearray(contents[each])
            content[len(content) // 2] ^= 1
            each.write_bytes(content)
        elif damage == "pipe":
            each.unlink()
            os.mkfifo(each)
        else:  # whole, and of another function
            each.write_bytes(contents[other])
    damaged = {each: each.read_bytes() for each in files if each.is_file()}
    again = run(STEP, HANDLOOM_CACHE=tmp_path)
    assert (again.returncode, again.stdout, again.stderr) == (0, "ready\n", "")
    assert files
    assert all(each.is_file() and each.read_bytes() != damaged.get(each) for each in files)


@pytest.mark.long
def test_a_cache_that_cannot_be_written_costs_a_warning_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run(STEP, HANDLOOM_CACHE=tmp_path / "file" / "folder")
    assert done.stdout == "ready\n", done.stderr
    assert done.stderr.count("RuntimeWarning: compiled code is not kept") == 1
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))"
    full = run(limited + STEP, HANDLOOM_CACHE=tmp_path / "full")
    assert full.stdout == "ready\n", full.stderr
    assert full.stderr.count("RuntimeWarning: compiled code is not kept") == 1
    assert "File too large" in full.stderr


@pytest.mark.parametrize("error", [PackageNotFoundError("numba"), KeyError("Version")])
def test_the_environment_is_known_where_metadata_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def version(_: str) -> str:
        raise error

    monkeypatch.setattr("importlib.metadata.version", version)
    uncached = import_module("handloom.environment")._version_of.__wrapped__
    monkeypatch.setattr("handloom.environment._version_of", uncached)
    assert environment()["versions"]["numba"] == "unknown"


def test_compiled_code_works_here() -> None:
    assert problem_of_fused() is None


def test_the_oldest_numba_is_that_of_the_extra() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"]["fast"] == [
        f"numba>={'.'.join(map(str, OLDEST_NUMBA))}"
    ]
