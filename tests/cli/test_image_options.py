"""Options of image folders on the command line; a run remembers them."""

import json
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Command

from handloom import load_run, open_folder

Image = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two classes of photos of several sizes, one gray, one damaged."""
    folder = tmp_path_factory.mktemp("data") / "photos"
    rng = np.random.default_rng(0)
    for name, color in (("red", (200, 0, 0)), ("blue", (0, 0, 200))):
        (folder / name).mkdir(parents=True)
        for index in range(10):
            size = tuple(int(side) for side in rng.integers(9, 20, 2))
            image = Image.new("RGB", size, color)
            image.putpixel((4, 4), (index, 9 * index, 99))  # no two are the same
            image.save(folder / name / f"{index}.png")
    Image.new("L", (9, 9), 9).save(folder / "red" / "gray.png")
    (folder / "blue" / "bad.png").write_bytes(b"hello")
    return folder


OPTIONS = ("--size", "8x6", "--fit", "crop", "--test", "0.2", "--skip-bad")


def test_verify_tells_what_was_converted_and_skipped(handloom: Command, photos: Path) -> None:
    ended = handloom("data", "verify", photos, *OPTIONS)
    assert ended.status == 0
    assert f"{photos}: an image folder, RGB" in ended.out
    assert "(4, 3, 6, 8)" in ended.out
    said = ended.out.replace("\n", " ")
    assert "mixed images (1 gray, 20 RGB): all became RGB" in said
    assert f"skipped 1 bad file: {Path('blue') / 'bad.png'}: not an image" in said
    assert "Fashion-MNIST" not in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "test=0.2 (--test 0.2)"),
        (("--test", "0.2"), "--size"),
        (("--test", "0.2", "--size", "8"), "--skip-bad"),
        *(
            (("--size", size), "--size must be a whole number or <width>x<height>, such as 64")
            for size in ("8y6", "0", "-3", "64x", "1000000", "9" * 5000)
        ),
        (("--test", "20%"), "between 0 and 1, such as 0.2, got '20%'; for 20 % write 0.2"),
        (("--test", "20"), "got 20.0; for 20 % write 0.2"),
        (("--test", "0,2"), "got '0,2'; for this write 0.2"),
        (("--test", "1"), "between 0 and 1, such as 0.2, got 1.0\n"),
        (("--test", "0"), "between 0 and 1, such as 0.2, got 0.0\n"),
        (("--color", "blue"), "unknown color 'blue'; known are: gray, rgb, rgba"),
    ],
)
def test_an_error_names_the_option_that_helps(
    handloom: Command, photos: Path, options: tuple[str, ...], message: str
) -> None:
    ended = handloom("data", "verify", photos, *options)
    assert ended.status == 1
    assert message in ended.err
    assert len(ended.err.splitlines()) == 1


def test_a_run_loads_its_data_again_by_itself(
    handloom: Command, photos: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    training = ("train", "--data", photos, "--epochs", 1, "--hidden", 4, "--out", run)
    ended = handloom(*training, *OPTIONS)
    assert ended.status == 0
    assert "all became RGB" in ended.err
    described = json.loads((run / "run.json").read_text())
    assert described["data"] == str(photos)
    assert described["data_options"] == {
        "size": [6, 8], "fit": "crop", "test": 0.2, "skip_bad": True,
    }  # fmt: skip
    evaluated = handloom("evaluate", run)
    assert (evaluated.status, evaluated.err) == (0, "")  # training has told the notes
    assert handloom("train", "--resume", run, "--epochs", 2, "--data", photos).status == 0
    refused = handloom("train", "--resume", run, "--size", 8)
    assert "--size 8: the data of" in refused.err
    assert "was read with --size 8x6 --fit crop --test 0.2 --skip-bad" in refused.err
    changed = handloom("train", "--resume", run, "--epochs", 4, "--data", photos, *OPTIONS[4:],
                       "--size", "8x6")  # fmt: skip
    assert changed.status == 1  # padded, not cropped: other data
    assert "which cannot change" in changed.err


def test_evaluate_reads_other_images_as_those_of_the_run(
    handloom: Command, photos: Path, tmp_path: Path
) -> None:
    run, moved = tmp_path / "run", tmp_path / "photos"
    shutil.copytree(photos, moved)
    training = ("train", "--data", moved, "--epochs", 1, "--hidden", 4, "--out", run)
    assert handloom(*training, *OPTIONS).status == 0
    moved.rename(tmp_path / "elsewhere")
    told = "does not exist, expected a folder; name its new place with --data"
    for command in (("evaluate", run), ("train", "--resume", run, "--epochs", 2)):
        assert told in handloom(*command).err
    ended = handloom("evaluate", run, "--data", tmp_path / "elsewhere", "--test", 0.2)
    assert ended.status == 0
    own = "--size 8x6 --fit crop --color rgb --skip-bad"
    assert f"read with {own}, as the data of the run" in ended.err
    ended = handloom("evaluate", run, "--data", tmp_path / "elsewhere", "--test", 0.2, "--size", 8)
    assert "read with --fit crop --color rgb --skip-bad, as the data of the run" in ended.err
    assert "rows must have shape (3, 6, 8)" in ended.err


@pytest.mark.parametrize("command", ["evaluate", "gradcheck"])
@pytest.mark.parametrize("within", [".", "model"])  # a run, and a model alone
def test_other_images_get_the_size_and_the_color_of_the_model(
    handloom: Command, tmp_path: Path, command: str, within: str
) -> None:
    run, gray, color = tmp_path / "run", tmp_path / "gray", tmp_path / "color"
    for folder, mode, size in ((gray, "L", (9, 8)), (color, "RGB", (20, 30))):
        for part, name, index in product(("train", "test"), ("dark", "light"), range(6)):
            parent = folder / part / name
            parent.mkdir(parents=True, exist_ok=True)
            image = Image.new("L", size, 20 + index if name == "dark" else 200 + index)
            image.convert(mode).save(parent / f"{index}.png")
    training = ("train", "--data", gray, "--epochs", 1, "--hidden", 4, "--out", run)
    assert handloom(*training).status == 0
    ended = handloom(command, run / within, "--data", color)
    assert ended.status == 0, ended.err
    assert "read with --size 9x8 --color gray, as the data of the run" in ended.err
    chosen = handloom(command, run / within, "--data", color, "--color", "rgb")
    assert chosen.status == 1  # what the user names is not replaced


def test_test_rows_that_changed_with_the_folder_are_noticed(
    handloom: Command, photos: Path, tmp_path: Path
) -> None:
    run, changed = tmp_path / "run", tmp_path / "photos"
    shutil.copytree(photos, changed)
    training = ("train", "--data", changed, "--epochs", 1, "--hidden", 4, "--out", run)
    assert handloom(*training, *OPTIONS).status == 0
    again = handloom("evaluate", run, "--data", changed, *OPTIONS)
    assert (again.status, "other test rows" in again.err) == (0, False)
    (changed / "red" / "0.png").unlink()  # the choice of test rows is another one
    refused = handloom("evaluate", run)
    assert refused.status == 1
    assert "its test rows are not those of the training, since files or" in refused.err
    assert handloom("gradcheck", run).status == 0  # which measures none of them
    resumed = handloom("train", "--resume", run, "--epochs", 2)
    assert (resumed.status, "test rows have changed" in resumed.err) == (1, True)
    named = handloom("evaluate", run, "--data", changed, *OPTIONS)
    assert named.status == 0
    assert "other test rows than in the training; some may be training rows" in named.err
    stretched = ("--size", "8x6", "--fit", "stretch", "--test", "0.2", "--skip-bad")
    other_pixels = handloom("evaluate", run, "--data", changed, *stretched)
    assert (other_pixels.status, "other test rows" in other_pixels.err) == (0, False)
    described = json.loads((run / "run.json").read_text())
    del described["test_rows"]  # as in runs of before
    (run / "run.json").write_text(json.dumps(described))
    assert handloom("evaluate", run).status == 0


def test_a_run_finds_its_folder_of_a_known_dataset_by_its_path(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    training = ("train", "--data", tiny_folder, "--epochs", 1, "--hidden", 4, "--out", run)
    assert handloom(*training).status == 0
    from handloom.cli.datasets import DEFAULT, dataset_for

    trained = load_run(run).model
    assert trained is not None
    model = replace(trained, trained_on="silhouettes")
    assert len(dataset_for(run, model, None, DEFAULT).test) == len(open_folder(tiny_folder).test)
    described = json.loads((run / "run.json").read_text())
    described["data"] = str(tmp_path / "gone")
    (run / "run.json").write_text(json.dumps(described))
    assert dataset_for(run, model, None, DEFAULT).name == "silhouettes"


def test_an_output_within_the_images_is_refused(handloom: Command, photos: Path) -> None:
    out = photos / "runs" / "one"
    training = ("train", "--data", photos, "--epochs", 1, "--out", out)
    assert "must not be in the folder of images" in handloom(*training, *OPTIONS).err
    shown = handloom("data", "show", photos, "--out", photos / "samples.png", *OPTIONS)
    assert "must not be in the folder of images" in shown.err
    assert sorted(path.name for path in photos.iterdir()) == ["blue", "red"]


@pytest.mark.parametrize("command", ["train", "reproduce", "gradcheck"])
@pytest.mark.parametrize("data", [(), ("--data", "silhouettes")])
def test_options_that_would_be_ignored_are_refused(
    handloom: Command, tmp_path: Path, command: str, data: tuple[str, ...]
) -> None:
    out = () if command == "gradcheck" else ("--out", tmp_path / "run")
    ended = handloom(command, *data, *out, "--skip-bad")
    assert ended.status == 1
    assert "--skip-bad" in ended.err
    assert not (tmp_path / "run").exists()


def test_options_of_images_are_refused_for_idx_files(handloom: Command, tiny_folder: Path) -> None:
    ended = handloom("data", "verify", tiny_folder, "--test", 0.2)
    assert ended.status == 1
    assert "test= (--test) would be ignored for IDX files" in ended.err


@pytest.mark.parametrize("command", ["verify", "show"])
def test_an_unknown_name_lists_the_known_ones(handloom: Command, command: str) -> None:
    ended = handloom("data", command, "fashon-mnist")
    assert ended.status == 1
    assert "circles, fashion-mnist, moons, silhouettes, sine, spiral, xor" in ended.err
    assert "Did you mean 'fashion-mnist'?" in ended.err


def test_verify_takes_names(handloom: Command) -> None:
    ended = handloom("data", "verify", "silhouettes")
    assert ended.status == 0
    assert "dataset silhouettes" in ended.out
    assert "(10000, 28, 28)" in ended.out
