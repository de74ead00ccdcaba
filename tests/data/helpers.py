"""Small datasets in memory and on disk, for the tests of the readers."""

import gzip
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handloom.data import Dataset, Splits

Images = npt.NDArray[np.uint8]

IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def small_splits(train: int = 12, test: int = 6, classes: int = 3, side: int = 5) -> Splits:
    """Random pixels, the classes in turn."""

    def part(rows: int, seed: int) -> Dataset:
        pixels = np.random.default_rng(seed).integers(0, 256, (rows, side, side), dtype=np.uint8)
        names = tuple(str(label) for label in range(classes))
        return Dataset(pixels, np.arange(rows, dtype=np.int64) % classes, names, "small")

    return Splits(part(train, 1), part(test, 2))


def idx_bytes(array: npt.NDArray[np.generic]) -> bytes:
    """Return the content of an IDX file."""
    header = struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def idx_contents(splits: Splits) -> dict[str, bytes]:
    """Return the four files of a dataset, compressed, by name."""
    arrays = (splits.train.inputs, splits.train.targets, splits.test.inputs, splits.test.targets)
    return {
        f"{name}.gz": gzip.compress(idx_bytes(array), mtime=0)
        for name, array in zip(IDX_NAMES, arrays, strict=True)
    }


def write_idx_folder(folder: Path, splits: Splits | None = None) -> Path:
    """Write the four files of a dataset and return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in idx_contents(splits or small_splits()).items():
        (folder / name).write_bytes(content)
    return folder


def same(left: Dataset, right: Dataset) -> bool:
    """Tell whether two parts hold the same rows in the same order."""
    return np.array_equal(left.inputs, right.inputs) and np.array_equal(left.targets, right.targets)


def images(*shape: int) -> Images:
    """Return images whose pixels all differ from zero."""
    return np.random.default_rng(0).integers(1, 256, shape, dtype=np.uint8)


def write_npy_folder(folder: Path, splits: Splits | None = None, files: int = 1) -> Path:
    """Write the ``.npy`` files of a dataset, one or several of each kind; return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    splits = splits or small_splits()
    for part, data in (("train", splits.train), ("test", splits.test)):
        for kind, rows in (("inputs", data.inputs), ("targets", data.targets)):
            for index, own in enumerate(np.array_split(rows, files)):
                number = f"-{index:03}" if files > 1 else ""
                np.save(folder / f"{part}-{kind}{number}.npy", own)
    return folder
