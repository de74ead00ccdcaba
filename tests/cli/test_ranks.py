"""The commands on several ranks, by real processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.digests import mpiexec

from handloom import load_run
from handloom.cli.app import run

pytest.importorskip("mpi4py")

TRAIN = "train --data silhouettes --epochs 1 --hidden 16 --batch-size 2000 --shard-rows 500"


def on_ranks(folder: Path, ranks: int, arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command on several ranks, each of which has one thread."""
    program = mpiexec()
    if program is None:
        pytest.skip("needs mpiexec")
    command = [program, "-n", str(ranks), sys.executable, "-m", "handloom", *arguments.split()]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.long
def test_ranks_train_the_model_of_one_process_and_print_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run([*TRAIN.split(), "--out", "alone"]) == 0
    done = on_ranks(tmp_path, 2, f"{TRAIN} --distributed mpi --out shared")
    assert done.returncode == 0, done.stderr
    assert "a step of 2,000 rows has 4 lanes: all 2 ranks have work" in done.stderr
    assert done.stdout.count("Wrote to") == 1
    weights, losses = set(), set()
    for name in ("alone", "shared"):
        each = load_run(name)
        assert each.model is not None
        assert each.history is not None
        weights.add(each.model.network.parameters.vector.tobytes())
        losses.add(tuple(each.history["loss"].tolist()))
    assert len(weights) == len(losses) == 1


@pytest.mark.slow
def test_an_error_is_told_once_and_ends_all_ranks(tmp_path: Path) -> None:
    failed = on_ranks(tmp_path, 2, f"{TRAIN} --distributed mpi --momentum 0.5")
    assert failed.returncode != 0
    assert failed.stderr.count("momentum is for") == 1


@pytest.mark.long
def test_recipes_studies_and_resumed_runs_are_shared(tmp_path: Path) -> None:
    recipe = "train --data silhouettes --recipe mlp-flash --epochs 1 --distributed mpi --out recipe"
    study = "reproduce --data silhouettes --steps 4 --batch-size 2000 --models sgd --out study"
    for command in (recipe, f"{study} --distributed mpi"):
        done = on_ranks(tmp_path, 2, command)
        assert done.returncode == 0, done.stderr
    done = on_ranks(tmp_path, 2, f"{TRAIN} --distributed mpi --out resumed")
    assert done.returncode == 0, done.stderr
    done = on_ranks(tmp_path, 3, "train --resume resumed --epochs 2 --distributed mpi")
    assert done.returncode == 0, done.stderr
    assert "resumed in epoch 2 of 2" in done.stderr
