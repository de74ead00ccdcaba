"""``handloom predict``: the most probable classes of images, and predictions of tables."""

import warnings
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
import typer

from handloom.cli.console import note, show_table
from handloom.cli.images_to_predict import ImageFile, image_files
from handloom.cli.options import (
    Run,
    load_model,
    refuse_other_options,
    require_folder_of,
    require_new_file,
)
from handloom.cli.previews import show_images
from handloom.cli.table_predictions import predict_table
from handloom.data.formats.tables import is_table
from handloom.data.photos.contact_sheet import Caption, write_contact_sheet
from handloom.data.photos.prediction import ImagePrediction
from handloom.errors import DataError, DataWarning, require_count
from handloom.model import Model
from handloom.text import listed

MOST_PREVIEWS = 12
"""The number of images of which the terminal shows a preview."""

UNFAMILIAR = "resembles nothing in the training data"


Picture = tuple[npt.NDArray[np.uint8], Caption]
"""The pixels that the network saw, and the lines below them."""


class Predicted(NamedTuple):
    """An image file and its prediction."""

    file: ImageFile
    prediction: ImagePrediction


def predict(
    context: typer.Context,
    run: Run,
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE... | TABLE",
            help="Image files, or folders of them, at any depth; or a CSV or Parquet file.",
        ),
    ],
    as_is: Annotated[
        bool,
        typer.Option(
            "--as-is",
            help="Only resize images, as in training: do not cut out and center their object.",
        ),
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
    out: Annotated[
        Path | None,
        typer.Option(help="Tables: write all rows with their predictions to this new CSV file."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Tables of two classes: the probability of the positive one above which it is "
            "predicted.",
            show_default="0.5",
        ),
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option(
            help="With --threshold: the positive class.", show_default="the second of the two"
        ),
    ] = None,
) -> None:
    """Predict the classes of images, or the rows of a table.

    Each image becomes like those of the training data: resized as they were if they came from a
    folder of images; otherwise its object is cut out and centered if theirs are, as in
    Fashion-MNIST.

    The rows of a table are raw, with the columns of the training table in any order. Examples:

    handloom predict runs/train-1 shoe.jpg

    handloom predict runs/train-2 new.csv --out predictions.csv
    """
    if any(map(is_table, images)):
        if len(images) > 1:
            raise DataError(f"a table is predicted alone: name one file, got {len(images)}")
        refuse_other_options(context, "a table", ("run", "images", "out", "threshold", "positive"))
        predict_table(run, load_model(run), images[0], out, threshold, positive)
        return
    for name, value in (("--threshold", threshold), ("--positive", positive)):
        if value is not None:
            raise DataError(f"{name} is for tables: the probabilities of images are shown")
    if out is not None:
        raise DataError("--out is for tables: the predictions of images are shown")
    if invert and not as_is:
        raise DataError(
            "--invert is for images that are used as they are: add --as-is, or leave out --invert: "
            "a prepared image may be light on dark or dark on light"
        )
    if preview is not None:
        require_new_file("--preview", preview, ".png")
        require_folder_of("--preview", preview)
    model = load_model(run)
    _check_takes_images(model, run, images[0])
    top = min(require_count("--top", top), len(model.classes))
    files, problems = image_files(images)
    for problem in problems:
        note(f"error: {problem}")
    predicted, bad = _predicted(model, files, as_is=as_is, invert=invert)
    if predicted:
        pictures = [_with_caption(each) for each in predicted]
        if not no_preview:
            _show_first(pictures)
        _show(_title(run, model, predicted), predicted, top)
        if preview is not None:
            write_contact_sheet(preview, pictures)
            note(f"wrote {preview}")
    if bad or problems:
        raise typer.Exit(1)


def _check_takes_images(model: Model, run: Path, first: Path) -> None:
    """Refuse images for a model of another kind of rows; see `Model.check_takes_photographs`."""
    if model.columns is not None:
        raise DataError(
            f"{run} predicts rows of a table: name a CSV or Parquet file with the columns "
            f"{listed([each.name for each in model.columns.inputs])}, got {first}"
        )
    model.check_takes_photographs()


def _predicted(
    model: Model, files: list[ImageFile], *, as_is: bool, invert: bool
) -> tuple[list[Predicted], int]:
    """Return the predictions of files, and the number of errors, each with a note."""
    predicted, bad = [], 0
    for file in files:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DataWarning)  # the caption says it
                prediction = model.predict_image(file.path, as_is=as_is, invert=invert)
        except (DataError, OSError) as error:
            note(f"error: {error}")
            bad += 1
        else:
            predicted.append(Predicted(file, prediction))
    return predicted, bad


def _with_caption(each: Predicted) -> Picture:
    prediction = each.prediction
    remark = "unfamiliar" if prediction.familiar is False else ""
    remark = "no object found" if prediction.is_blank else remark
    percentage = f" {prediction.probability:.1%}"
    return prediction.pixels, Caption(each.file.name, prediction.class_name, percentage, remark)


def _show_first(pictures: list[Picture]) -> None:
    """Show the first images in the terminal, before the table: the answer is the last thing."""
    count = len(pictures)
    shown = (
        f"the first {MOST_PREVIEWS} of {count:,} images"
        if count > MOST_PREVIEWS
        else ("the images" if count > 1 else "the image")
    )
    show_images(pictures[:MOST_PREVIEWS], f"What the network saw, {shown}:")


def _title(run: Path, model: Model, predicted: list[Predicted]) -> str:
    """Return the title of the table, with the preparation of the images."""
    if predicted[0].prediction.prepared:
        done = "images prepared: object cut out and centered"
    else:
        fit = model.image_statistics.fit if model.image_statistics else "pad"
        done = f"images resized only ({fit})"
    return f"{run}, trained on {model.trained_on}; {done}"


def _show(title: str, predicted: list[Predicted], top: int) -> None:
    """Show the table of the most probable classes."""
    unfamiliar = [each.file for each in predicted if each.prediction.familiar is False]
    rows = []
    for file, prediction in predicted:
        order = np.argsort(-prediction.probabilities, kind="stable")[:top]
        classes = [f"{prediction.class_names[k]} {prediction.probabilities[k]:.1%}" for k in order]
        remark = [UNFAMILIAR if prediction.familiar is False else ""] if unfamiliar else []
        rows.append((file.path, *classes, *remark))
    columns = ["image", *(f"{rank}." for rank in range(1, top + 1)), *([""] * bool(unfamiliar))]
    show_table(title, columns, rows, left=len(columns))
