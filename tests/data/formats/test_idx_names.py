"""IDX files with the names of common archives, and names of their classes."""

from pathlib import Path

import numpy as np
import pytest
from tests.data.helpers import idx_bytes, same, small_splits

from handloom import DataError, DataWarning, Splits, open_folder
from handloom.data import read_idx_folder, verify

LETTERS = "1 65 97\n2 66 98\n3 67 99\n"


def write(
    folder: Path, pattern: str, parts: tuple[str, str] = ("train", "test"), first: int = 0
) -> Splits:
    """Write four files; in the pattern, ``{part}``, ``{kind}`` and ``{axes}`` stand for theirs."""
    folder.mkdir(parents=True, exist_ok=True)
    splits = small_splits()
    for part, data in zip(parts, (splits.train, splits.test), strict=True):
        for kind, axes, array in (("images", 3, data.inputs), ("labels", 1, data.targets + first)):
            name = pattern.format(part=part, kind=kind, axes=axes)
            (folder / name).write_bytes(idx_bytes(array))
    return splits


@pytest.mark.parametrize("test", ["t10k", "test"])
@pytest.mark.parametrize("separator", [".", "-"])
def test_names_with_a_dot_and_test_for_t10k(tmp_path: Path, separator: str, test: str) -> None:
    pattern = f"{{part}}-{{kind}}{separator}idx{{axes}}-ubyte"
    splits = write(tmp_path / "mnist", pattern, ("train", test))
    read = open_folder(tmp_path / "mnist")
    assert same(read.train, splits.train)
    assert same(read.test, splits.test)
    assert read.name == "mnist"
    assert len(verify(tmp_path / "mnist").files) == 4


def test_a_folder_beside_each_file_is_passed_over(tmp_path: Path) -> None:
    splits = write(tmp_path, "{part}-{kind}.idx{axes}-ubyte", ("train", "t10k"))
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (tmp_path / name).mkdir()
    assert same(open_folder(tmp_path).train, splits.train)


def test_emnist_is_turned_upright_and_named_by_its_mapping(tmp_path: Path) -> None:
    splits = write(tmp_path, "emnist-letters-{part}-{kind}-idx{axes}-ubyte", first=1)
    (tmp_path / "emnist-letters-mapping.txt").write_text(LETTERS)
    with pytest.warns(DataWarning, match="turned upright"):
        read = open_folder(tmp_path)
    assert np.array_equal(read.train.inputs, splits.train.inputs.swapaxes(1, 2))
    assert read.train.targets.tolist() == splits.train.targets.tolist()
    assert read.train.class_names == ("A/a", "B/b", "C/c")
    assert read.name == "emnist-letters"
    assert "turned upright" in verify(tmp_path).notes[0]


def test_a_mapping_says_the_first_label_also_if_the_last_class_does_not_occur(
    tmp_path: Path,
) -> None:
    splits = write(tmp_path, "mine-{part}-{kind}-idx{axes}-ubyte", first=1)
    (tmp_path / "mine-mapping.txt").write_text(LETTERS + "4 68 100\n")
    read = open_folder(tmp_path)
    assert read.train.class_names == ("A/a", "B/b", "C/c", "D/d")
    assert read.train.targets.tolist() == splits.train.targets.tolist()
    write(tmp_path, "mine-{part}-{kind}-idx{axes}-ubyte", first=0)
    with pytest.raises(DataError, match=r"has the label 0, expected 1\.\.4, which mine-mapping"):
        open_folder(tmp_path)


def test_several_sets_are_told_apart(tmp_path: Path) -> None:
    for name in ("emnist-balanced", "kuzushiji"):
        splits = write(tmp_path / "all", name + "-{part}-{kind}-idx{axes}-ubyte")
    with pytest.raises(
        DataError, match=r"several datasets \(emnist-balanced, kuzushiji\)"
    ) as caught:
        open_folder(tmp_path / "all")
    assert str(tmp_path / "all" / "emnist-balanced") in str(caught.value)
    read = open_folder(tmp_path / "all" / "kuzushiji")
    assert same(read.train, splits.train)
    assert read.name == "kuzushiji"
    with pytest.raises(DataError, match="does not exist"):
        open_folder(tmp_path / "all" / "emnist")


@pytest.mark.parametrize("name", ["classes.txt", "labels.txt", "mine-classes.txt"])
def test_names_of_classes_from_a_file(tmp_path: Path, name: str) -> None:
    prefix = "mine-" if name.startswith("mine") else ""
    write(tmp_path, prefix + "{part}-{kind}-idx{axes}-ubyte")
    (tmp_path / name).write_bytes("\ufeffcat\r\ndog\r\n\r\nünï cörn\r\n".encode())
    assert open_folder(tmp_path).test.class_names == ("cat", "dog", "ünï cörn")
    named = read_idx_folder(tmp_path, ("x", "y", "z"))
    assert named.train.class_names == ("x", "y", "z")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("classes.txt", b"a\nb\n", r"expected 0\.\.1, which classes\.txt names"),
        ("classes.txt", b"a\nb\na\n", "names two classes 'a'"),
        ("classes.txt", b"\n\n", "empty"),
        ("classes.txt", b"\xff\xfe\0", "not UTF-8"),
        ("classes.txt", b"x" * (1 << 20) + b"y", "expected at most 1048576"),
        ("mapping.txt", b"0 48\n1 49\n3 50\n", "consecutive"),
        ("mapping.txt", b"0 48\n1\n", "the line '1' is invalid"),
        ("mapping.txt", b"0 48\n0 49\n", "the line '0 49' is invalid"),
        ("mapping.txt", b"0 99999999999\n", "is invalid"),
        ("mapping.txt", b"0 55296\n", "is invalid"),
        ("mapping.txt", b"zero 48\n", "is invalid"),
    ],
)
def test_a_bad_file_of_names_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    write(tmp_path, "{part}-{kind}-idx{axes}-ubyte")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        open_folder(tmp_path)
    assert name in str(caught.value)


def test_two_files_of_names_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "{part}-{kind}-idx{axes}-ubyte")
    for name in ("classes.txt", "labels.txt"):
        (tmp_path / name).write_text("a\nb\nc\n")
    with pytest.raises(DataError, match=r"classes\.txt and labels\.txt both hold class names"):
        open_folder(tmp_path)


@pytest.mark.parametrize(
    "options", [{"size": 8}, {"color": "rgb"}, {"test": 0.2}, {"skip_bad": True}]
)
def test_options_of_images_are_refused(tmp_path: Path, options: dict[str, object]) -> None:
    write(tmp_path, "{part}-{kind}-idx{axes}-ubyte")
    (option,) = options
    with pytest.raises(DataError, match=f"{option}= .* would be ignored for IDX files"):
        open_folder(tmp_path, **options)  # type: ignore[arg-type]
