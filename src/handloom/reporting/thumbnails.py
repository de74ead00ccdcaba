"""Thumbnails: small images of test rows, in one sheet for each class, stored once in a page."""

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.data.pictures import png
from handloom.markup import Element, Node, element

COLUMNS = 24
"""The number of images of a row of a sheet."""

LARGEST = 32
"""The largest width and height of a thumbnail, in pixels; larger images are scaled down."""

Bytes = npt.NDArray[np.uint8]

GRAYS: Bytes = np.repeat(17 * np.arange(16), 3).reshape(16, 3).astype(np.uint8)
"""The 16 gray levels of thumbnails: half a byte a pixel, which halves the images of a page."""


class Thumbnails:
    """The images of a dataset that a page shows; each is stored once, however often it is shown.

    Parameters
    ----------
    data : Dataset
        Rows of bytes, shape (n, y, x) or (n, c, y, x) with one or three channels.
    """

    def __init__(self, data: Dataset) -> None:
        self._data = data
        self._sheets: dict[int, list[int]] = {}
        self._index: dict[int, int] = {}

    @staticmethod
    def possible(data: Dataset) -> bool:
        """Return whether rows are images that can be shown."""
        shape = data.input_shape
        gray = len(shape) == 2
        return data.inputs.dtype == np.uint8 and (gray or (len(shape) == 3 and shape[0] in (1, 3)))

    @property
    def size(self) -> tuple[int, int]:
        """The height and the width of a thumbnail."""
        y, x = self._data.input_shape[-2:]
        factor = min(1.0, LARGEST / max(y, x))
        return max(1, round(y * factor)), max(1, round(x * factor))

    def of(self, row: int, label: str, **attributes: object) -> Element:
        """Return the image of a row.

        Parameters
        ----------
        row : int
        label : str
            Its description, for those who do not see it; empty if the text beside it says the same.
        **attributes : object
            Attributes of the element.
        """
        sheet = int(self._data.targets[row])
        if row not in self._index:
            rows = self._sheets.setdefault(sheet, [])
            self._index[row] = len(rows)
            rows.append(row)
        y, x = self.size
        down, across = divmod(self._index[row], COLUMNS)
        named: dict[str, object] = {"role": "img", "aria_label": label}
        return element(
            "svg",
            element("use", href=f"#sheet-{sheet}"),
            viewBox=f"{across * x} {down * y} {x} {y}",
            **{"class_": "thumbnail", **(named if label else {"aria_hidden": "true"})},
            **attributes,
        )

    def definitions(self) -> Node:
        """Return the sheets of the images that were asked for so far."""
        if not self._sheets:
            return None
        images = [
            element(
                "image",
                id=f"sheet-{sheet}",
                href=_sheet_png(self._sheet(rows)),
                **_size_of(rows, self),
            )
            for sheet, rows in sorted(self._sheets.items())
        ]
        return element(
            "svg",
            element("defs", images),
            class_="definitions",
            aria_hidden="true",
            width=0,
            height=0,
        )

    def _sheet(self, rows: list[int]) -> Bytes:
        y, x = self.size
        order = np.argsort(rows)
        images = np.empty((len(rows), *self._data.input_shape), np.uint8)
        images[order] = self._data.inputs[np.asarray(rows)[order]]
        scaled = np.stack([resized(each, (y, x)) for each in images])
        down = -(-len(rows) // COLUMNS)
        sheet = np.zeros((down * y, min(len(rows), COLUMNS) * x, *scaled.shape[3:]), np.uint8)
        for index, image in enumerate(scaled):
            top, left = (index // COLUMNS) * y, (index % COLUMNS) * x
            sheet[top : top + y, left : left + x] = image
        return sheet


def _size_of(rows: list[int], thumbnails: Thumbnails) -> dict[str, object]:
    y, x = thumbnails.size
    return {"width": min(len(rows), COLUMNS) * x, "height": -(-len(rows) // COLUMNS) * y}


def _sheet_png(sheet: Bytes) -> str:
    """Return a sheet as a data URI, gray ones in 16 levels."""
    return png(np.round(sheet / 17).astype(np.uint8), GRAYS) if sheet.ndim == 2 else png(sheet)


def resized(image: Bytes, size: tuple[int, int]) -> Bytes:
    """Return an image (y, x) or (c, y, x) with another height and width, channels last."""
    if image.ndim == 3:
        image = image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)
    if image.shape[:2] == size:
        return image
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BOX))
