"""Compilation is announced when it begins, and only if code is not loaded from the cache."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.processes import running
from tests.helpers.training import ROWS, network

from handloom import SGD, Callback, Trainer
from handloom.compilation import begins, watching
from handloom.training import TrainingState
from handloom.training.callbacks.base import Hooks

numba = pytest.importorskip("numba")


def twice(x: float) -> float:
    return 2.0 * x


@pytest.fixture
def calls() -> list[str]:
    return []


def compile_and_call(calls: list[str]) -> None:
    from handloom.fused.compiling import compiled

    with watching(lambda: calls.append("begin"), lambda: calls.append("end")):
        assert compiled(twice)(1.5) == 3.0
        assert compiled(twice)(1) == 2


def test_a_compilation_is_announced_once_and_a_loaded_function_never(
    calls: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDLOOM_CACHE", str(tmp_path))
    compile_and_call(calls)
    assert calls == ["begin", "end"]
    compile_and_call(calls)
    assert calls == ["begin", "end"]


def test_it_is_announced_where_no_cache_can_be_kept(calls: list[str]) -> None:
    from handloom.fused.caching import NoCache

    with watching(lambda: calls.append("begin"), lambda: calls.append("end")):
        NoCache().load_overload(None, None)
    assert calls == ["begin", "end"]


def test_a_block_that_compiles_nothing_is_not_announced(calls: list[str]) -> None:
    with watching(lambda: calls.append("begin"), lambda: calls.append("end")):
        pass
    begins()  # without a watcher
    assert calls == []


class Announced(Callback):
    """Notes the hooks of compilation."""

    changes_results = False

    def __init__(self, *, fails: bool = False) -> None:
        self.calls: list[str] = []
        self.fails = fails

    def on_compile_begin(self, *, state: TrainingState) -> None:
        self.calls.append("begin")
        if self.fails:
            raise RuntimeError("mine")

    def on_compile_end(self, *, state: TrainingState) -> None:
        self.calls.append("end")


def test_the_error_of_a_hook_is_raised_after_the_compilation() -> None:
    trainer = Trainer(network(ROWS), SGD(), 0.1, epochs=1)
    trainer.fit(ROWS)
    callback, compiled = Announced(fails=True), []

    def compile_here() -> None:
        with Hooks([callback]).compiling(trainer.state):
            begins()
            compiled.append(True)

    with pytest.raises(RuntimeError, match="mine"):
        compile_here()
    assert callback.calls == ["begin", "end"]
    assert compiled


FIT = """
import sys
from handloom import Adam, Dense, Progress, ReLU, Sequential, Trainer, silhouettes
data = silhouettes(rows=200, test_rows=20).train
network = Sequential([Dense(8), ReLU(), Dense(10)]).build((784,))
callbacks = [Progress("mine")] if sys.argv[1] == "shown" else []
Trainer(
    network, Adam(), 1e-3, epochs=1, batch_size=50, backend="fused", callbacks=callbacks
).fit(data)
"""


@pytest.mark.long
def test_a_training_says_that_it_compiles_the_first_time_only(tmp_path: Path) -> None:
    environment = {**os.environ, "HANDLOOM_CACHE": str(tmp_path)}

    def lines(shown: str) -> list[str]:
        options: dict[str, Any] = {"stderr": subprocess.PIPE, "env": environment}
        with running(FIT, shown, **options) as process:
            return process.communicate(timeout=300)[1].splitlines()

    first = lines("shown")
    assert first[0].startswith("mine  compiling kernels, once for this kind of network")
    assert "epoch 1/1" in first[1]
    assert "compiling" not in "".join(lines("shown"))
    shutil.rmtree(tmp_path)
    assert lines("not") == []
