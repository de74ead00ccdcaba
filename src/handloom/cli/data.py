"""``handloom data``: verify a dataset and draw its samples."""

from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from handloom.cli.console import say, show_table
from handloom.cli.datasets import (
    NAMES,
    check_known,
    load_dataset,
    refuse_in_images,
    with_data_options,
)
from handloom.cli.from_settings import split_items
from handloom.cli.table_options import names_table
from handloom.cli.table_verification import verify_table
from handloom.data import ImageOptions
from handloom.data.augment import AUGMENTATIONS, named_augmentation
from handloom.data.sources.published import RESERVED
from handloom.data.sources.verify import FileSum, Report, report_on, verify as verify_files
from handloom.data.table_options import DataOptions
from handloom.errors import require_count
from handloom.files import FileError, make_folder

app = typer.Typer(help="Verify a dataset and draw its samples.", no_args_is_help=True)

Named = Annotated[
    str, typer.Argument(metavar="PATH", help=f"A folder, a table, or a name: {NAMES}.")
]


@app.command()
@with_data_options
def verify(path: Named, options: DataOptions) -> None:
    """Verify a dataset: print its shapes, dtypes, range, rows per class and checksums.

    Of a table, the kinds of its columns. The exit status is 1 if there is a problem. Examples:

    handloom data verify photos --size 64 --test 0.2

    handloom data verify houses.csv --target price
    """
    if names_table(path) or not isinstance(options, ImageOptions):
        if verify_table(path, options):
            raise typer.Exit(1)
        return
    if path in RESERVED:
        report = report_on(load_dataset(path, options))
    else:
        check_known(path)
        report = verify_files(path, options)
    _print(report)
    if report.problems:
        raise typer.Exit(1)


@app.command()
@with_data_options
def show(
    path: Named,
    options: DataOptions,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The PNG file to write.", show_default="samples.png, or the next free name"
        ),
    ] = None,
    per_class: Annotated[
        int, typer.Option(help="The number of images, or of augmented versions, of each class.")
    ] = 10,
    augment: Annotated[
        str | None,
        typer.Option(
            metavar="<str,...>",
            callback=split_items(str),
            help="Show the first sample of each class and, beside it, how augmentations change it: "
            f"{' | '.join(AUGMENTATIONS)}.",
        ),
    ] = None,
) -> None:
    """Draw a labeled grid of training samples.

    With --augment, the first sample of each class and changed versions of it. Examples:

    handloom data show silhouettes --out samples.png

    handloom data show silhouettes --augment flip,shift --out augmented.png
    """
    from handloom import plots

    require_count("--per-class", per_class)
    changes = [named_augmentation(name) for name in augment or ()]  # the callback made a tuple
    check_known(path)
    if out is None:
        out = _next_free("samples")
    refuse_in_images(out, path)
    if out.suffix.lower() != ".png":
        raise FileError(f"--out must name a .png file, got {out}")
    if out.exists():
        raise FileError(f"--out must name a new file, but {out} exists")
    train = load_dataset(path, options).train
    if changes:
        figure = plots.augmented_samples(train, changes, versions=per_class)
    else:
        figure = plots.samples(train, per_class=per_class)
    make_folder(out.parent)
    plots.save(figure, out)
    say(f"Wrote {out}")


def _next_free(name: str) -> Path:
    """Return the first of ``name.png``, ``name-2.png``, ... that does not exist."""
    names = (Path(f"{name}.png" if n == 1 else f"{name}-{n}.png") for n in count(1))
    return next(path for path in names if not path.exists())


def _print(report: Report) -> None:
    kinds = {"idx": "a folder of IDX files", "npy": "a folder of .npy files"}
    if report.kind is None:
        say(f"dataset {report.name}")
    else:
        kind = kinds.get(report.kind) or f"an image folder, {_color(report)}"
        say(f"{report.path}: {kind}, dataset {report.name}")
    parts = {"training": report.train, "test": report.test}
    show_table(
        "Parts",
        ("part", "shape", "dtype", "range"),
        [
            (name, part.shape, part.dtype, f"{part.minimum:g} to {part.maximum:g}")
            for name, part in parts.items()
        ],
    )
    show_table(
        "Rows per class",
        ("class", *parts),
        zip(
            report.class_names, report.train.rows_per_class, report.test.rows_per_class, strict=True
        ),
    )
    if report.files:
        show_table(
            "Checksums",
            ("file", "MD5", ""),
            [(file.name, file.md5, _verdict(file)) for file in report.files],
            left=3,
        )
    say(f"content (SHA-256): {report.fingerprint}")
    if report.published:
        say("the content is that of Fashion-MNIST")
    for note in report.notes:
        say(f"note: {note}")
    for problem in report.problems:
        say(f"problem: {problem}")


def _color(report: Report) -> str:
    shape = report.train.shape
    return "gray" if len(shape) == 3 else {3: "RGB", 4: "RGBA"}[shape[1]]


def _verdict(file: FileSum) -> str:
    if file.published is None:
        return ""
    return "as published" if file.as_published else "not the published Fashion-MNIST file"
