"""Callbacks that write files: an object replaces its own file, a copy takes a free name."""

import copy
import pickle
from pathlib import Path

import pytest

from handloom import SGD, BestModel, Callback, CSVLog, Dense, Sequential, Trainer, silhouettes
from handloom.errors import ConfigurationError
from handloom.files import FileError
from handloom.training import TrainingState
from handloom.training.objective import Measurement

DATA = silhouettes(rows=40, test_rows=10)


def train(*callbacks: Callback) -> None:
    network = Sequential([Dense(10)]).build((784,), seed=0)
    Trainer(network, SGD(), 1e-3, epochs=1, batch_size=20, callbacks=callbacks).fit(DATA.train)


def test_a_log_replaces_its_file_and_a_copy_takes_the_next_free_name(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("of an earlier run")
    log = CSVLog(path)
    unpickled = pickle.loads(pickle.dumps(log))  # noqa: S301
    copies = [copy.deepcopy(log), unpickled, copy.deepcopy(unpickled)]
    path.write_text("kept by copies")
    for number, each in enumerate(copies, 2):
        train(each)
        assert each.path == tmp_path / f"log-{number}.csv"
    assert path.read_text() == "kept by copies"
    train(log)
    assert path.read_text().startswith("epoch,")
    train(copies[0])  # its own file, again
    train(copy.deepcopy(copies[0]))
    names = {each.name for each in tmp_path.iterdir()}
    assert names == {"log.csv", "log-2.csv", "log-3.csv", "log-4.csv", "log-5.csv"}


def test_a_copy_of_a_best_model_takes_a_folder_of_its_own(tmp_path: Path) -> None:
    best = BestModel(tmp_path / "best", "loss")
    train(best)
    train(other := copy.deepcopy(best))
    assert other.folder == tmp_path / "best-2"
    assert (other.folder / "manifest.json").exists()


def test_a_copy_that_cannot_write_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        FileError, match=r"cannot write .*file/log.csv: (File exists|Not a directory)"
    ):
        train(copy.deepcopy(CSVLog(tmp_path / "file" / "log.csv")))


def test_two_callbacks_do_not_write_to_the_same_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"different paths, got .*best twice"):
        train(BestModel(tmp_path / "best", "loss"), BestModel(tmp_path / "best", "accuracy"))


class Records(Callback):
    """Records a figure of a name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def on_step_end(self, *, state: TrainingState, measured: Measurement) -> None:
        state.record(self.name, measured.loss)


def test_a_figure_is_recorded_by_one_callback() -> None:
    train(Records("mine"), Records("yours"))
    with pytest.raises(ConfigurationError, match=r"'mine' from two, Records and Records"):
        train(Records("mine"), Records("mine"))
