"""Recipes train color images of any size, or say before any work why they cannot."""

from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import write_idx
from tests.data.helpers import images

from handloom import ConfigurationError, Dataset, Splits, reports, silhouettes
from handloom.cli.app import run
from handloom.recipes.experiment import experiment_to_json, train
from handloom.recipes.recipe import RecipeSettings
from handloom.recipes.registry import RECIPES
from handloom.training.run_description import RunDescription
from handloom.training.run_folder import RunFolder

CONVOLUTIONS = [name for name in RECIPES if name.startswith("cnn")]


def bright_and_dark(*shape: int) -> Splits:
    """Return images of one color each, which is bright in the second class."""
    pixels, targets = images(96, *shape) // 4, np.arange(96) % 2
    pixels[targets == 1] += 190
    part = Dataset(pixels, targets, ("dark", "bright"), "shades")
    return Splits(part, part.take(slice(0, 48)))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("cnn", (4, 8, 17)),
        ("cnn-flash", (3, 20, 30)),
        ("mlp", (3, 20, 30)),
        ("mlp-flash", (4, 64, 64)),
    ],
)
@pytest.mark.slow
def test_color_images_of_any_size_are_learned(name: str, shape: tuple[int, ...]) -> None:
    trained = train(RecipeSettings(RECIPES[name], epochs=8), bright_and_dark(*shape))
    assert trained.model.row_shape == shape
    assert trained.history.divergence is None
    assert trained.test.accuracy > 0.9


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_images_that_are_pooled_to_nothing_are_refused(name: str) -> None:
    settings = RecipeSettings(RECIPES[name], epochs=1)
    with pytest.raises(ConfigurationError, match=r"3 poolings.*at least 8 x 8 pixels, got 7 x 30"):
        settings.build(bright_and_dark(3, 7, 30).train)
    features = Dataset(np.zeros((4, 9)), np.arange(4) % 2, ("a", "b"))
    with pytest.raises(ConfigurationError, match=r"takes images .* got rows of shape \(9,\)"):
        settings.build(features)
    with pytest.raises(ConfigurationError, match="pass channels_last=True to Dataset"):
        settings.build(bright_and_dark(28, 28, 3).train)


def test_a_command_refuses_them_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = silhouettes(rows=40, test_rows=20)
    small = [
        Dataset(part.inputs[:, ::4, ::4], part.targets, part.class_names)
        for part in (data.train, data.test)
    ]
    folder = write_idx(tmp_path / "small", Splits(*small))
    options = ["--recipe", "cnn", "--data", str(folder), "--out", str(tmp_path / "run")]
    assert run(["train", *options]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "at least 8 x 8 pixels, got 7 x 7" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("channels", "drawn"), [(3, {"mistakes.png", "weights.png"}), (7, set[str]())]
)
def test_a_run_folder_has_the_pictures_that_can_be_drawn(
    channels: int, drawn: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, splits = (
        RecipeSettings(RECIPES["mlp-flash"], epochs=1),
        bright_and_dark(channels, 9, 9),
    )
    folder = RunFolder(
        tmp_path / "run", RunDescription(experiment_to_json(settings), "shades", "5m", threads=1)
    )
    reports.write_run(folder, "small", splits, train(settings, splits))
    written = {path.name for path in folder.pictures.iterdir()}
    assert written == {"curves.png", "confusion.png"} | drawn
    lines = capsys.readouterr().err.splitlines()
    if drawn:
        assert not lines
    else:
        (line,) = lines
        assert "lacks pictures: images must be uint8" in line
        assert "got uint8 of shape (48, 7, 9, 9)" in line
