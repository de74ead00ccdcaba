"""Formats of images that Pillow does not read, told by the suffix of a file, and what helps."""

from collections.abc import Collection
from pathlib import Path

_REMEDIES = {
    ".heic .heif .hif": "an HEIC image, which Pillow does not read: convert it to JPEG, or in "
    "Python call pillow_heif.register_heif_opener() first, of the package pillow-heif",
    ".avif .avifs": "an AVIF image, which Pillow reads from version 11.3 on: update Pillow, or "
    "convert it to JPEG",
    ".jxl": "a JPEG XL image, which Pillow does not read: convert it to JPEG",
    ".svg .svgz": "an SVG drawing, which Pillow does not read: export it as PNG",
    ".pdf .ps .eps .ai": "a document or drawing of pages, which is not read as an image: export it "
    "as PNG",
    ".raw .dng .cr2 .cr3 .nef .arw .orf .rw2 .raf": "a raw photograph, which Pillow does not "
    "read: convert it to JPEG",
}


def unread_format(path: Path, suffixes_read: Collection[str]) -> str | None:
    """Return what an image is and what helps, if its suffix is that of a format that is not read.

    Parameters
    ----------
    path : Path
    suffixes_read : collection of str
        The suffixes of the files that Pillow here reads.
    """
    suffix = path.suffix.lower()
    if suffix in suffixes_read:
        return None
    return next((text for known, text in _REMEDIES.items() if suffix in known.split()), None)
