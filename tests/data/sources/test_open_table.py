"""Real tables, written to CSV files and read again: networks learn from them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handloom import (
    Adam,
    DataError,
    Dataset,
    Dense,
    MeanSquaredError,
    ReLU,
    Sequential,
    Trainer,
    open_table,
)

pytest.importorskip("pandas")
datasets: Any = pytest.importorskip("sklearn.datasets")


def frame_of(name: str) -> Any:
    """Return a table that scikit-learn ships, with the names of its classes as target."""
    options = {"scaled": False} if name == "diabetes" else {}
    loaded = getattr(datasets, f"load_{name}")(as_frame=True, **options)
    frame = loaded.frame
    if name != "diabetes":
        frame["target"] = np.asarray(loaded.target_names)[frame["target"]]
    return frame


def trained(train: Dataset, seed: int = 0) -> Any:
    outputs, loss = len(train.class_names), None if train.has_classes else MeanSquaredError()
    network = Sequential([Dense(16), ReLU(), Dense(outputs)]).build(train.input_shape, seed=seed)
    trainer = Trainer(network, Adam(), 1e-2, epochs=50, batch_size=32, loss=loss, seed=seed)
    trainer.fit(train)
    return trainer.model()


@pytest.mark.parametrize(
    ("name", "accuracy"), [("iris", 0.9), ("wine", 0.9), ("breast_cancer", 0.93)]
)
def test_classes_of_real_tables(tmp_path: Path, name: str, accuracy: float) -> None:
    frame = frame_of(name)
    frame.to_csv(tmp_path / f"{name}.csv", index=False)
    splits = open_table(tmp_path / f"{name}.csv", "target", test=0.3)
    assert splits.name == name
    assert set(splits.train.class_names) == set(frame["target"])
    predicted = trained(splits.train).predict(splits.test.inputs).argmax(axis=1)
    assert np.mean(predicted == splits.test.targets) >= accuracy


def test_a_regression_on_a_real_table_and_raw_rows(tmp_path: Path) -> None:
    frame = frame_of("diabetes")
    frame.to_csv(tmp_path / "diabetes.csv", index=False)
    splits = open_table(tmp_path / "diabetes.csv", "target", categorical=["sex"], task="regression")
    assert splits.train.column_names is not None
    assert {"sex=1.0", "sex=2.0"} < set(splits.train.column_names)
    model = trained(splits.train)
    predicted = model.predict(frame)[:, 0]
    assert np.corrcoef(predicted, frame["target"])[0, 1] > 0.65
    assert abs(predicted.mean() - frame["target"].mean()) < 15.0


def test_rows_that_cannot_be_kept_are_an_error_of_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handloom.data.row_store.IN_MEMORY", 0)
    path = tmp_path / "small.csv"
    path.write_text("a,b\n" + "".join(f"{n % 9},{n % 7}.5\n" for n in range(40)))
    with pytest.raises(DataError, match=r"nowhere: rows cannot be written: No such file"):
        open_table(path, "b", cache=tmp_path / "nowhere")
