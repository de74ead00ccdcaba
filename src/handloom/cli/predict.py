"""``handloom predict``: the most probable classes of images."""

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer

from handloom.cli.console import note, show_table
from handloom.cli.options import Run, load_model
from handloom.cli.previews import show_images
from handloom.data.formats.photographs import image_suffixes
from handloom.data.photos.contact_sheet import write_contact_sheet
from handloom.data.photos.prediction import ImagePrediction
from handloom.errors import DataError, HandloomError, require_count
from handloom.model import Model

MOST_PREVIEWS = 12
"""The number of images of which the terminal shows a preview."""

UNFAMILIAR = "resembles nothing in the training data"


class Predicted(NamedTuple):
    """An image file and its prediction."""

    path: Path
    prediction: ImagePrediction


def predict(
    run: Run,
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE...", help="Image files, or folders of them."),
    ],
    as_is: Annotated[
        bool,
        typer.Option("--as-is", help="Resize images only: do not cut out and center their object."),
    ] = False,
    invert: Annotated[
        bool, typer.Option("--invert", help="With --as-is: for images that are dark on light.")
    ] = False,
    top: Annotated[int, typer.Option(help="The number of classes to show.")] = 3,
    preview: Annotated[
        Path | None,
        typer.Option(help="Write the pixels that the network saw to this PNG file."),
    ] = None,
    no_preview: Annotated[
        bool, typer.Option("--no-preview", help="Do not show these pixels in the terminal.")
    ] = False,
) -> None:
    """Predict the most probable classes of images, of any size.

    The object of each image is cut out and centered, like those of the training data.

    Example: handloom predict runs/train-1 shoe.jpg
    """
    if invert and not as_is:
        raise DataError(
            "--invert is for images that are used as they are: add --as-is, or leave out --invert: "
            "a prepared image may be light on dark or dark on light"
        )
    if preview is not None and preview.suffix.lower() != ".png":
        raise DataError(f"--preview must name a PNG file, got {preview}")
    if preview is not None and preview.exists():
        raise DataError(f"{preview} exists: choose another file for --preview, or remove it")
    model = load_model(run)
    model.check_takes_photographs()
    top = min(require_count("--top", top), len(model.class_names))
    predicted, bad = _predicted(model, images, as_is=as_is, invert=invert)
    if predicted:
        if not no_preview:
            show_images(
                (each.prediction.pixels, each.path.name, _caption(each.prediction))
                for each in predicted[:MOST_PREVIEWS]
            )
        _show(f"{run}, trained on {model.trained_on}", model, predicted, top)
    if preview is not None and predicted:
        write_contact_sheet(
            preview,
            [(p.prediction.pixels, p.path.name, _caption(p.prediction)) for p in predicted],
        )
        note(f"wrote {preview}")
    if bad:
        raise typer.Exit(1)


def _predicted(
    model: Model, images: list[Path], *, as_is: bool, invert: bool
) -> tuple[list[Predicted], int]:
    """Return the predictions of files and folders, and the number of errors, each with a note."""
    predicted, bad = [], 0
    for argument in images:
        try:
            paths = _files(argument)
        except (HandloomError, OSError) as error:
            note(f"error: {error}")
            bad += 1
            continue
        for path in paths:
            try:
                prediction = model.predict_image(path, as_is=as_is, invert=invert)
            except (DataError, OSError) as error:
                note(f"error: {error}")
                bad += 1
            else:
                predicted.append(Predicted(path, prediction))
    return predicted, bad


def _files(path: Path) -> list[Path]:
    """Return an image file, or the images in a folder and in its own folders, sorted."""
    if not path.is_dir():
        return [path]
    known = image_suffixes()
    files = [
        file
        for pattern in ("*", "*/*")
        for file in path.glob(pattern)
        if file.suffix.lower() in known and file.is_file()
    ]
    if not files:
        raise DataError(f"{path}: holds no image, expected files such as shoe.jpg")
    return sorted(files)


def _caption(prediction: ImagePrediction) -> str:
    doubt = "" if prediction.familiar in (True, None) else "?"
    return f"{prediction.class_name} {prediction.probability:.1%}{doubt}"


def _show(title: str, model: Model, predicted: list[Predicted], top: int) -> None:
    """Show the table of the most probable classes."""
    unfamiliar = [each.path for each in predicted if each.prediction.familiar is False]
    rows = []
    for path, prediction in predicted:
        order = np.argsort(-prediction.probabilities, kind="stable")[:top]
        classes = [f"{model.class_names[k]} {prediction.probabilities[k]:.1%}" for k in order]
        remark = [UNFAMILIAR if prediction.familiar is False else ""] if unfamiliar else []
        rows.append((path, *classes, *remark))
    columns = ["image", *(f"{rank}." for rank in range(1, top + 1)), *([""] * bool(unfamiliar))]
    show_table(title, columns, rows, left=len(columns))
