"""``handloom gradcheck``: the table, and the exit status that follows from it."""

from pathlib import Path

import pytest
from tests.cli.conftest import Command

from handloom import Dense
from handloom.parameters import Array


def test_a_fresh_network_is_checked(handloom: Command, tiny_folder: Path) -> None:
    ended = handloom("gradcheck", "--data", tiny_folder, "--hidden", "6,4", "--l1", 1e-3)
    assert ended.status == 0, ended.err
    assert "a new network on tiny" in ended.out
    for name, shape in (("0.dense.weights", "(784, 6)"), ("2.dense.biases", "(4,)")):
        (line,) = [line for line in ended.out.splitlines() if name in line]
        assert shape in line
        assert line.split()[-1] == "ok"
    assert "ok: each array agrees within 1e-06" in ended.out


def test_the_network_of_a_run_is_checked(
    handloom: Command, trained: Path, tiny_folder: Path
) -> None:
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    ended = handloom("gradcheck", trained, "--data", tiny_folder)
    assert ended.status == 0, ended.err
    assert f"{trained} on tiny" in ended.out
    assert "4.dense.weights" in ended.out
    assert {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()} == before


def test_every_single_weight_can_be_looked_at(handloom: Command, tiny_folder: Path) -> None:
    ended = handloom(
        *("gradcheck", "--data", tiny_folder, "--hidden", 2, "--rows", 3, "--thorough")
    )
    assert ended.status == 0, ended.err
    assert "3 rows, float64, every entry" in ended.out


def test_a_wrong_gradient_ends_in_status_1(
    handloom: Command, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Dense.backward

    def forgets_the_biases(self: Dense, dy: Array, *, need_dx: bool = True) -> Array | None:
        dx = right(self, dy, need_dx=need_dx)
        self.gradients["biases"][...] = 0.0
        return dx

    monkeypatch.setattr(Dense, "backward", forgets_the_biases)
    ended = handloom("gradcheck", "--data", tiny_folder, "--hidden", 16)
    assert ended.status == 1
    assert "not ok: 2 of 4 arrays" in ended.out
    assert ended.out.count("WRONG: 0 x numeric") == 2


def test_the_seed_chooses_network_rows_and_directions(handloom: Command, tiny_folder: Path) -> None:
    said = [
        handloom("gradcheck", "--data", tiny_folder, "--hidden", 3, "--seed", seed).out
        for seed in (1, 1, 2)
    ]
    assert said[0] == said[1] != said[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hidden", "6,x"], "--hidden must be whole numbers"),
        (["--l1", "-1"], "error: l1 must be"),
        (["--rows", "0"], "--rows must be a whole number of at least 1"),
        (["--seed", "-1"], "seed must be"),
        (["nowhere"], "nowhere"),
    ],
)
def test_invalid_options_are_refused(
    handloom: Command, tiny_folder: Path, options: list[str], message: str
) -> None:
    ended = handloom("gradcheck", "--data", tiny_folder, *options)
    assert ended.status == 1
    assert message in ended.err
    assert len(ended.err.splitlines()) == 1


def test_options_that_a_run_would_ignore_are_refused(
    handloom: Command, trained: Path, tiny_folder: Path
) -> None:
    ended = handloom("gradcheck", trained, "--data", tiny_folder, "--hidden", 3, "--l2", 0)
    assert ended.status == 1
    assert "--hidden, --l2 would be ignored" in ended.err
    ended = handloom("gradcheck", trained / "model")
    assert ended.status == 1
    assert "name its folder with --data" in ended.err
