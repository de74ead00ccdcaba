"""``handloom compile`` stores the code that a training would compile."""

from pathlib import Path

import pytest
from tests.cli.conftest import Command

from handloom.backend import FusedBackend

pytest.importorskip("numba")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # a file that is imported keeps its cache: those of this process, that of all other tests
    FusedBackend("float32").files()
    monkeypatch.setenv("HANDLOOM_CACHE", str(tmp_path / "cache"))


def test_what_one_process_compiled_another_finds(
    handloom: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FusedBackend, "files", lambda _: ("proximal",))
    first = handloom("compile", "--dtype", "float32", "--dtype", "float32")
    assert first.out.startswith("the kernels for float32 compiled in ")
    again = handloom("compile", "--dtype", "float32")
    assert again.out == "the kernels for float32 were compiled already\n"


def test_the_files_are_those_that_a_training_asks_for() -> None:
    assert {"runner", "winograd", "proximal", "atomics"} <= set(FusedBackend("float32").files())


def test_code_that_cannot_be_stored_is_an_error(
    handloom: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HANDLOOM_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(FusedBackend, "files", lambda _: ("proximal",))
    ended = handloom("compile", "--dtype", "float32")
    assert ended.status == 1
    assert "Set HANDLOOM_CACHE to a directory that can be written" in ended.err


def test_an_unknown_dtype_is_refused(handloom: Command) -> None:
    ended = handloom("compile", "--dtype", "float16")
    assert ended.status == 1
    assert "unknown dtype 'float16'; known are: float32, float64" in ended.err


def test_numba_that_does_not_work_is_told(
    handloom: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    monkeypatch.setattr(FusedBackend, "files", lambda _: ("proximal",))
    ended = handloom("compile")
    assert ended.status == 1
    assert "NUMBA_DISABLE_JIT is set" in ended.err
