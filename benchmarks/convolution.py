"""Convolution beside PyTorch's: one layer at a time, forward and backward, on one thread each.

Run with ``python -m benchmarks.convolution``. Both are held to one thread, since a training runs as
many lanes as there are cores, each on one. PyTorch is given its images twice: as it keeps them by
default, and with channels last, which its convolutions are quickest on.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.measure import in_turn
from handloom import Conv2D, build
from handloom.backend import NUMPY, FusedBackend
from handloom.parallel.blas import single_threaded_blas
from handloom.parameters import Array

IMAGES, ROUNDS = 128, 7
# channels in and out, and the side of an image
SHAPES = [(1, 32, 28), (32, 32, 28), (32, 64, 14), (64, 64, 14), (64, 64, 7)]


def measure() -> dict[str, dict[str, Any]]:
    """Return timings of every shape, each contestant forward and backward."""
    with single_threaded_blas():
        return {
            f"3 x 3, {c} -> {f} at {side} x {side}": in_turn(contestants(c, f, side), ROUNDS)
            for c, f, side in SHAPES
        }


def contestants(c: int, f: int, side: int) -> dict[str, Callable[[], object]]:
    """Return the calls to time; a first layer has no input gradient to compute."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((IMAGES, c, side, side)).astype(np.float32)
    dy = generator.standard_normal((IMAGES, f, side, side)).astype(np.float32)
    calls: dict[str, Callable[[], object]] = {}
    for name in ("numpy", "fused"):
        backend = FusedBackend(np.float32) if name == "fused" else NUMPY
        layer = Conv2D(f, 3, padding="same")
        parameters = build([layer], x.shape[1:])
        replica = layer.replica(backend)
        replica.bind(layer.weights, layer.gradients)
        inputs, slopes = last(x), last(dy)
        calls[f"{name} forward"] = partial(replica.forward, inputs, training=True)
        calls[f"{name} backward"] = partial(replica.backward, slopes, need_dx=c > 1)
        calls[f"{name} forward"]()
        del parameters
    return {**calls, **torch_calls(x, dy, f)}


def last(images: Array) -> Array:
    """Return images as a layer before would have left them, channels last in memory."""
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def torch_calls(x: Array, dy: Array, f: int) -> dict[str, Callable[[], object]]:
    """Return PyTorch's calls, in its default order of memory and with channels last."""
    import torch

    torch.set_num_threads(1)
    c = x.shape[1]
    calls: dict[str, Callable[[], object]] = {}
    for name, order in (
        ("torch", torch.contiguous_format),
        ("torch, channels last", torch.channels_last),
    ):
        images = torch.tensor(x).contiguous(memory_format=order)
        slopes = torch.tensor(dy).contiguous(memory_format=order)
        w = torch.randn(f, c, 3, 3).contiguous(memory_format=order)
        b = torch.zeros(f)
        wanted = [c > 1, True, True]
        options = ([f], [1, 1], [1, 1], [1, 1], False, [0, 0], 1, wanted)
        calls[f"{name} forward"] = partial(torch.nn.functional.conv2d, images, w, b, padding=1)
        calls[f"{name} backward"] = partial(
            torch.ops.aten.convolution_backward, slopes, images, w, *options
        )
    return calls


def report(results: dict[str, dict[str, Any]]) -> str:
    """Return a table in Markdown: milliseconds, median of the rounds."""
    names = list(dict.fromkeys(name.rpartition(" ")[0] for name in next(iter(results.values()))))
    lines = [
        f"| ms for {IMAGES} images, forward + backward | {' | '.join(names)} |",
        "|---|" + "---:|" * len(names),
    ]
    for shape, timings in results.items():
        cells = [
            " + ".join(
                f"{1e3 * timings[f'{name} {way}']['median']:.1f}" for way in ("forward", "backward")
            )
            for name in names
        ]
        lines.append(f"| {shape} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(report(measure()))
