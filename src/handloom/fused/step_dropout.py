"""Dropout in a compiled step: the masks that the layer draws, to the bit.

A draw is a function of its place (see `handloom.randomness`), so a part draws the numbers of its
own entries, wherever they begin.
"""

import numpy as np

from handloom.fused import plan_fields as field
from handloom.fused.compiling import compiled_inner
from handloom.fused.randomness import _philox

WORDS = 64
"""The words that are drawn at once, a multiple of the four of a block of Philox."""

DRAWS_PER_WORD, WORDS_PER_BLOCK = 4, 4


@compiled_inner
def draw_mask(plan, part, layer, first, kept):  # type: ignore[no-untyped-def]
    """Write the mask of the entries of a layer from ``first`` on: whether each is kept."""
    _, _, _, index, dropped, _, _ = plan.layers[layer]
    counter, words, drawn = plan.counters[part], plan.words[part], DRAWS_PER_WORD * WORDS
    draws, stop = words.view(np.uint16), first + len(kept)
    step = plan.header[field.FIRST] + plan.header[field.STEP]
    counter[1] = index
    counter[2] = 0  # the batch is a single shard
    counter[3] = plan.header[field.EPOCH] << 32 | step
    for start in range(first // drawn * drawn, stop, drawn):
        counter[0] = start // (DRAWS_PER_WORD * WORDS_PER_BLOCK)
        _philox(plan.key, counter, words)
        for entry in range(max(start, first), min(start + drawn, stop)):
            kept[entry - first] = draws[entry - start] >= dropped


@compiled_inner
def multiply_by_mask(dropped, kept, x, y):  # type: ignore[no-untyped-def]
    """Write ``y = x M / q`` or, of gradients, ``dx = dy M / q``; all flat."""
    scale, zero = x.dtype.type(65536.0 / (65536.0 - dropped)), x.dtype.type(0)
    for i in range(len(y)):
        y[i] = x[i] * (scale if kept[i] else zero)
