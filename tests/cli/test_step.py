"""``handloom step``: everything is shown, in a window of 80 columns."""

import re

import numpy as np
import pytest
from tests.cli.conftest import Command

from handloom.optimizers import OPTIMIZERS
from handloom.recipes.settings import LEARNING_RATES
from handloom.walkthroughs.step import tiny_settings, walk

FRAME = re.compile(r"╭─ (\S+) (\([\d, ]+\)) ─*╮")


@pytest.fixture(autouse=True)
def _window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_every_array_is_shown_with_name_shape_and_values(handloom: Command) -> None:
    ended = handloom("step")
    assert ended.status == 0
    assert ended.err == ""
    (parts,) = walk(tiny_settings())
    sections = re.split(r"\n\n(?=\d+\. )", ended.out)[1:]
    assert len(sections) == len(parts)
    for index, (section, part) in enumerate(zip(sections, parts, strict=True), start=1):
        assert section.startswith(f"{index}. {part.title}")
        for equation in part.equations:
            assert equation.text in section
            assert equation.entry in " ".join(section.split())
        assert FRAME.findall(section) == [
            (array.name, str(array.values.shape)) for array in part.arrays
        ]
        for row in (row for array in part.arrays for row in np.atleast_2d(array.values)):
            assert any(np.allclose(row, shown, rtol=5e-4) for shown in rows(section, len(row)))


def rows(section: str, size: int) -> list[list[float]]:
    """Return the rows of ``size`` numbers in the frames of a section."""
    cells = [cell.split() for line in section.splitlines() for cell in line.split("│")[1:-1]]
    return [[float(figure) for figure in cell] for cell in cells if len(cell) == size]


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--steps", 2),
        ("--optimizer", "adam", "--steps", 3, "--l1", 0.001),
        ("--momentum", 0.9, "--seed", 3, "--steps", 2),
    ],
)
def test_it_fits_a_window_of_80_columns(handloom: Command, options: tuple[object, ...]) -> None:
    ended = handloom("step", *options)
    assert ended.status == 0
    assert max(map(len, ended.out.splitlines())) <= 80


def test_every_option_reaches_the_step(handloom: Command) -> None:
    said = handloom(
        *("step", "--momentum", 0.5, "--learning-rate", 0.25, "--l1", 0.002, "--l2", 0.03),
        *("--seed", 4, "--steps", 2),
    ).out
    assert "Step 1 of 2 by sgd: r = 0.25 is the learning rate, mu = 0.5 the momentum" in said
    assert "Step 2 of 2" in said
    assert "gW0 = dW0 + 0.002 sign(W0) + 2*0.03 W0" in said
    assert "uW0' = mu uW0 - r gW0" in said
    assert said != handloom("step", "--momentum", 0.5, "--learning-rate", 0.25).out
    assert "sqrt" in handloom("step", "--optimizer", "adam").out


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adagrad"])
def test_the_letters_of_the_legend_are_those_of_the_equations(
    handloom: Command, optimizer: str
) -> None:
    momentum = ("--momentum", 0.9) if optimizer == "sgd" else ()
    said = handloom("step", "--optimizer", optimizer, *momentum).out
    legend, _, equations = said.partition("Step 1 of 1")[2].partition("1. The batch")
    letters = [part.split()[-1] for part in legend.split("=")[:-1]]
    assert letters == (["r", "mu", "step"] if momentum else ["r", "step"])
    used = {"sgd": "mu uW0", "adam": "^step", "adagrad": "vW0' = vW0 + gW0^2"}
    assert used[optimizer] in equations


def test_a_loss_that_is_no_longer_finite_is_said(handloom: Command) -> None:
    said = handloom("step", "--learning-rate", 1e300).out
    assert "Its loss is not finite: try a smaller learning rate" in " ".join(said.split())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_rate_is_by_default_that_of_the_optimizer_as_the_help_says(
    handloom: Command, optimizer: str
) -> None:
    said = handloom("step", "--optimizer", optimizer).out
    assert f"by {optimizer}: r = {LEARNING_RATES[optimizer]:g} is the learning rate" in said
    option = handloom("step", "--help").out.partition("--learning-rate")[2].partition("--l1")[0]
    words = " ".join(re.findall(r"[\w.:;\[]+", option))
    assert f"{optimizer} {LEARNING_RATES[optimizer]:g}" in words
    assert "default:" not in words


def test_the_same_seed_says_the_same(handloom: Command) -> None:
    assert handloom("step", "--seed", 1).out == handloom("step", "--seed", 1).out
    assert handloom("step", "--seed", 1).out != handloom("step", "--seed", 2).out


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--optimizer", "adm"), "Did you mean 'adam'?"),
        (("--optimizer", "adam", "--momentum", 0.9), "momentum is for sgd"),
        (("--steps", 0), "steps must be a whole number of at least 1"),
        (("--learning-rate", -1), "learning_rate must be a finite number above 0"),
        (("--l2", -1), "error: l2 must be"),
        (("--seed", -1), "seed must be a whole number of at least 0"),
        (("--learning-rate", 1e200, "--steps", 2), "try a smaller learning rate"),
    ],
)
def test_invalid_options_end_in_one_line(
    handloom: Command, options: tuple[object, ...], reason: str
) -> None:
    ended = handloom("step", *options)
    assert ended.status == 1
    assert ended.err.startswith("error: ")
    assert reason in ended.err
    assert len(ended.err.splitlines()) == 1
