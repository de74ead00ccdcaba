"""Trainings in processes of mpiexec: the same bits on any number of ranks, and tidy ends."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from benchmarks.digest_cases import CASES, train
from benchmarks.digests import (
    ALONE,
    MOST_SECONDS,
    SETUPS,
    Setup,
    digests,
    killed,
    mpiexec,
)
from tests.helpers.training import BACKENDS

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("mpi4py") is None or mpiexec() is None,
    reason="needs the extra mpi, and mpiexec",
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_two_ranks_train_the_same_bits_as_one_process() -> None:
    received = digests(Setup(2, 1), list(CASES), "numpy", epochs=2)
    assert received == {name: train(name, backend="numpy", threads=1, epochs=2) for name in CASES}


@pytest.mark.long
@pytest.mark.parametrize("setup", SETUPS, ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_any_number_of_ranks_and_threads_train_the_same_bits(backend: str, setup: Setup) -> None:
    assert digests(setup, list(CASES), backend) == digests(ALONE, list(CASES), backend)


@pytest.mark.long
@pytest.mark.parametrize("backend", BACKENDS)
def test_killed_trainings_are_resumed_to_the_same_bits(tmp_path: Path, backend: str) -> None:
    expected = digests(ALONE, list(CASES), backend)
    names, kills = list(CASES), 0
    for attempt in range(60):
        generator = np.random.default_rng(attempt)
        name = names[generator.integers(len(names))]
        result = killed(name, backend, tmp_path / str(attempt), generator)
        assert result.digest == expected[name], (attempt, name, result.setups)
        kills += len(result.setups) - 1
        if kills >= 20:
            return
    raise AssertionError(f"only {kills} trainings were killed before they ended")


SCRIPT = """
import os, sys, threading, time
import numpy as np
from handloom import Adam, Callback, Checkpoints, Dataset, Dense, ReLU, Sequential, Trainer
from handloom.parallel.mpi import ranks_of

mode, folder = sys.argv[1], sys.argv[2]
inputs = np.random.default_rng(0).standard_normal((300, 5))
rows = Dataset(inputs, np.arange(300) % 3, ("a", "b", "c"))

class Slow(ReLU):
    def config(self):
        return {}

    def forward(self, x, **options):
        if mode == "signals":
            time.sleep(0.01)
        rank = os.environ.get("PMI_RANK", os.environ.get("OMPI_COMM_WORLD_RANK"))
        if mode == "dies" and rank == "1" and options["training"]:
            os._exit(7)
        return super().forward(x, **options)

class Count(Callback):
    changes_results = False

    def on_epoch_end(self, *, state, record):
        open(f"{folder}/epochs", "a").write(f"{record.epoch}\\n")

def fit(epochs):
    network = Sequential([Dense(8), Slow(), Dense(3)]).build((5,))
    options = {"batch_size": 64, "shard_rows": 16, "backend": "numpy", "threads": 1}
    options |= {"distributed": "mpi", "on_signal": "finish", "callbacks": [Count()]}
    trainer = Trainer(network, Adam(), 0.01, epochs=epochs, **options)
    return trainer.fit(rows)

if mode == "threads":
    told = []

    def run():
        try:
            told.append(fit(30).ended)
        except Exception as error:
            told.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    print(sorted(told), flush=True)
    sys.exit()

rank = ranks_of("mpi").rank
open(f"{folder}/rank-{rank}", "w").write(str(os.getpid()))
history = fit(1000 if mode == "signals" else 2)
if rank == 1 and mode == "fails":
    raise ValueError("mine")
if rank == 1 and mode == "exits":
    sys.exit(3)
if mode in ("fails", "exits"):
    fit(2)
print(f"rank {rank} {history.ended}", flush=True)
"""


@contextmanager
def script(mode: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [mpiexec() or "", "-n", "3", sys.executable, "-c", SCRIPT, mode, str(folder)]
    with subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


@pytest.mark.long
@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("fails", "rank 1 ({host}): its program has ended"),
        ("exits", "rank 1 ({host}): its program has ended"),
        ("dies", "rank 1 (host {host}, process "),
    ],
)
def test_a_rank_that_ends_ends_the_job(tmp_path: Path, mode: str, told: str) -> None:
    with script(mode, tmp_path) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert told.format(host=os.uname().nodename) in err


@pytest.mark.long
def test_of_two_threads_on_every_rank_one_trains(tmp_path: Path) -> None:
    with script("threads", tmp_path) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.count("all 30 epochs done") == 3
    assert out.count("the group of ranks is in use by another training, in another thread") == 3


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("target", ["mpiexec", "rank-0", "rank-1"])
def test_a_signal_ends_training_tidily_on_all_ranks(
    tmp_path: Path, target: str, number: signal.Signals
) -> None:
    with script("signals", tmp_path) as process:
        until = time.monotonic() + MOST_SECONDS
        while not (tmp_path / "epochs").exists() and time.monotonic() < until:
            time.sleep(0.01)
        path = tmp_path / target
        os.kill(int(path.read_text()) if path.exists() else process.pid, number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.count("interrupted") == 3
    assert "rank 0 stopped after" in out
