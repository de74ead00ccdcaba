"""Several savers of one folder at once: the last one wins, whole; a reader finds a whole model."""

import subprocess
import threading
from pathlib import Path

import pytest
from tests.helpers.processes import running

from handloom import SGD, Dense, Model, Sequential, Trainer, silhouettes
from handloom.files import FileError, read_set, write_set

SAVE = """
import sys
from pathlib import Path
from handloom.files import write_set
folder, number, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
for each in range(rounds):
    content = bytes([number, each]) * 500
    write_set(folder, "thing", 1, {"a.json": content, "b.bin": content})
"""


def save(folder: Path, number: int, rounds: int) -> None:
    for each in range(rounds):
        content = bytes([number, each]) * 500
        write_set(folder, "thing", 1, {"a.json": content, "b.bin": content})


def attack(folder: Path, rounds: int) -> int:
    """Save from two processes and two threads, and read all the time; return the reads."""
    write_set(folder, "thing", 1, {"a.json": b"first", "b.bin": b"first"})
    failed: list[BaseException] = []

    def saving(number: int) -> None:
        try:
            save(folder, number, rounds)
        except BaseException as error:
            failed.append(error)

    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        running(SAVE, folder, 2, rounds, **pipes) as one,
        running(SAVE, folder, 3, rounds, **pipes) as other,
    ):
        for process in (one, other):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in (one, other):
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        threads = [threading.Thread(target=saving, args=(number,)) for number in (0, 1)]
        for thread in threads:
            thread.start()
        reads = 0
        while any(t.is_alive() for t in threads) or one.poll() is None or other.poll() is None:
            content = read_set(folder, "thing", 1)
            assert content["a.json"] == content["b.bin"]
            reads += 1
        assert (one.returncode, other.returncode) == (0, 0)
    assert not failed
    content = read_set(folder, "thing", 1)
    assert content["a.json"] == content["b.bin"] != b"first"
    assert content["a.json"][1] == rounds - 1  # the last round of the last saver
    assert len(list(folder.iterdir())) == 3  # its two files, and the manifest
    return reads


def test_of_two_processes_and_two_threads_the_last_one_wins_whole(tmp_path: Path) -> None:
    assert attack(tmp_path / "set", 8) > 8


@pytest.mark.long
def test_sixty_rounds_of_two_processes_and_two_threads(tmp_path: Path) -> None:
    for number in range(5):
        assert attack(tmp_path / f"set-{number}", 60) > 60


def test_two_models_saved_at_once_leave_one_of_them(tmp_path: Path) -> None:
    """As two trainings with `BestModel` do."""
    data = silhouettes(rows=20, test_rows=10).train
    models = [
        Trainer(Sequential([Dense(10)]).build((784,), seed=seed), SGD(), 0.1, epochs=1)
        for seed in (0, 1)
    ]
    for trainer in models:
        trainer.fit(data)
    weights = [trainer.network.parameters.vector.tobytes() for trainer in models]
    models[0].model().save(tmp_path)
    failed: list[BaseException] = []

    def saving(trainer: Trainer) -> None:
        try:
            for _ in range(6):
                trainer.model().save(tmp_path)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=saving, args=(trainer,)) for trainer in models]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert Model.load(tmp_path).network.parameters.vector.tobytes() in weights
    assert not failed
    assert Model.load(tmp_path).network.parameters.vector.tobytes() in weights


HOLD = """
import sys, time
from pathlib import Path
import handloom.files
from handloom.files import write_set
def stand_still(*arguments):
    print("half-way", flush=True)
    sys.stdin.read()
handloom.files._remove_replaced = stand_still
write_set(Path(sys.argv[1]), "thing", 1, {"a.json": b"second", "b.bin": b"second"})
"""


def test_a_saver_that_was_killed_keeps_nobody_waiting(tmp_path: Path) -> None:
    write_set(tmp_path, "thing", 1, {"a.json": b"first", "b.bin": b"first"})
    with running(HOLD, tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half-way\n"
        process.kill()
        process.wait()
        write_set(tmp_path, "thing", 1, {"a.json": b"third", "b.bin": b"third"})
    assert read_set(tmp_path, "thing", 1) == {"a.json": b"third", "b.bin": b"third"}
    assert len(list(tmp_path.iterdir())) == 3  # the files of the killed one are removed


def test_a_saver_that_stands_still_is_named_and_costs_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handloom.files.MAX_WAIT", 0.05, raising=False)
    write_set(tmp_path, "thing", 1, {"a.json": b"first", "b.bin": b"first"})
    with running(HOLD, tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half-way\n"
        with pytest.raises(FileError, match=r"another saver has held .*\.saving for 0.05 s"):
            write_set(tmp_path, "thing", 1, {"a.json": b"third", "b.bin": b"third"})
        assert read_set(tmp_path, "thing", 1) == {"a.json": b"second", "b.bin": b"second"}
