"""``handloom train --resume`` of a run that is finished: it says so, and how to train longer."""

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Command
from tests.cli.test_resume import learned

EPOCHS = 3


def train(handloom: Command, data: Path, run: Path, *options: object) -> Path:
    ended = handloom(
        *("train", "--data", data, "--out", run, "--hidden", 8, "--batch-size", 50),
        *("--learning-rate", 0.1, "--epochs", EPOCHS, *options),
    )
    assert ended.status == 0, ended.err
    return run


def test_a_finished_run_says_that_it_is_finished_and_how_to_train_longer(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    run = train(handloom, tiny_folder, tmp_path / "run")
    ended = handloom("train", "--resume", run)
    assert ended.status == 0
    assert "finished: 3 of 3 epochs are done; for more epochs:" in ended.err
    assert f"handloom train --resume {run} --epochs N" in ended.err
    assert "resumed in epoch" not in ended.err
    assert "epoch 4" not in ended.err


@pytest.mark.long
def test_more_epochs_extend_a_finished_run_to_the_bits_of_a_longer_one(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    run = train(handloom, tiny_folder, tmp_path / "run")
    ended = handloom("train", "--resume", run, "--epochs", 5)
    assert ended.status == 0
    assert "resumed in epoch 4 of 5" in ended.err
    assert "resumed with epochs 5, before 3" in ended.err
    assert "training  epoch 4/5  " in ended.err
    assert "training  epoch 5/5  " in ended.err
    assert "epoch 6" not in ended.err
    assert "all 5 epochs done" in ended.out
    whole = train(handloom, tiny_folder, tmp_path / "whole", "--epochs", 5)
    assert learned(run) == learned(whole)
    assert json.loads((run / "run.json").read_text())["settings"]["epochs"] == 5
    assert "finished: 5 of 5 epochs are done" in handloom("train", "--resume", run).err


def test_fewer_epochs_than_were_begun_are_refused(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    run = train(handloom, tiny_folder, tmp_path / "run")
    before = learned(run)
    ended = handloom("train", "--resume", run, "--epochs", 2)
    assert ended.status == 1
    assert "epochs is 2, and 3 epochs were begun before the checkpoint" in ended.err
    assert learned(run) == before


@pytest.mark.parametrize(
    "schedule",
    [
        "cosine",
        *(
            pytest.param(each, marks=pytest.mark.long)
            for each in ("linear", "one-cycle", "step", "exponential")
        ),
    ],
)
def test_a_run_whose_schedule_was_made_for_its_length_cannot_be_longer(
    handloom: Command, tiny_folder: Path, tmp_path: Path, schedule: str
) -> None:
    run = train(handloom, tiny_folder, tmp_path / "run", "--schedule", schedule)
    said = handloom("train", "--resume", run).err
    assert "finished: 3 of 3 epochs are done; its schedule of the learning rate was made" in said
    assert "--epochs N" not in said
    ended = handloom("train", "--resume", run, "--epochs", 5)
    assert ended.status == 1
    assert f"{run}: --epochs must be 3, for which its schedule" in ended.err
    assert handloom("train", "--resume", run, "--epochs", EPOCHS).status == 0


@pytest.mark.long
def test_a_run_that_stopped_early_stays_ended(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    options = ("--validation-fraction", 0.3, "--patience", 1, "--learning-rate", 1e-30)
    run = train(handloom, tiny_folder, tmp_path / "run", *options)
    before = learned(run)
    for more in ((), ("--epochs", 9)):
        ended = handloom("train", "--resume", run, *more)
        assert ended.status == 0
        assert "epochs are done (early stopping); a resume leaves it ended" in ended.err
    assert learned(run) == before
