"""Folders of images as people have them: color, several sizes, one folder, bad files."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from handloom import ConfigurationError, DataError, DataWarning, Splits, open_folder
from handloom.data import write_image_folders

Image = pytest.importorskip("PIL.Image")

RED, GRAY = (200, 10, 20), 77


def save(path: Path, image: object, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)  # type: ignore[attr-defined]
    return path


def gray(size: tuple[int, int] = (4, 4)) -> object:
    return Image.new("L", size, GRAY)


def red(size: tuple[int, int] = (4, 4)) -> object:
    return Image.new("RGB", size, RED)


def clear(size: tuple[int, int] = (4, 4)) -> object:
    return Image.new("RGBA", size, (200, 100, 0, 0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of five gray images, without a test part."""
    for name in ("a", "b"):
        for index in range(5):
            save(tmp_path / "mine" / name / f"{index}.png", gray())
    return tmp_path / "mine"


def quietly(folder: Path, **options: object) -> tuple[Splits, list[str]]:
    """Return the dataset of a folder, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        splits = open_folder(folder, test=0.2, **options)  # type: ignore[arg-type]
    assert all(each.category is DataWarning and each.filename == __file__ for each in caught)
    return splits, [str(each.message) for each in caught]


def all_rows(splits: Splits) -> np.ndarray:
    return np.concatenate([splits.train.inputs, splits.test.inputs])


def test_gray_files_are_gray(folder: Path) -> None:
    splits, said = quietly(folder)
    assert splits.train.inputs.shape == (8, 4, 4)
    assert (all_rows(splits) == GRAY).all()
    assert not said


def test_one_file_with_color_makes_all_rgb(folder: Path) -> None:
    save(folder / "b" / "2.png", red())
    splits, (said,) = quietly(folder)
    rows = all_rows(splits)
    assert rows.shape == (10, 3, 4, 4)
    assert rows.dtype == np.uint8
    assert sorted(map(tuple, rows[:, :, 1, 2])) == [(GRAY,) * 3] * 9 + [RED]
    assert "mixed images (9 gray, 1 RGB): all became RGB" in said


def test_one_file_with_transparency_makes_all_rgba(folder: Path) -> None:
    save(folder / "a" / "4.png", red())
    save(folder / "b" / "2.png", clear())
    splits, (said,) = quietly(folder)
    rows = all_rows(splits)
    expected = [(GRAY, GRAY, GRAY, 255)] * 8 + [(*RED, 255), (200, 100, 0, 0)]
    assert sorted(map(tuple, rows[:, :, 0, 0])) == sorted(expected)
    assert "all became RGBA" in said


def test_the_parts_of_a_mixed_folder_have_one_mode(tmp_path: Path) -> None:
    for part, of_a in (("train", gray()), ("test", red())):
        save(tmp_path / part / "a" / "0.png", of_a)
        save(tmp_path / part / "b" / "0.png", gray())
    with pytest.warns(DataWarning, match="mixed images"):
        splits = open_folder(tmp_path)
    assert splits.train.inputs.shape == splits.test.inputs.shape == (2, 3, 4, 4)


@pytest.mark.parametrize(
    ("color", "pixel"),
    [("gray", [[68], [0]]), ("rgb", [RED, (0, 0, 0)]), ("rgba", [(*RED, 255), (200, 100, 0, 0)])],
)
def test_a_chosen_color_converts_all(folder: Path, color: str, pixel: object) -> None:
    save(folder / "a" / "0.png", red())
    save(folder / "a" / "1.png", clear())  # shows black without its transparency
    splits, said = quietly(folder, color=color)
    rows = all_rows(splits)
    pixels = {tuple(np.atleast_1d(row)) for row in rows[..., 0, 0]}
    assert pixels >= set(map(tuple, pixel))  # type: ignore[call-overload]
    assert len(pixels) == 3
    assert not said


@pytest.mark.parametrize("mode", ["P", "CMYK", "YCbCr"])
def test_other_modes_become_rgb(folder: Path, mode: str) -> None:
    suffix = {"P": "png", "CMYK": "tif", "YCbCr": "jpg"}[mode]
    for name in ("a", "b"):
        for index in range(5):
            (folder / name / f"{index}.png").unlink()
            save(folder / name / f"{index}.{suffix}", red().convert(mode))  # type: ignore[attr-defined]
    splits, said = quietly(folder)
    rows = all_rows(splits)
    assert rows.shape == (10, 3, 4, 4)
    assert np.abs(rows[:, :, 1, 1].astype(int) - RED).max() <= (20 if mode == "P" else 8)
    assert not said


@pytest.mark.parametrize("color", ["rgb", "gray"])
def test_a_transparent_color_becomes_black(tmp_path: Path, color: str) -> None:
    for name, image, shade in (("a", red(), RED), ("b", gray(), GRAY)):
        for index in range(2):
            save(tmp_path / name / f"{index}.png", image, transparency=shade)
    splits = open_folder(tmp_path, color=color, test=0.5)  # type: ignore[arg-type]
    assert not splits.train.inputs.any()


def test_photos_are_turned_upright(folder: Path) -> None:
    turned = Image.new("L", (6, 4), 0)
    turned.paste(255, (0, 0, 3, 4))  # the left half: the top, after a quarter turn clockwise
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("a", "b"):
        for index in range(5):
            save(folder / name / f"{index}.png", turned, exif=exif)
    rows = all_rows(quietly(folder)[0])
    assert rows.shape == (10, 6, 4)
    assert (rows[:, :3] == 255).all()
    assert (rows[:, 3:] == 0).all()


def test_files_of_several_sizes_need_a_size(folder: Path) -> None:
    other = save(folder / "b" / "0.png", gray((6, 3)))
    with pytest.raises(DataError, match="size=") as caught:
        open_folder(folder, test=0.2)
    assert str(other) in str(caught.value)
    assert str(folder / "a" / "0.png") in str(caught.value)
    assert quietly(folder, size=8)[0].train.input_shape == (8, 8)
    assert quietly(folder, size=(5, 9))[0].train.input_shape == (5, 9)


def stripes() -> object:
    """Return an image of 12 x 4 pixels: a white third on each side of a gray one."""
    image = Image.new("L", (12, 4), 255)
    image.paste(GRAY, (4, 0, 8, 4))
    return image


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
def test_an_image_of_another_aspect_ratio(folder: Path, fit: str) -> None:
    for name in ("a", "b"):
        for index in range(5):
            save(folder / name / f"{index}.png", stripes())
    row = quietly(folder, size=12, fit=fit)[0].train.inputs[0].astype(int)
    assert row.shape == (12, 12)
    assert abs(row[6, 6] - GRAY) < 10
    top, left = row[1, 6], row[6, 1]
    if fit == "pad":
        assert (row[:4] == 0).all()
        assert (row[8:] == 0).all()
        assert left > 250
    elif fit == "crop":
        assert abs(top - GRAY) < 10
        assert abs(left - GRAY) < 30
    else:
        assert abs(top - GRAY) < 10
        assert left > 250


def test_padding_is_transparent_where_images_are(folder: Path) -> None:
    for name in ("a", "b"):
        for index in range(5):
            save(folder / name / f"{index}.png", Image.new("RGBA", (8, 2), (9, 9, 9, 255)))
    rows = all_rows(quietly(folder, size=8)[0])
    assert (rows[:, :, 0] == 0).all()
    assert (rows[:, :, 4] == np.array([9, 9, 9, 255])[:, None]).all()


def test_the_thinnest_image_keeps_a_pixel(folder: Path) -> None:
    save(folder / "a" / "0.png", Image.new("L", (3000, 1), 255))
    assert open_folder(folder, test=0.2, size=4).train.input_shape == (4, 4)


def test_a_test_part_is_stratified_and_drawn_by_the_seed(folder: Path) -> None:
    for name in ("a", "b"):
        for index in range(5):
            save(folder / name / f"{index}.png", Image.new("L", (4, 4), 40 * index))
    with pytest.raises(DataError, match=r"no train/ and test/; .*test=0\.2 \(--test 0\.2\)"):
        open_folder(folder)
    first = open_folder(folder, test=0.4)
    assert first.train.rows_per_class.tolist() == [3, 3]
    assert first.test.rows_per_class.tolist() == [2, 2]
    again = [open_folder(folder, test=0.4, seed=seed).test.inputs for seed in (0, 1, 2, 3)]
    assert np.array_equal(first.test.inputs, again[0])
    assert not all(np.array_equal(again[0], other) for other in again[1:])


def test_the_test_part_does_not_depend_on_the_file_system(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = open_folder(folder, test=0.4)
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: reversed(sorted(listed(path))))  # noqa: C413
    assert np.array_equal(open_folder(folder, test=0.4).test.inputs, before.test.inputs)


def test_train_alone_can_be_split(folder: Path) -> None:
    folder.rename(folder.with_name("train"))
    with pytest.raises(DataError, match=r"test: missing.*test=0\.2"):
        open_folder(folder.parent)
    assert len(open_folder(folder.parent, test=0.2).test) == 2


def test_nothing_is_accepted_and_ignored(tmp_path: Path, folder: Path) -> None:
    whole = open_folder(folder, test=0.2)
    write_image_folders(whole, tmp_path / "parts")
    with pytest.raises(DataError, match=r"test=0\.2 would be ignored"):
        open_folder(tmp_path / "parts", test=0.2)
    with pytest.raises(ConfigurationError, match=r"fit='crop' .* would be ignored"):
        open_folder(folder, test=0.2, fit="crop")
    with pytest.raises(ConfigurationError, match="seed=3 would be ignored"):
        open_folder(folder, seed=3)


@pytest.mark.parametrize(
    "options",
    [{"size": 0}, {"size": (3, 4, 5)}, {"size": 10**6}, {"size": 2.5}, {"color": "blue"},
     {"fit": "fill", "size": 3}, {"test": 1.0}, {"test": 0}, {"skip_bad": 1}],
)  # fmt: skip
def test_an_invalid_option_is_named(folder: Path, options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        open_folder(folder, **{"test": 0.5, **options})  # type: ignore[arg-type]


def test_a_bad_file_is_named_or_skipped_and_counted(folder: Path) -> None:
    bad = [folder / "a" / "0.png", folder / "b" / "1.png", folder / "b" / "notes.txt"]
    for path in bad:
        path.write_bytes(b"hello")
    with pytest.raises(DataError, match=r"not an image.*skip_bad=True") as caught:
        open_folder(folder, test=0.2)
    assert str(bad[0]) in str(caught.value)
    splits, (said,) = quietly(folder, skip_bad=True)
    assert len(splits.train) + len(splits.test) == 8
    assert "skipped 3 bad files" in said
    names = ", ".join(str(path.relative_to(folder)) for path in bad)
    assert f"skipped 3 bad files: {names}: not an image" in said  # the reason once
    assert said.count(str(folder)) == 1


def test_the_note_about_many_bad_files_is_short(folder: Path) -> None:
    for index in range(10):
        (folder / "a" / f"bad {index}.png").write_bytes(b"hello")
    _, (said,) = quietly(folder, skip_bad=True)
    assert "skipped 10 bad files: a/bad 0.png, a/bad 1.png, a/bad 2.png: " in said
    assert said.endswith("and 7 more")


@pytest.mark.parametrize("first", ["L", "RGB", "RGBA"])
def test_padding_does_not_depend_on_the_order_of_the_files(tmp_path: Path, first: str) -> None:
    others = [mode for mode in ("L", "RGB", "RGBA") if mode != first]
    for name in ("a", "b"):
        for index, mode in enumerate([first, *others, first, *others]):
            image = Image.new("RGB", (8, 4), RED).convert(mode)
            save(tmp_path / name / f"{index}.png", image)
    with pytest.warns(DataWarning, match="all became RGBA"):
        rows = all_rows(open_folder(tmp_path, size=8, test=0.5))
    assert len(rows) == 12
    assert not rows[:, :, [0, 1, 6, 7]].any()  # transparent black above and below
    assert (rows[:, 3, 2:6] == 255).all()


def test_a_skipped_file_has_no_say_in_the_mode(folder: Path) -> None:
    path = save(folder / "a" / "0.png", clear((50, 50)))
    path.write_bytes(path.read_bytes()[:-40])
    splits, (said,) = quietly(folder, skip_bad=True)
    assert splits.train.input_shape == (4, 4)
    assert "damaged or truncated" in said


def test_a_class_without_a_good_file_is_an_error(folder: Path) -> None:
    for path in (folder / "b").iterdir():
        path.write_bytes(b"hello")
    with pytest.raises(DataError, match="the class 'b' has no image left: all 5 files are bad"):
        open_folder(folder, test=0.2, skip_bad=True)


def test_what_archives_and_systems_leave_is_ignored(folder: Path) -> None:
    save(folder / "__MACOSX" / "a" / "0.png", gray())
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (folder / name).write_bytes(b"\0")
        (folder / "a" / name).write_bytes(b"\0")
    splits = open_folder(folder, test=0.2)
    assert splits.train.class_names == ("a", "b")
    assert len(splits.train) == 8


def test_a_folder_around_the_dataset_is_named(folder: Path) -> None:
    with pytest.raises(DataError, match="is the dataset in its folder 'mine'"):
        open_folder(folder.parent)


def test_color_is_written_and_read_back(tmp_path: Path, folder: Path) -> None:
    rng = np.random.default_rng(0)
    for mode, channels in (("RGB", 3), ("RGBA", 4)):
        for name in ("a", "b"):
            for index in range(5):
                pixels = rng.integers(0, 256, (4, 4, channels), dtype=np.uint8)
                save(folder / name / f"{index}.png", Image.fromarray(pixels, mode))
        splits = open_folder(folder, test=0.2)
        write_image_folders(splits, tmp_path / mode)
        read = open_folder(tmp_path / mode)
        assert np.array_equal(read.train.inputs, splits.train.inputs)
        assert np.array_equal(read.test.inputs, splits.test.inputs)
