"""Embedding: lookups, gradients that add up, invalid indices, and its way through a training."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handloom import (
    SGD,
    Adam,
    AdamW,
    Checkpoints,
    ConfigurationError,
    DataError,
    Dataset,
    Dense,
    Embedding,
    Model,
    ModelError,
    Muon,
    ReLU,
    Residual,
    Sequential,
    Trainer,
    build,
    check_gradients,
)
from handloom.data import AsFloat
from handloom.layers.embedding import default_width, sum_rows_by_index
from handloom.parameters import Array
from handloom.testing import check_layer


def table_rows(n: int, *, dtype: str = "float32") -> Array:
    """Return rows of four columns, of which 0 and 2 hold the indices of 3 and 5 categories."""
    rng = np.random.default_rng(n)
    rows: Array = rng.standard_normal((n, 4)).astype(dtype)
    rows[:, 0], rows[:, 2] = rng.integers(0, 5, n), rng.integers(0, 7, n)
    return rows


def dataset(n: int = 60) -> Dataset:
    """Return rows whose class depends on column 2."""
    rows = table_rows(n)
    return Dataset(rows, (rows[:, 2] % 2).astype(int), class_names=("even", "odd"))


def network(seed: int = 0, dtype: str = "float32") -> Sequential:
    layers = [Embedding({0: 3, 2: 5}, width=3), Dense(8), ReLU(), Dense(2)]
    return Sequential(layers).build((4,), seed=seed, dtype=dtype)


def built(layer: Embedding, columns: int = 4, dtype: str = "float64") -> Embedding:
    build([layer], (columns,), dtype=dtype)
    return layer


def test_vectors_come_first_and_the_other_columns_follow() -> None:
    layer = built(Embedding({2: 1, 0: 2}, width=2))
    layer.weights["column_0"][...] = [[0, 0], [1, 1], [2, 2], [3, 3]]
    layer.weights["column_2"][...] = [[40, 0], [41, 0], [42, 0]]
    x = np.array([[3.0, 0.5, 0.0, 0.6], [1.0, 0.7, 2.0, 0.8]])
    assert layer.forward(x).tolist() == [[3, 3, 40, 0, 0.5, 0.6], [1, 1, 42, 0, 0.7, 0.8]]


@pytest.mark.parametrize("columns", [{0: 2}, {3: 4}, {1: 1, 2: 3}, {0: 1, 1: 1, 2: 1, 3: 1}])
def test_index_columns_may_be_anywhere(columns: dict[int, int]) -> None:
    x = np.random.default_rng(0).standard_normal((6, 4))
    for column, categories in columns.items():
        x[:, column] = np.arange(6) % (categories + 2)
    assert check_layer(Embedding(columns), x).ok


def test_gradients_of_one_index_add_up_and_absent_indices_have_none() -> None:
    layer = built(Embedding({0: 3}, width=2), columns=1)
    layer.gradients["column_0"].fill(np.nan)
    layer.forward(np.array([[4.0], [2.0], [4.0]]), training=True)
    dx = layer.backward(np.array([[1.0, 2.0], [5.0, 6.0], [10.0, 20.0]]))
    assert layer.gradients["column_0"].tolist() == [[0, 0], [0, 0], [5, 6], [0, 0], [11, 22]]
    assert dx is not None
    assert dx.tolist() == [[0.0]] * 3


def test_index_columns_have_no_gradient_and_the_others_are_passed_on() -> None:
    layer = built(Embedding({1: 2}, width=3))
    y = layer.forward(np.array([[0.5, 2.0, 0.6, 0.7]]), training=True)
    dx = layer.backward(np.arange(6.0).reshape(y.shape))
    assert dx is not None
    assert dx.tolist() == [[3.0, 0.0, 4.0, 5.0]]


def test_sums_by_index_equal_a_loop() -> None:
    rng = np.random.default_rng(0)
    rows, indices = rng.standard_normal((200, 3)), rng.integers(0, 9, 200)
    expected = np.zeros((9, 3))
    for row, index in zip(rows, indices, strict=True):
        expected[index] += row
    out = np.full((9, 3), np.nan)
    sum_rows_by_index(rows, indices, out=out)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("value", [-1.0, 5.0, 0.5, np.nan, np.inf, -np.inf, 1e30, 2.0**40])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_value_that_is_no_index_is_refused_by_column_value_and_range(
    value: float, dtype: str
) -> None:
    layer, x = built(Embedding({1: 1, 2: 3}), dtype=dtype), np.zeros((3, 4), dtype)
    x[1, 2] = value
    with pytest.raises(DataError, match=r"column 2 must hold whole numbers from 0 to 4") as error:
        layer.forward(x)
    assert f"got {x[1, 2]:.9g}" in str(error.value)


def test_a_wrong_index_ends_a_training_with_its_error_in_every_thread() -> None:
    rows = dataset()
    rows.inputs[59, 2] = 7.0
    trainer = Trainer(network(), Adam(), 1e-2, epochs=1, batch_size=60, threads=2)
    with pytest.raises(DataError, match=r"column 2 must hold whole numbers from 0 to 6 .*got 7"):
        trainer.fit(rows)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "at least one index column"),
        ({-1: 3}, "a column in columns must be a whole number of at least 0"),
        ({0.5: 3}, "a column in columns must be a whole number"),
        ({1: 0}, "categories of column 1 must be a whole number of at least 1"),
        ({1: "many"}, "categories of column 1 must be a whole number"),
        ({1: 1 << 24}, r"at most 16,777,214, since indices are exact .* got 16,777,216"),
        ([(1, 2), (1, 3)], "each column once, got 1 twice"),
        ([1, 2], r"a mapping .* such as \{0: 12\}, got \[1, 2\]"),
        (3, r"a mapping .* got 3"),
    ],
)
def test_columns_that_are_invalid_are_refused(columns: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Embedding(columns)  # type: ignore[arg-type]


def test_rows_that_do_not_have_the_columns_are_refused() -> None:
    with pytest.raises(ModelError, match=r"below 4.* got column 4"):
        build([Embedding({4: 2})], (4,))
    with pytest.raises(ModelError, match=r"flat, got shape \(1, 4\)"):
        build([Embedding({0: 2})], (1, 4))
    with pytest.raises(ModelError, match="at least 3 columns"):
        built(Embedding({2: 2})).forward(np.zeros((1, 2)))
    with pytest.raises(ModelError, match="build"):
        Embedding({2: 2}).forward(np.zeros((1, 4)))


@pytest.mark.parametrize(
    ("categories", "width"), [(1, 2), (2, 2), (10, 6), (100, 21), (10**6, 600)]
)
def test_the_default_width_depends_on_the_number_of_categories(categories: int, width: int) -> None:
    assert default_width(categories) == width
    assert Embedding({0: categories}).output_shape((1,)) == (width,)


def test_it_learns_and_an_unseen_category_keeps_its_vector() -> None:
    rows, own = dataset(200), network()
    rows.inputs[rows.inputs == 1.0] = 2.0
    rows = Dataset(rows.inputs, (rows.inputs[:, 2] % 2).astype(int))
    before = own.parameters.weights["0.embedding.column_2"].copy()
    history = Trainer(own, Adam(), 3e-2, epochs=10, batch_size=20).fit(rows)
    after = own.parameters.weights["0.embedding.column_2"]
    assert history["accuracy"][-1] == 1.0
    assert (after[1] == before[1]).all()
    assert (after[2:] != before[2:]).all()


@pytest.mark.parametrize("optimizer", [AdamW(weight_decay=0.5), Muon(weight_decay=0.5)])
def test_weight_decay_does_not_shrink_tables(optimizer: AdamW | Muon) -> None:
    rows, own = dataset(), network()
    rows.inputs[:, 0] = 4.0
    before = own.parameters.weights["0.embedding.column_0"].copy()
    Trainer(own, optimizer, 1e-2, epochs=2, batch_size=20).fit(rows)
    after = own.parameters.weights["0.embedding.column_0"]
    assert (after[:4] == before[:4]).all()
    assert (after[4] != before[4]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_and_batches_of_one_row_train_alike(dtype: str) -> None:
    def trained(threads: int, batch_size: int) -> Array:
        own = network(dtype=dtype)
        options = {"epochs": 1, "batch_size": batch_size, "threads": threads}
        Trainer(own, SGD(), 0.1, **options).fit(dataset())  # type: ignore[arg-type]
        return own.parameters.vector

    for batch_size in (1, 60):
        assert (trained(1, batch_size) == trained(2, batch_size)).all()


def test_a_frozen_table_stays_and_is_thawed() -> None:
    own = network()
    own.freeze("0.embedding")
    before = own.parameters.weights["0.embedding.column_2"].copy()
    Trainer(own, Adam(), 1e-2, epochs=1, batch_size=20).fit(dataset())
    assert (own.parameters.weights["0.embedding.column_2"] == before).all()
    own.unfreeze("0.embedding")
    Trainer(own, Adam(), 1e-2, epochs=1, batch_size=20).fit(dataset())
    assert (own.parameters.weights["0.embedding.column_2"] != before).any()


def test_a_saved_model_predicts_the_same_and_refuses_the_same(tmp_path: Path) -> None:
    trainer = Trainer(network(), Adam(), 1e-2, epochs=1, batch_size=20)
    trainer.fit(dataset())
    trainer.model().save(tmp_path / "model")
    loaded, x = Model.load(tmp_path / "model"), table_rows(10)
    assert (loaded.predict(x) == trainer.model().predict(x)).all()
    x[3, 0] = 5.0
    with pytest.raises(DataError, match=r"column 0 .*from 0 to 4"):
        loaded.predict(x)


def test_checkpoints_continue_bit_for_bit_and_a_warm_start_and_copies_take_tables(
    tmp_path: Path,
) -> None:
    def trainer(epochs: int, folder: Path | None) -> Trainer:
        checkpoints = None if folder is None else Checkpoints(folder, every=1)
        return Trainer(
            network(), Adam(), 1e-2, epochs=epochs, batch_size=20, checkpoints=checkpoints
        )

    whole = trainer(3, None)
    whole.fit(dataset())
    trainer(2, tmp_path).fit(dataset())
    resumed = trainer(3, tmp_path)
    resumed.fit(dataset(), resume=True)
    assert (resumed.network.parameters.vector == whole.network.parameters.vector).all()

    warm = trainer(1, None)
    warm.fit(dataset(), warm=whole.state)
    assert (warm.network.parameters.vector != whole.network.parameters.vector).any()

    other = network(seed=5)
    other.copy_weights(whole.network)
    assert (other.parameters.vector == whole.network.parameters.vector).all()


def test_gradients_of_networks_are_checked_at_the_indices_of_the_rows() -> None:
    x, targets = table_rows(8, dtype="float64"), np.arange(8) % 2
    report = check_gradients(network(), x, targets)
    assert report.ok, report
    inner = Residual([Embedding({0: 3, 2: 5}), Dense(3)], [Dense(3)])
    assert check_gradients(inner, x).rows[0].shape == (8, 2)


def test_the_gradient_check_finds_a_table_whose_gradients_do_not_add_up() -> None:
    class LastOnly(Embedding):
        def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
            dx = super().backward(dy, need_dx=need_dx)
            x = self._saved_array()
            for column, part in zip(self.index_columns, self._parts, strict=True):
                self.gradients[f"column_{column}"][x[:, column].astype(int)] = dy[:, part]
            return dx

    report = check_gradients(LastOnly({0: 3, 2: 5}), table_rows(30, dtype="float64"))
    assert [row.name for row in report.rows if row.verdict != "ok"] == ["column_0", "column_2"]


def test_a_layer_behind_an_embedding_is_proven_when_it_is_saved() -> None:
    class Times(Dense):
        kind = "times"

        def __init__(self, units: int, factor: float = 1.0) -> None:
            super().__init__(units)

            def times(y: Array) -> Array:  # no attribute: it is seen in the output alone
                return factor * y

            self.times = times

        def config(self) -> dict[str, object]:
            return {"units": self.units, "factor": 1.0}

        def forward(self, x: Array, **options: Any) -> Array:
            return self.times(super().forward(x, **options))

    own = Sequential([Embedding({0: 3, 2: 5}), Times(2, 3.0)]).build((4,))
    model = Model(own, AsFloat(), ("a", "b"), (4,), "float32")
    with pytest.raises(ConfigurationError, match=r"1\.times: .*computes another output"):
        model.check_savable()
