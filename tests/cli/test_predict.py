"""``handloom predict``: images as the network learned from, named by their classes."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Command
from tests.helpers.terminal import captured

from handloom import Dense, Model, Sequential, Splits
from handloom.cli.app import run
from handloom.cli.images_to_predict import image_files
from handloom.data import Scale, write_image_folders


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
    light = handloom("predict", trained, tmp_path / "light.png", "--as-is")
    dark = handloom("predict", trained, tmp_path / "dark.png", "--as-is", "--invert")
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
    assert "must predict mutually exclusive classes, got the outputs" in ended.err


def test_both_classes_of_a_single_output_are_in_the_table(
    handloom: Command, tmp_path: Path
) -> None:
    network = Sequential([Dense(1)]).build((64,), seed=0)
    network.parameters.vector[...] = 0.0
    model = Model(
        *(network, Scale(), ("yes",), (8, 8), "uint8"),
        output_activation="sigmoid",
        binary_classes=("no", "yes"),
    )
    model.save(tmp_path / "model")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "image.png")
    ended = handloom("predict", tmp_path / "model", tmp_path / "image.png", "--as-is")
    assert ended.status == 0, ended.err
    assert "no 50.0%" in ended.out
    assert "yes 50.0%" in ended.out


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


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A dark bar on light paper, in a folder with a blank image and a file that is no image."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    image = Image.new("L", (200, 150), 220)
    Image.new("L", (200, 150), 220).save(folder / "blank.png")
    image.paste(40, (30, 20, 80, 120))
    image.save(folder / "more" / "bar.jpg")
    (folder / "notes.txt").write_text("not an image, and not named like one")
    return folder


def test_invert_is_refused_for_prepared_images(
    handloom: Command, trained: Path, picture: Path
) -> None:
    ended = handloom("predict", trained, picture / "blank.png", "--invert")
    assert ended.status == 1
    assert "add --as-is, or leave out --invert" in ended.err


def test_folders_are_taken_with_the_images_in_them(
    handloom: Command, trained: Path, picture: Path
) -> None:
    ended = handloom("predict", trained, picture)
    assert ended.status == 0
    assert ended.out.index("blank.png") < ended.out.index("bar.jpg")
    assert "notes.txt" not in ended.out


def test_a_bad_file_is_named_and_the_others_are_predicted(
    handloom: Command, trained: Path, picture: Path
) -> None:
    (picture / "bad.png").write_text("not an image")
    ended = handloom("predict", trained, picture, picture / "none.png")
    assert ended.status == 1
    assert "bar.jpg" in ended.out
    assert [line.split(":")[0] for line in ended.err.splitlines()] == ["error"] * 2
    assert "bad.png: not an image" in ended.err
    assert "none.png: does not exist" in ended.err


def test_a_picture_that_resembles_nothing_is_said_to(
    handloom: Command, trained: Path, picture: Path, tmp_path: Path
) -> None:
    ended = handloom("predict", trained, picture / "blank.png")
    assert "resembles nothing in the training data" in ended.out
    model = replace(Model.load(trained / "model"), image_statistics=None)
    model.save(tmp_path / "old")
    ended = handloom("predict", tmp_path / "old", picture / "blank.png")
    assert "resembles nothing" not in ended.out


def test_the_preview_shows_the_pixels_of_every_image(
    handloom: Command, trained: Path, picture: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "seen.png"
    assert handloom("predict", trained, picture, "--preview", sheet).status == 0
    pixels = np.asarray(Image.open(sheet).convert("L"))
    seen = Model.load(trained / "model").predict_image(picture / "more" / "bar.jpg").pixels
    assert pixels[76, 6 + 146 + 70] == seen[14, 14]
    again = handloom("predict", trained, picture, "--preview", sheet)
    assert again.status == 1
    assert "--preview must name a new file" in again.err


def test_a_terminal_shows_the_pixels_in_80_columns(
    trained: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for options, expected in (([], 2 * 28 * 14), (["--no-preview"], 0)):
        with captured(monkeypatch, on_terminal=True) as received:
            run(["predict", str(trained), str(picture), *options])
        shown = b"".join(received).decode()
        assert shown.count("\N{UPPER HALF BLOCK}") == expected
        lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
        assert all(len(line) <= 80 for line in lines if "\N{UPPER HALF BLOCK}" in line)


def test_what_a_folder_holds_that_cannot_be_read_gets_a_line(
    handloom: Command, trained: Path, picture: Path
) -> None:
    for name in ("1.heic", "2.HEIC", "more/3.svg", ".hidden.heic", ".hidden.png"):
        (picture / name).write_bytes(b"\0")
    (picture / "dead.jpg").symlink_to("none.jpg")
    (picture / "more" / "up").symlink_to("..")
    (picture / "round").symlink_to("..")
    ended = handloom("predict", trained, picture)
    assert ended.status == 1
    lines = ended.err.splitlines()
    assert [line.startswith("error: ") for line in lines] == [True] * 3
    assert "1.heic (and 1 more): an HEIC image" in ended.err
    assert "3.svg: an SVG drawing" in ended.err
    assert "dead.jpg: a link to a file that does not exist" in ended.err
    assert ended.out.count("bar.jpg") == ended.out.count("blank.png") == 1
    assert "hidden" not in ended.out + ended.err


def test_a_folder_stands_for_the_images_at_any_depth(
    handloom: Command, trained: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep, closed = picture / "more" / "2023" / "may", picture / "more" / "closed"
    for folder in (deep, closed, picture / "more" / ".hidden"):
        folder.mkdir(parents=True)
        shutil.copy(picture / "blank.png", folder / f"of {folder.name}.png")
    (deep / "bad.png").write_text("not an image")
    (deep / "drawing.svg").write_bytes(b"\0")
    (deep / "up").symlink_to(picture)
    listed = Path.iterdir

    def refuse(folder: Path) -> Iterator[Path]:
        if folder == closed:
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", refuse)
    ended = handloom("predict", trained, picture / "more")
    assert ended.status == 1
    assert [ended.out.count(name) for name in ("of may.png", "bar.jpg", "of ")] == [1, 1, 1]
    named = {line.split(": ")[1] for line in ended.err.splitlines()}
    assert named == {str(path) for path in (deep / "bad.png", deep / "drawing.svg", closed)}
    assert handloom("predict", trained, picture / "more" / "2023").out.count("of may.png") == 1


def test_a_caption_is_the_path_in_the_folder_that_was_named(picture: Path) -> None:
    named = [file.name for file in image_files([picture, picture / "more" / "bar.jpg"]).files]
    assert named == ["blank.png", str(Path("more", "bar.jpg")), "bar.jpg"]


def test_the_sheet_needs_a_folder_before_anything_is_predicted(
    handloom: Command, trained: Path, picture: Path, tmp_path: Path
) -> None:
    ended = handloom("predict", trained, picture, "--preview", tmp_path / "none" / "seen.png")
    assert ended.status == 1
    assert f"the folder {tmp_path / 'none'} does not exist, create it first" in ended.err
    assert "%" not in ended.out


def test_the_title_says_what_was_done_with_the_images(
    handloom: Command, trained: Path, picture: Path
) -> None:
    for options, done in (([], "object cut out"), (["--as-is"], "resized only (pad)")):
        ended = handloom("predict", trained, picture / "more", *options)
        assert done in ended.out


def test_a_preview_of_many_images_says_how_many_it_shows(
    trained: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for index in range(14):
        name = f"a name that is longer than the image is wide {index:02}.png"
        Image.open(picture / "blank.png").resize((28, 28)).save(many / name)
    monkeypatch.setenv("COLUMNS", "130")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with captured(monkeypatch, on_terminal=True) as received:
        run(["predict", str(trained), str(many)])
    shown = re.sub(r"\x1b\[[0-9;]*m", "", b"".join(received).decode())
    assert "the first 12 of 14 images" in shown
    captions = [
        line.split("  ") for line in shown.splitlines() if "\N{HORIZONTAL ELLIPSIS}" in line
    ]
    assert [len(line) for line in captions if line[0].endswith("png")] == [4, 4, 4]
    assert shown.count("no object found") == 12
