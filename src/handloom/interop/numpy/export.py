"""to_numpy: write a model as one Python file that predicts with NumPy alone."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.errors import ConfigurationError, ModelError
from handloom.files import write_bytes
from handloom.interop.compared_rows import compared_rows
from handloom.interop.exported import Exported
from handloom.interop.models import model_of
from handloom.interop.numpy.file import file_text
from handloom.interop.replaced import require_replaceable
from handloom.interop.source.description import figures_of
from handloom.interop.source.module_names import module_name
from handloom.interop.source.rows import as_plain_rows, unlike_rows_expected
from handloom.model import Model
from handloom.training.loaded_run import LoadedRun


def to_numpy(model: Model | LoadedRun, path: str | Path, *, rows: object = None) -> Exported:
    """Write a model as one Python file that predicts with it and imports NumPy alone.

    The file is for reading, and for where nothing can be installed. It has a function for each
    kind of layer, the forward pass line by line, ``predict``, and the weights as text. Its
    ``predict`` takes the rows that `handloom.Model.predict` takes; raw rows of a table as a dict of
    columns or a list of dicts, such as ``csv.DictReader`` reads. Predictions equal those of the
    model to the bit, except that the sums of convolutions, pooled images and layer normalization
    may differ in the last bits.

    A layer of a class of your own brings a method ``to_numpy(self)``. It returns a function of
    ``x`` and of the arrays of ``self.weights`` by their names, of which the file has the source
    (or that source as a text), and a dict of further arguments: numbers, texts, tuples of them, and
    arrays of floats. It counts only if the class itself defines it, since a subclass may override
    ``forward``. The same holds for a transform.

    Parameters
    ----------
    model : Model or LoadedRun
        The docstring of a run's file also has its figures on the test set.
    path : path
        A name with the suffix ``.py``. An earlier export is replaced, another file never.
    rows : array-like, shape (n, ...), or frame, optional
        Rows as `handloom.Model.predict` takes them, on which the file is compared with the model;
        by default some that are made up.

    Returns
    -------
    Exported

    Raises
    ------
    ModelError
        If a layer or the transform has no counterpart; nothing is written then.
    ConfigurationError
        If the path has another suffix, or the name of a module that would be imported in its place,
        as ``numpy.py``.
    FileError
        If the file cannot be written, or is another one than an earlier export.
    """
    file = Path(path)
    if file.suffix != ".py" or "\0" in str(file):
        raise ConfigurationError(f"path must have the suffix .py, got {str(path)!r}")
    require_replaceable(file)
    exported = model_of(model)
    text = file_text(exported, module_name(file), figures_of(model))
    compared = compared_rows(exported, rows)
    predictions = _predictions(text, file, as_plain_rows(compared.rows, exported.columns))
    figures = compared.figures(predictions)
    write_bytes(file, text.encode())
    return Exported(file, "numpy", *figures)


def _predictions(text: str, file: Path, rows: object) -> npt.NDArray[np.floating]:
    """Return the predictions of a file that was just made, in a namespace of its own."""
    namespace: dict[str, Any] = {"__name__": file.stem}
    try:
        exec(compile(text, str(file), "exec"), namespace)
        with unlike_rows_expected():
            return np.asarray(namespace["predict"](rows))
    except Exception as error:
        raise ModelError(
            f"the file for NumPy does not run: {error!r}: a function that to_numpy of a layer "
            "returns may use its arguments, np and builtins only"
        ) from error
