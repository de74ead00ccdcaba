"""Flips and shifts of images in a compiled step, while rows are gathered."""

from handloom.fused.compiling import compiled_inner


@compiled_inner
def move_image(stored, mirrored, top, left, height, width, out):  # type: ignore[no-untyped-def]
    """Write a stored image, moved, with zeros outside; see `handloom.operations.Moves`.

    Parameters
    ----------
    stored, out : uint8 array, shape (channels * height * width,)
    mirrored, top, left : int
        The move.
    height, width : int
    """
    out[:] = 0
    first = min(max(-left, 0), width)  # the columns of `out` that are in the image
    end = max(min(width - left, width), first)
    for line in range(len(out) // width):
        if not 0 <= line % height + top < height:
            continue
        source, target = (line + top) * width, line * width
        if mirrored:
            source += width - 1 - left
            for x in range(first, end):
                out[target + x] = stored[source - x]
        else:
            source += left
            for x in range(first, end):
                out[target + x] = stored[source + x]
