"""Pooling: the largest or the mean of each window, and the way back."""

import numpy as np
import pytest
from tests.helpers.images import draw, pooled

from handloom import (
    AveragePool2D,
    ConfigurationError,
    Conv2D,
    GlobalAveragePool2D,
    MaxPool2D,
    ModelError,
    build,
    check_gradients,
)
from handloom.parameters import Array
from handloom.testing import check_layer

SIZES = [(2, None), (3, None), (3, 1), (2, 3), (1, 1), (3, 2), (5, None)]


@pytest.mark.parametrize(("size", "stride"), SIZES)
@pytest.mark.parametrize("kind", [MaxPool2D, AveragePool2D])
def test_it_is_what_is_written_down(
    kind: type[MaxPool2D] | type[AveragePool2D], size: int, stride: int | None
) -> None:
    x = draw(3, 2, 5, 6)

    def reference(x: Array, weights: object) -> Array:
        return pooled(x, size, stride or size, kind is MaxPool2D)

    assert check_layer(kind(size, stride=stride), x, reference).ok


@pytest.mark.parametrize("kind", [MaxPool2D, AveragePool2D])
def test_every_entry_of_the_gradient_is_right(kind: type[MaxPool2D] | type[AveragePool2D]) -> None:
    report = check_gradients(kind(3, stride=2), draw(2, 2, 7, 6), thorough=True)
    assert report.ok, report


def test_of_equal_numbers_the_first_place_gets_the_gradient() -> None:
    layer = MaxPool2D(2)
    layer.forward(np.ones((1, 1, 2, 4)), training=True)
    dx = layer.backward(np.array([[[[5.0, 7.0]]]]))
    assert dx is not None
    assert dx.tolist() == [[[[5.0, 0.0, 7.0, 0.0], [0.0, 0.0, 0.0, 0.0]]]]


def test_where_windows_overlap_gradients_add_up() -> None:
    layer = MaxPool2D(2, stride=1)
    layer.forward(np.array([[[[0.0, 9.0, 0.0], [0.0, 0.0, 0.0]]]]), training=True)
    dx = layer.backward(np.array([[[[1.0, 2.0]]]]))
    assert dx is not None
    assert dx.tolist() == [[[[0.0, 3.0, 0.0], [0.0, 0.0, 0.0]]]]


def test_a_number_that_is_none_is_not_lost() -> None:
    x = draw(1, 1, 2, 2)
    x[0, 0, 1, 0] = np.nan
    assert np.isnan(MaxPool2D(2).forward(x)).all()
    assert np.isnan(AveragePool2D(2).forward(x)).all()


def test_a_window_as_large_as_the_image_leaves_a_number_a_channel() -> None:
    x = draw(4, 3, 5, 5)
    y = AveragePool2D(5).forward(x)
    assert y.shape == (4, 3, 1, 1)
    np.testing.assert_allclose(y[:, :, 0, 0], x.mean(axis=(2, 3)), rtol=1e-12)


def test_mistakes_are_named() -> None:
    with pytest.raises(ConfigurationError, match="size must be a whole number"):
        MaxPool2D(0)
    with pytest.raises(ConfigurationError, match="stride must be a whole number"):
        AveragePool2D(2, stride=0)
    with pytest.raises(ModelError, match="max_pool2d: a window of 3 x 3 does not fit"):
        MaxPool2D(3).output_shape((1, 2, 2))
    with pytest.raises(ModelError, match=r"expected images \(n, c, y, x\), got shape \(2, 3\)"):
        MaxPool2D(1).forward(draw(2, 3))


def test_global_average_pooling_is_average_pooling_with_one_window() -> None:
    x, dy = draw(4, 3, 5, 5), draw(4, 3, seed=1)
    whole, window = GlobalAveragePool2D(), AveragePool2D(5)
    y = whole.forward(x, training=True)
    np.testing.assert_allclose(y, window.forward(x, training=True)[:, :, 0, 0], rtol=1e-12)
    dx, expected = whole.backward(dy), window.backward(dy[:, :, None, None])
    assert dx is not None
    assert expected is not None
    np.testing.assert_allclose(dx, expected, rtol=1e-12)


def test_global_average_pooling_takes_images_of_any_size_and_nothing_else() -> None:
    layer = GlobalAveragePool2D()
    assert layer.output_shape((3, 7, 2)) == layer.output_shape((3, 1, 9)) == (3,)
    with pytest.raises(ModelError, match=r"global_average_pool2d: .* image \(c, y, x\), got shape"):
        layer.output_shape((12,))
    with pytest.raises(ModelError, match=r"expected images \(n, c, y, x\), got shape \(2, 3\)"):
        layer.forward(draw(2, 3))


def test_a_row_has_the_same_mean_in_every_batch() -> None:
    convolution = Conv2D(5, 3, padding=1)
    build([convolution], (1, 6, 7))
    y = convolution.forward(draw(9, 1, 6, 7).astype(np.float32))
    together = GlobalAveragePool2D().forward(y)
    for row in range(9):
        alone = GlobalAveragePool2D().forward(y[row : row + 1])
        assert np.array_equal(alone[0], together[row])
