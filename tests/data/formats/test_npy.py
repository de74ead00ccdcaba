"""Datasets in .npy files: memory-mapped, checked, and never cached."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from handloom import SGD, Adam, DataError, Dense, ReLU, Sequential, Trainer, read_npy, silhouettes
from handloom.data.batches import gather_rows
from handloom.data.row_reader import RowReader


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("npy")
    train = silhouettes(rows=3000).train
    np.save(folder / "inputs.npy", train.inputs)
    np.save(folder / "targets.npy", train.targets.astype(np.uint8))
    return folder / "inputs.npy", folder / "targets.npy"


@pytest.mark.parametrize("batch_size", [None, 100])
def test_training_from_files_is_training_from_memory(
    files: tuple[Path, Path], batch_size: int | None
) -> None:
    mapped = read_npy(*files)
    assert isinstance(mapped.inputs, np.memmap)
    vectors = []
    for data in (mapped, silhouettes(rows=3000).train):
        network = Sequential([Dense(16), ReLU(), Dense(10)]).build((784,))
        Trainer(network, Adam(), 1e-3, epochs=2, batch_size=batch_size).fit(data)
        vectors.append(network.parameters.vector)
    assert np.array_equal(vectors[0], vectors[1])


def test_class_names_are_given_or_numbers(files: tuple[Path, Path]) -> None:
    assert read_npy(*files).class_names == tuple("0123456789")
    names = [f"class {k}" for k in range(10)]
    assert read_npy(*files, names, name="mine").class_names == tuple(names)


@pytest.mark.long
@pytest.mark.parametrize("batch_size", [None, 500])
def test_memory_does_not_grow_with_the_rows_of_a_mapped_file(
    tmp_path: Path, batch_size: int | None
) -> None:
    code = f"""
import sys
from benchmarks.measure import peak_memory
from handloom import SGD, Dense, ReLU, Sequential, Trainer, read_npy
data = read_npy("inputs.npy", "targets.npy").take(slice(0, int(sys.argv[1])))
network = Sequential([Dense(16), ReLU(), Dense(10)]).build((784,))
Trainer(network, SGD(), 0.1, epochs=1, batch_size={batch_size}, transform="scale").fit(data)
print(int(peak_memory()))
"""
    pixels = np.lib.format.open_memmap(
        tmp_path / "inputs.npy", mode="w+", dtype=np.uint8, shape=(200_000, 784)
    )
    pixels[::7] = 200
    pixels.flush()
    np.save(tmp_path / "targets.npy", np.arange(200_000) % 10)
    peaks = []
    for rows in (20_000, 200_000):  # 16 and 157 MB
        done = subprocess.run(
            [sys.executable, "-c", code, str(rows)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout))
    assert peaks[1] < peaks[0] + 60


def test_a_row_comes_from_its_place_in_the_file_that_was_opened(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    path, wanted = tmp_path / "inputs.npy", np.array([7, 0, 7, 900])
    path.write_bytes(files[0].read_bytes())
    for data in (read_npy(path, files[1]), silhouettes(rows=3000).train):
        part = data.inputs[100::2]  # a view that begins and steps elsewhere
        copied = np.empty((4, *part.shape[1:]), part.dtype)
        path.with_name("other").write_bytes(b"another file takes the name")
        path.with_name("other").replace(path)
        RowReader(part).copy(wanted, copied, gather_rows)
        assert np.array_equal(copied, silhouettes(rows=3000).train.inputs[100::2][wanted])
        path.write_bytes(files[0].read_bytes())


def test_a_file_that_is_cut_off_during_training_is_named(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    path = tmp_path / "inputs.npy"
    path.write_bytes(files[0].read_bytes())
    rows = read_npy(path, files[1]).inputs
    os.truncate(path, 100_000)
    with pytest.raises(DataError, match=r"inputs\.npy: row 2999 is truncated: expected .* got 0"):
        RowReader(rows).copy(np.array([5, 2999]), np.empty((2, 28, 28), np.uint8), gather_rows)


def test_bad_files_are_refused_by_name(files: tuple[Path, Path], tmp_path: Path) -> None:
    inputs, targets = files
    cut = tmp_path / "cut.npy"
    cut.write_bytes(inputs.read_bytes()[:-100])
    text = tmp_path / "text.npy"
    text.write_text("not numbers")
    objects = tmp_path / "objects.npy"
    np.save(objects, np.array([{}, []], object), allow_pickle=True)
    several = tmp_path / "several.npz"
    np.savez(several, a=np.zeros(2))
    for path in (cut, text, objects, several, tmp_path / "nowhere.npy"):
        with pytest.raises(DataError, match=path.name):
            read_npy(path, targets)
    with pytest.raises(DataError, match="one row each"):
        read_npy(inputs, _saved(tmp_path, np.zeros(7, np.int64)))
    with pytest.raises(DataError, match="integers"):
        read_npy(inputs, _saved(tmp_path, np.zeros(3000)), ["a", "b"])
    with pytest.raises(DataError, match="uint8 or floating"):
        read_npy(_saved(tmp_path, np.zeros((3000, 4), np.int32)), targets)


def _saved(folder: Path, array: np.ndarray) -> Path:
    path = folder / f"array-{array.dtype}-{len(array)}.npy"
    np.save(path, array)
    return path


def test_plain_sgd_from_files_learns(files: tuple[Path, Path]) -> None:
    network = Sequential([Dense(32), ReLU(), Dense(10)]).build((784,))
    history = Trainer(network, SGD(momentum=0.9), 0.05, epochs=5, batch_size=50).fit(
        read_npy(*files)
    )
    assert history["loss"][-1] < 0.7 * history["loss"][0]
