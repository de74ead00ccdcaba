"""``handloom summary``: the layers of a model."""

from pathlib import Path

from tests.cli.conftest import Command


def test_summary_shows_every_layer(handloom: Command, trained: Path) -> None:
    ended = handloom("summary", trained)
    assert ended.status == 0
    for text in ("0.dense", "4.dense", "118,282", "trained on tiny"):
        assert text in ended.out
