"""Operations: a network has records for all of its layers, or none."""

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from handloom import (
    BatchNorm,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LayerNorm,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
)
from handloom.operations import (
    Affine,
    DropEntries,
    Elementwise,
    LayerOperation,
    NormalizeColumns,
    NormalizeRows,
    operation_of,
)


class Shifted(ReLU):
    """A subclass without a record of its own."""


class AsReLU(Shifted):
    """A subclass with a record of its own."""

    def as_operation(self, offsets: Mapping[str, int]) -> Elementwise:
        """Return the record of ReLU."""
        return Elementwise("relu")


def operations(*layers: Layer) -> list[LayerOperation] | None:
    return Sequential(layers).build((4,)).operations()


def test_a_dense_network_is_described_by_shapes_functions_and_offsets() -> None:
    assert operations(Dense(3), ReLU(), Dense(2), Tanh(), Dense(1), Sigmoid(), Dense(1)) == [
        Affine(4, 3, 0, 12),
        Elementwise("relu"),
        Affine(3, 2, 15, 21),
        Elementwise("tanh"),
        Affine(2, 1, 23, 25),
        Elementwise("sigmoid"),
        Affine(1, 1, 26, 27),
    ]


def test_batch_normalization_names_its_running_statistics_behind_the_trained_weights() -> None:
    assert operations(Dense(3), BatchNorm(momentum=0.8, ghost_batch=4), Dense(2)) == [
        Affine(4, 3, 0, 12),
        NormalizeColumns(
            units=3,
            scale=15,
            shift=18,
            running_mean=29,
            running_variance=32,
            momentum=0.8,
            epsilon=1e-5,
            ghost_batch=4,
        ),
        Affine(3, 2, 21, 27),
    ]


def test_layer_normalization_and_dropout_have_records() -> None:
    assert operations(LayerNorm(epsilon=1e-3), Dropout(0.25), Dense(2)) == [
        NormalizeRows(units=4, scale=0, shift=4, epsilon=1e-3),
        DropEntries(1 << 14),
        Affine(4, 2, 8, 16),
    ]


@pytest.mark.parametrize("layer", [Flatten(), Shifted()])
def test_a_layer_without_a_record_leaves_the_network_without_any(layer: Layer) -> None:
    assert operations(Dense(3), layer, Dense(2)) is None


def test_a_subclass_may_have_a_record_of_its_own() -> None:
    assert operations(Dense(3), AsReLU(), Dense(2)) is not None


def test_a_frozen_layer_has_no_record() -> None:
    frozen = Sequential([Dense(3), Dense(2)]).build((4,)).freeze("0.dense")
    assert frozen.operations() is None


def test_an_object_without_a_dictionary_has_no_record() -> None:
    class Slotted(NamedTuple):
        factor: float

    assert operation_of(Slotted(0.5)) is None
