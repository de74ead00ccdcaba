"""The settings of ``handloom train``: the learning rate is that of the optimizer by default."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from handloom.optimizers import OPTIMIZERS
from handloom.recipes.experiment import experiment_from_json, experiment_to_json
from handloom.recipes.settings import LEARNING_RATES, Settings
from handloom.reporting.command import command_of
from handloom.training import RunDescription


def command(stored: dict[str, Any]) -> str | None:
    run: Any = SimpleNamespace(
        description=RunDescription(stored, "fashion-mnist", None, threads=1), dataset=None
    )
    return command_of(run)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_default_learning_rate_is_that_of_the_optimizer(name: str) -> None:
    settings = Settings(optimizer=name, schedule="constant")
    assert settings.rate(10)(0) == LEARNING_RATES[name]
    assert Settings(optimizer=name, learning_rate=0.5, schedule="constant").rate(10)(0) == 0.5


def test_the_rate_is_stored_as_a_number_and_read_again() -> None:
    stored = json.loads(json.dumps(experiment_to_json(Settings(optimizer="sgd"))))
    assert stored["learning_rate"] == 0.1
    again = experiment_from_json(stored)
    assert again.rate(10)(3) == Settings(optimizer="sgd").rate(10)(3)
    assert json.loads(json.dumps(experiment_to_json(again))) == stored
    assert command(stored) == "handloom train --optimizer sgd --data fashion-mnist"


def test_a_run_of_before_keeps_its_rate_and_its_command() -> None:
    stored = {**experiment_to_json(Settings(optimizer="sgd")), "learning_rate": 2e-3}
    settings = experiment_from_json(stored)
    assert settings.rate(10)(0) == 2e-3
    assert command(stored) == (
        "handloom train --optimizer sgd --learning-rate 0.002 --data fashion-mnist"
    )
    adam = {**experiment_to_json(Settings()), "learning_rate": 2e-3}
    assert command(adam) == "handloom train --data fashion-mnist"
