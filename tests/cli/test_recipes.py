"""Recipes on the command line: listed, trained by name, resumed."""

import json
from pathlib import Path

import numpy as np
from tests.cli.conftest import Command

from handloom import Model
from handloom.recipes.registry import RECIPES


def test_the_list_names_every_recipe_with_its_figures(handloom: Command) -> None:
    ended = handloom("recipes")
    assert ended.status == 0
    for recipe in RECIPES.values():
        line = next(line for line in ended.out.splitlines() if line.split()[:1] == [recipe.name])
        results = recipe.results[0]
        assert f"{results.accuracy:.2%}" in line
        assert f"{recipe.parameters():,}" in line
        assert line.split()[-1] == str(len(results.accuracies))


def test_a_recipe_is_trained_by_name_and_resumed(handloom: Command, tmp_path: Path) -> None:
    options = ("--recipe", "mlp-flash", "--epochs", 2, "--data", "silhouettes", "--threads", 1)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert handloom("train", *options, "--out", whole).status == 0
    assert json.loads((whole / "run.json").read_text())["settings"]["recipe"] == "mlp-flash"
    assert handloom("train", *options, "--checkpoint-every", 1, "--out", cut).status == 0
    checkpoints = sorted((cut / "checkpoints").iterdir())
    assert checkpoints
    ended = handloom("train", "--resume", cut)
    assert ended.status == 0, ended.err
    np.testing.assert_array_equal(
        Model.load(cut / "model").network.parameters.values,
        Model.load(whole / "model").network.parameters.values,
    )


def test_what_a_recipe_has_chosen_cannot_be_said_beside_it(handloom: Command) -> None:
    ended = handloom("train", "--recipe", "mlp", "--hidden", "32")
    assert ended.status == 1
    assert "--hidden would be ignored beside --recipe" in ended.err
