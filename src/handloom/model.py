"""Model: a trained network with its preprocessing, saved to a folder and loaded without pickle."""

import io
import json
import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from handloom.data.columns import Columns, Remarks, require_same_columns
from handloom.data.conversion import convert_inputs, dtype_advice
from handloom.data.dataset import check_inputs
from handloom.data.formats.photographs import Source, read_photograph
from handloom.data.frames import FRAMES, is_instance
from handloom.data.notes import Tell, warn
from handloom.data.photos.framing import Framing
from handloom.data.photos.prediction import ImagePrediction
from handloom.data.photos.preparation import prepare_photograph
from handloom.data.photos.statistics import ImageStatistics, takes_photographs
from handloom.data.table import Chunk, Table, table_of
from handloom.data.transforms import Transform, transform_from_config
from handloom.elsewhere import MODEL, AdvisesOnNames, refuse_call
from handloom.errors import (
    ConfigurationError,
    HandloomError,
    ModelError,
    require_count,
    require_known,
)
from handloom.files import MANIFEST, FileError, read_set, write_bytes, write_set
from handloom.layers import Layer
from handloom.losses.quantile import Pinball, quantiles_in
from handloom.markup import render, table
from handloom.network import Sequential
from handloom.network_contents import WritesRows
from handloom.parameters import Array, Parameters
from handloom.predictions import OUTPUT_ACTIVATIONS, both_classes, warn_if_not_finite
from handloom.rebuilding import check_network, check_transform
from handloom.text import listed, printable

KIND, VERSION = "handloom model", 1

DESCRIPTION, WEIGHTS = "model.json", "weights.safetensors"
"""The files of a model of which there is always one."""

COLUMNS, IMAGE_STATISTICS = "columns.json", "image_statistics.safetensors"
"""The files of a model of a table, and of one of images."""

FILES = (DESCRIPTION, WEIGHTS, COLUMNS, IMAGE_STATISTICS)

FIELDS = (
    "network",
    "transform",
    "class_names",
    "row_shape",
    "row_dtype",
    "trained_on",
    "output_activation",
    "column_names",
    "binary_classes",
    "image_statistics",
    "quantiles",
)
"""The fields of the description."""

ROW_DTYPES = (
    "uint8",
    *(str(np.dtype(f"{order}{code}")) for code in "efdg" for order in "<>"),
)
"""The dtypes of stored rows; a memory-mapped array may have the byte order of another machine."""

MOST_NAMES, LONGEST_TRANSFORM = 12, 200
"""The largest number of classes, and of characters of a transform, that a notebook shows."""

MAX_DIMENSIONS = 8
"""The largest number of dimensions of a row of a model's data."""


SHOWN_NAMES = 3
"""The number of class names in the text of a model."""


@dataclass(frozen=True)
class Model(AdvisesOnNames):
    """A trained network, the transform of its input, and the names of its classes or outputs.

    Parameters
    ----------
    network : Sequential
        A built network.
    transform : Transform
        The preprocessing from stored rows to the network's input.
    class_names : tuple of str, length k
        The names of the classes, or of the outputs of a regression.
    row_shape : tuple of int
        The shape of a stored row.
    row_dtype : str
        Its dtype: ``"uint8"``, or that of features.
    trained_on : str
        The name of the dataset.
    output_activation : {"softmax", "sigmoid", "exp", "identity", "sort"}
        The function from the network's outputs to predictions, which is the activation that the
        training loss applies.
    column_names : tuple of str, optional
        The columns of the table it was trained on, compared with those of tables to predict.
    binary_classes : tuple of two str, optional
        The two classes of a network with a single output, the probability of the second one. Such
        a network is that of an estimator, with two classes.
    image_statistics : ImageStatistics, optional
        Statistics of the training images for `predict_image`: framing, familiarity and fit.
    columns : Columns, optional
        The encoding of the columns of the training table, with which `predict` takes raw rows.
    quantiles : tuple of float, length k, optional
        The quantiles of one target that the outputs predict, in ascending order, if there are
        several.

    Raises
    ------
    ConfigurationError
        If the output activation or the dtype of rows is unknown, or ``quantiles`` are not between 0
        and 1 in ascending order.
    ModelError
        If the network ends in an output activation that differs from ``output_activation``.
    """

    network: Sequential
    transform: Transform
    class_names: tuple[str, ...]
    row_shape: tuple[int, ...]
    row_dtype: str
    trained_on: str = "unnamed"
    output_activation: str = "softmax"
    column_names: tuple[str, ...] | None = None
    binary_classes: tuple[str, ...] | None = None
    image_statistics: ImageStatistics | None = None
    columns: Columns | None = None
    quantiles: tuple[float, ...] | None = None
    _elsewhere: ClassVar[Mapping[str, str]] = MODEL

    if not TYPE_CHECKING:  # a type checker knows that it is not called

        def __call__(self, *_: object, **__: object) -> None:
            """Refuse a call; see `predict`."""
            refuse_call(self)

    def __repr__(self) -> str:
        names = self.classes or self.class_names
        kind = "classes" if self.classes else "outputs" if len(names) > 1 else "output"
        named = ", ".join(map(repr, names[:SHOWN_NAMES]))
        more = ", ..." if len(names) > SHOWN_NAMES else ""
        return printable(
            f"Model({self.network.short}; {type(self.transform).__name__} of {self.row_dtype} "
            f"{self.row_shape}; {self.output_activation} of {len(names)} {kind}: {named}{more})"
        )

    def __post_init__(self) -> None:
        require_known("output activation", self.output_activation, OUTPUT_ACTIVATIONS)
        names = tuple(str(name) for name in self.class_names)
        object.__setattr__(self, "class_names", names)
        object.__setattr__(self, "row_dtype", str(self.row_dtype))
        require_known("row_dtype", self.row_dtype, ROW_DTYPES)
        if self.quantiles is not None:
            object.__setattr__(self, "quantiles", Pinball(self.quantiles).quantiles)
        _ = self.before_loss  # refuses two output activations
        self._check_sizes()

    def _repr_html_(self) -> str:
        """Return inputs, outputs and layers of the model, as a notebook shows them."""
        names = self.classes or self.class_names
        shown, k = ", ".join(names[:MOST_NAMES]), len(names)
        more = f" and {k - MOST_NAMES:,} more" if k > MOST_NAMES else ""
        rows = [
            ["trained on", self.trained_on],
            ["rows", f"{self.row_dtype} of shape {self.row_shape}"],
            ["transform", shorten(str(self.transform), LONGEST_TRANSFORM, placeholder=" ...")],
            ["classes" if self.classes else "outputs", f"{shown}{more}"],
            ["output activation", self.output_activation],
        ]
        layers = self.network._repr_html_()  # markup already
        return f"<div>{render(table([], rows, type(self).__name__))}{layers}</div>"

    @property
    def classes(self) -> tuple[str, ...]:
        """The mutually exclusive classes, two of a single sigmoid; empty for other models."""
        if self.binary_classes:
            return self.binary_classes
        softmax = "softmax" in (self.output_activation, self.network.output_activation)
        return self.class_names if softmax else ()

    @property
    def predicts_classes(self) -> bool:
        """Whether the model predicts mutually exclusive classes; see `classes`."""
        return bool(self.classes)

    @property
    def before_loss(self) -> Sequential:
        """The network; if its last layer is ``output_activation``, without that layer."""
        return self.network.without_activation(self.output_activation)

    def logits(self, inputs: npt.NDArray[np.generic], transform: WritesRows | None = None) -> Array:
        """Return the outputs of the network, shape (n, k), before the output activation.

        Parameters
        ----------
        inputs : array, shape (n, ...)
            As in `predict`; not checked.
        transform : callable, optional
            Replaces the model's transform.

        Returns
        -------
        array, shape (n, k)
        """
        activation = self.network.output_activation or "identity"
        network = self.network.without_activation(activation)
        return network.predict(inputs, transform or self.transform)

    def predict(self, inputs: object) -> Array:
        """Return class probabilities, or the predictions of a regression, shape (n, k).

        Outputs that are not finite raise a `DivergenceWarning`. BLAS keeps its number of threads,
        on which the last bits may depend; `handloom.evaluate` holds it to one.

        Parameters
        ----------
        inputs : array-like, shape (n, ...)
            Rows as the training data: ``uint8`` images, features, or a table with the same columns
            in the same order. If the model has ``columns``, raw rows of a table, with columns in
            any order; notes about them, such as of unseen categories, are a `DataWarning`, and so
            is one of an array that looks like raw rows.

        Returns
        -------
        array, shape (n, k)
            Predictions of a regression are in the units of the training targets: for raw rows those
            of the target column, for flat rows of `handloom.Dataset.from_frame` standardized.

        Raises
        ------
        ModelError
            If the shape or the dtype of rows differs from the training data.
        DataError
            If features are missing or not finite, or columns have other names.
        """
        if self.columns is not None and is_instance(inputs, *FRAMES):
            ((_, predicted),) = self.predict_chunks(table_of(inputs))
            return predicted
        converted = convert_inputs(inputs)
        require_same_columns(converted.column_names, self.column_names, "table")
        if self.columns is not None:
            self.columns.warn_of_raw_rows(converted.rows)
        return self._predicted(converted.rows)

    def predict_chunks(
        self, table: Table, *, tell: Tell = warn
    ) -> Generator[tuple[Chunk, Array], None, None]:
        """Yield the chunks of a table of raw rows, each with its predictions, shape (n, k).

        Predictions of a regression are in the units of the target column. The notes about rows that
        are unlike the training rows are told at the end.

        Parameters
        ----------
        table : Table
            As `handloom.data.formats.tables.open_file` or `handloom.data.table.table_of` returns; a
            CSV file is opened with ``decimal_mark=model.columns.decimal_mark``.
        tell : callable, optional
            Called with each note; by default it is a `DataWarning`.

        Raises
        ------
        ModelError
            If the model has no ``columns``.
        DataError
            If a column is missing, holds texts instead of numbers, or infinity.
        """
        columns = self.columns
        if columns is None:
            raise ModelError("the model was not trained on a table of named columns")
        columns.check_names(table, tell=tell)
        remarks = Remarks(columns)
        try:
            for chunk in table.chunks():
                outputs = self._predicted(columns.encode(chunk, remarks, table.where))
                yield chunk, columns.target.restore(outputs) if columns.target else outputs
        finally:
            remarks.tell(tell)

    def _predicted(self, rows: npt.NDArray[np.generic]) -> Array:
        """Return the predictions for rows as the training data, shape (n, k)."""
        _require_several_outputs(self)
        self.check_rows(rows)
        with np.errstate(over="ignore", invalid="ignore"):  # a warning of our own says more
            outputs = self.before_loss.predict(rows, self.transform)
            warn_if_not_finite(outputs)
            return OUTPUT_ACTIVATIONS[self.output_activation](outputs, out=outputs)

    def predict_image(
        self, source: Source, *, as_is: bool = False, invert: bool = False
    ) -> ImagePrediction:
        """Predict the class of the object in a photograph.

        The photograph becomes like the training images. If they show an object on a flat ground,
        all in about one size and position, as Fashion-MNIST does, its background is removed, and
        its object resized and centered. Otherwise, and always if they were read from a folder of
        images, it is resized as the training images were.

        Parameters
        ----------
        source : path, Pillow image or array
            A file of any format that Pillow reads, or an array of levels of shape (y, x), (y, x, c)
            or (c, y, x): from 0 to 255, or from 0 to 1 as floats.
        as_is : bool
            Whether the image is resized in any case.
        invert : bool
            Whether an image that is used as it is shows dark on light, not light on dark.

        Returns
        -------
        ImagePrediction

        Raises
        ------
        ConfigurationError
            If ``invert`` is set without ``as_is``.
        ModelError
            If the model does not predict classes of ``uint8`` images.
        DataError
            If the image cannot be read, or is none.
        MissingExtraError
            If Pillow is not installed.
        """
        self.check_takes_photographs()
        if invert and not as_is:
            raise ConfigurationError(
                "invert is for images that are used as they are: pass as_is=True too; a prepared "
                "image may be light on dark or dark on light"
            )
        statistics = self.image_statistics or ImageStatistics(Framing())
        prepared = statistics.prepared and not as_is
        if prepared:
            pixels = prepare_photograph(source, self.row_shape, statistics.framing)
        else:
            pixels = read_photograph(source, self.row_shape, statistics.fit, invert=invert)
        probabilities = both_classes(self.predict(pixels[None]))[0]
        best, known = int(probabilities.argmax()), statistics.familiarity
        prediction = ImagePrediction(
            self.classes[best],
            float(probabilities[best]),
            probabilities,
            pixels,
            None if known is None else known.is_familiar(pixels),
            prepared,
            self.classes,
        )
        if prediction.is_blank:
            warn(
                "no object found: the input of the network is a blank image, so the class is "
                "arbitrary. Take the photograph on a plain background that differs from the object"
            )
        return prediction

    def check_takes_photographs(self) -> None:
        """Check that the model predicts the classes of ``uint8`` images.

        Raises
        ------
        ModelError
            If it predicts something else, or its rows have another shape or dtype.
        """
        if not self.predicts_classes:
            raise ModelError(
                "the model must predict mutually exclusive classes, got the outputs "
                f"{listed(self.class_names)} with output_activation={self.output_activation!r}"
            )
        if self.row_dtype != "uint8" or not takes_photographs(self.row_shape):
            raise ModelError(
                f"the model must take uint8 images of shape (y, x) or (c, y, x) with 1, 3 or 4 "
                f"channels, got rows of {self.row_dtype} of shape {self.row_shape}"
            )

    def check_rows(self, inputs: npt.NDArray[np.generic]) -> None:
        """Check that rows have the shape and the kind of dtype of the training data.

        Raises
        ------
        ModelError
            If a row has another shape, or rows are ``uint8`` (which is scaled) where the training
            data was features (which are not), or the reverse.
        DataError
            If features are not finite.
        """
        if inputs.shape == self.row_shape:
            raise ModelError(
                f"inputs must hold rows of shape {self.row_shape}, got a single row: pass "
                "inputs[None]"
            )
        if inputs.shape[1:] != self.row_shape:
            raise ModelError(
                f"rows must have shape {self.row_shape}, as in the training data, got shape "
                f"{inputs.shape[1:]}{_reshape_advice(inputs.shape[1:], self.row_shape)}"
            )
        if (inputs.dtype == np.uint8) != (self.row_dtype == "uint8"):
            raise ModelError(
                f"rows must be {self.row_dtype}, as in the training data, got {inputs.dtype}: "
                f"prepare them in the same way; {dtype_advice(inputs, self.row_dtype)}"
            )
        if len(inputs):
            check_inputs(inputs)

    def save(self, folder: str | Path, *, weights: Array | None = None) -> None:
        """Save the model to a folder, replacing an earlier one atomically.

        Of several savers at once, in threads or processes, the last one wins, whole.

        Parameters
        ----------
        folder : path
            Created if it does not exist.
        weights : array, shape (size,) or (size + untrained,), optional
            The vector of weights to save, in any dtype of real numbers; by default that of the
            network. The longer one has the running statistics too; with the shorter one those of
            the network are saved.

        Raises
        ------
        FileError
            If the folder has no name, or cannot be written to; an earlier model is left unchanged.
        ModelError
            If ``weights`` are no such vector. An earlier model is left unchanged.
        ConfigurationError
            As `check_savable`. An earlier model is left unchanged; the weights are saved alone,
            beside the folder.
        """
        _require_several_outputs(self)
        from safetensors.numpy import save  # imported when a model is saved, not with the package

        path = _named(folder)
        parameters = self.network.parameters
        arrays: Mapping[str, Array] = parameters.weights
        if weights is not None:
            arrays = parameters.views(_converted(weights, parameters))
        try:
            described = self.description_files()
        except ConfigurationError as error:
            kept = _keep_weights(path, arrays)
            raise ConfigurationError(f"{error}. {kept}") from error
        content = save({name: array.copy() for name, array in arrays.items()})
        write_set(path, KIND, VERSION, {WEIGHTS: content, **described})

    def description_files(self) -> dict[str, bytes]:
        """Return the files of a saved model without its weights, content by name.

        Raises
        ------
        ConfigurationError
            As `check_savable`.
        """
        from safetensors.numpy import save

        network, transform = self._checked_configs()
        described: dict[str, object] = {
            "network": network,
            "transform": transform,
            "class_names": list(self.class_names),
            "row_shape": list(self.row_shape),
            "row_dtype": self.row_dtype,
            "trained_on": self.trained_on,
            "output_activation": self.output_activation,
            "column_names": None if self.column_names is None else list(self.column_names),
        }
        if self.binary_classes is not None:
            described["binary_classes"] = list(self.binary_classes)
        if self.quantiles is not None:
            described["quantiles"] = list(self.quantiles)
        files = {}
        if (statistics := self.image_statistics) is not None:
            described["image_statistics"] = statistics.to_config()
            files[IMAGE_STATISTICS] = save(
                {name: array.copy() for name, array in statistics.arrays().items()}
            )
        if self.columns is not None:
            files[COLUMNS] = json.dumps(self.columns.to_json(), allow_nan=False).encode()
        files[DESCRIPTION] = json.dumps(described, indent=2, allow_nan=False).encode()
        return files

    def check_savable(self) -> None:
        """Check that the model, saved and loaded, would predict the same.

        `save` checks it, and so does a training with checkpoints or a `handloom.BestModel` before
        its first step. The model does not change.

        Raises
        ------
        ConfigurationError
            If a layer or the transform, made again from its configuration, has another class, other
            attributes or, on one row in inference, another output. The message names it, and the
            remedy.
        """
        self._checked_configs()

    def _checked_configs(self) -> tuple[dict[str, object], dict[str, object]]:
        """Return the configurations of network and transform, proven to make them again."""
        dtype = self.network.parameters.dtype
        return (
            check_network(self.network),
            check_transform(self.transform, self.row_shape, self.row_dtype, dtype),
        )

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        layers: Mapping[str, type[Layer]] | None = None,
        transforms: Mapping[str, type[Transform]] | None = None,
    ) -> "Model":
        """Load a model from a folder.

        Parameters
        ----------
        folder : path
            As `save` wrote it.
        layers : mapping of str to Layer class, optional
            Custom layers, by their names in the file.
        transforms : mapping of str to class, optional
            Custom transforms, by their names in the file. The class is called with the other values
            that ``to_config`` returned.

        Returns
        -------
        Model

        Raises
        ------
        FileError, ModelError
            If a file is missing, unknown, truncated or modified, or holds an unknown name or field,
            or the folder is that of a run or of several models.
        """
        path = _named(folder)
        if not (path / MANIFEST).exists():
            _refuse_folder_of_models(path)
        files = read_set(path, KIND, VERSION)
        return cls.from_files(files, path, layers=layers, transforms=transforms)

    @classmethod
    def from_files(
        cls,
        files: Mapping[str, bytes],
        source: str | Path,
        *,
        arrays: Mapping[str, Array] | None = None,
        layers: Mapping[str, type[Layer]] | None = None,
        transforms: Mapping[str, type[Transform]] | None = None,
    ) -> "Model":
        """Make a model from the files of a saved one.

        Parameters
        ----------
        files : mapping of str to bytes
            As `description_files` returns them.
        source : path
            The name of the folder or file that they are of, for messages.
        arrays : mapping of str to array, optional
            The weights by name; by default those of a further file.
        layers, transforms : mapping of str to class, optional
            As in `load`.

        Raises
        ------
        ModelError
            If a file is missing, unknown or damaged, or holds an unknown name or field.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            for name in files:
                require_known("file of a model", name, FILES)
            described = json.loads(_content(files, DESCRIPTION))
            for field in described:
                require_known(f"field of {DESCRIPTION}", field, FIELDS)
            # the weights first: a configuration may claim any number of weights
            weights = load(_content(files, WEIGHTS)) if arrays is None else arrays
            model = cls(
                Sequential.from_config(described["network"], layers, weights=weights),
                transform_from_config(described["transform"], transforms),
                tuple(str(name) for name in described["class_names"]),
                tuple(require_count("a size in row_shape", n) for n in described["row_shape"]),
                str(described["row_dtype"]),
                str(described["trained_on"]),
                str(described.get("output_activation", "softmax")),
                _names(described.get("column_names")),
                _names(described.get("binary_classes")),
                quantiles=_quantiles(described),
            )
            if "image_statistics" in described:
                extra = load(_content(files, IMAGE_STATISTICS))
                statistics = ImageStatistics.from_config(
                    described["image_statistics"], extra, model.row_shape
                )
                model = replace(model, image_statistics=statistics)
            if COLUMNS in files:
                columns = Columns.from_json(json.loads(files[COLUMNS]))
                model = replace(model, columns=columns)
        except (KeyError, TypeError, ValueError, RecursionError, SafetensorError) as error:
            reason = str(error) if isinstance(error, HandloomError) else repr(error)
            raise ModelError(f"{source}: {reason}") from None
        return model

    def _check_sizes(self) -> None:
        """Check that row shape, network and class names match."""
        if len(self.row_shape) > MAX_DIMENSIONS:
            raise ModelError(
                f"row_shape must have at most {MAX_DIMENSIONS} dimensions, got "
                f"{len(self.row_shape)} dimensions"
            )
        if self.column_names and self.row_shape != (len(self.column_names),):
            raise ModelError(
                f"{len(self.column_names)} column names do not fit rows of shape {self.row_shape}, "
                "expected one name for each column"
            )
        if self.columns is not None:
            self._check_columns(self.columns)
        if math.prod(self.row_shape) != math.prod(self.network.input_shape):
            raise ModelError(
                f"rows of shape {self.row_shape} do not fit the network, expected as many entries "
                f"as in its input shape {self.network.input_shape}"
            )
        if self.network.output_shape != (len(self.class_names),):
            raise ModelError(
                f"{len(self.class_names)} class names do not fit the network's output shape "
                f"{self.network.output_shape}, expected one name for each output"
            )
        if self.binary_classes and (len(self.binary_classes), len(self.class_names)) != (2, 1):
            raise ModelError(
                f"a network with a single output has 2 binary_classes, got "
                f"{len(self.binary_classes)} for {len(self.class_names)} outputs"
            )

        self._check_quantiles()

    def _check_quantiles(self) -> None:
        """Check that there is a sorted output for each quantile."""
        k = len(self.class_names)
        if self.quantiles is None or (self.output_activation, len(self.quantiles)) == ("sort", k):
            return
        raise ModelError(
            f"quantiles {listed(map(str, self.quantiles))} do not fit {k} outputs with "
            f"output_activation={self.output_activation!r}, expected 'sort' and one quantile for "
            "each output"
        )

    def _check_columns(self, columns: Columns) -> None:
        """Check that the learned columns fit the rows and the outputs."""
        if self.row_shape != (len(columns.names),):
            raise ModelError(
                f"columns that make {len(columns.names)} flat columns do not fit rows of shape "
                f"{self.row_shape}"
            )
        target, known = columns.target, self.classes or self.class_names
        if target is None or target.class_names == known:
            return
        if self.quantiles is not None and target.task == "regression":
            return  # of one target, by any names
        raise ModelError(
            f"columns whose target has the names {listed(target.class_names)} do not fit the "
            f"model's {listed(known)}"
        )


def _require_several_outputs(model: Model) -> None:
    if model.output_activation == "softmax" and model.network.output_shape == (1,):
        raise ModelError(
            "the softmax of a single output is always 1: pass output_activation='sigmoid' for the "
            "probability of one class"
        )


def _converted(weights: Array, parameters: Parameters) -> Array:
    """Return a vector of weights in the dtype of the network, as `Model.load` requires it.

    Raises
    ------
    ModelError
        If it is no vector of the trained weights, or of all values, or too large for the dtype.
    """
    shapes = dict.fromkeys([parameters.vector.shape, parameters.values.shape])
    array = weights if isinstance(weights, np.ndarray) else None
    if array is None or array.dtype.kind not in "iuf" or array.shape not in shapes:
        got = type(weights).__name__ if array is None else f"{array.dtype} of shape {array.shape}"
        raise ModelError(
            f"weights must be an array of numbers, of shape {' or '.join(map(str, shapes))}, "
            f"got {got}"
        )
    with np.errstate(over="ignore"):
        converted = array.astype(parameters.dtype, copy=False)
    if np.isfinite(converted).all() < np.isfinite(array).all():
        raise ModelError(f"weights must be within the range of {parameters.dtype}, got larger ones")
    return converted


def _named(folder: str | Path) -> Path:
    """Return the path of a folder; an empty text would be the current folder."""
    if not str(folder):
        raise FileError("the folder of a model must have a name, got ''")
    return Path(folder)


def _refuse_folder_of_models(path: Path) -> None:
    """Refuse a folder whose folders hold models, such as a run; the message says how to load it."""
    names = sorted(each.parent.name for each in path.glob(f"*/{MANIFEST}"))
    if names:
        raise ModelError(
            f"{path} is not the folder of a model, but its folders {listed(map(repr, names))} are: "
            f"Model.load({str(path / names[0])!r}). Of a run, handloom.load_run({str(path)!r}) has "
            f"its .model, .history and .results"
        )


def _keep_weights(folder: Path, arrays: Mapping[str, Array]) -> str:
    """Write the weights of a model that cannot be saved, beside its folder; return a message."""
    whole = folder.resolve()
    names = chain([""], (f"-{number}" for number in count(2)))
    paths = (whole.with_name(f"{whole.name}-weights{number}.npz") for number in names)
    path = next(path for path in paths if not path.exists())  # nothing earlier is replaced
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, file.getvalue())
    except OSError as error:
        return (
            f"The weights alone could not be saved either ({error}): keep them with "
            f"numpy.savez(path, **network.parameters.weights)"
        )
    return (
        f"The weights alone were saved to {path}: mend the class, then build the network with "
        f"weights=numpy.load(path)"
    )


def _content(files: Mapping[str, bytes], name: str) -> bytes:
    """Return a file of a saved model."""
    if name not in files:
        raise ModelError(f"the file {name} is missing")
    return files[name]


def _names(names: list[str] | None) -> tuple[str, ...] | None:
    """Return the names in a file; None if there are none."""
    return None if names is None else tuple(str(name) for name in names)


def _quantiles(described: Mapping[str, Any]) -> tuple[float, ...] | None:
    """Return the quantiles in a description; before they were a field, they were in the names."""
    if "quantiles" not in described and described.get("output_activation") == "sort":
        return quantiles_in([str(name) for name in described["class_names"]])
    return described.get("quantiles")


def _reshape_advice(shape: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """Return the reshape of rows that differ only in flattening or in axes of size 1."""
    axes, wanted = ([size for size in each if size > 1] for each in (shape, expected))
    if axes == wanted or (
        math.prod(shape) == math.prod(expected) and 1 in map(len, (axes, wanted))
    ):
        return f": pass inputs.reshape({', '.join(map(str, (-1, *expected)))})"
    return ""
