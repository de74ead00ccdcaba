"""Silhouettes: a dataset of small gray garments that is drawn instead of downloaded.

It has the ten classes and the shape of Fashion-MNIST, needs no file and no network, and is hard
enough to be worth a network: many tops differ by a collar or a seam alone.

Every garment is made from a small vocabulary. A *shape* is an array that says, for every pixel,
how far away the shape's edge is: negative inside, zero on the edge, positive outside. So two shapes
are joined by the smaller of their distances, overlapped by the larger, and one is cut out of
another by turning its sign. ``ink`` makes a picture of a shape, with soft edges, only at the end.

All pictures of a class are drawn at once: pixels have the shape ``(n, 28, 28)``, and whatever
varies from picture to picture (a width, an angle) has the shape ``(n, 1, 1)``. A picture reaches
from -1 to 1 both ways; x points right and y points down.
"""

from __future__ import annotations  # numpy.random is loaded when it is used

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset, Splits
from handloom.errors import require_count
from handloom.randomness import Purpose, Stream

__all__ = ["CLASS_NAMES", "silhouettes"]

SIDE = 28
PIXEL = 2.0 / SIDE
PER_CLASS = 100  # pictures of each class in a chunk: few enough for the cache

Array = npt.NDArray[np.floating]  # float32 throughout: half the memory, twice the speed
Flags = npt.NDArray[np.bool_]
Number = Array | float
Point = tuple[Number, Number]


def silhouettes(rows: int = 10_000, *, test_rows: int = 2_000, seed: int = 0) -> Splits:
    """Draw a dataset of garments: ten classes, 28 x 28 gray pixels, a black background.

    Row ``i`` of a part depends on the seed and on ``i`` alone: asking for more rows adds rows at
    the end, and neither part changes with the size of the other. Every ten rows in turn hold each
    class once, in random order, so the classes are balanced wherever the rows end.

    Parameters
    ----------
    rows : int
        The rows of the training part.
    test_rows : int
        The rows of the test part.
    seed : int
        The seed, zero or more.

    Returns
    -------
    Splits
        Both parts with ``uint8`` inputs of shape (n, 28, 28) and the class names of Fashion-MNIST.

    Raises
    ------
    ConfigurationError
        If a number of rows is no whole number of at least 1, or the seed is none of at least 0.
    """
    rows = require_count("rows", rows)
    test_rows = require_count("test_rows", test_rows)
    stream = Stream(seed).at(Purpose.GENERATE)
    return Splits(train=draw_part(rows, stream.at(0)), test=draw_part(test_rows, stream.at(1)))


def draw_part(rows: int, stream: Stream) -> Dataset:
    """Draw the rows of one part, chunk by chunk."""
    images = np.empty((rows, SIDE, SIDE), dtype=np.uint8)
    targets = np.empty(rows, dtype=np.int64)
    chunk_rows = PER_CLASS * len(GARMENTS)
    for chunk, start in enumerate(range(0, rows, chunk_rows)):
        part = slice(start, min(start + chunk_rows, rows))
        # A chunk is drawn whole and then cut, so that its rows do not depend on how many are asked.
        chunk_images, chunk_targets = draw_chunk(stream.at(chunk).generator())
        images[part] = chunk_images[: part.stop - start]
        targets[part] = chunk_targets[: part.stop - start]
    return Dataset(images, targets, CLASS_NAMES, "silhouettes")


def draw_chunk(rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Draw as many pictures of every class, and deal them out ten by ten, one of each class."""
    by_class = np.stack([draw(garment, PER_CLASS, rng) for garment in GARMENTS.values()])
    rounds = np.tile(np.arange(len(GARMENTS)), (PER_CLASS, 1))
    targets = rng.permuted(rounds, axis=1)  # round r takes the r-th picture of every class
    images = by_class[targets, np.arange(PER_CLASS)[:, None]]
    return images.reshape(-1, SIDE, SIDE), targets.reshape(-1)


# --------------------------------------------------------------------------------------------------
# Paper: where we draw, and where chance comes from
# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Paper:
    """The coordinates of every pixel of n pictures, each (n, 28, 28), and the dice."""

    x: Array
    y: Array
    rng: np.random.Generator

    def between(self, low: float, high: float) -> Array:
        """Return one number for each picture, anywhere from ``low`` to ``high``."""
        return self.rng.uniform(low, high, (len(self.x), 1, 1)).astype(np.float32)

    def sometimes(self, share: float) -> Flags:
        """Return one yes or no for each picture: yes for this share of them."""
        return self.rng.random((len(self.x), 1, 1)) < share

    def either(self, low: float, high: float) -> Array:
        """Return one number for each picture, from ``low`` to ``high``, with either sign."""
        size = self.between(low, high)
        return np.where(self.sometimes(0.5), size, -size)

    def at_times(self, share: float, low: float, high: float) -> Array:
        """Return a number from ``low`` to ``high`` for this share of the pictures, else 0."""
        return np.where(self.sometimes(share), self.between(low, high), 0.0)

    def folded(self) -> Paper:
        """Fold the paper down the middle: what is cut out of it appears on both sides."""
        return replace(self, x=np.abs(self.x))

    def turned(self, angle: Array) -> Paper:
        """Turn the paper about its middle, by an angle in radians."""
        cos, sin = np.cos(angle), np.sin(angle)
        return replace(self, x=cos * self.x + sin * self.y, y=cos * self.y - sin * self.x)


def blank_paper(n: int, rng: np.random.Generator) -> Paper:
    """Lay out n sheets, each a little moved, stretched, turned and slanted."""
    middles = (np.arange(SIDE, dtype=np.float32) + 0.5) * PIXEL - 1.0
    # One row of x and one column of y will do until the turn, which mixes the two.
    x = np.broadcast_to(middles, (n, 1, SIDE))
    y = np.broadcast_to(middles[:, None], (n, SIDE, 1))
    flat = Paper(x, y, rng)
    placed = Paper(
        (x - flat.between(-0.14, 0.14)) * flat.between(0.9, 1.2),
        (y - flat.between(-0.14, 0.14)) * flat.between(0.95, 1.2),
        rng,
    )
    turned = placed.turned(placed.between(-0.16, 0.16))
    return replace(turned, x=turned.x + turned.between(-0.12, 0.12) * turned.y)


# --------------------------------------------------------------------------------------------------
# Shapes: distances to an edge, negative inside
# --------------------------------------------------------------------------------------------------


def join(*shapes: Array) -> Array:
    """Return what lies in any of the shapes."""
    return reduce(np.minimum, shapes)


def overlap(*shapes: Array) -> Array:
    """Return what lies in all of the shapes."""
    return reduce(np.maximum, shapes)


def cut(shape: Array, *holes: Array) -> Array:
    """Return what lies in the shape and in none of the holes."""
    return overlap(shape, *(-hole for hole in holes))


def rim(shape: Array, width: Number) -> Array:
    """Return a line along the edge of the shape, ``width`` to either side.

    ``x - a`` is a shape too, all that lies left of ``a``: its rim is an upright line.
    """
    return np.abs(shape) - width


def ellipse(paper: Paper, middle: Point, across: Number, down: Number) -> Array:
    """Return an ellipse with the given half axes."""
    u, v = (paper.x - middle[0]) / across, (paper.y - middle[1]) / down
    # In units of the half axes the edge is a circle of radius 1; the shorter one brings it back.
    shorter: Array = np.minimum(across, down, dtype=np.float32)
    radius: Array = np.sqrt(u * u + v * v)
    return (radius - 1.0) * shorter


def bar(paper: Paper, start: Point, end: Point, start_width: Number, end_width: Number) -> Array:
    """Return a straight bar with flat ends: a sleeve, a leg, a strap; widths to either side."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = (dx * dx + dy * dy) ** 0.5
    dx, dy = dx / length, dy / length
    u, v = paper.x - start[0], paper.y - start[1]
    along = u * dx + v * dy
    across = np.abs(u * dy - v * dx)
    width = start_width + (end_width - start_width) / length * along
    return overlap(across - width, -along, along - length)


def curve(at: Array, knots: Sequence[Point]) -> Array:
    """Return the height at each place of a smooth line through the knots, level at every knot."""
    height = np.zeros_like(at) + knots[0][1]
    for (left, low), (right, high) in pairwise(knots):
        u = np.clip((at - left) / (right - left), 0.0, 1.0)
        height += (high - low) * u * u * (3.0 - 2.0 * u)
    return height


def every(at: Array, spacing: Number) -> Array:
    """Return the distance from the nearest of many lines, one at each multiple of the spacing."""
    turns = at / spacing
    astray: Array = np.abs(turns - np.rint(turns))
    return astray * spacing


def ink(shape: Array) -> Array:
    """Return 1 inside the shape, 0 outside, and the covered share where the edge cuts a pixel."""
    covered: Array = np.clip(0.5 - shape / PIXEL, 0.0, 1.0)
    return covered


def mark(shape: Array, depth: Number) -> Array:
    """Return the light that a mark of this shape leaves: less for a depth above 0, or more."""
    return 1.0 - depth * ink(shape)


# --------------------------------------------------------------------------------------------------
# Garments: an outline, and the light on it
# --------------------------------------------------------------------------------------------------


class Drawing(NamedTuple):
    """A garment: its outline (a shape) and how light each pixel is, 1 for plain cloth."""

    outline: Array
    light: Array


def top(
    paper: Paper, *, width: Number, flare: Number, hem: Number, sleeve: Number, droop: Number
) -> Array:
    """Return a body with two sleeves, the collar at y = -0.75; ``droop`` is the sleeves' angle."""
    half = paper.folded()
    body = overlap(
        half.x - curve(half.y, [(-0.75, width), (hem, width + flare)]),
        half.y - hem,
    )
    shoulder = (width - 0.12, -0.52)
    cuff = (shoulder[0] + sleeve * np.cos(droop), shoulder[1] + sleeve * np.sin(droop))
    arm = bar(half, shoulder, cuff, paper.between(0.14, 0.2), paper.between(0.1, 0.15))
    above_shoulders = half.y - (-0.78 + paper.between(0.2, 0.4) * half.x)
    return cut(join(body, arm), above_shoulders)


def round_neck(paper: Paper) -> Array:
    """Return the hole of a round neck."""
    return ellipse(paper, (0.0, -0.78), paper.between(0.14, 0.24), paper.between(0.08, 0.24))


def v_neck(paper: Paper, depth: Number) -> Array:
    """Return the hole of a V neck."""
    return bar(paper, (0.0, -0.8), (0.0, -0.8 + depth), paper.between(0.12, 0.2), 0.0)


def front_line(paper: Paper, width: Number) -> Array:
    """Return a line down the front, where a shirt is buttoned or a coat is closed."""
    return overlap(rim(paper.x - paper.between(-0.06, 0.06), width), -0.7 - paper.y)


def t_shirt(paper: Paper) -> Drawing:
    """Draw a T-shirt: short sleeves, a round neck or a V, sometimes a print on the chest."""
    hem = paper.between(0.5, 0.8)
    shape = top(
        paper,
        width=paper.between(0.36, 0.5),
        flare=paper.between(-0.06, 0.06),
        hem=hem,
        sleeve=paper.between(0.22, 0.55),
        droop=paper.between(0.3, 1.0),
    )
    neck = np.where(
        paper.sometimes(0.75), round_neck(paper), v_neck(paper, paper.between(0.2, 0.4))
    )
    patch = ellipse(
        paper,
        (paper.between(-0.1, 0.1), paper.between(-0.3, 0.2)),
        paper.between(0.08, 0.3),
        paper.between(0.08, 0.3),
    )
    return Drawing(cut(shape, neck), mark(patch, paper.at_times(0.4, -0.6, 0.8)))


def trouser(paper: Paper) -> Drawing:
    """Draw trousers: two legs from a waistband, wide or narrow, now and then short."""
    half = paper.folded()
    waist, hem = paper.between(-0.9, -0.75), paper.between(0.7, 0.95)
    hem = np.where(paper.sometimes(0.15), hem - 0.6, hem)
    hip, stance = paper.between(0.24, 0.4), paper.between(0.12, 0.34)
    leg = bar(half, (hip / 2, waist), (stance, hem), hip / 2, paper.between(0.08, 0.2))
    seat = overlap(half.x - hip, waist - half.y, half.y - paper.between(-0.5, -0.3))
    band = half.y - (waist + 0.1)
    crease = bar(half, (hip / 2, waist), (stance, hem), 0.02, 0.02)
    light = mark(band, paper.between(-0.2, 0.4)) * mark(crease, paper.between(-0.3, 0.3))
    return Drawing(join(leg, seat), light)


def pullover(paper: Paper) -> Drawing:
    """Draw a pullover: long sleeves, no opening in front, often ribs at the hem."""
    hem = paper.between(0.5, 0.82)
    shape = top(
        paper,
        width=paper.between(0.36, 0.5),
        flare=paper.between(-0.08, 0.05),
        hem=hem,
        sleeve=paper.between(0.8, 1.25),
        droop=paper.between(1.0, 1.4),
    )
    rolled = ellipse(paper, (0.0, -0.74), paper.between(0.14, 0.2), paper.between(0.06, 0.14))
    shape = np.where(paper.sometimes(0.3), join(shape, rolled), cut(shape, round_neck(paper)))
    ribs = hem - 0.12 - paper.y
    light = mark(ribs, paper.at_times(0.7, -0.3, 0.45))
    return Drawing(shape, light * mark(rim(rolled, 0.03), paper.between(0.0, 0.5)))


def dress(paper: Paper) -> Drawing:
    """Draw a dress: long, narrow at the waist, with straps or sleeves, a skirt below."""
    half = paper.folded()
    collar, hem = paper.between(-0.95, -0.8), paper.between(0.6, 0.95)
    waist, chest = paper.between(0.15, 0.3), paper.between(0.22, 0.36)
    middle = paper.between(-0.3, 0.0)
    skirt = waist + paper.between(0.0, 0.35)
    side = curve(half.y, [(collar, chest), (middle, waist), (hem, skirt)])
    body = overlap(half.x - side, collar - half.y, half.y - hem)
    length = np.where(paper.sometimes(0.5), paper.between(0.15, 0.85), 0.02)
    shoulder = (chest - 0.08, collar + 0.12)
    cuff = (shoulder[0] + 0.5 * length, shoulder[1] + 0.85 * length)
    sleeve = bar(half, shoulder, cuff, 0.12, paper.between(0.06, 0.12))
    neck = ellipse(paper, (0.0, collar), paper.between(0.08, 0.2), paper.between(0.08, 0.3))
    belt = rim(half.y - middle, 0.04)
    light = mark(belt, paper.at_times(0.5, -0.4, 0.7))
    return Drawing(cut(join(body, sleeve), neck), light)


def coat(paper: Paper) -> Drawing:
    """Draw a coat: long sleeves, a long body that opens in front, lapels, pockets, a belt."""
    half = paper.folded()
    hem = paper.between(0.62, 0.95)
    shape = top(
        paper,
        width=paper.between(0.36, 0.5),
        flare=paper.between(-0.03, 0.14),
        hem=hem,
        sleeve=paper.between(0.85, 1.3),
        droop=paper.between(1.05, 1.4),
    )
    depth = paper.between(0.25, 0.7)
    lapels = rim(v_neck(paper, depth), 0.04)
    pockets = bar(half, (0.15, 0.3), (0.34, paper.between(0.22, 0.34)), 0.03, 0.03)
    belt = rim(paper.y - paper.between(-0.05, 0.15), 0.04)
    light = (
        mark(front_line(paper, 0.025), paper.between(0.3, 0.9))
        * mark(lapels, paper.between(0.1, 0.6))
        * mark(pockets, paper.at_times(0.5, 0.2, 0.6))
        * mark(belt, paper.at_times(0.25, -0.3, 0.7))
    )
    gap = bar(paper, (0.0, -0.5), (0.0, 1.0), 0.0, paper.between(0.04, 0.18))
    shape = np.where(paper.sometimes(0.35), cut(shape, gap), shape)
    return Drawing(cut(shape, v_neck(paper, 0.5 * depth)), light)


def shirt(paper: Paper) -> Drawing:
    """Draw a shirt: a collar, a button facing of another gray; its sleeves are long or short."""
    hem = paper.between(0.5, 0.85)
    short = paper.sometimes(0.4)
    shape = top(
        paper,
        width=paper.between(0.34, 0.5),
        flare=paper.between(-0.06, 0.08),
        hem=hem,
        sleeve=np.where(short, paper.between(0.25, 0.6), paper.between(0.8, 1.2)),
        droop=np.where(short, paper.between(0.4, 1.0), paper.between(1.0, 1.4)),
    )
    neck = v_neck(paper, paper.between(0.12, 0.35))
    collar = overlap(rim(neck, 0.1), paper.y + 0.4)
    facing = front_line(paper, paper.between(0.07, 0.11))
    buttons = overlap(rim(paper.x, 0.05), every(paper.y, 0.22) - 0.04)
    trim = paper.either(0.4, 0.75)
    light = mark(facing, trim) * mark(collar, trim) * mark(buttons, paper.between(0.2, 0.6))
    return Drawing(cut(shape, neck), light)


def sandal(paper: Paper) -> Drawing:
    """Draw a sandal: a sole, flat or on a heel, and straps with nothing between them."""
    heel = np.where(paper.sometimes(0.5), paper.between(0.0, 0.15), paper.between(0.25, 0.7))
    floor = 0.4 + 0.4 * heel
    ground = curve(paper.x, [(-0.4, floor), (0.75, floor - heel)])
    thick = paper.between(0.05, 0.14)
    ends = rim(paper.x, 0.88)
    sole = overlap(rim(paper.y - ground, thick), ends)
    spike = bar(paper, (0.76, floor - heel), (0.78, floor + thick), 0.1, paper.between(0.04, 0.14))
    ankle = paper.between(0.45, 0.7)
    instep = curve(paper.x, [(-0.88, 0.1), (-0.5, 0.3), (0.3, ankle), (0.85, ankle + 0.05)])
    foot = overlap(ground - instep - paper.y, paper.y - ground, ends)
    width, lean = paper.between(0.06, 0.16), paper.between(-0.5, 0.3)
    toe, middle = paper.between(-0.6, -0.35), paper.between(-0.15, 0.25)
    place = paper.x - lean * (paper.y - floor)
    toe_strap = rim(place - toe, width)
    middle_strap = rim(place - middle, width)
    ankle_strap = overlap(rim(ground - 0.8 * ankle - paper.y, 0.06), 0.1 - paper.x)
    straps = join(toe_strap, 0.7 - paper.x)  # the second holds the heel
    straps = np.where(paper.sometimes(0.8), join(straps, middle_strap), straps)
    straps = np.where(paper.sometimes(0.8), join(straps, ankle_strap), straps)
    return Drawing(join(sole, spike, overlap(foot, straps)), mark(sole, paper.between(-0.4, 0.6)))


def sneaker(paper: Paper) -> Drawing:
    """Draw a sneaker: low, with a sole of another gray, laces, a stripe on the side."""
    floor, ankle = paper.between(0.25, 0.5), paper.between(0.5, 0.85)
    toe, tongue = paper.between(0.2, 0.34), paper.between(-0.05, 0.2)
    height = curve(
        paper.x,
        [
            (-0.95, 0.0),
            (-0.7, toe),
            (-0.45, toe + 0.04),
            (tongue, ankle),
            (0.5, ankle - paper.between(0.05, 0.25)),
            (0.85, ankle + paper.between(-0.1, 0.1)),
        ],
    )
    ends = rim(paper.x, 0.88)
    upper = overlap(floor - height - paper.y, paper.y - floor, ends)
    sole = overlap(rim(paper.y - floor - 0.04, paper.between(0.06, 0.11)), ends - 0.03)
    tilted = paper.turned(paper.between(0.5, 1.0))
    laces = overlap(every(tilted.x, 0.16) - 0.03, rim(paper.x - tongue + 0.3, 0.2))
    stripe = bar(paper, (-0.1, floor - 0.1), (paper.between(0.3, 0.7), floor - 0.4), 0.08, 0.03)
    light = (
        mark(sole, paper.between(-0.6, 0.6))
        * mark(laces, paper.between(-0.3, 0.5))
        * mark(stripe, paper.between(-0.6, 0.6))
    )
    return Drawing(join(upper, sole), light)


def bag(paper: Paper) -> Drawing:
    """Draw a bag: a broad body, mostly a handle above it, a flap and a buckle."""
    brim, base = paper.between(-0.45, 0.0), paper.between(0.45, 0.8)
    width = paper.between(0.45, 0.85)
    body = bar(paper, (0.0, brim), (0.0, base), width, paper.between(0.5, 0.85))
    arch = ellipse(paper, (0.0, brim), width * paper.between(0.3, 0.9), paper.between(0.2, 0.75))
    handle = overlap(rim(arch, paper.between(0.04, 0.08)), paper.y - brim)
    fold = brim + paper.between(0.1, 0.6) * (base - brim)
    flap = rim(paper.y - fold, 0.03)
    buckle = ellipse(paper, (0.0, fold), 0.1, 0.08)
    light = mark(flap, paper.between(-0.2, 0.7)) * mark(buckle, paper.between(-0.5, 0.7))
    return Drawing(np.where(paper.sometimes(0.75), join(body, handle), body), light)


def ankle_boot(paper: Paper) -> Drawing:
    """Draw an ankle boot: a shaft above the ankle, a toe, often a heel."""
    floor, shaft = paper.between(0.6, 0.85), paper.between(-0.85, -0.1)
    front, back = paper.between(-0.25, 0.05), paper.between(0.6, 0.8)
    toe = paper.between(0.2, 0.4)
    height = curve(
        paper.x,
        [
            (-0.95, 0.0),
            (-0.7, toe),
            (-0.5, toe + 0.06),
            (front, toe + 0.3),
            (front + 0.12, floor - shaft),
        ],
    )
    boot = overlap(floor - height - paper.y, paper.y - floor, paper.x - back)
    heel = paper.between(0.0, 0.35)
    arch = bar(paper, (-0.5, floor + 0.04), (0.35, floor - 0.4 * heel), 0.0, 0.6 * heel)
    sole = floor - paper.between(0.06, 0.14) - paper.y
    seam = rim(paper.x - front - 0.3 - paper.between(-0.3, 0.3) * paper.y, 0.03)
    light = mark(sole, paper.between(-0.6, 0.6)) * mark(seam, paper.between(-0.3, 0.6))
    return Drawing(cut(boot, arch), light)


GARMENTS: dict[str, Callable[[Paper], Drawing]] = {
    "T-shirt/top": t_shirt,
    "Trouser": trouser,
    "Pullover": pullover,
    "Dress": dress,
    "Coat": coat,
    "Sandal": sandal,
    "Shirt": shirt,
    "Sneaker": sneaker,
    "Bag": bag,
    "Ankle boot": ankle_boot,
}
CLASS_NAMES = tuple(GARMENTS)


# --------------------------------------------------------------------------------------------------
# Cloth: from a drawing to pixels
# --------------------------------------------------------------------------------------------------


def draw(
    garment: Callable[[Paper], Drawing], n: int, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Draw n pictures of one garment, (n, 28, 28)."""
    paper = blank_paper(n, rng)
    outline, light = garment(paper)
    # Cloth is never quite black, or a dark garment would be lost on the background.
    gray = np.clip(light * cloth(paper) * shadow(paper), 0.06, 1.0)
    return np.rint(255.0 * gray * ink(outline)).astype(np.uint8)


def cloth(paper: Paper) -> Array:
    """Return the light of the cloth itself: a gray, a gradient, stripes or checks, and grain."""
    gray = paper.between(0.3, 0.95)
    gradient = paper.between(-0.25, 0.25) * paper.x + paper.between(-0.25, 0.25) * paper.y
    tilted = paper.turned(paper.between(0.0, 3.14))
    spacing = paper.between(0.25, 0.8)
    stripes = every(tilted.x + paper.between(0.0, 0.8), spacing)
    checks = np.where(paper.sometimes(0.3), every(tilted.y, spacing), 0.0)
    pattern = (stripes + checks) / spacing * paper.at_times(0.35, 0.2, 0.8)
    grain = paper.between(0.05, 0.2) * paper.rng.random(paper.x.shape, dtype=np.float32)
    return gray * (1.0 + gradient) * (1.0 - pattern) * (1.0 - grain)


def shadow(paper: Paper) -> Array:
    """Return what light is left where something hides a part of the picture, in one of four."""
    middle = (paper.between(-0.8, 0.8), paper.between(-0.8, 0.8))
    spot = ellipse(paper, middle, paper.between(0.1, 0.4), paper.between(0.1, 0.4))
    return mark(spot, paper.at_times(0.25, 0.4, 1.0))
