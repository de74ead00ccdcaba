"""Every command that takes data takes a folder of .npy files, and a run on one."""

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from tests.cli.conftest import Command
from tests.data.helpers import write_npy_folder

from handloom import Dataset, Splits, load_run
from handloom.cli.app import run


def validation_losses(out: Path) -> npt.NDArray[np.float64]:
    history = load_run(out).history
    assert history is not None
    return history["validation_loss"]


@pytest.fixture(scope="module")
def several(tiny: Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three files of each kind, and the names of the classes."""
    folder = write_npy_folder(tmp_path_factory.mktemp("npy") / "several", tiny, files=3)
    (folder / "classes.txt").write_text("\n".join(tiny.train.class_names))
    return folder


@pytest.fixture(scope="module")
def trained_on_several(several: Path) -> Path:
    """Return the folder of a run on these files."""
    out = several.parent / "run"
    options = ["--epochs", "2", "--augment", "flip", "--validation-fraction", "0.2"]
    assert run(["train", "--data", str(several), "--out", str(out), *options]) == 0
    return out


@pytest.mark.long
def test_commands_that_read_a_run_take_one_on_several_files(
    handloom: Command, trained_on_several: Path, tiny: Splits
) -> None:
    out = trained_on_several
    model = load_run(out).model
    assert model is not None
    assert model.class_names == tiny.train.class_names
    for command in (
        ("evaluate", out),
        ("doctor", out),
        ("gradcheck", out),
        ("predict", out, out / "pictures" / "curves.png"),
        ("report", out),
    ):
        ended = handloom(*command)
        assert ended.status == 0, ended.err
    assert "Ankle boot" in (out / "report.html").read_text()


@pytest.mark.long
def test_a_run_on_several_files_resumes(
    handloom: Command, trained_on_several: Path, tmp_path: Path
) -> None:
    resumed = tmp_path / "resumed"
    shutil.copytree(trained_on_several, resumed)
    ended = handloom("train", "--resume", resumed, "--epochs", 3)
    assert ended.status == 0, ended.err
    losses = [validation_losses(out) for out in (trained_on_several, resumed)]
    assert [len(each) for each in losses] == [2, 3]
    assert np.array_equal(losses[1][:2], losses[0])


def test_the_data_commands_take_several_files(
    handloom: Command, several: Path, tmp_path: Path
) -> None:
    verified = handloom("data", "verify", several)
    assert verified.status == 0
    assert "a folder of .npy files, dataset several" in verified.out
    assert handloom("data", "show", several, "--out", tmp_path / "samples.png").status == 0


def test_features_in_npy_files(handloom: Command, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    targets = np.arange(120) % 3
    rows = Dataset((draw.normal(size=(120, 2)) + targets[:, None]).astype(np.float32), targets)
    folder = write_npy_folder(tmp_path / "points", Splits(rows, rows.take(slice(0, 30))), files=2)
    out = tmp_path / "run"
    ended = handloom("train", "--data", folder, "--out", out, "--epochs", 1, "--report")
    assert ended.status == 0, ended.err
    assert handloom("data", "verify", folder).status == 0
    flat = Dataset(np.zeros((30, 9), np.uint8), np.arange(30) % 3)
    folder = write_npy_folder(tmp_path / "flat", Splits(flat, flat))
    ended = handloom("train", "--data", folder, "--out", tmp_path / "other")
    assert ended.status != 0
    assert "files of images of shape (n, y, x), or of float32 features, need none" in ended.err


def test_a_folder_without_a_test_part_is_refused(
    handloom: Command, tiny: Splits, tmp_path: Path
) -> None:
    folder = write_npy_folder(tmp_path / "data", tiny)
    (folder / "test-inputs.npy").unlink()
    (folder / "test-targets.npy").unlink()
    ended = handloom("train", "--data", folder, "--out", tmp_path / "run")
    assert ended.status != 0
    assert "expected test-inputs.npy and test-targets.npy" in ended.err
    assert not (tmp_path / "run").exists()


def test_an_output_may_lie_beside_the_files(
    handloom: Command, tiny: Splits, tmp_path: Path
) -> None:
    folder = write_npy_folder(tmp_path / "data", tiny)
    assert handloom("data", "show", folder, "--out", folder / "samples.png").status == 0
    assert handloom("data", "verify", folder).status == 0
