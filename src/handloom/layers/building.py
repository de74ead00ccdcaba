"""Building: allocates and initializes the weights of layers, and binds the layers to them."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from handloom.errors import ModelError, has_channels_last, require_count
from handloom.layers.base import Layer
from handloom.layers.chain import Chain
from handloom.layers.names import as_layers
from handloom.parameters import Array, Parameters, check_arrays
from handloom.randomness import Stream


def build(
    layers: Sequence[Layer | str],
    input_shape: int | Iterable[int],
    *,
    seed: int = 0,
    dtype: npt.DTypeLike = np.float32,
    weights: Mapping[str, Array] | None = None,
) -> Parameters:
    """Allocate and initialize the weights of layers.

    Collect the arrays that the layers declare, allocate one vector for all, give each layer its
    parts of the vector, and draw the initial values.

    Parameters
    ----------
    layers : sequence of Layer
        In the order of the forward pass; afterwards each layer can be called by hand.
    input_shape : tuple of int, or int
        The shape of one input row; 784 stands for (784,).
    seed : int
        The seed of the initial values.
    dtype : float32 or float64
        The dtype of weights and gradients.
    weights : mapping of str to array, optional
        Initial weights by name, instead of random ones. They are compared with the declarations of
        the layers before memory is allocated.

    Returns
    -------
    handloom.parameters.Parameters
        All weights and gradients, by name (``"0.dense.weights"``); pass it to `Optimizer.bind`.

    Raises
    ------
    ModelError
        If a layer cannot take the output of the one before it or belongs to another network, or
        ``weights`` do not match the declarations of the layers.
    """
    return build_chain(Chain(as_layers(layers)), shape_of(input_shape), seed, dtype, weights)


def shape_of(input_shape: object) -> tuple[int, ...]:
    """Return the shape of an input row as a tuple; a single size is a shape too."""
    if isinstance(input_shape, str) or not isinstance(input_shape, Iterable):
        return (require_count("input_shape", input_shape),)
    return tuple(require_count("a size in input_shape", size) for size in input_shape)


def build_chain(
    chain: Chain,
    input_shape: tuple[int, ...],
    seed: int,
    dtype: npt.DTypeLike,
    weights: Mapping[str, Array] | None,
    earlier: Parameters | None = None,
) -> Parameters:
    """Build a chain of layers; see `build`.

    ``earlier`` are the parameters of an earlier build of the same network, if any.
    """
    specs = chain.declare(input_shape)
    if weights is not None:
        check_arrays(weights, specs, dtype)
    parameters = Parameters(specs, dtype)
    chain.claim(parameters, earlier)
    chain.bind(parameters.weights, parameters.gradients)
    if weights is None:
        parameters.initialize(Stream(seed))
    else:
        parameters.load(weights)
    return parameters


def check_channels(chain: Chain, input_shape: tuple[int, ...]) -> None:
    """Refuse the shape of an image with its channels last, where a layer takes images."""
    if not has_channels_last(input_shape):
        return
    for name, layer in chain.named:
        if layer.takes_images:
            y, x, c = input_shape
            raise ModelError(
                f"layer {name} takes images (c, y, x), and the input shape {input_shape} looks "
                f"like (y, x, c): build the network with ({c}, {y}, {x}), and load images of "
                f"shape (n, {y}, {x}, {c}) with Dataset(..., channels_last=True)"
            )
        if layer.output_shape(input_shape) != input_shape:
            return
