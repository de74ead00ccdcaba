"""Options from settings: each field is an option."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import pytest
import typer
from tests.cli.conftest import Command

from handloom.cli.from_settings import options_from
from handloom.recipes.option import documented, help_of, option
from handloom.recipes.recipe import RecipeSettings
from handloom.recipes.settings import Settings
from handloom.studies.reference import Study


@documented
@dataclass(frozen=True)
class Network:
    """Settings of a network.

    Raises
    ------
    ValueError
        Never.
    """

    layers: int = option(2, "The number of layers.")
    colors: tuple[str, ...] = option(("red", "blue"), "The colors of the images.")
    widths: tuple[int, ...] = option((), "The widths of the layers.")
    speed: float | None = option(None, "The speed.")


def called(settings: object, *names: str) -> Callable[..., dict[str, Any]]:
    """Return a function that runs a command with these options and returns its arguments."""
    reached: dict[str, Any] = {}

    @options_from(settings, *names)
    def command(own: int = 1, **values: Any) -> None:
        reached.update(values, own=own)

    def call(*words: str) -> dict[str, Any]:
        reached.clear()
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command()(command)
        app(list(words), standalone_mode=False)
        return reached

    return call


def test_a_field_is_an_option_with_its_default() -> None:
    call = called(Network(layers=3))
    assert call() == {
        **{"own": 1, "layers": 3, "colors": ("red", "blue"), "widths": (), "speed": None}
    }
    words = ("--layers", "1", "--colors", "green", "--widths", "3, 4", "--speed", "0.5")
    assert call(*words, "--own", "2") == {
        **{"own": 2, "layers": 1, "colors": ("green",), "widths": (3, 4), "speed": 0.5}
    }


def test_a_command_may_take_some_of_the_fields() -> None:
    assert called(Network(), "speed")("--speed", "2") == {"own": 1, "speed": 2.0}


def test_the_help_of_a_field_is_in_the_docstring() -> None:
    assert Network.__doc__ == inspect.cleandoc(
        """Settings of a network.

        Parameters
        ----------
        layers : int, default 2
            The number of layers.
        colors : tuple[str, ...], default ('red', 'blue')
            The colors of the images.
        widths : tuple[int, ...], default ()
            The widths of the layers.
        speed : float, optional
            The speed.

        Raises
        ------
        ValueError
            Never."""
    )


@pytest.mark.parametrize(("command", "settings"), [("train", Settings), ("reproduce", Study)])
@pytest.mark.parametrize("columns", [80, 120])
def test_help_names_every_field_in_the_width_of_the_window(
    handloom: Command,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    settings: type[Settings] | type[Study],
    columns: int,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    said = handloom(command, "--help").out
    lines = said.splitlines()
    assert max(map(len, lines)) <= columns
    assert not any(line.endswith("-") for line in lines), "a name is broken at its hyphen"
    for field in fields(settings):
        assert f"  --{field.name.replace('_', '-')} " in said
        assert help_of(field) in " ".join(said.split())


def test_options_of_a_recipe_are_options_of_train() -> None:
    own = {field.name for field in fields(RecipeSettings)} - {"recipe"}
    assert own <= {field.name for field in fields(Settings)}


def test_an_option_that_is_spelled_as_its_default_is_still_refused_beside_a_recipe(
    handloom: Command,
) -> None:
    ended = handloom("train", "--recipe", "mlp-flash", "--hidden", "128,128")
    assert ended.status == 1
    assert "--hidden would be ignored beside --recipe" in ended.err
