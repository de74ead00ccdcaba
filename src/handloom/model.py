"""A model: a network with what it takes to use it, saved to a folder and loaded without pickle."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import check_inputs
from handloom.data.transforms import Transform, transform_from_config
from handloom.errors import HandloomError, ModelError, require_count, require_known
from handloom.files import read_set, write_set
from handloom.layers import Layer, sigmoid, softmax
from handloom.network import Sequential
from handloom.parameters import Array

KIND, VERSION = "handloom model", 1

MAX_DIMENSIONS = 8
"""The most dimensions that a row of a model's data may have."""


OUTPUT_ACTIVATIONS: Mapping[str, Callable[..., Array]] = {
    "softmax": softmax,
    "sigmoid": sigmoid,
    "exp": np.exp,
    "identity": np.positive,
}
"""What makes predictions of a network's outputs, which are logits, or logarithms, or numbers."""


@dataclass(frozen=True)
class Model:
    """A trained network, how to prepare its input, and what its classes or outputs are called.

    Parameters
    ----------
    network : Sequential
        A built network.
    transform : Transform
        From stored rows to the network's input.
    class_names : tuple of str, length k
        What the classes are called, or the numbers that are predicted.
    row_shape : tuple of int
        The shape of a stored row.
    row_dtype : str
        Its dtype: ``"uint8"``, or that of features.
    trained_on : str
        The name of the dataset.
    output_activation : {"softmax", "sigmoid", "exp", "identity"}
        What makes predictions of the network's outputs: that of the loss it learned from.

    Raises
    ------
    ConfigurationError
        If there is no such activation.
    """

    network: Sequential
    transform: Transform
    class_names: tuple[str, ...]
    row_shape: tuple[int, ...]
    row_dtype: str
    trained_on: str = "unnamed"
    output_activation: str = "softmax"

    def __post_init__(self) -> None:
        require_known("output activation", self.output_activation, OUTPUT_ACTIVATIONS)

    @property
    def predicts_classes(self) -> bool:
        """Whether predictions are the probabilities of classes that exclude each other."""
        return self.output_activation == "softmax"

    def predict(self, inputs: npt.NDArray[np.generic]) -> Array:
        """Return the probabilities of each class, or what else the network predicts, shape (n, k).

        Parameters
        ----------
        inputs : array, shape (n, ...)
            Rows as the dataset stores them: ``uint8`` images, or features.

        Raises
        ------
        ModelError
            If a row has not the shape of those that the network learned from.
        """
        self.check_rows(inputs)
        logits = self.network.predict_logits(inputs, self.transform)
        with np.errstate(over="ignore"):  # an infinite prediction says so itself
            return OUTPUT_ACTIVATIONS[self.output_activation](logits, out=logits)

    def check_rows(self, inputs: npt.NDArray[np.generic]) -> None:
        """Refuse rows that are not like those that the network learned from.

        Raises
        ------
        ModelError
            If a row has another shape, or numbers another meaning: bytes are scaled, features are
            taken as they are.
        DataError
            If features are not finite.
        """
        if inputs.shape[1:] != self.row_shape:
            raise ModelError(
                f"the model takes rows of shape {self.row_shape}, got rows of shape "
                f"{inputs.shape[1:]}"
            )
        if (inputs.dtype == np.uint8) != (self.row_dtype == "uint8"):
            raise ModelError(
                f"the model learned from {self.row_dtype} rows, got rows of {inputs.dtype}"
            )
        if len(inputs):
            check_inputs(inputs)

    def save(self, folder: str | Path, *, weights: Array | None = None) -> None:
        """Save the model to a folder, replacing an earlier one in one move.

        Parameters
        ----------
        folder : path
            Made if it is not there.
        weights : array, shape (size,), optional
            A whole vector of weights to save instead of the network's present one.

        Raises
        ------
        FileError
            If the folder cannot be written to; an earlier model is left as it was.
        ConfigurationError
            If the network holds something that a file cannot name.
        """
        from safetensors.numpy import save  # imported when a model is saved, not with the package

        parameters = self.network.parameters
        arrays = parameters.weights if weights is None else parameters.named(weights)
        described = {
            "network": self.network.config(),
            "transform": self.transform.to_config(),
            "class_names": list(self.class_names),
            "row_shape": list(self.row_shape),
            "row_dtype": self.row_dtype,
            "trained_on": self.trained_on,
            "output_activation": self.output_activation,
        }
        content = {
            "model.json": json.dumps(described, indent=2, allow_nan=False).encode(),
            "weights.safetensors": save({name: array.copy() for name, array in arrays.items()}),
        }
        write_set(Path(folder), KIND, VERSION, content)

    @classmethod
    def load(
        cls, folder: str | Path, *, layers: Mapping[str, type[Layer]] | None = None
    ) -> "Model":
        """Load a model from a folder.

        Parameters
        ----------
        folder : path
            As `save` wrote it.
        layers : mapping of str to Layer class, optional
            Layers of your own, by the name that the file gives them.

        Raises
        ------
        FileError, ModelError
            If a file is missing, cut, changed, or names what is not known here.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        content = read_set(Path(folder), KIND, VERSION)
        try:
            described = json.loads(content["model.json"])
            # the weights first: a description may claim any number of them
            arrays = load(content["weights.safetensors"])
            model = cls(
                Sequential.from_config(described["network"], layers, weights=arrays),
                transform_from_config(described["transform"]),
                tuple(str(name) for name in described["class_names"]),
                tuple(require_count("a size in row_shape", n) for n in described["row_shape"]),
                str(described["row_dtype"]),
                str(described["trained_on"]),
                str(described.get("output_activation", "softmax")),
            )
            model._check_sizes()
        except (KeyError, TypeError, ValueError, RecursionError, SafetensorError) as error:
            reason = str(error) if isinstance(error, HandloomError) else repr(error)
            raise ModelError(f"{folder}: {reason}") from None
        return model

    def _check_sizes(self) -> None:
        """Refuse a description whose parts do not fit together."""
        if len(self.row_shape) > MAX_DIMENSIONS:
            raise ModelError(
                f"rows of {len(self.row_shape)} dimensions, expected at most {MAX_DIMENSIONS}"
            )
        if math.prod(self.row_shape) != math.prod(self.network.input_shape):
            raise ModelError(
                f"rows of shape {self.row_shape} do not fit a network that takes "
                f"{self.network.input_shape}"
            )
        if self.network.output_shape != (len(self.class_names),):
            raise ModelError(
                f"{len(self.class_names)} class names do not fit a network that gives "
                f"{self.network.output_shape}"
            )
