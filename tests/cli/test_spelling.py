"""The version, ``python -m handloom``, and the words of other libraries for options."""

import subprocess
import sys

import pytest
import typer
from tests.cli.conftest import Command

from handloom import __version__
from handloom.cli.app import COMMANDS, application
from handloom.cli.spelling import SYNONYMS


@pytest.mark.parametrize(
    ("option", "meant"),
    [
        ("--lr", "--learning-rate"),
        ("--batch", "--batch-size"),
        ("--layers", "--hidden"),
        ("--hidden_layers", "--hidden"),
        ("--wd", "--weight-decay"),
        ("--device", "--backend"),
        ("--val-split", "--validation-fraction"),
        ("--learning_rate", "--learning-rate"),
        ("--learnin-rate", "--learning-rate"),
    ],
)
def test_a_word_of_another_library_gets_the_option(
    handloom: Command, option: str, meant: str
) -> None:
    ended = handloom("train", option, 1)
    assert ended.status == 2
    assert meant in ended.err
    assert option in ended.err


def test_the_study_counts_steps(handloom: Command) -> None:
    assert "--steps" in handloom("reproduce", "--epochs", 1).err


def test_an_option_of_another_command_is_not_suggested(handloom: Command) -> None:
    assert "--learning-rate" not in handloom("summary", "run", "--lr", 1).err


def test_every_word_stands_for_an_option_of_a_command() -> None:
    options = {}
    for name in COMMANDS:
        whole = typer.main.get_command(application(name)).commands[name]  # type: ignore[attr-defined]
        options[name] = {each for parameter in whole.params for each in parameter.opts}
    for word, meant in SYNONYMS.items():
        commands = [own for own in options.values() if f"--{word}" not in own]
        assert {f"--{each}" for each in meant} <= set().union(*commands)


def test_the_version(handloom: Command) -> None:
    assert handloom("--version").out == f"handloom {__version__}\n"


def test_python_runs_the_package_as_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "handloom", "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == f"handloom {__version__}\n"
