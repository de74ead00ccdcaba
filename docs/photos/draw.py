"""Draw a photograph: an ankle boot on paper, by uneven light. Run it to write ``boot.jpg`` again.

The boot is drawn with NumPy from curves; nothing of it comes from a dataset.

    python docs/photos/draw.py
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT = 640, 480
SCALE = 2  # drawn larger, and then reduced for smooth edges

OUTLINE = [  # of the boot, clockwise from the top of the shaft
    *((452, 118), (456, 200), (462, 262), (468, 300), (466, 330), (440, 333)),
    *((438, 318), (410, 316), (380, 326), (300, 330), (226, 331), (184, 328)),
    *((178, 310), (188, 288), (214, 270), (262, 256), (304, 236), (330, 206)),
    *((340, 168), (342, 116), (390, 122)),
]
SOLE = [(178, 318), (300, 321), (380, 316), (438, 309), (467, 318), (466, 331), (440, 334)]
SOLE += [(438, 319), (410, 317), (380, 327), (300, 331), (184, 329)]
SEAMS = [
    [(342, 172), (360, 214), (384, 250), (392, 318)],
    [(304, 238), (330, 262), (342, 320)],
    [(342, 132), (454, 134)],
]
LACES = [[(318, 222), (348, 236)], [(326, 208), (356, 222)], [(334, 192), (362, 206)]]


def boot() -> tuple[Image.Image, Image.Image]:
    """Return the outline of the boot, and the brightness of its leather."""
    outline = Image.new("L", (WIDTH * SCALE, HEIGHT * SCALE), 0)
    ImageDraw.Draw(outline).polygon(_scaled(OUTLINE), fill=255)
    leather = Image.new("L", outline.size, 92)
    draw = ImageDraw.Draw(leather)
    draw.polygon(_scaled([(392, 100), (400, 340), (480, 340), (470, 100)]), fill=78)
    draw.polygon(_scaled([(170, 340), (180, 280), (270, 250), (330, 330)]), fill=84)
    leather = leather.filter(ImageFilter.GaussianBlur(14 * SCALE))
    draw = ImageDraw.Draw(leather)
    draw.polygon(_scaled(SOLE), fill=44)
    for line in SEAMS:
        draw.line(_scaled(line), fill=58, width=3 * SCALE)
    for line in LACES:
        draw.line(_scaled(line), fill=52, width=4 * SCALE)
    return outline, leather


def photograph(rng: np.random.Generator) -> Image.Image:
    """Return the photograph."""
    outline, leather = boot()
    shadow = outline.filter(ImageFilter.GaussianBlur(12 * SCALE)).resize((WIDTH, HEIGHT))
    cover = _levels(outline.filter(ImageFilter.GaussianBlur(SCALE)).resize((WIDTH, HEIGHT))) / 255
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    light = 0.92 - 0.13 * x - 0.07 * y - 0.06 * (x * x + y * y)
    paper = 232.0 * light * (1.0 - 0.28 * np.roll(_levels(shadow), (10, 14), axis=(0, 1)) / 255)
    gray = cover * _levels(leather.resize((WIDTH, HEIGHT))) * light + (1.0 - cover) * paper
    tint = np.where(cover[..., None] > 0.5, (1.12, 0.98, 0.86), (1.0, 0.98, 0.94))
    colors = gray[..., None] * tint
    noisy = colors + rng.normal(0.0, 2.5, colors.shape)
    return Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))


def _scaled(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(x * SCALE, y * SCALE) for x, y in points]


def _levels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, dtype=np.float64)


if __name__ == "__main__":
    path = Path(__file__).with_name("boot.jpg")
    photograph(np.random.default_rng(0)).save(path, "JPEG", quality=80)
    print(f"wrote {path}: {path.stat().st_size:,} bytes")
