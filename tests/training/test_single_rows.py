"""A single row has no variance: batch normalization never trains on a group of one row."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from handloom import (
    SGD,
    BatchNorm,
    Callback,
    ConfigurationError,
    Conv2D,
    Dataset,
    Dense,
    Flatten,
    Layer,
    LayerNorm,
    ModelError,
    ReLU,
    Reshape,
    Residual,
    Sequential,
    Trainer,
    build,
)
from handloom.parallel.partition import batch_count, deal_shards
from handloom.recipes.recipe import RecipeSettings
from handloom.recipes.registry import named_recipe
from handloom.training import TrainingState
from handloom.training.objective import Measurement


def rows(n: int, *shape: int, seed: int = 0) -> Dataset:
    """Return rows around a mean of 3 and a deviation of 2."""
    x = np.random.default_rng(seed).normal(3.0, 2.0, (n, *(shape or (4,))))
    targets = (x.reshape(n, -1)[:, 0] > 3.0).astype(np.int64)
    return Dataset(x, targets, ("low", "high"))


class BatchSizes(Callback):
    """Collects the number of rows of each step."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def on_step_end(self, *, state: TrainingState, measured: Measurement) -> None:
        self.sizes.append(measured.rows)


def network(*layers: Layer, shape: tuple[int, ...] = (4,)) -> Sequential:
    return Sequential([*layers, Dense(2)]).build(shape, dtype="float64")


def batch_sizes(made: Sequential, data: Dataset, batch_size: int, **options: Any) -> list[int]:
    watcher = BatchSizes()
    epochs = options.pop("epochs", 1)
    trainer = Trainer(
        made, SGD(), 1e-6, epochs=epochs, batch_size=batch_size, callbacks=[watcher], **options
    )
    trainer.fit(data)
    return watcher.sizes


def test_running_statistics_are_those_of_the_data_if_one_row_is_left_over() -> None:
    data, made = rows(257), network(BatchNorm())
    assert batch_sizes(made, data, 256, epochs=60) == [257] * 60
    values = made.parameters.weights
    variance = data.inputs.var(axis=0, ddof=1)
    np.testing.assert_allclose(values["0.batch_norm.running_variance"], variance, rtol=0.01)
    np.testing.assert_allclose(
        values["0.batch_norm.running_mean"], data.inputs.mean(axis=0), rtol=0.01
    )


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([BatchNorm], [8, 9]),
        ([lambda: BatchNorm(ghost_batch=4)], [8, 9]),
        ([lambda: Residual([Dense(4), BatchNorm()])], [8, 9]),
        ([Dense, BatchNorm], [8, 9]),
        ([LayerNorm, ReLU], [8, 8, 1]),
        ([lambda: BatchNorm().freeze()], [8, 8, 1]),
    ],
)
def test_a_row_left_over_joins_the_batch_before_it_only_if_a_layer_couples_rows(
    layers: list[Callable[..., Layer]], expected: list[int]
) -> None:
    made = network(*(make(4) if make is Dense else make() for make in layers))
    assert batch_sizes(made, rows(17), 8) == expected
    assert batch_sizes(made, rows(18), 8) == [8, 8, 2]
    assert batch_sizes(made, rows(16), 8) == [8, 8]


@pytest.mark.parametrize(("side", "expected"), [(2, [8, 8, 1]), (1, [8, 9])])
def test_one_image_is_a_batch_unless_it_is_one_pixel(side: int, expected: list[int]) -> None:
    image, size = Reshape((2, side, side)), 2 * side * side
    made = network(image, Conv2D(3, 1), BatchNorm(), Flatten(), shape=(size,))
    assert batch_sizes(made, rows(17, size), 8) == expected


def test_an_epoch_of_one_batch_and_one_row_is_one_batch_of_all_rows() -> None:
    """It is not shuffled, and its figures are those before the update, as for any full batch."""
    made, data = network(BatchNorm()), rows(17)
    trainer = Trainer(made, SGD(), 0.5, epochs=1, batch_size=16)
    trainer.fit(data)
    whole = Trainer(network(BatchNorm()), SGD(), 0.5, epochs=1)
    whole.fit(data)
    assert trainer.state.full_batch
    assert np.array_equal(made.parameters.values, whole.network.parameters.values)


@pytest.mark.parametrize(
    ("layers", "data", "batch_size", "message"),
    [
        ([BatchNorm()], rows(20), 1, r"at least 2 rows.*0\.batch_norm.*got 1 .*batch_size=1\)"),
        ([Residual([BatchNorm()])], rows(20), 1, r"at least 2 rows.*0\.residual.*got 1"),
    ],
)
def test_batches_of_one_row_are_refused_before_anything_changes(
    layers: list[Layer], data: Dataset, batch_size: int, message: str
) -> None:
    made = network(*layers)
    before = made.parameters.values.copy()
    with pytest.raises(ConfigurationError, match=message):
        batch_sizes(made, data, batch_size)
    assert np.array_equal(made.parameters.values, before)


def test_batches_of_one_row_train_where_no_layer_couples_rows() -> None:
    assert batch_sizes(network(LayerNorm()), rows(5), 1) == [1] * 5
    assert batch_sizes(network(BatchNorm().freeze()), rows(5), 1) == [1] * 5


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1, 1)])
def test_a_layer_called_by_hand_refuses_to_train_on_a_single_entry(shape: tuple[int, ...]) -> None:
    layer, x = BatchNorm(), np.ones(shape)
    build([layer], shape[1:], dtype="float64")
    with pytest.raises(ModelError, match="at least 2 entries of each feature in training, got 1"):
        layer.forward(x, training=True)
    assert np.isfinite(layer.forward(x)).all()  # inference takes any number of rows
    layer.forward(np.concatenate([x, 2 * x]), training=True)


@pytest.mark.parametrize("together", [2, 3, 8])
@pytest.mark.parametrize("n", range(2, 40))
def test_no_shard_is_smaller_than_a_ghost_batch(n: int, together: int) -> None:
    lanes = deal_shards(n, together, most=8)
    sizes = [shard.stop - shard.start for shards in lanes for shard in shards]
    assert sum(sizes) == n
    assert min(sizes) >= min(together, n)


@pytest.mark.parametrize(
    ("count", "batches"),
    [
        ((256, 256, 2), 1),
        ((257, 256, 2), 1),
        ((258, 256, 2), 2),
        ((257, 256, 1), 2),
        ((3, 2, 2), 1),
        ((5, 8, 2), 1),
        ((1, 8, 2), 1),
    ],
)
def test_batches_are_counted(count: tuple[int, int, int], batches: int) -> None:
    assert batch_count(*count) == batches


def test_a_schedule_ends_with_the_training_if_a_row_is_left_over() -> None:
    settings = RecipeSettings(named_recipe("mlp-quick"), 2)
    size = settings.recipe.batch_size
    data = rows(size + 1, 28, 28)
    made = settings.build(data)
    assert settings.steps(data, made) == 2
