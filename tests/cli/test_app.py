"""The list of commands: quick to show, and true."""

import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer
from tests.cli.conftest import Command

import handloom.cli
from handloom.cli.app import COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_what_the_list_says(handloom: Command, name: str) -> None:
    listed, own = handloom("--help"), handloom(name, "--help")
    assert (listed.status, own.status) == (0, 0)
    assert f"  {name} " in listed.out
    assert COMMANDS[name] in listed.out
    assert COMMANDS[name] in own.out
    assert "Usage: handloom" in own.out


def test_every_command_that_there_is_is_listed() -> None:
    there_are = set()
    for name in (module.name for module in pkgutil.iter_modules(handloom.cli.__path__)):
        module = import_module(f"handloom.cli.{name}")
        if hasattr(module, name) or isinstance(getattr(module, "app", None), typer.Typer):
            there_are.add(name)
    assert there_are == set(COMMANDS)


def test_an_unknown_command_is_refused_with_the_nearest(handloom: Command) -> None:
    ended = handloom("trian")
    assert ended.status == 2
    assert "train" in ended.err
    assert handloom().status != 1


def test_help_loads_nothing_that_computes() -> None:
    code = (
        "import sys\nfrom handloom.cli.app import run\nassert run(['--help']) == 0\n"
        "print(sorted({'numpy', 'rich.table', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.endswith("[]\n"), done.stdout + done.stderr


@pytest.mark.parametrize("group", [(), ("data",)])
def test_without_arguments_the_help_has_its_lines(handloom: Command, group: tuple[str]) -> None:
    ended = handloom(*group)
    assert "\n\nOptions:\n" in ended.err
    assert "\\n" not in ended.err


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps the current directory")
def test_a_command_ends_as_usual_in_a_directory_that_was_deleted(
    tiny_folder: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / "deleted", tmp_path / "run"
    folder.mkdir()
    code = (
        f"import os\nos.chdir({str(folder)!r})\nos.rmdir({str(folder)!r})\n"
        "from handloom.cli import main; main()"
    )
    options = ["--data", str(tiny_folder), "--epochs", "1", "--hidden", "4", "--out", str(out)]
    command = [sys.executable, "-c", code, "train", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"Wrote to {out}" in done.stdout
    assert "not printed" not in done.stderr


@pytest.mark.slow
def test_commands_run_without_docstrings() -> None:
    code = "import sys\nfrom handloom.cli.app import run\nsys.exit(run(['train', '--help']))"
    command = [sys.executable, "-OO", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_interruption_outside_of_a_training_is_told(
    handloom: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("handloom.cli.recipes.show_table", lambda *_, **__: interrupt())
    ended = handloom("recipes")
    assert (ended.status, ended.err.strip()) == (130, "interrupted")
