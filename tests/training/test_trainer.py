"""Trainer: steps on any number of threads, ends after whole steps, figures of their weights."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from handloom import (
    EMA,
    SGD,
    Adam,
    BatchNorm,
    BestWeights,
    Callback,
    CategoricalCrossEntropy,
    DataError,
    Dataset,
    Dense,
    Dropout,
    EarlyStopping,
    InverseTimeDecay,
    Layer,
    ModelError,
    ReLU,
    Sequential,
    Softmax,
    SoftmaxCrossEntropy,
    StopReason,
    Trainer,
    evaluate,
    silhouettes,
)
from handloom.backend import fused_is_installed
from handloom.data.batches import Batch, epoch_order
from handloom.data.transforms import AsFloat
from handloom.errors import ConfigurationError
from handloom.losses import MeanSquaredError
from handloom.operations import Arrays
from handloom.parallel.partition import LANES, SHARD_ROWS, deal_shards
from handloom.parallel.threads import Threads
from handloom.parameters import Array
from handloom.training import EpochRecord, TrainingState, trainer as loop
from handloom.training.objective import Measured

DATA = silhouettes(rows=5000, test_rows=500)


def features(rows: int = 300, columns: int = 5, classes: int = 3, seed: int = 0) -> Dataset:
    generator = np.random.default_rng(seed)
    targets = np.arange(rows) % classes
    centres = 2.0 * np.random.default_rng(99).standard_normal((classes, columns))
    inputs = centres[targets] + generator.standard_normal((rows, columns))
    return Dataset(inputs, targets, tuple(str(k) for k in range(classes)), "features")


def network(
    data: Dataset, units: int = 16, *, dtype: type = np.float32, l2: float = 0.0
) -> Sequential:
    layers = [Dense(units, weights_l2=l2), ReLU(), Dense(len(data.class_names)), Softmax()]
    return Sequential(layers).build((int(np.prod(data.input_shape)),), dtype=dtype)


@pytest.mark.parametrize("batch_size", [None, 2048, 100])
def test_results_are_the_same_to_the_bit_for_any_number_of_threads(batch_size: int | None) -> None:
    vectors, losses = [], []
    for threads in (1, 2, 3, 4):
        made = network(DATA.train)
        trainer = Trainer(
            made, Adam(), 1e-3, epochs=2, batch_size=batch_size, threads=threads, seed=5
        )
        trainer.fit(DATA.train, DATA.test)
        vectors.append(made.parameters.vector)
        losses.append([trainer.history["loss"], trainer.history["validation_loss"]])
    assert all(np.array_equal(vector, vectors[0]) for vector in vectors)
    assert all(np.array_equal(loss, losses[0]) for loss in losses)


@pytest.mark.parametrize("rows", [1, 2, 1023, 1024, 1025, 5000, 60_000])
def test_shards_cover_every_row_once(rows: int) -> None:
    lanes = deal_shards(rows)
    covered = np.concatenate([np.arange(rows)[shard] for lane in lanes for shard in lane])
    assert sorted(covered) == list(range(rows))
    assert len(lanes) <= LANES
    assert all(lane for lane in lanes)
    assert all(shard.stop - shard.start <= SHARD_ROWS for lane in lanes for shard in lane)


def test_a_sharded_step_is_the_unsharded_step() -> None:
    data = features(rows=3000)
    made = network(data, dtype=np.float64, l2=0.01)
    reference = network(data, dtype=np.float64, l2=0.01)
    losses = []
    for step in range(50):
        value, dlogits = SoftmaxCrossEntropy()(
            reference.logits(data.inputs.astype(np.float64), training=True), data.targets
        )
        reference.backward(dlogits)
        losses.append(value + reference.parameters.penalty())
        reference.parameters.add_penalty_gradient()
        reference.parameters.vector -= 0.1 / (1 + 0.01 * step) * reference.parameters.gradient

    trainer = Trainer(made, SGD(), InverseTimeDecay(0.1, 0.01), epochs=50)
    history = trainer.fit(data)
    np.testing.assert_allclose(made.parameters.vector, reference.parameters.vector, rtol=1e-10)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-10)


def test_mini_batches_take_every_row_once_an_epoch_in_a_new_order() -> None:
    data = features(rows=10)
    seen: list[list[int]] = []

    class Spy(AsFloat):
        def __call__(self, inputs: npt.NDArray[np.generic], out: Array) -> Array:
            seen.append([int((data.inputs == row).all(axis=1).argmax()) for row in inputs])
            return super().__call__(inputs, out)

    Trainer(network(data), SGD(), 0.1, epochs=2, batch_size=4, transform=Spy()).fit(data)
    assert [len(rows) for rows in seen] == [4, 4, 2, 4, 4, 2]
    first, second = sum(seen[:3], []), sum(seen[3:], [])
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_training_learns_and_the_history_says_so() -> None:
    data, held_out = features(), features(seed=1)
    made = network(data)
    history = Trainer(made, Adam(), 0.01, epochs=20, batch_size=32).fit(data, held_out)
    assert history.stop_reason is StopReason.MAX_EPOCHS
    assert len(history) == 20
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert history["validation_accuracy"][-1] > 0.8
    assert (history["seconds"] > 0).all()
    header, *lines = history.to_csv().splitlines()
    assert header.startswith("epoch,loss,data_loss,penalty,accuracy,learning_rate,seconds")
    assert len(lines) == 20


def test_a_full_batch_record_is_measured_before_its_update() -> None:
    data = features()
    made = network(data, l2=0.1)
    before = made.replica()
    before.parameters.vector = made.parameters.vector.copy()
    untouched = Sequential.from_config(made.config())
    untouched.parameters.load(made.parameters.weights)
    value, _ = SoftmaxCrossEntropy()(untouched.logits(data.inputs), data.targets)  # type: ignore[arg-type]

    record = Trainer(made, SGD(), 0.1, epochs=1).fit(data).records[0]
    assert record.data_loss == pytest.approx(value, rel=1e-6)
    assert record.penalty == pytest.approx(untouched.parameters.penalty(), rel=1e-6)
    assert record.loss == record.data_loss + record.penalty
    assert record.learning_rate == 0.1


def test_a_fraction_is_held_out_of_every_class() -> None:
    data = features(rows=300)
    trainer = Trainer(network(data), SGD(), 0.1, epochs=1)
    prepared = trainer.prepare(data, 0.2)
    assert prepared.state.validation is not None
    assert list(prepared.state.validation.rows_per_class) == [20, 20, 20]
    assert trainer.run(prepared).validated


def test_networks_with_and_without_softmax_train_to_the_same_weights() -> None:
    data = features()
    with_softmax = network(data)
    without = Sequential([Dense(16), ReLU(), Dense(3)]).build((5,))
    for made in (with_softmax, without):
        Trainer(made, Adam(), 0.01, epochs=3, batch_size=50).fit(data)
    assert np.array_equal(with_softmax.parameters.vector, without.parameters.vector)


def test_a_weight_of_two_is_the_row_twice_and_of_zero_its_absence() -> None:
    data = features(rows=60)
    weights = np.arange(60) % 3.0
    repeated = data.take(np.repeat(np.arange(60), weights.astype(int)))
    by_weight, by_rows = network(data, dtype=np.float64), network(data, dtype=np.float64)
    weighted = Trainer(by_weight, SGD(momentum=0.9), 0.1, epochs=10).fit(
        data, sample_weights=weights
    )
    copied = Trainer(by_rows, SGD(momentum=0.9), 0.1, epochs=10).fit(repeated)
    np.testing.assert_allclose(by_weight.parameters.vector, by_rows.parameters.vector, rtol=1e-9)
    np.testing.assert_allclose(weighted["loss"], copied["loss"], rtol=1e-12)


class At(Callback):
    """Does something after one epoch."""

    def __init__(self, epoch: int, action: Callable[[TrainingState], object]) -> None:
        self.epoch, self.action = epoch, action

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        if record.epoch == self.epoch:
            self.action(state)


def spoil(state: TrainingState) -> None:
    state.network.parameters.vector[:] = 1e30


def test_a_loss_that_is_not_finite_ends_training_with_the_last_good_weights() -> None:
    data = features()
    made = network(data)
    good: list[np.ndarray] = []
    keep = At(3, lambda state: good.append(state.network.parameters.vector.copy()))
    trainer = Trainer(made, SGD(), 0.1, epochs=10, callbacks=[keep, At(4, spoil)])
    with np.errstate(over="ignore", invalid="ignore"):
        history = trainer.fit(data)
    assert history.stop_reason is StopReason.NON_FINITE_LOSS
    assert (len(history), history.stopped_in) == (5, 5)
    assert np.array_equal(made.parameters.vector, good[0])  # those of epoch 4, before its update
    assert np.isfinite(history["loss"]).all()


def test_a_diverging_rate_ends_in_a_reason_not_in_a_page_of_nan() -> None:
    data = features()
    made = network(data)
    history = Trainer(made, SGD(), 1e30, epochs=50).fit(data)
    assert history.stop_reason in (StopReason.NON_FINITE_LOSS, StopReason.NON_FINITE_GRADIENT)
    assert np.isfinite(made.parameters.vector).all()
    assert np.isfinite(history["loss"]).all()


def test_weights_that_the_last_update_broke_are_not_kept() -> None:
    data = features()
    made = network(data)
    start = made.parameters.vector.copy()
    history = Trainer(made, SGD(), 1e39, epochs=1).fit(data)
    assert history.stop_reason is StopReason.NON_FINITE_WEIGHTS
    assert np.array_equal(made.parameters.vector, start)


def test_a_schedule_that_gives_no_number_is_refused_by_step() -> None:
    trainer = Trainer(network(features()), SGD(), lambda step: float("nan") if step == 3 else 0.1)
    with pytest.raises(ConfigurationError, match=r"at step 3 must be a finite .*, got nan"):
        trainer.fit(features())


def test_a_trainer_has_no_model_before_it_was_fitted() -> None:
    with pytest.raises(ModelError, match="fit the trainer first"):
        Trainer(network(features()), SGD(), 0.1).model()


def test_a_gradient_that_is_not_finite_ends_training_before_the_update() -> None:
    data = features()
    made = network(data)
    start = made.parameters.vector.copy()

    class Broken(SoftmaxCrossEntropy):
        def __call__(self, *args, **kwargs):  # type: ignore[no-untyped-def]
            value, gradient = super().__call__(*args, **kwargs)
            gradient[0, 0] = np.inf
            return value, gradient

    history = Trainer(made, SGD(), 0.1, loss=Broken()).fit(data)
    assert history.stop_reason is StopReason.NON_FINITE_GRADIENT
    assert np.array_equal(made.parameters.vector, start)


def test_ctrl_c_ends_training_tidily_and_the_handler_is_restored() -> None:
    data = features()
    made = network(data)
    before = signal.getsignal(signal.SIGINT)
    interrupt = At(2, lambda _: os.kill(os.getpid(), signal.SIGINT))
    with pytest.warns(UserWarning, match="training was interrupted by SIGINT"):
        history = Trainer(made, SGD(), 0.1, epochs=1000, callbacks=[interrupt]).fit(data)
    assert history.stop_reason is StopReason.INTERRUPTED
    assert len(history) == 3
    assert np.isfinite(made.parameters.vector).all()
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_ignored_signal_stays_ignored(
    number: signal.Signals, request: pytest.FixtureRequest
) -> None:
    data = features()
    earlier = signal.signal(number, signal.SIG_IGN)
    request.addfinalizer(lambda: signal.signal(number, earlier))
    unheard = At(2, lambda _: os.kill(os.getpid(), number))
    history = Trainer(network(data), SGD(), 0.1, epochs=5, callbacks=[unheard]).fit(data)
    assert len(history) == 5
    assert signal.getsignal(number) is signal.SIG_IGN


def test_a_second_ctrl_c_acts_as_it_always_did() -> None:
    data = features()
    before = signal.getsignal(signal.SIGINT)

    def twice(_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        while signal.getsignal(signal.SIGINT) is not before:
            pass  # two signals that arrive together count as one
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        Trainer(network(data), SGD(), 0.1, epochs=50, callbacks=[At(2, twice)]).fit(data)


def test_training_works_outside_the_main_thread() -> None:
    data, lengths = features(), []
    trainer = Trainer(network(data), SGD(), 0.1, epochs=2)
    thread = threading.Thread(target=lambda: lengths.append(len(trainer.fit(data))))
    thread.start()
    thread.join()
    assert lengths == [2]


def test_fit_starts_from_the_present_weights_and_leaves_blas_as_it_was() -> None:
    from threadpoolctl import threadpool_info

    data = features()
    made = network(data)
    before = [pool["num_threads"] for pool in threadpool_info()]
    first = Trainer(made, SGD(), 0.1, epochs=5).fit(data)
    second = Trainer(made, SGD(), 0.1, epochs=5).fit(data)
    assert second["loss"][0] < first["loss"][-1]
    assert [pool["num_threads"] for pool in threadpool_info()] == before


def test_blas_is_as_it_was_after_a_ctrl_c_that_came_while_helpers_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from threadpoolctl import threadpool_info

    def interrupted(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    def train() -> None:
        with Threads(2) as threads:
            threads.run([int, int])
            monkeypatch.setattr(threading.Thread, "join", interrupted)

    before = [pool["num_threads"] for pool in threadpool_info()]
    with pytest.raises(KeyboardInterrupt):
        train()
    assert [pool["num_threads"] for pool in threadpool_info()] == before


def test_a_trained_model_is_evaluated_without_the_penalty() -> None:
    data = features()
    made = network(data, l2=0.1)
    trainer = Trainer(made, SGD(), 0.1, epochs=5)
    trainer.fit(data)
    results = evaluate(trainer.model(), data)
    probabilities = made.predict(data.inputs)  # type: ignore[arg-type]
    chosen = probabilities[np.arange(len(data)), data.targets]
    assert results.loss == pytest.approx(-np.log(chosen).mean(), rel=1e-5)
    assert results.accuracy == np.mean(probabilities.argmax(axis=1) == data.targets)
    assert results.confusion.sum() == len(data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": -1}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"seed": -1}, "seed"),
        ({"threads": 0}, "threads"),
        ({"loss": CategoricalCrossEntropy()}, "loss=SoftmaxCrossEntropy"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Trainer(network(features()), SGD(), 0.1, **options)


def test_data_that_does_not_fit_is_refused() -> None:
    data = features()
    one_class = Dataset(data.inputs, np.zeros(300, int), data.class_names)
    cases: Sequence[tuple[Dataset, object, str]] = [
        (features(columns=4), None, "training rows must have 5 features, .* got 4"),
        (features(classes=2), None, r"must have shape \(2,\), .* training rows, got \(3,\)"),
        (one_class, None, "at least two classes, got a single class"),
        (data, features(columns=4), "validation rows must have 5 features, .* got 4"),
    ]
    for train, validation, message in cases:
        with pytest.raises(DataError, match=message):
            Trainer(network(data), SGD(), 0.1).fit(train, validation)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "weights",
    [np.ones(3), -np.ones(300), np.zeros(300), np.full(300, np.nan), np.full(300, 1e-60)],
)
def test_sample_weights_that_mean_nothing_are_refused(weights: np.ndarray) -> None:
    with pytest.raises(DataError, match="sample_weights"):
        Trainer(network(features()), SGD(), 0.1).fit(features(), sample_weights=weights)


def continuous_targets(rows: int = 300) -> Dataset:
    """Return rows whose two targets depend on their features linearly."""
    x = np.random.default_rng(3).standard_normal((rows, 4))
    y = x @ np.random.default_rng(4).standard_normal((4, 2)) + 1.0
    return Dataset(x, y, ("first", "second"), "continuous_targets")


def test_what_is_not_counted_is_not_told_and_changes_no_bit() -> None:
    results = []
    for count in (True, False):
        made = network(DATA.train)
        trainer = Trainer(made, Adam(), 0.01, epochs=2, batch_size=64, count_correct=count)
        record = trainer.fit(DATA.train, 0.2).records[-1]
        assert (record.accuracy is not None) == (record.validation_accuracy is not None) == count
        results.append((made.parameters.vector.tobytes(), record.loss, record.validation_loss))
    assert results[0] == results[1]
    with pytest.raises(ConfigurationError, match="count_correct is False"):
        Trainer(made, Adam(), 0.01, count_correct=False, callbacks=[BestWeights("accuracy")]).fit(
            DATA.train
        )


def test_continuous_targets_are_learned_and_have_no_accuracy() -> None:
    made = Sequential([Dense(2)]).build((4,), dtype=np.float64)
    trainer = Trainer(made, SGD(), 0.3, epochs=200, loss=MeanSquaredError())
    history = trainer.fit(continuous_targets(), 0.2)
    assert history.records[-1].loss < 1e-12
    assert history.records[-1].accuracy is None
    assert history.records[-1].validation_accuracy is None
    assert history.records[-1].validation_loss < 1e-12  # type: ignore[operator]
    with pytest.raises(ConfigurationError, match="MeanSquaredError is not a ClassificationLoss"):
        Trainer(made, SGD(), 0.1, loss=MeanSquaredError(), callbacks=[BestWeights("accuracy")]).fit(
            continuous_targets()
        )


def test_rows_that_are_not_shuffled_come_in_order() -> None:
    class Seen(AsFloat):
        def __call__(self, inputs: npt.NDArray[np.generic], out: Array) -> Array:
            seen.append(inputs[:, 0].tolist())
            return super().__call__(inputs, out)

    data, seen = features(100), []  # type: ignore[var-annotated]
    options: dict[str, Any] = {"epochs": 2, "batch_size": 40, "shuffle": False}
    Trainer(network(data), SGD(), 0.1, transform=Seen(), **options).fit(data)
    column = data.inputs[:, 0].tolist()
    assert seen == [column[:40], column[40:80], column[80:]] * 2


@pytest.mark.parametrize(
    "backend",
    ["numpy", pytest.param("fused", marks=pytest.mark.skipif(not fused_is_installed(), reason=""))],
)
@pytest.mark.parametrize("batch_size", [7, 100, None])
@pytest.mark.parametrize("minimal", [False, True])
def test_where_calls_of_the_runner_are_cut_changes_no_bit(
    monkeypatch: pytest.MonkeyPatch, backend: str, batch_size: int | None, minimal: bool
) -> None:
    data, held_out, results = features(300), features(300, seed=1), []
    for seconds in (0.0, 1e-3, 1e9):  # a step a call, a few, all that an epoch has
        monkeypatch.setattr(loop, "CALL_SECONDS", seconds)
        options: dict[str, Any] = {"epochs": 3, "batch_size": batch_size, "backend": backend}
        layers: list[Layer] = [Dense(8), ReLU(), Dense(3)]
        if not minimal:
            options |= {"clip_norm": 0.5, "average": EMA(0.9)}
            layers = [Dense(8), BatchNorm(), ReLU(), Dropout(0.2), Dense(3)]
        made = Sequential(layers).build((5,))
        history = Trainer(made, Adam(), InverseTimeDecay(0.01, 0.1), **options).fit(data, held_out)
        results.append([made.parameters.values, history["loss"], history["validation_loss"]])
    for arrays in results[1:]:
        for array, expected in zip(arrays, results[0], strict=True):
            assert np.array_equal(array, expected)


def test_a_callback_that_looks_at_every_step_sees_each_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CALL_SECONDS", 1e9)
    seen: list[tuple[int, int, float]] = []

    class Steps(Callback):
        def on_step_end(self, *, state: TrainingState, measured: Measured) -> None:
            seen.append((state.progress.steps, measured.rows, measured.loss))
            if state.progress.steps == 7:
                state.stop(StopReason.EARLY_STOPPING)

    data = features(100)
    trainer = Trainer(network(data), SGD(), 0.1, epochs=9, batch_size=40, callbacks=[Steps()])
    history = trainer.fit(data)
    assert [step for step, _, _ in seen] == [1, 2, 3, 4, 5, 6, 7]
    assert [rows for _, rows, _ in seen] == [40, 40, 20, 40, 40, 20, 40]
    losses = [
        np.average([loss for _, _, loss in seen[e : e + 3]], weights=[40, 40, 20]) for e in (0, 3)
    ]
    np.testing.assert_allclose(history["loss"], losses)
    assert history.stop_reason is StopReason.EARLY_STOPPING
    assert history.stopped_in == 2


@pytest.mark.parametrize("bad", [-1.0, ArithmeticError("mine")])
def test_a_bad_rate_ends_training_after_the_steps_before_it(bad: Any) -> None:
    def schedule(step: int) -> float:
        if step < 5:
            return 0.1
        if isinstance(bad, Exception):
            raise bad
        return float(bad)

    data = features(100)
    trainer = Trainer(network(data), SGD(), schedule, epochs=9, batch_size=20)
    with pytest.raises(
        (ConfigurationError, ArithmeticError),
        match=r"at step 5 .*, got -1\.0|mine",
    ):
        trainer.fit(data)
    assert trainer.state.progress.steps == trainer.state.optimizer.steps == 5


def test_a_step_that_is_refused_changes_nothing() -> None:
    """Not even the running statistics, which a later step would commit."""
    data = features(40)
    made = Sequential([Dense(4), BatchNorm(), Dense(3)]).build((5,))
    trainer = Trainer(made, SGD(), 0.1, batch_size=20)
    prepared = trainer.prepare(data)
    with prepared.threads, np.errstate(all="ignore"):
        runner, arrays = prepared.runner, Arrays(data.inputs, data.targets)
        made.parameters.vector[0] = np.inf
        before = made.parameters.values.copy()
        advance = runner.run(arrays, epoch_order(40, 20, None, 0), [0.1, 0.1])
        assert advance.stopped is StopReason.NON_FINITE_LOSS
        assert not advance.measured
        assert np.array_equal(made.parameters.values, before)
        made.parameters.vector[0] = 0.0
        assert len(runner.run(arrays, epoch_order(40, 20, None, 0), [0.1, 0.1]).measured) == 2
    assert np.isfinite(made.parameters.values).all()


def test_a_penalty_per_row_is_divided_by_the_rows_of_the_step() -> None:
    data = features(80)
    vectors = []
    for l2, per_row in ((0.4 / 20, False), (0.4, True)):
        made = network(data, l2=l2, dtype=np.float64)
        options = {"batch_size": 20, "epochs": 3, "penalty_per_row": per_row}
        history = Trainer(made, SGD(), 0.1, **options).fit(data)  # type: ignore[arg-type]
        vectors.append([*made.parameters.vector, *history["penalty"]])
    np.testing.assert_allclose(vectors[0], vectors[1], rtol=1e-12)


def test_a_training_continues_another_as_if_they_were_one() -> None:
    data = features()
    options: dict[str, Any] = {"batch_size": 50, "seed": 3}
    whole = Trainer(network(data), Adam(), InverseTimeDecay(0.01, 0.1), epochs=5, **options)
    losses = list(whole.fit(data)["loss"])
    first = Trainer(network(data), Adam(), InverseTimeDecay(0.01, 0.1), epochs=2, **options)
    results = list(first.fit(data)["loss"])
    other = Trainer(first.network, Adam(), InverseTimeDecay(0.01, 0.1), epochs=3, **options)
    prepared = other.prepare(data, warm=first.state)
    prepared.state.continue_from(first.state.progress)
    results += list(other.run(prepared)["loss"])
    assert results == losses
    assert other.state.progress.steps == whole.state.progress.steps
    assert np.array_equal(other.network.parameters.vector, whole.network.parameters.vector)


def test_a_warm_start_takes_weights_and_optimizer_and_begins_all_else_anew() -> None:
    data, held_out = features(), features(seed=1)
    first = Trainer(network(data), Adam(), 0.05, epochs=30, batch_size=50)
    first.fit(data, held_out)
    moment = first.state.optimizer.state["first_moment"].copy()
    weights = first.network.parameters.vector.copy()
    stopping, rates = EarlyStopping(patience=3), []

    def falling(step: int) -> float:
        rates.append(step)
        return 1e-6

    class Start(Callback):
        def on_epoch_begin(self, *, state: TrainingState) -> None:
            if state.progress.epoch == 0:
                assert np.array_equal(state.optimizer.state["first_moment"], moment)
                assert np.array_equal(state.network.parameters.vector, weights)
                assert (state.progress.steps, state.optimizer.steps) == (0, 180)

    second = Trainer(
        *(network(data), Adam(), falling),
        epochs=4,
        batch_size=50,
        callbacks=[stopping, Start()],
    )
    history = second.fit(data, held_out, warm=first.state)
    assert min(rates) == 0  # the schedule begins anew
    assert [record.epoch for record in history] == [0, 1, 2, 3]
    assert stopping.epoch is not None  # a best of its own, though the first training had a better
    other = Trainer(network(data, units=3), Adam(), 0.1)
    with pytest.raises(
        ModelError, match=r"among the arrays, 0\.dense\.weights is \(5, 16\) there, \(5, 3\) here"
    ):
        other.fit(data, warm=first.state)
    with pytest.raises(ModelError, match="the optimizer is adam with"):
        Trainer(network(data), SGD(momentum=0.9), 0.1).fit(data, warm=first.state)


def test_loss_and_gradient_can_be_measured_for_a_line_search() -> None:
    data = features()
    made = network(data, l2=0.01, dtype=np.float64)
    prepared = Trainer(made, SGD(), 0.1).prepare(data)
    batch = Batch(prepared.arrays, slice(0, len(data)))
    with prepared.threads:
        before = prepared.objective(batch).loss
        gradient = made.parameters.gradient.copy()
        made.parameters.vector -= 1e-6 * gradient
        after = prepared.objective(batch).loss
    assert (before - after) / 1e-6 == pytest.approx(gradient @ gradient, rel=1e-4)
    assert prepared.state.progress.steps == 0


class Differences(AsFloat):
    """Each feature less the one before it, written while later ones are still read."""

    def __call__(self, inputs: npt.NDArray[np.generic], out: Array) -> Array:
        flat = inputs.reshape(out.shape).view(out.dtype)
        for column in range(out.shape[1] - 1, -1, -1):
            out[:, column] = flat[:, column]
        for column in range(1, out.shape[1]):
            out[:, column] -= flat[:, column - 1]
        return out


def test_a_transform_never_reads_what_it_writes() -> None:
    losses = []
    for shuffle in (False, True):
        made = Sequential([Dense(2)]).build((4,), seed=3)
        data = continuous_targets()
        data = Dataset(data.inputs.astype(np.float32), data.targets, data.class_names, data.name)
        trainer = Trainer(
            *(made, SGD(), 1e-9),
            epochs=1,
            batch_size=50,
            shuffle=shuffle,
            loss=MeanSquaredError(),
            transform=Differences(),
        )
        losses.append(trainer.fit(data)["loss"][0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


class FailsAt(SoftmaxCrossEntropy):
    """Raises at a call."""

    def __init__(self, call: int, error: BaseException) -> None:
        super().__init__()
        self.left, self.error = [call], error  # shared by shallow copies

    def __call__(self, *arguments: Any, **options: Any) -> tuple[float, Array]:
        self.left[0] -= 1
        if not self.left[0]:
            raise self.error
        return super().__call__(*arguments, **options)


@pytest.mark.parametrize("error", [ArithmeticError("mine"), KeyboardInterrupt()])
def test_an_error_in_the_middle_of_a_run_of_steps_leaves_all_counts_as_they_are(
    error: BaseException,
) -> None:
    data = features(100)
    trainer = Trainer(network(data), Adam(), 0.01, epochs=3, batch_size=10, loss=FailsAt(18, error))
    with pytest.raises(type(error)):
        trainer.fit(data)
    state = trainer.state
    assert state.progress.steps == state.optimizer.steps == 17
    assert state.progress.epoch_steps == 7
    trainer.fit(data, warm=state)  # and it goes on
    assert trainer.state.optimizer.steps == 17 + trainer.state.progress.steps > 17


def test_a_hook_of_one_object_is_called_after_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CALL_SECONDS", 1e9)
    data, made = features(100), network(features(100))
    seen: list[Array] = []
    callback: Any = Callback()
    callback.on_step_end = lambda *, state, measured: seen.append(made.parameters.vector.copy())
    Trainer(made, SGD(), 0.1, epochs=1, batch_size=20, callbacks=[callback]).fit(data)
    assert len({vector.tobytes() for vector in seen}) == 5


def test_a_custom_loss_is_the_object_that_was_passed() -> None:
    class Counts(MeanSquaredError):  # noqa: N818 - an error of predictions
        calls = 0

        def rows(self, predictions: Array, targets: Any, gradient: Array) -> Array:
            self.calls += 1
            return super().rows(predictions, targets, gradient)

    loss, made = Counts(), Sequential([Dense(2)]).build((4,))
    Trainer(made, SGD(), 0.01, epochs=2, batch_size=50, loss=loss).fit(continuous_targets())
    assert loss.calls >= 2


@pytest.mark.parametrize("option", ["clip_norm", "augment", "penalty_per_row"])
def test_an_option_that_a_training_has_taken_cannot_be_changed(option: str) -> None:
    with pytest.raises(AttributeError, match=option):
        setattr(Trainer(network(features()), SGD(), 0.1).options, option, None)
