"""The command line in one process, and a small dataset for it."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tests.cli.table_files import table
from tests.data.helpers import idx_bytes

from handloom import Splits, reports, silhouettes
from handloom.cli.app import run


@dataclass(frozen=True)
class Ended:
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture(autouse=True)
def _no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the pictures of a run, which take most of the time of a short training."""
    if "pictures" not in request.fixturenames:
        monkeypatch.setattr(reports, "draw_run", lambda *_: None)
        monkeypatch.setattr(reports, "draw_study", lambda *_: None)


@pytest.fixture
def pictures() -> None:
    """Draw the pictures of a run, for a test that looks at them."""


@pytest.fixture
def handloom(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run ``handloom`` with arguments, without the ``HANDLOOM_DATA`` of the machine."""
    monkeypatch.delenv("HANDLOOM_DATA", raising=False)

    def call(*arguments: object) -> Ended:
        capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Ended(status, said.out, said.err)

    return call


@pytest.fixture(scope="session")
def tiny() -> Splits:
    return silhouettes(rows=300, test_rows=60)


@pytest.fixture(scope="session")
def tiny_folder(tiny: Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of IDX files."""
    return write_idx(tmp_path_factory.mktemp("data") / "tiny", tiny)


def write_idx(folder: Path, splits: Splits) -> Path:
    folder.mkdir()
    for prefix, part in (("train", splits.train), ("t10k", splits.test)):
        for name, array in (
            ("images-idx3", part.inputs),
            ("labels-idx1", part.targets.astype(np.uint8)),
        ):
            (folder / f"{prefix}-{name}-ubyte").write_bytes(idx_bytes(array))
    return folder


@pytest.fixture(scope="session")
def trained(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    status = run(["train", "--data", str(tiny_folder), "--out", str(folder), "--epochs", "2"])
    assert status == 0
    return folder


@pytest.fixture(scope="session")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a table and a run of a regression and of a classification on it."""
    folder = tmp_path_factory.mktemp("houses")
    data = str(table(folder / "houses.csv"))
    for name, target, other in (("price", "price", "dear"), ("dear", "dear", "price")):
        arguments = ["--target", target, "--drop", "note", "--drop", other, "--epochs", "30"]
        command = ["train", "--data", data, "--out", str(folder / name), *arguments]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert run(command) == 0
    return folder
