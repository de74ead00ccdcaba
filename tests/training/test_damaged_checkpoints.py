"""A damaged checkpoint is noticed, and the one before it resumes the training."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.training import ROWS
from tests.training.helpers import StopAt, resumed_from, steps_kept, stoppable, trainer

from handloom import BestWeights, Checkpoints, ModelError, StopReason
from handloom.files import FileError
from handloom.training.snapshot import Snapshot

CutTraining = Callable[[Path], list[Path]]


@pytest.fixture(scope="module", name="cut_training")
def _cut_training(tmp_path_factory: pytest.TempPathFactory) -> CutTraining:
    """Return a function that puts a training that was cut into a folder."""
    made = tmp_path_factory.mktemp("cut") / "run"
    stoppable(made, every=1, last_step=17).fit(ROWS)
    return partial(copy_of, made)


def copy_of(made: Path, folder: Path) -> list[Path]:
    """Return the folders of the two checkpoints of a copied training, the older first."""
    shutil.copytree(made, folder, dirs_exist_ok=True)
    found = sorted(folder.glob("step-*"))
    assert len(found) == 2
    return found


@pytest.mark.parametrize("ending", ["manifest.json", ".json", ".safetensors"])
@pytest.mark.parametrize("place", [0, 1, 7, 8, 9, 60, 0.5, -2, -1])
def test_a_flipped_byte_anywhere_falls_back_to_the_checkpoint_before(
    tmp_path: Path, cut_training: CutTraining, ending: str, place: float
) -> None:
    _, newest = cut_training(tmp_path / "run")
    (path,) = (
        path
        for path in newest.iterdir()
        if path.name.endswith(ending) and (path.name == "manifest.json") == (ending[0] == "m")
    )
    content = bytearray(path.read_bytes())
    content[int(place * len(content)) if place == 0.5 else int(place)] ^= 0x10
    path.write_bytes(content)
    first, said = resumed_from(tmp_path / "run")
    assert first == 15
    assert len(said) == 1
    assert str(newest) in said[0]
    assert "step-000000015, which is older" in said[0]


def test_files_that_are_cut_missing_or_unfinished_fall_back_too(
    tmp_path: Path, cut_training: CutTraining
) -> None:
    _, newest = cut_training(tmp_path / "run")
    (payload,) = newest.glob("*.safetensors")
    payload.write_bytes(payload.read_bytes()[:-10])
    assert resumed_from(tmp_path / "run")[0] == 15

    shutil.rmtree(tmp_path / "run")
    _, newest = cut_training(tmp_path / "run")
    (newest / "manifest.json").unlink()  # as after a kill while it was written
    assert resumed_from(tmp_path / "run") == (15, [])
    assert steps_kept(tmp_path / "run") == [15, 20]


def test_where_no_checkpoint_is_whole_training_does_not_begin_anew(
    tmp_path: Path, cut_training: CutTraining
) -> None:
    for folder in cut_training(tmp_path / "run"):
        (folder / "manifest.json").write_text("{}")
    before = stoppable(tmp_path / "run")
    with pytest.raises(ModelError, match=r"no checkpoint can be read: .*step-.*; .*step-"):
        before.fit(ROWS, resume=True)


def test_checkpoints_without_their_manifests_are_named_and_kept_by_a_resume(
    tmp_path: Path, cut_training: CutTraining
) -> None:
    run = tmp_path / "run"
    contents = {}
    for folder in cut_training(run):
        (folder / "manifest.json").unlink()
        contents[folder.name] = sorted(path.name for path in folder.iterdir())
    first, said = resumed_from(run)
    assert first == 0
    (message,) = said
    assert "step-000000017 has no manifest.json (an incomplete copy" in message
    assert "training starts from the beginning" in message
    for name, files in contents.items():
        assert sorted(path.name for path in (run / f"incomplete-{name}").iterdir()) == files
    assert stoppable(run).fit(ROWS, resume=True).stop_reason is StopReason.MAX_EPOCHS


def test_an_earlier_incomplete_checkpoint_of_the_same_step_is_kept_too(
    tmp_path: Path, cut_training: CutTraining
) -> None:
    run = tmp_path / "run"
    for folder in cut_training(run):
        (folder / "manifest.json").unlink()
    earlier = run / "incomplete-step-000000017"
    earlier.mkdir()
    (earlier / "kept").touch()
    _, (message,) = resumed_from(run)
    assert message.endswith("the first checkpoint renames it to incomplete-step-000000017-2")
    assert [path.name for path in earlier.iterdir()] == ["kept"]
    assert len(list((run / f"{earlier.name}-2").iterdir())) > 1


def test_a_new_training_is_refused_where_checkpoints_have_no_manifest(
    tmp_path: Path, cut_training: CutTraining
) -> None:
    for folder in cut_training(tmp_path / "run"):
        (folder / "manifest.json").unlink()
    with pytest.raises(FileError, match=r"step-000000017 has no manifest\.json .*: complete it"):
        stoppable(tmp_path / "run").fit(ROWS)
    assert steps_kept(tmp_path / "run") == [15, 17]


def test_without_a_checkpoint_a_resume_begins_at_the_beginning(tmp_path: Path) -> None:
    assert resumed_from(tmp_path / "run") == (0, [])


def test_a_checkpoint_of_another_version_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handloom.training.snapshot.VERSION", 99)
    stoppable(tmp_path, every=1, last_step=17).fit(ROWS)
    monkeypatch.undo()
    with pytest.raises(ModelError, match=r"version 99 .* later Handloom; .*: update Handloom"):
        stoppable(tmp_path).fit(ROWS, resume=True)


def test_a_checkpoint_of_an_older_format_is_refused_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stochastic layers would draw other random numbers from here on."""
    with monkeypatch.context() as older:
        older.setattr("handloom.training.snapshot.VERSION", 1)
        stoppable(tmp_path, last_step=7).fit(ROWS)
    with pytest.raises(
        ModelError,
        match=r"version 1 .* earlier Handloom; this one reads version 5: .*or train again",
    ):
        stoppable(tmp_path).fit(ROWS, resume=True)
    assert steps_kept(tmp_path) == [7]


def test_a_checkpoint_of_a_later_version_is_refused_beside_one_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stoppable(tmp_path, last_step=7).fit(ROWS)
    snapshot = Snapshot.load(tmp_path / "step-000000007")
    with monkeypatch.context() as later:
        later.setattr("handloom.training.snapshot.VERSION", 99)
        snapshot.save(tmp_path / "step-000000009")
    with pytest.raises(ModelError, match=r"step-000000009.*later Handloom; .*: update Handloom"):
        stoppable(tmp_path).fit(ROWS, resume=True)
    assert steps_kept(tmp_path) == [7, 9]


@pytest.mark.parametrize("lanes", [0, 10**30, "4", None])
def test_another_number_of_lanes_is_refused(tmp_path: Path, lanes: object) -> None:
    stoppable(tmp_path, last_step=7).fit(ROWS)
    saved = Snapshot.load(tmp_path / "step-000000007")
    configuration = {**saved.configuration, "lanes": lanes}
    resumed = stoppable(tmp_path / "resumed")
    with pytest.raises(ModelError, match="lanes is 4, the checkpoint has"):
        resumed.prepare(ROWS, snapshot=replace(saved, configuration=configuration))


def test_damaged_weights_of_a_callback_are_refused_by_the_checkpoint(tmp_path: Path) -> None:
    trainer(tmp_path, BestWeights("loss"), StopAt(7)).fit(ROWS)
    snapshot = Checkpoints(tmp_path).newest()
    assert snapshot is not None
    snapshot.arrays["callbacks.BestWeights.state.weights"] = np.zeros(1)
    state = trainer(None, BestWeights("loss")).prepare(ROWS).state
    best = state.callbacks["BestWeights"]
    assert isinstance(best, BestWeights)
    best.on_train_begin(state=state)
    with pytest.raises(ModelError, match="the best weights must be float32 of shape"):
        snapshot.restore_callbacks(state)
    snapshot.values["callbacks"]["BestWeights"]["state"] = {}
    with pytest.raises(ModelError, match=r"the state of BestWeights cannot be loaded: Key"):
        snapshot.restore_callbacks(state)
