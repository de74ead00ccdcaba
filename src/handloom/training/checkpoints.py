"""Checkpoints: snapshots of a training in a folder, from which it can be resumed."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from handloom.errors import ConfigurationError, ModelError, require_count
from handloom.files import MANIFEST, FileError, VersionError, make_folder, remove_set
from handloom.locks import HeldFolder, only_writer
from handloom.secondary import Secondary, reason, report, say
from handloom.text import printable
from handloom.training.configuration import describe
from handloom.training.run_folder import RunFolder
from handloom.training.snapshot import FILES, Snapshot
from handloom.training.state import TrainingState
from handloom.training.triggers import Trigger, trigger

STEP = re.compile(r"step-(\d{9,})")

NO_MANIFEST = f"has no {MANIFEST} (an incomplete copy, or a save that was killed)"


class Checkpoints:
    """Saves checkpoints of a training, and loads the newest one.

    Each checkpoint is a folder named after the step. It is valid once its manifest exists, which is
    written last; older ones are removed only after that. So whenever the process ends, the last
    good checkpoint is complete.

    If the folder is moved while a training writes to it, the checkpoints follow, with a warning. If
    it is deleted or replaced, or another training locks it, they go to a new folder.

    Parameters
    ----------
    folder : path or RunFolder
        The folder of the checkpoints; no other training may use it at the same time. Those of a
        run folder stay in it wherever it is moved.
    every : int, str or Trigger
        The interval in epochs (``5``) or minutes (``"5m"``), or a custom trigger. A last checkpoint
        is written when training ends, also by an interruption or an error in a callback, but not
        after a divergence or an error in the middle of an update.
    keep : int
        The number of checkpoints to keep; older ones are the fallback if the newest is damaged.
    warn : callable, optional
        Called with a message if a checkpoint cannot be written, for any reason, also an exception
        of a callback's ``state_dict`` or of the trigger; training then continues. Also called if
        one cannot be read; the checkpoint before it is then loaded. By default it issues a Python
        warning, or prints the message where warnings are errors.

    Attributes
    ----------
    folder : Path
        The absolute path of the folder; after a training, that of its last checkpoint.

    Raises
    ------
    ConfigurationError
        If an option is invalid.
    """

    def __init__(
        self,
        folder: str | Path | RunFolder,
        *,
        every: int | str | Trigger = "5m",
        keep: int = 2,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self._run = folder if isinstance(folder, RunFolder) else None
        path = folder.checkpoints if isinstance(folder, RunFolder) else Path(folder)
        self.folder = path.absolute()
        self._held: HeldFolder | None = None
        self.every = trigger(every)
        self.keep = require_count("keep", keep)
        self._warn = warn or report
        self._last_good: Path | None = None
        self._incomplete: list[str] = []  # the names of those that a resume could not read
        self._triggering = Secondary("the trigger of the checkpoints failed", tell=self._tell)

    def __repr__(self) -> str:
        return printable(f"Checkpoints({str(self.folder)!r}, every={self.every}, keep={self.keep})")

    @property
    def last_good(self) -> Path | None:
        """The folder of the newest checkpoint that was written or read, if there is one."""
        return self._last_good

    def config(self) -> dict[str, object]:
        """Return the options of the checkpoints, without the folder."""
        return {"every": describe(self.every), "keep": self.keep}

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes for a copy, which holds no lock."""
        return {**self.__dict__, "_held": None}

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the folder against other trainings, until the end of the block.

        Raises
        ------
        FileError
            If another training uses it, or it cannot be created.
        """
        with only_writer(make_folder(self.folder), warn=self._warn) as held:
            self._held = held
            try:
                yield
            finally:
                self._held = None

    @contextmanager
    def saving_at_end(self, state: TrainingState) -> Iterator[None]:
        """Write a last checkpoint at the end of the block, also after an error between two steps.

        After an error in the middle of an update none is written; the one before it remains.

        Raises
        ------
        ConfigurationError
            Before the block, if the training cannot be serialized.
        """
        self.require_serializable(state)
        self._reset(state)
        try:
            yield
        finally:
            self.save(state)

    def check(self, state: TrainingState) -> None:
        """Check, before a training begins, that its model can be saved when it ends.

        Raises
        ------
        ConfigurationError
            As `handloom.Model.check_savable`.
        """
        state.model.check_savable()

    def save_if_due(self, state: TrainingState) -> None:
        """Write a checkpoint if the trigger is due."""
        due = False
        with self._triggering:
            due = self.every.due(state)
        if due:
            self.save(state)

    def require_serializable(self, state: TrainingState) -> None:
        """Refuse a training that cannot be serialized, before its first step.

        Raises
        ------
        ConfigurationError
            If a value of its state is neither an array nor JSON-serializable.
        """
        try:
            Snapshot.take(state)
        except ConfigurationError as error:
            raise ConfigurationError(f"no checkpoint can hold this training: {error}") from None
        except Exception as error:  # such as a lack of memory, which may pass
            self._tell(f"no checkpoint can be made now: {reason(error)}; training goes on")

    def save(self, state: TrainingState) -> None:
        """Write a checkpoint now; if that fails, warn and keep the existing ones.

        Called in `Callback.on_validation_begin`, `Callback.on_validation_end` or
        `Callback.on_epoch_end`, it writes the checkpoint after the hooks of the epoch. In
        `Callback.on_train_end` the network may have averaged or best weights: save earlier. A
        training that diverged, or that an error ended in the middle of an update, is not saved.
        """
        state.call_between_steps(self._save)

    def _save(self, state: TrainingState) -> None:
        """Write a checkpoint of a training between two steps."""
        try:
            good = state.at_step_boundary and state.history.divergence is None
            if not good or not state.weights_are_finite():
                return
            self._follow_folder()
            self._set_aside()
            path = self.folder / f"step-{state.progress.steps:09d}"
            existed = path.exists()
            try:
                Snapshot.take(state).save(path)
            except BaseException:
                if not existed:
                    shutil.rmtree(path, ignore_errors=True)
                raise
            self._last_good = path
            self._remove_older(path)
        except Exception as error:  # training goes on after any error
            last = "there is none yet"
            if self._last_good is not None:
                last = f"the last good one is {self._last_good}"
            self._tell(f"no checkpoint was written: {reason(error)}; {last}")
        self._reset(state)

    def _follow_folder(self) -> None:
        """Have ``folder`` be that which is locked, wherever it is now, or a new one."""
        if self._held is None:
            return
        if self._run is not None:
            self._held.keep_in(self._run.writable())
        self.folder = self._held.check()
        if self._last_good is not None and not self._last_good.exists():
            moved = self.folder / self._last_good.name
            self._last_good = moved if moved.exists() else None

    def require_none(self) -> None:
        """Refuse a folder with checkpoints in it, which a new training would replace.

        Raises
        ------
        FileError
            With the ways to continue.
        """
        if finished := self._finished():
            raise FileError(
                f"{self.folder} holds the checkpoints of a training ({finished[0].name}): "
                f"continue it with fit(..., resume=True), or choose another folder"
            )
        if untold := [each for each in self._without_manifest() if each not in self._incomplete]:
            raise FileError(
                f"{self.folder} holds a checkpoint of a training, but {untold[0]} {NO_MANIFEST}: "
                f"complete it, or choose another folder"
            )

    def newest(self) -> Snapshot | None:
        """Return the newest valid checkpoint, or None if none was ever written.

        A warning names those that have no manifest, if there are no others. When the training that
        then starts from the beginning writes a checkpoint, they are renamed, and not replaced.

        Raises
        ------
        ModelError
            If there are checkpoints, and none of them can be read, or one is in a later version of
            the format.
        """
        problems = []
        for folder in self._finished():
            try:
                snapshot = Snapshot.load(folder)
            except VersionError:  # the one before it would replace it
                raise
            except (FileError, ModelError) as error:
                problems.append(str(error))
                continue
            self._last_good = folder
            for problem in problems:
                self._tell(f"{problem}; continuing from {folder.name}, which is older")
            if changed := snapshot.changed_environment():
                self._tell(f"in another environment the bits may differ: {'; '.join(changed)}")
            return snapshot
        if problems:
            raise ModelError(f"no checkpoint can be read: {'; '.join(problems)}")
        self._incomplete = self._without_manifest()
        if self._incomplete:
            self._tell(
                f"{self.folder}: {self._incomplete[0]} {NO_MANIFEST}: training starts from the "
                f"beginning; the first checkpoint renames it to {self._aside(self._incomplete[0])}"
            )
        return None

    def _without_manifest(self) -> list[str]:
        """Return the names of folders with the arrays of a checkpoint and no manifest."""
        unfinished = (each for each in self._folders() if not (each / MANIFEST).exists())
        return [each.name for each in unfinished if any(each.glob("arrays-*.safetensors"))]

    def _set_aside(self) -> None:
        """Rename the checkpoints that a resume could not read, so that none is replaced."""
        while self._incomplete:
            name = self._incomplete.pop()
            with suppress(OSError):
                (self.folder / name).rename(self.folder / self._aside(name))

    def _aside(self, name: str) -> str:
        """Return a free name for a checkpoint without a manifest."""
        names = (f"incomplete-{name}{'' if n == 1 else f'-{n}'}" for n in count(1))
        return next(each for each in names if not (self.folder / each).exists())

    def _finished(self) -> list[Path]:
        """Return the folders of finished checkpoints, the newest first."""
        return [folder for folder in self._folders() if (folder / MANIFEST).exists()]

    def _folders(self) -> list[Path]:
        """Return the folders of checkpoints, finished or not, the newest first."""
        matches = {path: STEP.fullmatch(path.name) for path in self.folder.glob("step-*")}
        steps = {path: int(match[1]) for path, match in matches.items() if match}
        return sorted(steps, key=steps.__getitem__, reverse=True)

    def _remove_older(self, newest: Path) -> None:
        """Keep ``self.keep`` checkpoints; remove unfinished ones and damaged newer ones too."""
        finished = self._finished()
        recent = finished[finished.index(newest) :][: self.keep]
        for folder in self._folders():
            if folder not in recent:
                remove_set(folder, *FILES)  # and no file that a user put there

    def _reset(self, state: TrainingState) -> None:
        with self._triggering:
            self.every.reset(state)

    def _tell(self, message: str) -> None:
        """Pass a message on; if that fails, print it."""
        try:
            self._warn(message)
        except Exception:
            say(message)
