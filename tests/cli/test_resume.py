"""``handloom train --resume``: a training that was stopped, resumed to the same bits."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Command

from handloom import Model
from handloom.cli.app import run as run_command
from handloom.files import MANIFEST
from handloom.locks import only_writer
from handloom.training.snapshot import Snapshot

MAIN = "from handloom.cli import main; main()"
SETTINGS = ("--epochs", "100", "--hidden", "16", "--batch-size", "64", "--checkpoint-every", "1")


def start(*arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, "train", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    while not condition() and process.poll() is None:
        time.sleep(0.001)


def kill(process: "subprocess.Popen[str]", number: int = signal.SIGKILL) -> str:
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    return said


def unfinished(run: Path) -> list[Path]:
    return [path for path in (run / "checkpoints").glob("step-*") if not (path / MANIFEST).exists()]


def learned(run: Path) -> tuple[bytes, list[list[str]]]:
    """Return the weights of a run, and its history without the clock."""
    lines = [line.split(",") for line in (run / "history.csv").read_text().splitlines()]
    clock = lines[0].index("seconds")
    history = [line[:clock] + line[clock + 1 :] for line in lines]
    return Model.load(run / "model").network.parameters.vector.tobytes(), history


@pytest.fixture(scope="module")
def whole(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run folder of a training that was never stopped."""
    run = tmp_path_factory.mktemp("whole") / "run"
    process = start("--data", tiny_folder, "--out", run, *SETTINGS, "--threads", 1)
    assert process.wait(timeout=120) == 0
    process.communicate()
    return run


def epochs_in_checkpoint(run: Path) -> int:
    """Return the number of epochs in the newest complete checkpoint."""
    complete = sorted(path.parent for path in (run / "checkpoints").glob(f"step-*/{MANIFEST}"))
    return len(Snapshot.load(complete[-1]).values["history"]["records"]) if complete else 0


def epochs_logged(run: Path) -> int:
    return len((run / "history.csv").read_text().splitlines()) - 1


def survive(tiny_folder: Path, run: Path, kills: int) -> int:
    """Train with a number of kills; return the number of them during a write."""
    moments, half_way, first = random.Random(7), 0, True
    while kills:
        process = start(*(("--data", tiny_folder, "--out", run, *SETTINGS) if first else
                          ("--resume", run, "--checkpoint-every", 1)))  # fmt: skip
        log, checkpointed = run / "history.csv", 0 if first else epochs_in_checkpoint(run)
        before = log.stat().st_mtime_ns if log.exists() else 0
        # the log is rewritten when training begins
        wait_for(lambda: log.exists() and log.stat().st_mtime_ns > before, process)  # noqa: B023
        assert epochs_logged(run) >= checkpointed  # it resumed, and did not start again
        first = False
        if moments.random() < 0.5:
            wait_for(lambda: bool(unfinished(run)), process)
        else:
            time.sleep(moments.uniform(0.0, 0.3))
        if process.poll() is None:
            kill(process)
            kills -= 1
            half_way += bool(unfinished(run))
        else:  # finished before the kill: start again, so that each kill hits a training
            process.communicate()
            assert process.returncode == 0
            shutil.rmtree(run)
            first = True
    checkpointed = epochs_in_checkpoint(run)
    process = start("--resume", run, "--threads", 2)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert ("resumed in epoch" in said) == (checkpointed > 0)
    return half_way


@pytest.mark.slow
def test_a_training_that_is_killed_goes_on_to_the_same_bits(
    tiny_folder: Path, whole: Path, tmp_path: Path
) -> None:
    survive(tiny_folder, tmp_path / "run", kills=1)
    assert learned(tmp_path / "run") == learned(whole)


@pytest.mark.long
def test_a_training_survives_25_kills(tiny_folder: Path, whole: Path, tmp_path: Path) -> None:
    half_way = survive(tiny_folder, tmp_path / "run", kills=25)
    print(f"25 kills survived, {half_way} of them while a checkpoint was being written")
    assert half_way
    assert learned(tmp_path / "run") == learned(whole)


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, marks=pytest.mark.long), signal.SIGTERM]
)
@pytest.mark.slow
def test_a_signal_ends_a_training_tidily_and_it_can_be_resumed(
    number: int, tiny_folder: Path, whole: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    process = start("--data", tiny_folder, "--out", run, *SETTINGS[:-1], "1000")
    history = run / "history.csv"
    wait_for(lambda: history.exists() and len(history.read_text().splitlines()) > 3, process)
    said = kill(process, number)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert f"to resume: handloom train --resume {run}" in said
    assert json.loads((run / "results.json").read_text())["stop_reason"] == "interrupted"
    Model.load(run / "model")

    process = start("--resume", run)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "resumed in epoch" in said
    assert learned(run) == learned(whole)
    assert json.loads((run / "results.json").read_text())["stop_reason"] == "max_epochs"


@pytest.mark.long
@pytest.mark.usefixtures("pictures")
def test_a_finished_training_writes_the_same_results_again(
    handloom: Command, whole: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    shutil.rmtree(run / "pictures")
    ended = handloom("train", "--resume", run)
    assert ended.status == 0
    assert learned(run) == learned(whole)
    assert (run / "pictures" / "curves.png").exists()


def test_resuming_needs_nothing_else_and_refuses_what_it_would_ignore(
    handloom: Command, whole: Path, tmp_path: Path
) -> None:
    ended = handloom("train", "--resume", whole, "--hidden", 100, "--out", tmp_path / "x")
    assert ended.status == 1
    assert "--hidden would be ignored beside --resume" in ended.err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("every", ["5x", "0m", "0"])
def test_a_wrong_interval_of_checkpoints_is_that_of_the_option(
    handloom: Command, tmp_path: Path, every: str
) -> None:
    options = ("--data", "moons", "--checkpoint-every", every, "--out", tmp_path / "run")
    ended = handloom("train", *options)
    assert ended.status == 1
    assert ended.err == (
        "error: --checkpoint-every must be a number of epochs (5) or of minutes (5m), above 0, "
        f"got {every!r}\n"
    )


def test_what_is_not_a_run_is_refused_by_name(handloom: Command, tmp_path: Path) -> None:
    ended = handloom("train", "--resume", tmp_path / "nowhere")
    assert ended.status == 1
    assert "nowhere does not exist, expected a run folder" in ended.err
    assert not (tmp_path / "nowhere").exists()

    for content in ("", "[]", "{}", '{"kind": "handloom run", "version": 3}', "[" * 100_000):
        (tmp_path / "run.json").write_text(content)
        ended = handloom("train", "--resume", tmp_path)
        assert ended.status == 1
        assert "run.json" in ended.err
        assert "Traceback" not in ended.err


def test_a_run_of_an_older_version_is_refused_and_its_model_is_not(
    handloom: Command, whole: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    described = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**described, "version": 1}))
    for command in (("train", "--resume"), ("summary",)):
        ended = handloom(*command, run)
        assert ended.status == 1
        assert "run.json: version 1, written by an earlier Handloom" in ended.err
        assert str(run / "model") in ended.err
    assert handloom("summary", run / "model").status == 0


def test_a_run_that_was_killed_has_no_model_yet(
    handloom: Command, whole: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    shutil.rmtree(run / "model")
    ended = handloom("summary", run)
    assert ended.status == 1
    assert f"{run / 'model'} is missing" in ended.err
    assert "written when training ends" in ended.err


def test_settings_that_were_changed_by_hand_are_refused(
    handloom: Command, whole: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    described = json.loads((run / "run.json").read_text())
    for change, named in (
        ({"hidden": [17]}, "units is 17, the checkpoint has 16"),
        ({"optimizer": "adma"}, "adam"),
        ({"epochs": "many"}, "epochs"),
        ({"hidden": 16}, "settings: "),
        ({"surprise": 1}, "settings must hold"),
    ):
        changed = {**described, "settings": {**described["settings"], **change}}
        (run / "run.json").write_text(json.dumps(changed))
        ended = handloom("train", "--resume", run)
        assert ended.status == 1
        assert named in ended.err


def test_another_dataset_is_refused_by_name(handloom: Command, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    ended = handloom("train", "--resume", run, "--data", "silhouettes")
    assert ended.status == 1
    assert "the checkpoint has tiny (270 rows" in ended.err
    assert "silhouettes (9,000 rows" in ended.err


def test_the_same_rows_may_have_moved(
    handloom: Command, whole: Path, tmp_path: Path, tiny_folder: Path
) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    shutil.copytree(whole, run)
    shutil.copytree(tiny_folder, other)
    assert handloom("train", "--resume", run, "--data", other).status == 0


@pytest.mark.long
def test_where_rows_were_found_is_remembered(
    handloom: Command, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HANDLOOM_DATA", str(tiny_folder))
    assert run_command(["train", "--epochs", "1", "--out", "run", "--checkpoint-every", "3"]) == 0
    monkeypatch.delenv("HANDLOOM_DATA")
    described = json.loads((tmp_path / "run" / "run.json").read_text())
    assert described["data"] == str(tiny_folder)
    assert described["checkpoint_every"] == "3"
    assert handloom("train", "--resume", "run").status == 0
    ended = handloom("train", "--resume", "run", "--threads", 0)
    assert ended.status == 1
    assert "threads" in ended.err


def test_a_damaged_checkpoint_falls_back_and_says_so(
    handloom: Command, whole: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    older, newest = sorted((run / "checkpoints").glob("step-*"))
    (payload,) = newest.glob("*.safetensors")
    payload.write_bytes(payload.read_bytes()[:-1])
    ended = handloom("train", "--resume", run)
    assert ended.status == 0
    assert f"continuing from {older.name}, which is older" in ended.err
    assert learned(run) == learned(whole)


def test_the_run_folder_has_one_writer(
    handloom: Command, whole: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    with only_writer(run):
        ended = handloom("train", "--resume", run)
        assert ended.status == 1
        assert f"being written to by another training (process {os.getpid()})" in ended.err
        assert "another training" in handloom("train", "--data", tiny_folder, "--out", run).err


def test_a_run_records_what_its_bits_depend_on(whole: Path) -> None:
    recorded = json.loads((whole / "run.json").read_text())
    assert recorded["environments"][0]["versions"]["numpy"] == np.__version__
    assert recorded["environments"][0]["blas"]
    assert recorded["settings"]["seed"] == 0
    assert recorded["settings"]["threads"] == recorded["threads"] == 1


@pytest.mark.long
def test_a_closed_terminal_ends_a_training_after_a_checkpoint(
    tiny_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    process = start(
        *("--data", tiny_folder, "--out", run, "--epochs", 100_000, "--checkpoint-every", "99m")
    )
    wait_for(lambda: (run / "history.csv").exists() and epochs_logged(run) > 1, process)
    for _ in range(3):  # a shell and the system send one each
        process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert epochs_in_checkpoint(run) > 1


@pytest.mark.long
def test_a_model_without_checkpoints_is_not_trained_again(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert handloom("train", "--data", tiny_folder, "--out", run, "--epochs", 1).status == 0
    shutil.rmtree(run / "checkpoints")
    files = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    ended = handloom("train", "--resume", run, "--epochs", 2)
    assert ended.status == 1
    assert "holds a model and no checkpoint" in ended.err
    assert all(path.read_bytes() == content for path, content in files.items())
