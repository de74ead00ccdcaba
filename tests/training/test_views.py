"""Arguments of evaluation and augmentation that are taken, or refused by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handloom import Adam, Dense, Sequential, Trainer, evaluate, silhouettes
from handloom.data.test_time_augmentation import MIRRORED, View
from handloom.errors import ConfigurationError, DataError
from handloom.files import write_json

DATA = silhouettes(rows=60, test_rows=20)


def trained(**options: Any) -> Trainer:
    network = Sequential([Dense(10)]).build((784,))
    trainer = Trainer(network, Adam(), 0.01, epochs=1, batch_size=20, **options)
    trainer.fit(DATA.train)
    return trainer


def test_views_may_be_a_name_or_any_sequence() -> None:
    model = trained().model()
    expected = evaluate(model, DATA.test, MIRRORED).of_views
    views: list[Any] = ["mirrored", list(MIRRORED), iter(MIRRORED)]
    for each in views:
        found = evaluate(model, DATA.test, each).of_views
        assert found is not None
        assert expected is not None
        assert found.loss == expected.loss


def test_other_views_are_refused_by_name() -> None:
    model = trained().model()
    single: Any = View(flip=True)
    with pytest.raises(ConfigurationError, match=r"must be a sequence, got a single View: pass \["):
        evaluate(model, DATA.test, single)
    with pytest.raises(ConfigurationError, match="an entry of views"):
        evaluate(model, DATA.test, [1])  # type: ignore[list-item]
    with pytest.raises(ConfigurationError, match="number of pixels of down must be a whole"):
        View(down=1.5)  # type: ignore[arg-type]
    assert View(down=-2).down == -2


def test_an_augmentation_that_returns_images_is_refused() -> None:
    def inverted(images: Any, draw: Any) -> Any:
        return 255 - images

    with pytest.raises(ConfigurationError, match="must change images in place and return None"):
        trained(augment=[inverted])


def test_results_may_have_numpy_scalars_and_paths(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"accuracy": np.float32(0.5), "path": tmp_path})
    assert '"accuracy": 0.5' in (tmp_path / "a.json").read_text()
    with pytest.raises(DataError, match=r"b\.json: values must be finite numbers"):
        write_json(tmp_path / "b.json", {"loss": float("nan")})
    with pytest.raises(DataError, match="got ndarray"):
        write_json(tmp_path / "b.json", {"loss": np.zeros(2)})
