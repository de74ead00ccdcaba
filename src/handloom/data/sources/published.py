"""The published files of Fashion-MNIST, and the recognition of its data.

Files are recognized by MD5 sums. Data is recognized by a fingerprint of its content, in every
format: compressed, uncompressed, or as a folder of images.
"""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

from handloom.data.dataset import Dataset, Splits
from handloom.data.sources.generated import GENERATED
from handloom.files import size_of

NAME = "fashion-mnist"

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

BASE_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"

MD5_SUMS = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}

SIZES = {
    "train-images-idx3-ubyte.gz": 26_421_880,
    "train-labels-idx1-ubyte.gz": 29_515,
    "t10k-images-idx3-ubyte.gz": 4_422_102,
    "t10k-labels-idx1-ubyte.gz": 5_148,
}
"""The sizes of the files in bytes."""

FINGERPRINT = "590319cbdd3ca9989d50f540268cf127d340db5819a4e1b2d58af0f839a07dcc"
"""The `fingerprint` of the published data."""

RESERVED = (NAME, *GENERATED)
"""Names that identify the content of a dataset; a folder's name alone does not confer them."""

_SHAPES = ((60_000, 28, 28), (10_000, 28, 28))


def name_of(folder: Path) -> str:
    """Return the default name of a dataset: that of its folder, marked if it is reserved."""
    name = os.fsencode(folder.resolve().name).decode(errors="replace")
    return f"{name} (a folder)" if name in RESERVED else name


def md5_sum(path: Path) -> str:
    """Return the MD5 sum of a regular file in hexadecimal digits.

    Raises
    ------
    OSError
        If the file cannot be read, or is a folder, a pipe or a device.
    """
    size_of(path)  # refuses a device or pipe, which could be read forever
    with path.open("rb") as stream:
        # MD5 detects accidents here, not attacks: it is the published checksum.
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def fingerprint(splits: Splits) -> str:
    """Return the SHA-256 of a dataset's content: the rows of each class of each part, sorted.

    Of continuous targets it is that of the rows with their targets.
    It does not depend on the order of the rows or on names, so a dataset has the same fingerprint
    after it is written as images and read back.
    """
    digest = hashlib.sha256()
    for part in (splits.train, splits.test):
        digest.update(f"part of {part.inputs.dtype} {part.input_shape}\n".encode())
        if not part.has_classes:
            pairs = zip(part.inputs, part.targets, strict=True)
            digest.update(b"".join(sorted(row.tobytes() + t.tobytes() for row, t in pairs)))
            continue
        for label in range(len(part.class_names)):
            rows = sorted(row.tobytes() for row in part.inputs[part.targets == label])
            digest.update(f"class {label}: {len(rows)} rows\n".encode())
            digest.update(b"".join(rows))
    return digest.hexdigest()


def named_if_published(splits: Splits) -> Splits:
    """Return the dataset, as if from its IDX files if it holds the rows of Fashion-MNIST."""
    # The shapes exclude nearly every other dataset before hashing.
    if (splits.train.inputs.shape, splits.test.inputs.shape) != _SHAPES:
        return splits
    if len(splits.train.class_names) != len(CLASS_NAMES) or fingerprint(splits) != FINGERPRINT:
        return splits
    return Splits(_named(splits.train), _named(splits.test))


def _named(part: Dataset) -> Dataset:
    return replace(part, class_names=CLASS_NAMES, name=NAME, fit=None)
