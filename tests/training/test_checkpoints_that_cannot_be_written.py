"""A checkpoint that cannot be written costs neither the training nor the one before."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.training import ROWS
from tests.training.helpers import (
    Watcher,
    no_file_larger_than,
    resumed_from,
    small_network,
    steps_kept,
    stoppable,
)

from handloom import Adam, Checkpoints, StopReason, Trainer
from handloom.locks import LOCK


@pytest.mark.parametrize("size", [10, 300, 1200])
@pytest.mark.parametrize("keep", [1, 2])
def test_a_disk_that_is_full_costs_no_training_and_no_earlier_checkpoint(
    tmp_path: Path, size: int, keep: int
) -> None:
    folder = tmp_path / "run"
    said: list[str] = []
    stoppable(folder, last_step=7).fit(ROWS)
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    made = stoppable(folder, every=1, keep=keep, warn=said.append)
    with no_file_larger_than(size):
        history = made.fit(ROWS, resume=True)
    assert history.stop_reason is StopReason.MAX_EPOCHS
    assert len(said) == 4  # epochs 2, 3 and 4, and the end
    assert all("no checkpoint was written: cannot write" in text for text in said)
    assert all(f"the last good one is {folder / 'step-000000007'}" in text for text in said)
    now = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert now == {**kept, folder / LOCK: now[folder / LOCK]}
    assert resumed_from(folder)[0] == 7


def test_a_folder_that_cannot_be_written_to_any_more_costs_no_training(tmp_path: Path) -> None:
    above = tmp_path / "above"
    folder = above / "runs" / "run"
    said: list[str] = []

    class Block(Watcher):
        def on_epoch_end(self, **_: Any) -> None:
            if folder.is_dir():
                shutil.rmtree(above)
                above.write_text("a file where the folder was")

    made = stoppable(folder, every=1, callbacks=(Block(),), warn=said.append)
    assert made.fit(ROWS).stop_reason is StopReason.MAX_EPOCHS
    assert len(said) == 5  # four epochs, and the end
    assert len(said) == 5  # four epochs, and the end
    assert all(text.startswith("no checkpoint was written: ") for text in said)
    assert all(str(folder) in text and "there is none yet" in text for text in said)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_folder_that_becomes_read_only_costs_no_training(mode: int) -> None:
    said: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "run"
        stoppable(folder, every=1, epochs=2).fit(ROWS)
        kept = steps_kept(folder)

        class Close(Watcher):
            def on_train_begin(self, **_: Any) -> None:
                folder.chmod(mode)
                os.seteuid(65534)

        made = stoppable(folder, every=1, warn=said.append, callbacks=(Close(),))
        try:
            assert made.fit(ROWS, resume=True).stop_reason is StopReason.MAX_EPOCHS
        finally:
            os.seteuid(0)
        assert len(said) == 3  # two epochs, and the end
        assert all(f"the last good one is {folder / 'step-000000010'}" in text for text in said)
        folder.chmod(0o755)
        assert steps_kept(folder) == kept


def test_by_default_what_went_wrong_is_a_warning(tmp_path: Path) -> None:
    with no_file_larger_than(10), pytest.warns(UserWarning, match="no checkpoint was written"):
        stoppable(tmp_path / "run").fit(ROWS)


def test_a_state_dict_that_raises_later_costs_a_checkpoint_and_not_the_training(
    tmp_path: Path,
) -> None:
    class Breaks(Watcher):
        calls = 0

        def state_dict(self) -> dict[str, Any]:
            self.calls += 1
            if self.calls == 2:
                raise LookupError("mine")
            return {}

    said: list[str] = []
    made = Trainer(
        *(small_network(), Adam(), 0.01),
        epochs=3,
        callbacks=[Breaks()],
        checkpoints=Checkpoints(tmp_path, every=1, warn=said.append, keep=9),
    )
    assert made.fit(ROWS).stop_reason is StopReason.MAX_EPOCHS
    assert len(said) == 1
    assert "mine" in said[0]
    assert steps_kept(tmp_path) == [2, 3]
