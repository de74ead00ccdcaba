"""Formats of images that Pillow does not read, told by suffix or first bytes, and the remedy."""

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


_FTYP = {
    b"heic": "HEIC", b"heix": "HEIC", b"heim": "HEIC", b"heis": "HEIC", b"hevc": "HEIC",
    b"hevx": "HEIC", b"mif1": "HEIC", b"msf1": "HEIC", b"avif": "AVIF", b"avis": "AVIF",
    b"crx ": "Canon raw",
}  # fmt: skip
"""The formats of files that begin with a box ``ftyp``, by brand; others are videos."""

_SIGNATURES = {
    b"\xff\x0a": "JPEG XL",
    b"\x00\x00\x00\x0cJXL ": "JPEG XL",
    b"FUJIFILMCCD-RAW": "Fujifilm raw",
    b"IIU\x00": "Panasonic raw",
    b"IIRO": "Olympus raw",
    b"%PDF": "PDF",
    b"<svg": "SVG",
}
"""The first bytes of other formats that Pillow does not read everywhere."""


def unread_format(path: Path, suffixes_read: Collection[str]) -> str | None:
    """Return format and remedy in words, if the suffix of an image is that of a format not read.

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


def unread_content(path: Path) -> str | None:
    """Return format and remedy of a file that Pillow does not read here; None if unknown."""
    with path.open("rb") as file:
        start = file.read(32).lstrip(b"\xef\xbb\xbf")
    kind = next((name for begin, name in _SIGNATURES.items() if start.startswith(begin)), None)
    if start[4:8] == b"ftyp":
        kind = _FTYP.get(start[8:12], "video")
    if kind is None:
        return None
    if kind == "video":
        return "a video, expected an image: save its frames as JPEG or PNG"
    return f"an image in the format {kind}, which Pillow does not read here: save it as JPEG or PNG"
