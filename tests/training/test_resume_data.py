"""A resume refuses a dataset in which any row is another one, however large it is."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.training.helpers import Watcher

from handloom import (
    SGD,
    Checkpoints,
    Dataset,
    Dense,
    History,
    ModelError,
    Sequential,
    StopReason,
    Trainer,
)

SIDE, ROWS = 32, 327_680  # 320 MiB of zeros, which take no memory


class StopSoon(Watcher):
    """Stops after a few steps."""

    def on_step_end(self, *, state: Any, measured: Any) -> None:
        if state.progress.steps >= 3:
            state.stop(StopReason.INTERRUPTED)


def fit(folder: Path, images: npt.NDArray[np.uint8], *, resume: bool = False) -> History:
    network = Sequential([Dense(2)]).build((SIDE * SIDE,))
    options: dict[str, Any] = {"epochs": 1, "batch_size": 50, "backend": "numpy", "threads": 1}
    checkpoints = Checkpoints(folder)
    trainer = Trainer(
        network, SGD(), 0.1, callbacks=[StopSoon()], checkpoints=checkpoints, **options
    )
    return trainer.fit(Dataset(images, np.arange(len(images)) % 2, ("a", "b")), resume=resume)


def test_half_of_a_large_dataset_is_not_unseen(tmp_path: Path) -> None:
    images = np.zeros((ROWS, SIDE, SIDE), np.uint8)
    fit(tmp_path, images)
    images[-7, 3, 4] = 1  # of every two rows, one used to count
    with pytest.raises(ModelError, match=r"data is .* \(327,680 rows, .* the checkpoint has"):
        fit(tmp_path, images, resume=True)
    images[-7, 3, 4] = 0
    fit(tmp_path, images, resume=True)
