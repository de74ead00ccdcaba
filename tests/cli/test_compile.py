"""``handloom compile`` stores what a training would compile."""

from pathlib import Path

import pytest
from tests.cli.conftest import Command

from handloom.backend import FusedBackend

pytest.importorskip("numba")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDLOOM_CACHE", str(tmp_path / "cache"))


def test_what_one_process_compiled_another_finds(
    handloom: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FusedBackend, "files", lambda _: ("proximal",))
    first = handloom("compile", "--dtype", "float32", "--dtype", "float64")
    assert first.out.startswith("the kernels for float32 and float64 compiled in ")
    again = handloom("compile", "--dtype", "float64")
    assert again.out == "the kernels for float64 were compiled already\n"


def test_the_files_are_those_that_a_training_asks_for() -> None:
    assert {"runner", "winograd", "proximal", "atomics"} <= set(FusedBackend("float32").files())


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
