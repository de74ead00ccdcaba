"""Checkpoints: snapshots of a training, kept in a folder so that it can go on after anything."""

import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from handloom.errors import ConfigurationError, ModelError, require_count
from handloom.files import MANIFEST, FileError, make_folder
from handloom.locks import only_writer
from handloom.training.configuration import describe
from handloom.training.snapshot import Snapshot
from handloom.training.state import TrainingState
from handloom.training.triggers import Trigger, trigger

STEP = re.compile(r"step-(\d+)")


class Checkpoints:
    """When a training is written down, where, and how it is found again.

    Each checkpoint is a folder of its own, named after the step. It counts only once its manifest
    is there, which is written last; older ones go only after that. So whenever the process ends,
    the last good checkpoint is whole.

    Parameters
    ----------
    folder : path
        Where checkpoints lie; no other training may use it at the same time.
    every : int, str or Trigger
        How many epochs apart (``5``), how many minutes (``"5m"``), or a trigger of one's own.
        Whatever it is, a training that ends writes one more: complete, interrupted, or because a
        callback raised.
    keep : int
        How many to keep, so that there is one to fall back to when the newest is damaged.
    warn : callable, optional
        Told about a checkpoint that could not be written (training goes on) or read (the one
        before is taken); by default it is a Python warning.

    Raises
    ------
    ConfigurationError
        If an option means nothing.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        every: int | str | Trigger = "5m",
        keep: int = 2,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.every = trigger(every)
        self.keep = require_count("keep", keep)
        self._warn = warn or _warning
        self._last_good: Path | None = None

    def config(self) -> dict[str, object]:
        """Return how checkpoints are made, their folder aside."""
        return {"every": describe(self.every), "keep": self.keep}

    def alone(self) -> AbstractContextManager[None]:
        """Be the only training that uses the folder, until the end of the block.

        Raises
        ------
        FileError
            If another one uses it, or it cannot be made.
        """
        return only_writer(make_folder(self.folder))

    @contextmanager
    def final(self, state: TrainingState) -> Iterator[None]:
        """Write a last checkpoint at the end of the block, also after an error between two steps.

        Before the block, a training that no checkpoint could hold is refused. Of an update that
        broke off there is none: the one before is good.
        """
        self.require_serializable(state)
        self.every.reset(state)
        try:
            yield
        except BaseException as error:
            if state.at_step_boundary:
                try:
                    self.save(state)
                except Exception as another:  # a warning may be an error
                    error.add_note(f"no checkpoint was written: {another!r}")
            raise
        self.save(state)

    def save_if_due(self, state: TrainingState) -> None:
        """Write a checkpoint if the trigger says so."""
        if self.every.due(state):
            self.save(state)

    def require_serializable(self, state: TrainingState) -> None:
        """Refuse a training that could not be written down, before its first step.

        Raises
        ------
        ConfigurationError
            If something that it needs to go on is neither an array nor what JSON can hold.
        """
        try:
            Snapshot.take(state)
        except ConfigurationError as error:
            raise ConfigurationError(f"no checkpoint can hold this training: {error}") from None

    def save(self, state: TrainingState) -> None:
        """Write a checkpoint now; if that fails, say so, and keep those that there are.

        Of a training that diverged there is none.
        """
        if state.history.divergence is not None or not state.weights_are_finite():
            return
        path = self.folder / f"step-{state.progress.steps:09d}"
        try:
            known = path.exists()
            try:
                Snapshot.take(state).save(path)
            except BaseException:
                if not known:
                    shutil.rmtree(path, ignore_errors=True)
                raise
            self._last_good = path
            self._remove_older(path)
        except Exception as error:  # whatever it is, training goes on
            last = "there is none yet"
            if self._last_good is not None:
                last = f"the last good one is {self._last_good}"
            self._warn(f"no checkpoint was written: {error}; {last}")
        self.every.reset(state)

    def require_none(self) -> None:
        """Refuse a folder with checkpoints in it, which a new training would replace.

        Raises
        ------
        FileError
            Saying how to go on with them.
        """
        if found := self._found():
            raise FileError(
                f"{self.folder} holds the checkpoints of a training ({found[0].name}): go on with "
                f"fit(..., resume=True), or name another folder"
            )

    def newest(self) -> Snapshot | None:
        """Return the newest checkpoint that is whole, or None where none was ever written.

        Raises
        ------
        ModelError
            If there are checkpoints, and not one of them is whole.
        """
        problems = []
        for folder in self._found():
            try:
                snapshot = Snapshot.load(folder)
            except (FileError, ModelError) as error:
                problems.append(str(error))
                continue
            self._last_good = folder
            for problem in problems:
                self._warn(f"{problem}; going on from {folder.name}, which is older")
            if changed := snapshot.changed_environment():
                self._warn(f"going on elsewhere, the bits may differ: {'; '.join(changed)}")
            return snapshot
        if problems:
            raise ModelError(f"no checkpoint is whole: {'; '.join(problems)}")
        return None

    def _found(self) -> list[Path]:
        """Return the folders of finished checkpoints, the newest first."""
        return [folder for folder in self._folders() if (folder / MANIFEST).exists()]

    def _folders(self) -> list[Path]:
        """Return the folders of checkpoints, finished or not, the newest first."""
        found = {path: STEP.fullmatch(path.name) for path in self.folder.glob("step-*")}
        steps = {path: int(match[1]) for path, match in found.items() if match}
        return sorted(steps, key=steps.__getitem__, reverse=True)

    def _remove_older(self, newest: Path) -> None:
        """Keep so many; what was never finished, or is damaged and newer, goes too."""
        found = self._found()
        kept = found[found.index(newest) :][: self.keep]
        for folder in self._folders():
            if folder not in kept:
                shutil.rmtree(folder, ignore_errors=True)


def _warning(text: str) -> None:
    warnings.warn(text, stacklevel=3)
