"""Garments of the silhouettes: an outline and its brightness for each of ten classes."""

from __future__ import annotations  # numpy.random is loaded when it is used

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from handloom.data.sources.shapes import (
    Array,
    Canvas,
    Number,
    bar,
    curve,
    cut,
    ellipse,
    every,
    join,
    mark,
    overlap,
    rim,
)


class Drawing(NamedTuple):
    """A garment: its outline, a shape, and the brightness of its pixels relative to the fabric."""

    outline: Array
    light: Array


def top(
    canvas: Canvas, *, width: Number, flare: Number, hem: Number, sleeve: Number, droop: Number
) -> Array:
    """Return a body with two sleeves and its collar at y = -0.75; ``droop`` is the sleeve angle."""
    half = canvas.folded()
    body = overlap(
        half.x - curve(half.y, [(-0.75, width), (hem, width + flare)]),
        half.y - hem,
    )
    shoulder = (width - 0.12, -0.52)
    cuff = (shoulder[0] + sleeve * np.cos(droop), shoulder[1] + sleeve * np.sin(droop))
    arm = bar(half, shoulder, cuff, canvas.uniform(0.14, 0.2), canvas.uniform(0.1, 0.15))
    above_shoulders = half.y - (-0.78 + canvas.uniform(0.2, 0.4) * half.x)
    return cut(join(body, arm), above_shoulders)


def round_neck(canvas: Canvas) -> Array:
    """Return the hole of a round neck."""
    return ellipse(canvas, (0.0, -0.78), canvas.uniform(0.14, 0.24), canvas.uniform(0.08, 0.24))


def v_neck(canvas: Canvas, depth: Number) -> Array:
    """Return the hole of a V neck."""
    return bar(canvas, (0.0, -0.8), (0.0, -0.8 + depth), canvas.uniform(0.12, 0.2), 0.0)


def front_line(canvas: Canvas, width: Number) -> Array:
    """Return a vertical line at the front, along the opening of a shirt or coat."""
    return overlap(rim(canvas.x - canvas.uniform(-0.06, 0.06), width), -0.7 - canvas.y)


def t_shirt(canvas: Canvas) -> Drawing:
    """Draw a T-shirt: short sleeves, a round or V neck, 40 % with a print on the chest."""
    hem = canvas.uniform(0.5, 0.8)
    shape = top(
        canvas,
        width=canvas.uniform(0.36, 0.5),
        flare=canvas.uniform(-0.06, 0.06),
        hem=hem,
        sleeve=canvas.uniform(0.22, 0.55),
        droop=canvas.uniform(0.3, 1.0),
    )
    neck = np.where(
        canvas.chance(0.75), round_neck(canvas), v_neck(canvas, canvas.uniform(0.2, 0.4))
    )
    patch = ellipse(
        canvas,
        (canvas.uniform(-0.1, 0.1), canvas.uniform(-0.3, 0.2)),
        canvas.uniform(0.08, 0.3),
        canvas.uniform(0.08, 0.3),
    )
    return Drawing(cut(shape, neck), mark(patch, canvas.uniform_or_zero(0.4, -0.6, 0.8)))


def trouser(canvas: Canvas) -> Drawing:
    """Draw trousers: two legs and a waistband, 15 % short."""
    half = canvas.folded()
    waist, hem = canvas.uniform(-0.9, -0.75), canvas.uniform(0.7, 0.95)
    hem = np.where(canvas.chance(0.15), hem - 0.6, hem)
    hip, stance = canvas.uniform(0.24, 0.4), canvas.uniform(0.12, 0.34)
    leg = bar(half, (hip / 2, waist), (stance, hem), hip / 2, canvas.uniform(0.08, 0.2))
    seat = overlap(half.x - hip, waist - half.y, half.y - canvas.uniform(-0.5, -0.3))
    band = half.y - (waist + 0.1)
    crease = bar(half, (hip / 2, waist), (stance, hem), 0.02, 0.02)
    light = mark(band, canvas.uniform(-0.2, 0.4)) * mark(crease, canvas.uniform(-0.3, 0.3))
    return Drawing(join(leg, seat), light)


def pullover(canvas: Canvas) -> Drawing:
    """Draw a pullover: long sleeves, a closed front, 70 % with ribs at the hem."""
    hem = canvas.uniform(0.5, 0.82)
    shape = top(
        canvas,
        width=canvas.uniform(0.36, 0.5),
        flare=canvas.uniform(-0.08, 0.05),
        hem=hem,
        sleeve=canvas.uniform(0.8, 1.25),
        droop=canvas.uniform(1.0, 1.4),
    )
    rolled = ellipse(canvas, (0.0, -0.74), canvas.uniform(0.14, 0.2), canvas.uniform(0.06, 0.14))
    shape = np.where(canvas.chance(0.3), join(shape, rolled), cut(shape, round_neck(canvas)))
    ribs = hem - 0.12 - canvas.y
    light = mark(ribs, canvas.uniform_or_zero(0.7, -0.3, 0.45))
    return Drawing(shape, light * mark(rim(rolled, 0.03), canvas.uniform(0.0, 0.5)))


def dress(canvas: Canvas) -> Drawing:
    """Draw a dress: straps or sleeves, a narrow waist, a long skirt."""
    half = canvas.folded()
    collar, hem = canvas.uniform(-0.95, -0.8), canvas.uniform(0.6, 0.95)
    waist, chest = canvas.uniform(0.15, 0.3), canvas.uniform(0.22, 0.36)
    middle = canvas.uniform(-0.3, 0.0)
    skirt = waist + canvas.uniform(0.0, 0.35)
    side = curve(half.y, [(collar, chest), (middle, waist), (hem, skirt)])
    body = overlap(half.x - side, collar - half.y, half.y - hem)
    reach = np.where(canvas.chance(0.5), canvas.uniform(0.15, 0.85), 0.02)
    shoulder = (chest - 0.08, collar + 0.12)
    cuff = (shoulder[0] + 0.5 * reach, shoulder[1] + 0.85 * reach)
    sleeve = bar(half, shoulder, cuff, 0.12, canvas.uniform(0.06, 0.12))
    neck = ellipse(canvas, (0.0, collar), canvas.uniform(0.08, 0.2), canvas.uniform(0.08, 0.3))
    belt = rim(half.y - middle, 0.04)
    light = mark(belt, canvas.uniform_or_zero(0.5, -0.4, 0.7))
    return Drawing(cut(join(body, sleeve), neck), light)


def coat(canvas: Canvas) -> Drawing:
    """Draw a coat: long sleeves, an opening in front, lapels, pockets, a belt."""
    half = canvas.folded()
    hem = canvas.uniform(0.62, 0.95)
    shape = top(
        canvas,
        width=canvas.uniform(0.36, 0.5),
        flare=canvas.uniform(-0.03, 0.14),
        hem=hem,
        sleeve=canvas.uniform(0.85, 1.3),
        droop=canvas.uniform(1.05, 1.4),
    )
    depth = canvas.uniform(0.25, 0.7)
    lapels = rim(v_neck(canvas, depth), 0.04)
    pockets = bar(half, (0.15, 0.3), (0.34, canvas.uniform(0.22, 0.34)), 0.03, 0.03)
    belt = rim(canvas.y - canvas.uniform(-0.05, 0.15), 0.04)
    light = (
        mark(front_line(canvas, 0.025), canvas.uniform(0.3, 0.9))
        * mark(lapels, canvas.uniform(0.1, 0.6))
        * mark(pockets, canvas.uniform_or_zero(0.5, 0.2, 0.6))
        * mark(belt, canvas.uniform_or_zero(0.25, -0.3, 0.7))
    )
    gap = bar(canvas, (0.0, -0.5), (0.0, 1.0), 0.0, canvas.uniform(0.04, 0.18))
    shape = np.where(canvas.chance(0.35), cut(shape, gap), shape)
    return Drawing(cut(shape, v_neck(canvas, 0.5 * depth)), light)


def shirt(canvas: Canvas) -> Drawing:
    """Draw a shirt: a collar, a button facing in another gray, long or short sleeves."""
    hem = canvas.uniform(0.5, 0.85)
    short = canvas.chance(0.4)
    shape = top(
        canvas,
        width=canvas.uniform(0.34, 0.5),
        flare=canvas.uniform(-0.06, 0.08),
        hem=hem,
        sleeve=np.where(short, canvas.uniform(0.25, 0.6), canvas.uniform(0.8, 1.2)),
        droop=np.where(short, canvas.uniform(0.4, 1.0), canvas.uniform(1.0, 1.4)),
    )
    neck = v_neck(canvas, canvas.uniform(0.12, 0.35))
    collar = overlap(rim(neck, 0.1), canvas.y + 0.4)
    facing = front_line(canvas, canvas.uniform(0.07, 0.11))
    buttons = overlap(rim(canvas.x, 0.05), every(canvas.y, 0.22) - 0.04)
    trim = canvas.signed(0.4, 0.75)
    light = mark(facing, trim) * mark(collar, trim) * mark(buttons, canvas.uniform(0.2, 0.6))
    return Drawing(cut(shape, neck), light)


def sandal(canvas: Canvas) -> Drawing:
    """Draw a sandal: a sole, flat or with a heel, and straps."""
    heel = np.where(canvas.chance(0.5), canvas.uniform(0.0, 0.15), canvas.uniform(0.25, 0.7))
    floor = 0.4 + 0.4 * heel
    ground = curve(canvas.x, [(-0.4, floor), (0.75, floor - heel)])
    thick = canvas.uniform(0.05, 0.14)
    ends = rim(canvas.x, 0.88)
    sole = overlap(rim(canvas.y - ground, thick), ends)
    spike = bar(
        canvas, (0.76, floor - heel), (0.78, floor + thick), 0.1, canvas.uniform(0.04, 0.14)
    )
    ankle = canvas.uniform(0.45, 0.7)
    instep = curve(canvas.x, [(-0.88, 0.1), (-0.5, 0.3), (0.3, ankle), (0.85, ankle + 0.05)])
    foot = overlap(ground - instep - canvas.y, canvas.y - ground, ends)
    width, lean = canvas.uniform(0.06, 0.16), canvas.uniform(-0.5, 0.3)
    toe, middle = canvas.uniform(-0.6, -0.35), canvas.uniform(-0.15, 0.25)
    along = canvas.x - lean * (canvas.y - floor)
    toe_strap = rim(along - toe, width)
    middle_strap = rim(along - middle, width)
    ankle_strap = overlap(rim(ground - 0.8 * ankle - canvas.y, 0.06), 0.1 - canvas.x)
    straps = join(toe_strap, 0.7 - canvas.x)  # the second is at the heel
    straps = np.where(canvas.chance(0.8), join(straps, middle_strap), straps)
    straps = np.where(canvas.chance(0.8), join(straps, ankle_strap), straps)
    return Drawing(join(sole, spike, overlap(foot, straps)), mark(sole, canvas.uniform(-0.4, 0.6)))


def sneaker(canvas: Canvas) -> Drawing:
    """Draw a sneaker: a low shaft, a sole in another gray, laces, a stripe on the side."""
    floor, ankle = canvas.uniform(0.25, 0.5), canvas.uniform(0.5, 0.85)
    toe, tongue = canvas.uniform(0.2, 0.34), canvas.uniform(-0.05, 0.2)
    height = curve(
        canvas.x,
        [
            (-0.95, 0.0),
            (-0.7, toe),
            (-0.45, toe + 0.04),
            (tongue, ankle),
            (0.5, ankle - canvas.uniform(0.05, 0.25)),
            (0.85, ankle + canvas.uniform(-0.1, 0.1)),
        ],
    )
    ends = rim(canvas.x, 0.88)
    upper = overlap(floor - height - canvas.y, canvas.y - floor, ends)
    sole = overlap(rim(canvas.y - floor - 0.04, canvas.uniform(0.06, 0.11)), ends - 0.03)
    tilted = canvas.rotated(canvas.uniform(0.5, 1.0))
    laces = overlap(every(tilted.x, 0.16) - 0.03, rim(canvas.x - tongue + 0.3, 0.2))
    stripe = bar(canvas, (-0.1, floor - 0.1), (canvas.uniform(0.3, 0.7), floor - 0.4), 0.08, 0.03)
    light = (
        mark(sole, canvas.uniform(-0.6, 0.6))
        * mark(laces, canvas.uniform(-0.3, 0.5))
        * mark(stripe, canvas.uniform(-0.6, 0.6))
    )
    return Drawing(join(upper, sole), light)


def bag(canvas: Canvas) -> Drawing:
    """Draw a bag: a wide body, 75 % with a handle, a flap and a buckle."""
    brim, base = canvas.uniform(-0.45, 0.0), canvas.uniform(0.45, 0.8)
    width = canvas.uniform(0.45, 0.85)
    body = bar(canvas, (0.0, brim), (0.0, base), width, canvas.uniform(0.5, 0.85))
    arch = ellipse(canvas, (0.0, brim), width * canvas.uniform(0.3, 0.9), canvas.uniform(0.2, 0.75))
    handle = overlap(rim(arch, canvas.uniform(0.04, 0.08)), canvas.y - brim)
    fold = brim + canvas.uniform(0.1, 0.6) * (base - brim)
    flap = rim(canvas.y - fold, 0.03)
    buckle = ellipse(canvas, (0.0, fold), 0.1, 0.08)
    light = mark(flap, canvas.uniform(-0.2, 0.7)) * mark(buckle, canvas.uniform(-0.5, 0.7))
    return Drawing(np.where(canvas.chance(0.75), join(body, handle), body), light)


def ankle_boot(canvas: Canvas) -> Drawing:
    """Draw an ankle boot: a shaft above the ankle, a toe, a heel."""
    floor, shaft = canvas.uniform(0.6, 0.85), canvas.uniform(-0.85, -0.1)
    front, back = canvas.uniform(-0.25, 0.05), canvas.uniform(0.6, 0.8)
    toe = canvas.uniform(0.2, 0.4)
    height = curve(
        canvas.x,
        [
            (-0.95, 0.0),
            (-0.7, toe),
            (-0.5, toe + 0.06),
            (front, toe + 0.3),
            (front + 0.12, floor - shaft),
        ],
    )
    boot = overlap(floor - height - canvas.y, canvas.y - floor, canvas.x - back)
    heel = canvas.uniform(0.0, 0.35)
    arch = bar(canvas, (-0.5, floor + 0.04), (0.35, floor - 0.4 * heel), 0.0, 0.6 * heel)
    sole = floor - canvas.uniform(0.06, 0.14) - canvas.y
    seam = rim(canvas.x - front - 0.3 - canvas.uniform(-0.3, 0.3) * canvas.y, 0.03)
    light = mark(sole, canvas.uniform(-0.6, 0.6)) * mark(seam, canvas.uniform(-0.3, 0.6))
    return Drawing(cut(boot, arch), light)


GARMENTS: dict[str, Callable[[Canvas], Drawing]] = {
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
