"""The list of commands: quick to show, and true."""

import pkgutil
import subprocess
import sys
from importlib import import_module

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
