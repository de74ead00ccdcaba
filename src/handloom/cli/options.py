"""What several commands share: their options, and how a dataset or a folder is found from them."""

from pathlib import Path
from typing import Annotated, TypeVar

import typer

from handloom.cli.console import note
from handloom.data import DownloadError, Splits, fashion_mnist, open_folder, silhouettes
from handloom.errors import ConfigurationError
from handloom.files import FileError, make_folder

Item = TypeVar("Item", int, str)

Data = Annotated[
    str | None,
    typer.Option(
        help="A folder of IDX files, an image folder, or a name: fashion-mnist, silhouettes. "
        "[default: Fashion-MNIST, where it can be found or downloaded]",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(help="A new folder for what is written.", show_default="the next free in runs/"),
]
Threads = Annotated[
    int | None,
    typer.Option(
        help="Threads that share a step; results are the same for any number.",
        show_default="the cores there are",
    ),
]
RunFolder = Annotated[
    Path, typer.Argument(metavar="RUN", help="A folder that [bold]handloom train[/] wrote.")
]


def load_dataset(named: str | None) -> Splits:
    """Return the dataset that a user named or, where none was named, the best there is.

    Raises
    ------
    DataError
        If the named dataset cannot be had; nothing is ever put in its place.
    """
    if named == "silhouettes":
        return silhouettes()
    if named == "fashion-mnist":
        return fashion_mnist()
    if named is not None:
        return open_folder(named)
    try:
        return fashion_mnist()
    except DownloadError as error:
        note(
            f"Fashion-MNIST was not found and cannot be downloaded ({error}); "
            f"using the generated dataset silhouettes instead."
        )
        return silhouettes()


def open_output(out: Path | None, default: str) -> Path:
    """Return a folder to write a run to: the one that was named, or the next free one.

    Raises
    ------
    FileError
        If it cannot be written to, or holds a run already, which would be lost.
    """
    if out is None:
        return make_folder(_next_free(default))
    earlier = [
        name for name in ("results.json", "model", "models", "logs") if (out / name).exists()
    ]
    if earlier:
        raise FileError(
            f"{out} holds a run already ({', '.join(earlier)}); "
            f"name another folder with --out, or remove this one"
        )
    return make_folder(out)


def _next_free(name: str) -> Path:
    number = 1
    while (folder := Path("runs") / f"{name}-{number}").exists():
        number += 1
    return folder


def split_list(option: str, text: str, kind: type[Item]) -> list[Item]:
    """Return the items of a comma-separated option.

    Raises
    ------
    ConfigurationError
        If there are none, or one is not of its kind.
    """
    words = [word.strip() for word in text.split(",")]
    try:
        if not all(words):
            raise ValueError
        return [kind(word) for word in words]
    except ValueError:
        sort = "whole numbers" if kind is int else "names"
        raise ConfigurationError(f"{option} takes {sort} with commas, got {text!r}") from None
