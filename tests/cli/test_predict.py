"""``handloom predict``: images as the network learned from, named by their classes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Command

from handloom import Model, Splits
from handloom.data import write_image_folders


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I;16", "LA"])
def test_predict_reads_images_of_any_mode_and_size(
    handloom: Command, trained: Path, tmp_path: Path, mode: str
) -> None:
    levels = np.linspace(0, 255, 50 * 80).reshape(50, 80)
    gray = Image.fromarray(levels.astype(np.uint8))
    image = (
        Image.fromarray((levels * 257).astype(np.uint16)) if mode == "I;16" else gray.convert(mode)
    )
    image.save(tmp_path / "image.png")
    ended = handloom("predict", trained, tmp_path / "image.png", tmp_path / "image.png")
    assert ended.status == 0
    assert ended.out.count("%") == 6


def test_predict_sees_the_pixels_that_the_network_learned_from(
    handloom: Command, trained: Path, tiny: Splits, tmp_path: Path
) -> None:
    write_image_folders(tiny, tmp_path / "images")
    row = tiny.test.take(tiny.test.targets == 8).inputs[:1]
    expected = Model.load(trained / "model").predict(row)[0]
    ended = handloom("predict", trained, tmp_path / "images" / "test" / "8" / "0000.png")
    assert f"{expected.argmax()} {expected.max():.1%}" in ended.out


def test_an_inverted_image_is_the_same_as_its_negative(
    handloom: Command, trained: Path, tiny: Splits, tmp_path: Path
) -> None:
    pixels = np.asarray(tiny.test.inputs[0], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "light.png")
    Image.fromarray(255 - pixels).save(tmp_path / "dark.png")
    light = handloom("predict", trained, tmp_path / "light.png")
    dark = handloom("predict", trained, tmp_path / "dark.png", "--invert")
    metrics = [[word for word in ended.out.split() if "%" in word] for ended in (light, dark)]
    assert metrics[0] == metrics[1] != []


def test_a_model_of_numbers_names_no_classes(
    handloom: Command, trained: Path, tmp_path: Path
) -> None:
    model = Model.load(trained / "model")
    numbers = replace(model, network=model.before_loss, output_activation="identity")
    numbers.save(tmp_path / "numbers")
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(tmp_path / "image.png")
    ended = handloom("predict", tmp_path / "numbers", tmp_path / "image.png")
    assert ended.status != 0
    assert "must predict classes, got a model of continuous targets" in ended.err


def test_predict_names_an_image_that_is_none(
    handloom: Command, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.png").write_text("not an image")
    for path, reason in (
        (tmp_path / "text.png", "not an image"),
        (tmp_path / "none.png", "does not exist, expected an image file"),
    ):
        ended = handloom("predict", trained, path)
        assert ended.status == 1
        assert reason in ended.err
        assert str(path) in ended.err
