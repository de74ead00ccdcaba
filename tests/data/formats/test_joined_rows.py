"""Several .npy files are one dataset: their rows in order, read on demand, and checked."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from handloom import Adam, DataError, Dataset, Dense, ReLU, Sequential, Trainer, read_npy
from handloom.data.batches import gather_rows
from handloom.data.fingerprint import fingerprint
from handloom.data.formats.joined_rows import JoinedRows
from handloom.data.row_reader import RowReader
from handloom.randomness import Stream

Array = npt.NDArray[Any]

SIZES = (70, 1, 129, 100)
"""The numbers of rows of the files."""

ROWS = sum(SIZES)


def images(dtype: Any = np.uint8) -> Array:
    return np.random.default_rng(0).integers(0, 256, (ROWS, 6, 6)).astype(dtype)


def write(folder: Path, inputs: Array | None = None) -> Dataset:
    """Write the rows to one file, and again to four, and return them in memory."""
    rows, targets = images() if inputs is None else inputs, np.arange(ROWS) % 3
    np.save(folder / "all-inputs.npy", rows)
    np.save(folder / "all-targets.npy", targets)
    ends = np.cumsum(SIZES)[:-1]
    for index, (x, y) in enumerate(zip(np.split(rows, ends), np.split(targets, ends), strict=True)):
        np.save(folder / f"inputs-{index}.npy", x)
        np.save(folder / f"targets-{index}.npy", y)
    return Dataset(rows, targets, ("0", "1", "2"), "rows")


def joined(folder: Path) -> Dataset:
    return read_npy(folder / "inputs-*.npy", folder / "targets-*.npy", name="rows")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, ">f8"])
def test_the_rows_are_those_of_the_files_in_order(tmp_path: Path, dtype: Any) -> None:
    expected = write(tmp_path, images(dtype)).inputs
    data = joined(tmp_path)
    assert isinstance(data.inputs, JoinedRows)
    rows: Any = data.inputs
    assert (rows.shape, rows.dtype, rows.ndim) == (expected.shape, np.dtype(dtype), 3)
    assert (len(rows), rows.size, rows.nbytes) == (ROWS, expected.size, expected.nbytes)
    for chosen in (
        *(slice(None), slice(60, 80), slice(69, 72), slice(100, 120), slice(70, 70), slice(5, 2)),
        *(slice(-3, None), slice(1, None, 7), slice(None, None, -1), slice(290, 1000)),
        *([0, 69, 70, 71, 299], [299, 3, 3, 70, -1], np.arange(ROWS) % 5 == 0, []),
        *(0, 70, -1, np.int64(200)),
    ):
        index = np.array(chosen, int) if isinstance(chosen, list) else chosen
        assert np.array_equal(rows[chosen], expected[index]), chosen
    out = np.empty((3, 6, 6), rows.dtype)
    RowReader(rows).copy(np.array([299, 70, 70]), out, gather_rows)
    assert np.array_equal(out, expected[[299, 70, 70]])
    assert [row.tolist() for row in rows] == expected.tolist()


@pytest.mark.parametrize("bad", [ROWS, -ROWS - 1])
def test_a_row_that_is_not_there(tmp_path: Path, bad: int) -> None:
    write(tmp_path)
    rows = joined(tmp_path).inputs
    with pytest.raises(IndexError, match=f"row {bad} .* 300 rows"):
        rows[bad]
    with pytest.raises(DataError, match="below 300"):
        rows[[0, bad]]
    with pytest.raises(DataError, match="first axis only"):
        rows[0, 1]


def test_a_file_in_column_major_order_among_others(tmp_path: Path) -> None:
    expected = write(tmp_path).inputs
    np.save(tmp_path / "inputs-2.npy", np.asfortranarray(np.load(tmp_path / "inputs-2.npy")))
    rows = joined(tmp_path).inputs
    assert np.array_equal(rows[:], expected)
    assert np.array_equal(rows[[150, 0, 299]], expected[[150, 0, 299]])


def test_only_the_files_that_hold_the_rows_are_read(tmp_path: Path) -> None:
    expected = write(tmp_path).inputs
    rows = joined(tmp_path).inputs
    os.truncate(tmp_path / "inputs-2.npy", 200)  # a read beyond its end would fail
    for chosen in (slice(0, 71), slice(200, 300), np.array([250, 3, 70, 299])):
        assert np.array_equal(rows[chosen], expected[chosen])
    with pytest.raises(DataError, match=r"inputs-2\.npy: row 79 is truncated"):
        rows[np.array([3, 150])]


def test_threads_read_at_once(tmp_path: Path) -> None:
    expected = write(tmp_path).inputs
    reader = RowReader(joined(tmp_path).inputs)

    def read(seed: int) -> bool:
        draw = np.random.default_rng(seed)
        out = np.empty((40, 6, 6), np.uint8)
        same = True
        for _ in range(50):
            start, chosen = int(draw.integers(0, 250)), draw.integers(0, ROWS, 40)
            reader.copy(chosen, out, gather_rows)
            same &= np.array_equal(out, expected[chosen])
            same &= np.array_equal(reader.rows(slice(start, start + 40)), expected[start:][:40])
        return same

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(read, range(16)))


@pytest.mark.parametrize("backend", ["numpy", "fused"])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_training_has_the_bits_of_one_on_a_single_file(
    tmp_path: Path, backend: Any, threads: int, dtype: Any
) -> None:
    if backend == "fused":
        pytest.importorskip("numba")
    write(tmp_path, images(dtype))
    one = read_npy(tmp_path / "all-inputs.npy", tmp_path / "all-targets.npy")
    memory = Dataset(images(dtype), one.targets, one.class_names)
    for shuffle in (True, False):
        vectors = []
        for data in (joined(tmp_path), one, memory):
            train, validation = data.split(0.2, Stream(3))
            network = Sequential([Dense(16), ReLU(), Dense(3)]).build((36,), seed=1)
            trainer = Trainer(
                *(network, Adam(), 1e-3),
                epochs=2,
                batch_size=32,
                shuffle=shuffle,
                backend=backend,
                threads=threads,
            )
            history = trainer.fit(train, validation=validation)
            vectors.append((network.parameters.vector.tobytes(), history["validation_loss"]))
        assert vectors[0][0] == vectors[1][0] == vectors[2][0]
        assert np.array_equal(vectors[0][1], vectors[1][1])
        assert np.array_equal(vectors[0][1], vectors[2][1])


@pytest.mark.slow
def test_memory_does_not_grow_with_the_files(tmp_path: Path) -> None:
    code = """
from benchmarks.measure import peak_memory
from handloom import SGD, Dense, Sequential, Trainer, read_npy
from handloom.data.fingerprint import fingerprint
from handloom.randomness import Stream
before = peak_memory()
train, validation = read_npy("x-*.npy", "y-*.npy").split(0.1, Stream(0))
network = Sequential([Dense(2)]).build((1000,))
trainer = Trainer(network, SGD(), 0.1, epochs=1, batch_size=500, backend="numpy")
trainer.fit(train, validation=validation)
fingerprint(train)
print(peak_memory() - before)
"""
    for index in range(8):  # 200 MB of zeros, which take no room on disk
        np.lib.format.open_memmap(tmp_path / f"x-{index}.npy", "w+", np.float32, (6250, 1000))
        np.save(tmp_path / f"y-{index}.npy", np.arange(6250) % 2)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 90


def test_the_fingerprint_is_that_of_the_rows(tmp_path: Path) -> None:
    memory = write(tmp_path)
    assert fingerprint(joined(tmp_path)) == fingerprint(memory)


def test_predictions_are_those_of_the_rows_in_memory(tmp_path: Path) -> None:
    expected = write(tmp_path, images(np.float32).reshape(ROWS, 36))
    network = Sequential([Dense(3)]).build((36,))
    rows = joined(tmp_path).inputs
    assert np.array_equal(network.predict(rows), network.predict(expected.inputs))


def test_channels_last_images_stay_in_the_files(tmp_path: Path) -> None:
    colored = np.random.default_rng(0).integers(0, 256, (ROWS, 8, 9, 3), dtype=np.uint8)
    expected = Dataset(colored, np.arange(ROWS) % 3, channels_last=True)
    write(tmp_path, colored)
    data = Dataset(joined(tmp_path).inputs, expected.targets, channels_last=True)
    assert isinstance(data.inputs, JoinedRows)
    assert data.inputs.shape == (ROWS, 3, 8, 9)
    assert np.array_equal(data.inputs[[5, 299]], expected.inputs[[5, 299]])
    assert np.array_equal(data.inputs[60:90], expected.inputs[60:90])


def test_names_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        np.save(tmp_path / f"x-{number}.npy", np.full((1, 2), number, np.float32))
        np.save(tmp_path / f"y-{number}.npy", np.array([number]))
    (tmp_path / "._x-1.npy").write_bytes(b"of another system")
    data = read_npy(str(tmp_path / "*x-*.npy"), tmp_path / "y-*.npy")
    assert data.inputs[:].ravel().tolist() == [1, 1, 2, 2, 10, 10]
    assert [data.class_names[label] for label in data.targets] == ["1", "2", "10"]
    assert data.name == tmp_path.name
    paths: list[Path | str] = [tmp_path / "x-10.npy", str(tmp_path / "x-1.npy")]
    chosen = read_npy(paths, [tmp_path / "y-10.npy", tmp_path / "y-1.npy"])
    assert chosen.inputs[:].ravel().tolist() == [10, 10, 1, 1]


def test_a_name_with_the_signs_of_a_pattern_is_a_name(tmp_path: Path) -> None:
    np.save(tmp_path / "x[1].npy", np.zeros((2, 2), np.float32))
    np.save(tmp_path / "y.npy", np.arange(2))
    assert len(read_npy(tmp_path / "x[1].npy", tmp_path / "y.npy")) == 2


def rewritten(change: Callable[[Array], Array]) -> Callable[[Path], None]:
    return lambda path: np.save(path, change(np.load(path)), allow_pickle=True)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "inputs-2",
            rewritten(lambda x: x.astype("f4")),
            "inputs-2.npy: holds float32, expected uint8, as in",
        ),
        ("inputs-2", rewritten(lambda x: x[:, :5]), "holds rows of shape (5, 6), expected (6, 6)"),
        ("inputs-2", rewritten(lambda x: x[:, 0]), "inputs-2.npy: holds rows of shape (6,)"),
        (
            "targets-1",
            rewritten(lambda y: y.astype("i4")),
            "targets-1.npy: holds int32, expected int64, as in",
        ),
        (
            "targets-1",
            rewritten(lambda y: y.astype("f8")),
            "targets-1.npy: holds float64, expected int64",
        ),
        ("targets-1", rewritten(lambda y: y[:, None]), "targets-1.npy: holds rows of shape (1,)"),
        (
            "inputs-2",
            rewritten(lambda x: x[1:]),
            "128 rows in {}/inputs-2.npy and 129 in {}/targets-2",
        ),
        ("inputs-2", rewritten(lambda x: x[:0]), "inputs-2.npy: not a complete .npy file"),
        ("inputs-2", rewritten(lambda x: x.astype(object)), "inputs-2.npy: not a complete .npy"),
        ("inputs-2", lambda path: os.truncate(path, 1000), "inputs-2.npy: not a complete .npy"),
        ("targets-3", lambda path: path.write_bytes(b"no"), "targets-3.npy: not a complete .npy"),
    ],
)
def test_the_file_that_does_not_fit_is_named(
    tmp_path: Path, name: str, change: Callable[[Path], None], message: str
) -> None:
    write(tmp_path)
    change(tmp_path / f"{name}.npy")
    with pytest.raises(DataError, match=re.escape(message.replace("{}", str(tmp_path)))):
        joined(tmp_path)


def test_other_numbers_of_files_need_the_same_number_of_rows(tmp_path: Path) -> None:
    write(tmp_path)
    data = read_npy(tmp_path / "inputs-*.npy", tmp_path / "all-targets.npy")
    assert np.array_equal(data.targets, np.arange(ROWS) % 3)
    (tmp_path / "inputs-3.npy").unlink()
    with pytest.raises(DataError, match=r"200 rows in 3 files, .*inputs-0\.npy to .* and 300 in"):
        read_npy(tmp_path / "inputs-*.npy", tmp_path / "all-targets.npy")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_pipe_among_the_files_does_not_block(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "inputs-1.npy").unlink()
    os.mkfifo(tmp_path / "inputs-1.npy")
    with pytest.raises(DataError, match=r"inputs-1\.npy"):
        joined(tmp_path)


def test_a_pattern_that_matches_nothing_names_what_is_there(tmp_path: Path) -> None:
    write(tmp_path)
    message = r"inptus-\*\.npy: no file matches, of all-inputs\.npy, .* more\. Did you mean 'inputs"
    with pytest.raises(DataError, match=message):
        read_npy(tmp_path / "inptus-*.npy", tmp_path / "targets-*.npy")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no \.npy file"):
        read_npy(tmp_path / "empty" / "*.npy", tmp_path / "targets-*.npy")
    with pytest.raises(DataError, match="cannot be read"):
        read_npy(tmp_path / "nowhere" / "*.npy", tmp_path / "targets-*.npy")
    with pytest.raises(DataError, match="at least one path"):
        read_npy([], tmp_path / "targets-*.npy")
