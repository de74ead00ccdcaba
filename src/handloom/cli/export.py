"""``handloom export``: a trained model as a file of ONNX, of PyTorch or of plain NumPy."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

from handloom.cli.console import note, say, short
from handloom.cli.datasets import (
    RunData,
    dataset_for,
    recorded_data,
    refuse_options,
    with_image_options,
)
from handloom.cli.options import Run, load_model, require_folder_of
from handloom.cli.table_options import names_table
from handloom.data import ImageOptions
from handloom.data.columns import Columns
from handloom.data.formats.tables import open_file
from handloom.data.table import MemoryTable
from handloom.errors import ConfigurationError, DataError, require_known
from handloom.files import FileError
from handloom.interop.exported import Exported
from handloom.interop.numpy import to_numpy
from handloom.interop.onnx import to_onnx
from handloom.interop.onnx.metadata import predictions_name
from handloom.interop.source.module_names import STAND_IN, import_line, is_importable
from handloom.interop.source.text import row_shape
from handloom.interop.torch import to_torch
from handloom.interop.torch.export import paths_of
from handloom.model import Model
from handloom.text import listed
from handloom.training.run_folder import RunFolder, is_run

COMPARED_ROWS = 256
"""The largest number of rows whose predictions are compared."""

SHOWN_NAMES = 10
"""The largest number of columns or classes that are named."""


class Format(NamedTuple):
    """A format: the function that writes it, and the file by default."""

    write: Callable[..., Exported]
    file: str


FORMATS = {
    "onnx": Format(to_onnx, "model.onnx"),
    "torch": Format(to_torch, "model_torch.py"),
    "numpy": Format(to_numpy, "model_numpy.py"),
}
"""The formats by name."""


@with_image_options
def export(
    run: Run,
    options: ImageOptions,
    format: Annotated[
        str, typer.Option(help=f"The format: {' | '.join(FORMATS)}.", show_default=True)
    ] = "onnx",
    out: Annotated[
        Path | None,
        typer.Option(
            help="A new file.",
            show_default=f"{', '.join(each.file for each in FORMATS.values())} in the folder",
        ),
    ] = None,
    opset: Annotated[
        int | None,
        typer.Option(help="ONNX: the version of its operators, from 17 on.", show_default="17"),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            help="ONNX: the dtype of the arithmetic, float32 | float64.",
            show_default="that of the network",
        ),
    ] = None,
    data: RunData = None,
) -> None:
    """Write a trained network for ONNX, PyTorch or plain NumPy.

    The file takes raw rows, as the model does: images as bytes, or the columns of a table. Its
    predictions are compared with those of the model on rows of the dataset of the training, or of
    --data. Nothing is replaced. Examples:

    handloom export runs/train-1

    handloom export runs/train-1 --format torch

    handloom export my-model --format numpy --out shoes.py
    """
    require_known("format", format, FORMATS)
    chosen = FORMATS[format]
    options_of_onnx = {"opset": opset, "dtype": dtype}
    only_onnx = {name: value for name, value in options_of_onnx.items() if value is not None}
    if format != "onnx" and only_onnx:
        raise ConfigurationError(f"--{next(iter(only_onnx))} is for --format onnx; leave it out")
    model = load_model(run)
    file = run / chosen.file if out is None else out
    for path in paths_of(file) if format == "torch" else (file,):
        if path.exists():
            raise FileError(f"{path} exists: remove it, or name a new file with --out")
    require_folder_of("--out", file)
    rows = _rows(run, model, data, options)
    exported = chosen.write(model, file, rows=rows, **only_onnx)
    _say_written(model, exported, "made-up rows" if rows is None else "rows of the data")


def _rows(run: Path, model: Model, data: str | None, options: ImageOptions) -> Any:
    """Return raw rows of the named dataset, or of that of the training; None if it is not there."""
    try:
        return _named_rows(run, model, data, options)
    except (DataError, FileError) as error:
        if data is not None:
            raise
        note(f"predictions are compared on made-up rows: {error}")
        return None


def _named_rows(run: Path, model: Model, data: str | None, options: ImageOptions) -> Any:
    description = RunFolder.open(run).description if is_run(run) else None
    if model.columns is not None and data is None and description is not None:
        data = recorded_data(description, model)
    if model.columns is not None and data is not None:
        if not names_table(data):
            columns = listed([each.name for each in model.columns.inputs], SHOWN_NAMES)
            raise DataError(
                f"--data {data}: expected a CSV or Parquet file with the columns of the model, "
                f"which are {columns}"
            )
        refuse_options(options, data)
        return _first_rows(data, model.columns)
    test = dataset_for(run, model, data, options).test
    return test.inputs[:COMPARED_ROWS]


def _first_rows(path: str, columns: Columns) -> MemoryTable:
    """Return the first raw rows of a table."""
    table = open_file(path, decimal_mark=columns.decimal_mark, tell=note)
    chunk = next(table.chunks())
    return MemoryTable(chunk.take(np.arange(min(len(chunk), COMPARED_ROWS))), table.names)


def _say_written(model: Model, exported: Exported, rows: str) -> None:
    """Print paths and sizes of the files, inputs, outputs, the comparison, and the lines to use."""
    for path in (exported.path, *exported.other_files):
        say(f"Wrote {short(path)} ({path.stat().st_size:,} bytes)")
    compared = f"{exported.compared_rows:,} {rows}: predictions {exported.agreement}"
    if exported.largest_difference is None:
        compared = f"nothing: {exported.not_compared}"
    onnx = exported.format == "onnx"
    first, *others = _use_of_onnx(model, exported) if onnx else _use_of_python(exported)
    lines = {
        "takes": _input_of(model, onnx=onnx),
        "returns": _output_of(model, exported.outputs or (predictions_name(model),)),
        "compared": compared,
        "use": first,
    }
    for title, line in lines.items():
        say(f"  {title:<9} {line}")
    for line in others:
        say(f"  {'':<9} {line}")
    say(f"  {'guide':<9} docs/guides/leaving.md")


def _use_of_onnx(model: Model, exported: Exported) -> list[str]:
    """Return the lines of Python that predict with a file of ONNX, and notes in parentheses."""
    rows = "feeds(session, frame)" if model.columns is not None else '{"input": rows}'
    lines = [
        f'session = onnxruntime.InferenceSession("{short(exported.path)}")',
        f'session.run(["{exported.outputs[-1]}"], {rows})',
    ]
    if model.columns is not None:
        lines.append("(from handloom.interop.onnx import feeds, or an array for each column)")
    return lines


def _use_of_python(exported: Exported) -> list[str]:
    """Return the lines of Python that predict with a file of Python, and notes in parentheses."""
    file = exported.path
    function, after = ("load", "().predict") if exported.format == "torch" else ("predict", "")
    if not is_importable(file):
        return [
            f'{STAND_IN} = runpy.run_path("{short(file)}")',
            f'{STAND_IN}["{function}"]{after}(rows)',
            f"({file.stem!r} is no name to import: or rename the file, such as {STAND_IN}.py)",
        ]
    line, name = import_line(file.stem)
    lines = [line, f"{name}.{function}{after}(rows)"]
    if file.parent != Path():
        lines.append(f"(in the folder {short(file.parent)}, or with it in PYTHONPATH)")
    return lines


def _input_of(model: Model, *, onnx: bool) -> str:
    """Return the inputs of an exported file, such as ``"rows (n, 28, 28) of uint8"``."""
    if model.columns is None:
        return f"{'input: ' * onnx}rows {row_shape(model.row_shape)} of {model.row_dtype}"
    columns = [
        f"{each.name} ({'text' if each.kind == 'category' else each.kind})"
        for each in model.columns.inputs
    ]
    shape = ", each (n, 1)" * onnx
    return f"raw columns{shape}: {listed(columns, SHOWN_NAMES)}"


def _output_of(model: Model, outputs: Sequence[str]) -> str:
    """Return the outputs of an exported file, such as ``"probabilities (n, 2): no, yes"``."""
    names = model.classes or model.class_names
    shape = row_shape((len(model.class_names),))
    return f"{', '.join(outputs)} {shape}: {listed(names, SHOWN_NAMES)}"
