"""The networks of recipes: dense or convolutional, with batch normalization."""

from collections.abc import Callable, Sequence

from handloom.data.columns import Columns
from handloom.errors import ConfigurationError, has_channels_last
from handloom.layers import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Layer,
    MaxPool2D,
    ReLU,
    Reshape,
    Softmax,
)

Network = Callable[[tuple[int, ...], int], Sequence[Layer]]
"""A function from the shape of an image, (y, x) or (c, y, x), and the number of classes to new
layers."""


def embeddings(columns: Columns | None, *, l1: float = 0.0, l2: float = 0.0) -> list[Layer]:
    """Return the first layer for rows of a table with embedded columns; none for other rows.

    Parameters
    ----------
    columns : Columns or None
        Those of the dataset.
    l1, l2 : float
        The strengths of the penalties of its vectors.
    """
    embedded = {} if columns is None else columns.embedded
    return [Embedding(embedded, weights_l1=l1, weights_l2=l2)] if embedded else []


def mlp(*units: int, ghost_batch: int = 64, dropout: float = 0.0) -> Network:
    """Return a network of dense hidden layers with batch normalization and ReLU.

    Parameters
    ----------
    units : int
        The width of each hidden layer.
    ghost_batch : int
        The number of rows that are normalized together.
    dropout : float
        The dropout rate after each hidden layer, 0 for none.

    Returns
    -------
    callable
        From the shape of an image and the number of classes to new layers.
    """

    def layers(_: tuple[int, ...], classes: int) -> Sequence[Layer]:
        hidden: list[Layer] = []
        for h in units:
            hidden += [Dense(h), BatchNorm(ghost_batch=ghost_batch), ReLU()]
            if dropout:
                hidden.append(Dropout(dropout))
        return [*hidden, Dense(classes, weights="glorot"), Softmax()]

    return layers


def cnn(filters: Sequence[Sequence[int]], *, dropout: float) -> Network:
    """Return a network of 3 x 3 convolutions for images.

    Parameters
    ----------
    filters : sequence of sequences of int
        The number of filters of each convolution, a group for each resolution; the last
        convolution of a group is pooled.
    dropout : float
        The dropout rate before the last layer.

    Returns
    -------
    callable
        From the shape of an image and the number of classes to new layers. It raises
        `ConfigurationError` if rows are no images, or an image is too small to be pooled as often.
    """

    def layers(image_shape: tuple[int, ...], classes: int) -> Sequence[Layer]:
        _require_images(image_shape, smallest=2 ** len(filters))
        convolutions: list[Layer] = []
        for *others, last in filters:
            for count in others:
                convolutions += _convolution(count)
            convolutions += _convolution(last, pooled=True)
        return [
            Reshape(image_shape if len(image_shape) == 3 else (1, *image_shape)),
            *convolutions,
            Flatten(),
            Dropout(dropout),
            Dense(classes, weights="glorot"),
            Softmax(),
        ]

    return layers


def _require_images(shape: tuple[int, ...], smallest: int) -> None:
    """Refuse rows that are no images, and images with a side below ``smallest`` pixels."""
    if len(shape) not in (2, 3) or has_channels_last(shape):
        raise ConfigurationError(
            "a recipe of convolutions takes images of shape (y, x) or (c, y, x), got rows of shape "
            f"{shape}"
            + (": pass channels_last=True to Dataset" if has_channels_last(shape) else "")
        )
    if min(shape[-2:]) < smallest:
        raise ConfigurationError(
            f"a recipe of convolutions with {smallest.bit_length() - 1} poolings takes images of "
            f"at least {smallest} x {smallest} pixels, got {shape[-2]} x {shape[-1]}: use larger "
            "images, or a recipe of dense layers, such as mlp"
        )


def _convolution(filters: int, *, pooled: bool = False) -> list[Layer]:
    """Return a convolution, pooled before normalization, which is then cheaper."""
    pooling = [MaxPool2D(2)] if pooled else []
    return [
        Conv2D(filters, 3, padding="same", biases=False),
        *pooling,
        BatchNorm(ghost_batch=64),
        ReLU(),
    ]
