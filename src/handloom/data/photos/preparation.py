"""Preparation of photographs: the object is cut out and framed like those of the training data."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from handloom.data.formats.images import require_pillow
from handloom.data.formats.photographs import Source, as_row, in_color, opened, read_photograph
from handloom.data.photos.framing import FLAT, Framing
from handloom.data.photos.objects import PhotoObject, find_object, grown

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

Floats = npt.NDArray[np.floating]

WORKING_SIDE = 256
"""The longer side of the reduced photograph in which the object is located."""

SHARED = 0.6
"""The part of the area of an object and of its prepared self that they share, at least."""

_COARSE_SIDE = 64  # images are reduced to it to see where their object is

_BRIGHTEST = 0.99  # the quantile of the object's contrast that becomes that of the training data


def prepare_photograph(
    source: Source, shape: tuple[int, ...], framing: Framing
) -> npt.NDArray[np.uint8]:
    """Return the object in a photograph like an image of the training data.

    The photograph is reduced and turned upright. The object (`find_object`) is resized with its
    aspect ratio to the extent of the training data's objects, and centered as they are. If the
    background of the training data is flat, it replaces that of the photograph: in grayscale the
    contrast becomes that of the training data, and colors are kept. An image of the shape and the
    background of the training data is returned as it is.

    Parameters
    ----------
    source : path, Pillow image or array
    shape : tuple of int
        The shape of a row, ``(y, x)`` or ``(c, y, x)`` with 1, 3 or 4 channels.
    framing : Framing
        That of the training data.

    Returns
    -------
    array of uint8, of shape ``shape``

    Raises
    ------
    DataError, MissingExtraError
        As `handloom.data.formats.photographs.read_photograph`.
    """
    require_pillow("reading images")
    side = max(WORKING_SIDE, 4 * max(shape[-2:]))
    with opened(source) as image:
        if image.size == (shape[-1], shape[-2]) and framing.flat:
            row = read_photograph(image, shape)
            if _has_background(row, framing):
                return row
        if image is not source and image.format == "JPEG":  # an image of the caller stays as it is
            image.draft("RGB", (2 * side, 2 * side))  # decodes a reduced image, which is quick
        pixels = _reduced(image, side)
    outlined = find_object(pixels)
    colored = len(shape) == 3 and shape[0] >= 3
    if not colored and not framing.flat:
        pixels = pixels @ _LUMA
    if framing.flat:
        levels = _on_flat(pixels, outlined, framing, shape[-2:], colored=colored)
    else:
        box = (0, 0, *pixels.shape[1::-1]) if outlined is None else outlined.box
        levels = _framed(pixels - pixels.mean(axis=(0, 1)), box, framing, shape[-2:])
        levels += pixels.mean(axis=(0, 1))
    return as_row(np.clip(np.rint(levels), 0, 255).astype(np.uint8), shape)


def look_prepared(images: npt.NDArray[np.uint8], framing: Framing) -> bool:
    """Return whether images are as `prepare_photograph` makes them: it would change them little.

    The background of most is flat, without transparency, and their object is about where it would
    be put: of the area that the two bounding boxes cover, they share `SHARED` in the median.

    Parameters
    ----------
    images : array of uint8, shape (n, y, x) or (n, c, y, x)
        A few are enough.
    framing : Framing
        That of the training data, to which the images belong.
    """
    if not framing.flat or (images.ndim == 4 and (images[:, 3:] < 255).any()):
        return False
    areas: list[float] = []
    for image in images:
        areas.append(_shared_area(image, framing))
        above = sum(area >= SHARED for area in areas)
        if 2 * max(above, len(areas) - above) > len(images):  # whatever the others share
            return 2 * above > len(images)
    return float(np.median(areas)) >= SHARED


def _shared_area(image: npt.NDArray[np.uint8], framing: Framing) -> float:
    """Return the area that the object's box and its prepared one share, relative to their union."""
    channels = image[None] if image.ndim == 2 else image
    step = max(1, max(channels.shape[1:]) // _COARSE_SIDE)
    pixels = channels[:3, ::step, ::step].transpose(1, 2, 0).astype(np.float64)
    outlined = find_object(pixels)
    if outlined is None:
        return 0.0
    own = left, top, right, bottom = outlined.box
    prepared = framing.box_of(bottom - top, right - left, pixels.shape[:2])
    inner = [max(ends) for ends in zip(own[:2], prepared[:2], strict=True)]
    outer = [min(ends) for ends in zip(own[2:], prepared[2:], strict=True)]
    shared = max(0, outer[0] - inner[0]) * max(0, outer[1] - inner[1])
    return shared / (_area(own) + _area(prepared) - shared)


def _area(box: tuple[int, int, int, int]) -> int:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)


_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as in Pillow


def _has_background(row: npt.NDArray[np.uint8], framing: Framing) -> bool:
    """Return whether most of the border of a row has the background of the training data."""
    levels = row.astype(np.float64)
    levels = levels[:3].mean(axis=0) if row.ndim == 3 else levels
    border = np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])
    return bool((np.abs(border - framing.background) <= FLAT).mean() > 0.5)


def _reduced(image: "PillowImage", side: int) -> Floats:
    """Return an upright copy with at most ``side`` pixels on each side, shape (y, x, 3)."""
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    if upright.mode in _RESIZABLE:  # before any conversion, which would need more memory
        upright = _at_most(upright, side)
    return np.asarray(_at_most(in_color(upright), side)).astype(np.float64)


_RESIZABLE = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "YCbCr"})


def _at_most(image: "PillowImage", side: int) -> "PillowImage":
    """Return an image reduced to at most ``side`` pixels on each side."""
    from PIL import Image

    scale = side / max(image.size)
    if scale >= 1.0:
        return image
    width, height = (max(1, round(scale * each)) for each in image.size)
    return image.resize((width, height), Image.Resampling.BOX)


def _on_flat(
    pixels: Floats,
    outlined: PhotoObject | None,
    framing: Framing,
    shape: tuple[int, ...],
    *,
    colored: bool,
) -> Floats:
    """Return the object on the background of the training data, shape (y, x) or (y, x, 3)."""
    background = framing.background
    if outlined is None:
        return np.full((*shape, 3) if colored else shape, background)
    if colored:
        cut_out = np.where(outlined.mask[..., None], pixels - background, 0.0)
        return background + _framed(cut_out, outlined.box, framing, shape)
    contrast = np.where(grown(outlined.mask), outlined.contrast, 0.0)
    levels = _framed(contrast, outlined.box, framing, shape)
    peak = levels.max()
    if peak > 0.0:
        peak = np.quantile(levels[levels > 0.1 * peak], _BRIGHTEST)
    return np.asarray(background + levels.clip(0.0) * (framing.contrast / max(peak, 1e-9)))


def _framed(
    levels: Floats, box: tuple[int, int, int, int], framing: Framing, shape: tuple[int, ...]
) -> Floats:
    """Return the part of an image in a box, resized and centered on zeros."""
    left, top, right, bottom = box
    part = levels[top:bottom, left:right]
    left, top, right, bottom = framing.box_of(part.shape[0], part.shape[1], shape)
    channels = part[..., None] if part.ndim == 2 else part
    size = [bottom - top, right - left]
    canvas = np.zeros((*shape, channels.shape[2]))
    canvas[top:bottom, left:right] = np.stack(
        [_resized(channels[..., c], size) for c in range(channels.shape[2])], axis=-1
    )
    return canvas[..., 0] if part.ndim == 2 else canvas


def _resized(levels: Floats, size: list[int]) -> Floats:
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(levels, dtype=np.float32))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.LANCZOS))
