"""``handloom predict``: the most probable classes of images."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from handloom.cli.console import show_table
from handloom.cli.options import Run, load_model
from handloom.data.formats.photographs import read_photograph
from handloom.errors import DataError, require_count


def predict(
    run: Run,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    invert: Annotated[
        bool, typer.Option("--invert", help="For images that are dark on light, not light on dark.")
    ] = False,
    top: Annotated[int, typer.Option(help="The number of classes to show.")] = 3,
) -> None:
    """Predict the most probable classes of images, of any size.

    Example: handloom predict runs/train-1 shoe.png --invert
    """
    model = load_model(run)
    if not model.predicts_classes:
        raise DataError(f"{run}: the model must predict classes, got a model of continuous targets")
    if len(model.row_shape) != 2:
        raise DataError(
            f"{run}: the model must take images (y, x), got rows of shape {model.row_shape}"
        )
    top = min(require_count("--top", top), len(model.class_names))
    height, width = model.row_shape
    pixels = np.stack([read_photograph(path, (height, width), invert=invert) for path in images])
    probabilities = model.predict(pixels)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    show_table(
        f"{run}, trained on {model.trained_on}",
        ("image", *(f"{rank}." for rank in range(1, top + 1))),
        [
            (path, *(f"{model.class_names[k]} {row[k]:.1%}" for k in order))
            for path, row, order in zip(images, probabilities, best, strict=True)
        ],
        left=top + 1,
    )
