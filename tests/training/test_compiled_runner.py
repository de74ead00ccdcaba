"""Compiled steps: the same weights, figures and errors as the steps that run layer by layer."""

import importlib.util
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import features, network
from tests.training.helpers import StopAt
from threadpoolctl import ThreadpoolController

from handloom import (
    ELU,
    EMA,
    GELU,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    BatchNorm,
    BinaryCrossEntropy,
    Callback,
    DataError,
    Dataset,
    Dense,
    Dropout,
    Erase,
    Flip,
    Huber,
    Layer,
    LayerNorm,
    LeakyReLU,
    MeanAbsoluteError,
    MeanSquaredError,
    Pinball,
    Poisson,
    ReLU,
    RMSprop,
    Sequential,
    Shift,
    Sigmoid,
    SiLU,
    SoftmaxCrossEntropy,
    StopReason,
    Tanh,
    Trainer,
    read_npy,
    silhouettes,
)
from handloom.data.augment import Draw
from handloom.data.transforms import AsFloat, Scale
from handloom.estimators.solvers import EpsilonHatAdam
from handloom.recipes.registry import RECIPES
from handloom.training import Checkpoints
from handloom.training.compiled_runner import CompiledRunner

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="needs the extra fast"
)

ACTIVATIONS: list[Callable[[], Layer] | None] = [
    None, ReLU, lambda: LeakyReLU(0.1), lambda: ELU(0.7), Tanh, Sigmoid, SiLU, GELU,
]  # fmt: skip
NORMS: list[Callable[[], Layer] | None] = [
    None,
    BatchNorm,
    lambda: BatchNorm(ghost_batch=7, momentum=0.7),
    lambda: LayerNorm(epsilon=0.01),  # of two units, normalized entries are close to -1 and 1
]
OPTIMIZERS: list[Callable[..., Any]] = [
    SGD,
    lambda **o: SGD(momentum=0.9, **o),
    lambda **o: SGD(momentum=0.8, nesterov=True, **o),
    Adam,
    AdamW,
    lambda **o: EpsilonHatAdam(epsilon=1e-4, **o),
    lambda **o: RMSprop(epsilon=1e-3, **o),
    lambda **o: Adagrad(epsilon=1e-3, **o),
]
AUGMENTATIONS: list[tuple[Any, ...]] = [
    (Flip(),), (Shift(1),), (Flip(alternating=True), Shift(2)), (Shift(1), Flip(), Flip()),
]  # fmt: skip
LOSSES: list[Callable[[], Any]] = [
    SoftmaxCrossEntropy,
    lambda: SoftmaxCrossEntropy(label_smoothing=0.1),
    BinaryCrossEntropy,
    lambda: MeanSquaredError(0.5),
    MeanAbsoluteError,
    lambda: Huber(0.3),
    lambda: Pinball(0.8),
    Poisson,
]
ROWS, SHAPE = 90, (1, 4, 2)


def trainer(seed: int, backend: str, dtype: Any, **options: Any) -> tuple[Trainer, Dataset, Any]:
    """Return a trainer drawn by a seed, its rows, and sample weights or None."""
    rng = np.random.default_rng(seed)
    loss = LOSSES[seed % len(LOSSES)]()
    outputs = int(rng.integers(2, 5)) if seed % len(LOSSES) < 2 else int(rng.integers(1, 4))
    # biases before a normalization have a gradient that is 0 but for rounding; an L1 penalty takes
    # its sign, and Adam scales it up unless epsilon is larger
    normalized = rng.random() < 0.5
    layers: list[Layer] = []
    drops = rng.random() < 0.5
    if drops and rng.random() < 0.3:
        layers.append(Dropout(0.1))
    if normalized and rng.random() < 0.2:
        layers.append(LayerNorm())
    for units in rng.integers(1, 40, size=int(rng.integers(0, 4))):
        l1 = 0.0 if normalized else 1e-4
        layers.append(Dense(int(units), weights_l2=rng.choice([0, 1e-3]), biases_l1=l1))
        if normalized and (norm := NORMS[int(rng.integers(len(NORMS)))]) is not None:
            layers.append(norm())
        if (activation := ACTIVATIONS[int(rng.integers(len(ACTIVATIONS)))]) is not None:
            layers.append(activation())
        if drops and rng.random() < 0.7:
            layers.append(Dropout(rng.choice([0.0, 0.05, 0.5])))
            if (activation := ACTIVATIONS[int(rng.integers(len(ACTIVATIONS)))]) is not None:
                layers.append(activation())
    layers.append(Dense(outputs, weights_l1=rng.choice([0, 1e-3])))
    made = Sequential(layers).build((prod(SHAPE),), dtype=dtype, seed=seed)
    optimizer = OPTIMIZERS[int(rng.integers(len(OPTIMIZERS)))]
    targets: Any = rng.random((ROWS, outputs)).round(int(rng.integers(0, 2)))
    if isinstance(loss, SoftmaxCrossEntropy):
        targets = rng.integers(0, outputs, ROWS)
        if seed // len(LOSSES) % 2:  # probabilities of the classes
            targets = np.random.default_rng(seed).dirichlet(np.ones(outputs), ROWS)
    stored = [np.uint8, np.float32, np.float64][int(rng.integers(3))]
    inputs = (rng.random((ROWS, *SHAPE)) * (255 if stored is np.uint8 else 1)).astype(stored)
    names = tuple(f"c{index}" for index in range(outputs))
    weights = rng.integers(0, 3, ROWS).astype(float) if rng.random() < 0.5 else None
    chosen = {
        "batch_size": int(rng.choice([1, 9, 30, 40, ROWS])),
        "clip_norm": None if rng.random() < 0.5 else 0.1,
        "average": EMA(0.8) if rng.random() < 0.5 else None,
        "penalty_per_row": bool(rng.random() < 0.5),
        "loss": loss,
        "transform": Scale() if stored is np.uint8 else AsFloat(),
        "augment": (),
        "backend": backend,
        "diagnose": False,
        "seed": seed,
        "threads": 2,
        **options,
    }
    if made.fewest_rows > 1:  # of two rows, normalized entries are close to -1 and 1
        chosen["batch_size"] = max(chosen["batch_size"], 9)
    if stored is np.uint8 and rng.random() < 0.6:
        chosen["augment"] = AUGMENTATIONS[int(rng.integers(len(AUGMENTATIONS)))]
    settings = {"weight_decay": 0.1, "proximal_l1": 0.05} if rng.random() < 0.5 else {}
    if normalized and optimizer in (Adam, AdamW):
        settings["epsilon"] = 1e-3
    return (
        Trainer(made, optimizer(**settings), 0.01, **chosen),
        Dataset(inputs, targets, names),
        weights,
    )


class Halved(AsFloat):
    """A transform of a user's, without a record."""

    def __call__(self, inputs: Any, out: Any) -> Any:
        return np.divide(super().__call__(inputs, out), 510.0, out=out)


def fitted(seed: int, backend: str, dtype: Any, **options: Any) -> Trainer:
    made, rows, weights = trainer(seed, backend, dtype, **options)
    prepared = made.prepare(rows, sample_weights=weights)
    assert isinstance(prepared.runner, CompiledRunner) == (backend == "fused")
    made.run(prepared)
    return made


@pytest.mark.parametrize("seed", range(56))
@pytest.mark.slow
def test_fifty_steps_in_float64_agree_with_those_layer_by_layer(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # networks as small as these have one part; more than one for most of them
    monkeypatch.setattr("handloom.fused.plan_making.step_parts", lambda *_: 1 + seed // 2 % 4)
    batch_size = trainer(seed, "numpy", np.float64)[0].options.batch_size
    assert batch_size is not None
    epochs = -(-50 // -(-ROWS // batch_size))
    ours = fitted(seed, "fused", np.float64, epochs=epochs)
    theirs = fitted(seed, "numpy", np.float64, epochs=epochs)
    for made, expected in [
        (ours.network.parameters.values, theirs.network.parameters.values),
        *zip(
            ours.state.optimizer.state.values(), theirs.state.optimizer.state.values(), strict=True
        ),
        *((ours.history[name], theirs.history[name]) for name in ("loss", "penalty")),
    ]:
        np.testing.assert_allclose(made, expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(ours.history["accuracy"], theirs.history["accuracy"])
    assert ours.state.optimizer.steps == theirs.state.optimizer.steps


@pytest.mark.parametrize("seed", range(56))
def test_a_step_in_float32_agrees_with_one_layer_by_layer(seed: int) -> None:
    options = {"epochs": 1, "batch_size": ROWS}
    ours, theirs = (fitted(seed, each, np.float32, **options) for each in ("fused", "numpy"))
    expected = theirs.network.parameters.values
    np.testing.assert_allclose(ours.network.parameters.values, expected, rtol=2e-5, atol=2e-5)
    assert ours.history["loss"] == pytest.approx(theirs.history["loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("units", "norm"),
    [
        *((30, norm) for norm in (None, BatchNorm, lambda: BatchNorm(ghost_batch=64), LayerNorm)),
        (700, BatchNorm),
        *(
            pytest.param(700, norm, marks=pytest.mark.long)
            for norm in (None, lambda: BatchNorm(ghost_batch=64), LayerNorm)
        ),
    ],
)
@pytest.mark.slow
def test_any_number_of_threads_ends_with_the_same_bits(
    units: int, norm: Callable[[], Layer] | None
) -> None:
    data, ends = silhouettes(rows=900, test_rows=20).train, []
    for threads in (1, 2, 3, 4, 1):
        norms = [norm()] if norm else []
        layers = [Dropout(0.1), Dense(units), *norms, ReLU(), Dropout(0.3), Dense(units), Tanh()]
        made = Sequential([*layers, Dense(10)]).build((784,))
        fit = Trainer(
            made, Adam(), 1e-3, epochs=2, batch_size=300, threads=threads, backend="fused",
            augment=(Flip(), Shift(3)),
        )  # fmt: skip
        fit.fit(data)
        ends.append((made.parameters.values, fit.history["loss"]))
    for weights, losses in ends[1:]:
        np.testing.assert_array_equal(weights, ends[0][0])
        np.testing.assert_array_equal(losses, ends[0][1])


@pytest.mark.parametrize("shape", [(9, 5), (3, 4, 5), (4, 10, 6)])
def test_images_are_augmented_as_layer_by_layer(shape: tuple[int, ...]) -> None:
    rng, ends = np.random.default_rng(0), []
    rows = Dataset(
        rng.integers(0, 256, (70, *shape)).astype(np.uint8), np.arange(70) % 2, ("a", "b")
    )
    for backend in ("fused", "numpy"):
        made = Sequential([Dense(2)]).build((prod(shape),), dtype=np.float64)
        fit = Trainer(
            made, SGD(), 1e-3, epochs=3, batch_size=16, backend=backend, augment=(Shift(6), Flip())
        )
        fit.fit(rows)
        assert fit.history.compiled_steps == (backend == "fused")
        ends.append(made.parameters.vector.copy())
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("rate", [1e30, 1e12])
def test_a_divergence_names_the_array_that_it_names_layer_by_layer(rate: float) -> None:
    found = []
    for backend in ("fused", "numpy"):
        data = features()
        made = network(data)
        fit = Trainer(made, SGD(), rate, epochs=3, batch_size=20, backend=backend, diagnose=False)
        fit.run(fit.prepare(data))
        divergence = fit.history.divergence
        assert divergence is not None
        found.append((divergence.array, divergence.step, fit.history.stop_reason))
    assert found[0] == found[1]


@pytest.mark.parametrize("ghost_batch", [None, 8])
def test_a_step_that_is_not_finite_leaves_running_statistics_alone(ghost_batch: int | None) -> None:
    x = np.random.default_rng(0).random((60, 4)).astype(np.float32)
    x[45] = 3e38  # in the third step of 20 rows; its products overflow
    ends = []
    for backend in ("fused", "numpy"):
        layers = [Dense(5), BatchNorm(ghost_batch=ghost_batch), ReLU(), Dense(2)]
        made = Sequential(layers).build((4,))
        fit = Trainer(
            made, SGD(), 0.1, epochs=1, batch_size=20, backend=backend, average=EMA(0.5),
            diagnose=False,
        )  # fmt: skip
        prepared = fit.prepare(Dataset(x, np.arange(60) % 2, ("a", "b")))
        in_order = replace(prepared.order(0), permutation=None)
        with prepared.threads:
            result = prepared.runner.run(prepared.arrays, in_order, [0.1, 0.1, 0.1])
        assert (len(result.measured), result.stop_reason) == (2, StopReason.NON_FINITE_LOSS)
        assert fit.options.average is not None
        ends.append((made.parameters.values.copy(), fit.options.average.values.copy()))
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-4, atol=1e-5)


def test_a_gradient_whose_square_overflows_is_accepted_as_layer_by_layer() -> None:
    x = np.full((8, 1), 1e20)
    rows = Dataset(x, np.zeros((8, 1)), ("y",))
    ends = []
    for backend in ("fused", "numpy"):
        made = Sequential([Dense(1)]).build((1,), dtype=np.float32)
        made.parameters.vector[:] = 1e-3
        fit = Trainer(
            made, SGD(), 1e-38, epochs=2, batch_size=4, loss=MeanAbsoluteError(), backend=backend
        )
        fit.run(fit.prepare(rows))
        assert fit.history.stop_reason is StopReason.MAX_EPOCHS
        ends.append(made.parameters.vector.copy())
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-5)


@pytest.mark.parametrize("norms", [(), (16,)])
def test_a_training_that_stops_within_an_epoch_resumes_to_the_same_bits(
    norms: tuple[int, ...], tmp_path: Any
) -> None:
    data = silhouettes(rows=500, test_rows=20).train

    def fit(epochs: int, *callbacks: Any, resume: bool = False, **options: Any) -> Trainer:
        between = [BatchNorm(ghost_batch=rows) for rows in norms]
        layers = [Dense(20), *between, GELU(), Dropout(0.2), LayerNorm(), Dense(10)]
        made = Sequential(layers).build((784,))
        trainer = Trainer(
            made, Adam(), 1e-3, epochs=epochs, batch_size=32, backend="fused",
            average=EMA(0.9), clip_norm=1.0, augment=(Shift(2), Flip()), callbacks=callbacks,
            **options,
        )  # fmt: skip
        trainer.fit(data, resume=resume)
        return trainer

    whole = fit(4)
    fit(4, StopAt(23), checkpoints=Checkpoints(tmp_path))
    resumed = fit(4, resume=True, checkpoints=Checkpoints(tmp_path))
    np.testing.assert_array_equal(
        resumed.network.parameters.values, whole.network.parameters.values
    )
    assert resumed.history.compiled_steps


@pytest.mark.parametrize("name", [name for name in RECIPES if name.startswith("mlp")])
def test_recipes_of_dense_layers_run_in_compiled_steps(name: str) -> None:
    recipe, data = RECIPES[name], silhouettes(rows=1200, test_rows=20).train
    network = Sequential(recipe.layers((28, 28), 10)).build((784,))
    fit = Trainer(
        network, recipe.optimizer(), 0.01, epochs=1, batch_size=recipe.batch_size, backend="fused",
        loss=SoftmaxCrossEntropy(label_smoothing=recipe.label_smoothing),
        augment=tuple(recipe.augment),
    )  # fmt: skip
    assert isinstance(fit.prepare(data).runner, CompiledRunner)


@pytest.mark.parametrize(
    "case", ["activation first", "frozen", "large batch", "normalization first", "own transform"]
)
def test_what_is_not_in_the_table_runs_layer_by_layer(case: str) -> None:
    data = silhouettes(rows=1200, test_rows=20).train
    layers: list[Layer] = [Dense(10)]
    options: dict[str, Any] = {"batch_size": 50}
    if case == "own transform":
        options["transform"] = Halved()
    elif case == "large batch":
        options["batch_size"] = None
    elif case == "frozen":
        layers = [Dense(8), BatchNorm(), Dense(10)]
    elif case == "normalization first":
        layers = [BatchNorm(), Dense(10)]
    else:
        layers = [ReLU(), Dense(10)]
    made = Sequential(layers).build((784,))
    if case == "frozen":
        made.freeze("1.batch_norm")
    fit = Trainer(made, SGD(), 0.1, epochs=1, backend="fused", **options)
    assert not isinstance(fit.prepare(data).runner, CompiledRunner)


@pytest.mark.slow
def test_steps_during_which_other_code_sets_threads_of_blas_are_made_again() -> None:
    data, ends = silhouettes(rows=6000, test_rows=20).train, []
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    numpys = [each for each in libraries if "numpy.libs" in each.filepath]
    set_threads = getattr(numpys[0].dynlib, "scipy_openblas_set_num_threads64_", None)
    if set_threads is None:
        pytest.skip("NumPy has another BLAS")
    for disturbances in (0, 2):
        made = Sequential([Dense(256), ReLU(), Dense(256), ReLU(), Dense(10)]).build((784,))
        fit = Trainer(
            made, SGD(), 0.1, epochs=4, batch_size=600, threads=1, backend="fused", diagnose=False
        )
        training = Thread(target=fit.fit, args=(data,))
        training.start()
        for _ in range(disturbances):
            while not (training.is_alive() and fit._state and fit._state.progress.steps):
                time.sleep(0.001)
            set_threads(4)
            time.sleep(0.02)
        training.join()
        ends.append(made.parameters.vector.copy())
    np.testing.assert_array_equal(ends[1], ends[0])


SOURCES = ["mapped", "mapped, not shuffled", "float16", "reversed", "on demand"]


class OnDemand:
    """Rows that are computed when they are asked for."""

    def __init__(self, rows: Any) -> None:
        self._rows, self.shape, self.dtype, self.ndim = rows, rows.shape, rows.dtype, rows.ndim
        self.size, self.nbytes = rows.size, rows.nbytes

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Any) -> Any:
        return self._rows[rows]


@pytest.mark.parametrize("source", SOURCES)
def test_rows_from_anywhere_train_to_the_bits_of_rows_in_memory(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handloom.data.window.BYTES", 100_000)  # several windows an epoch
    plain = silhouettes(rows=700, test_rows=20).train
    inputs: Any = plain.inputs
    if source == "float16":
        plain = replace(plain, inputs=(inputs / 256).astype(np.float16).astype(np.float32))
        inputs = np.asarray(plain.inputs, np.float16)
    if source.startswith("mapped") or source == "float16":
        np.save(tmp_path / "x.npy", inputs)
        np.save(tmp_path / "y.npy", plain.targets)
        given = read_npy(tmp_path / "x.npy", tmp_path / "y.npy", class_names=plain.class_names)
    elif source == "reversed":
        given = replace(plain, inputs=np.ascontiguousarray(inputs[::-1])[::-1])
    else:
        given = replace(plain, inputs=OnDemand(inputs))  # type: ignore[arg-type]
    ends = []
    for data in (plain, given):
        made = Sequential([Dense(20), ReLU(), Dense(10)]).build((784,))
        fit = Trainer(
            made, Adam(), 1e-3, epochs=3, batch_size=32, backend="fused", diagnose=False,
            shuffle="not" not in source, augment=() if source == "float16" else (Flip(), Shift(2)),
        )  # fmt: skip
        fit.fit(data)
        assert fit.history.compiled_steps
        ends.append((made.parameters.values, fit.history["loss"]))
    np.testing.assert_array_equal(ends[0][0], ends[1][0])
    np.testing.assert_array_equal(ends[0][1], ends[1][1])


@dataclass(frozen=True)
class Dim:
    """An augmentation of a user's."""

    def __call__(self, images: Any, draw: Draw) -> None:
        images //= draw.rng.integers(1, 3, (len(images), 1, 1), np.uint8)


@pytest.mark.parametrize(
    "changes", [(Flip(), Shift(2), Dim()), (Flip(), Erase()), (Shift(1), Shift(1))]
)
def test_augmentations_that_are_no_moves_agree_with_those_layer_by_layer(
    changes: tuple[Any, ...],
) -> None:
    data, ends = silhouettes(rows=330, test_rows=20).train, []
    for backend in ("fused", "numpy"):
        made = Sequential([Dense(20), Tanh(), Dense(10)]).build((784,), dtype=np.float64)
        fit = Trainer(
            made, Adam(epsilon=1e-3), 1e-3, epochs=5, batch_size=32, backend=backend,
            augment=changes,
        )  # fmt: skip
        fit.fit(data)
        assert fit.history.compiled_steps == (backend == "fused")
        ends.append(made.parameters.values)
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("backend", ["fused", "numpy"])
def test_targets_that_change_while_training_are_refused_in_the_step_that_meets_them(
    backend: str,
) -> None:
    data = features()

    class Relabel(Callback):
        def on_epoch_end(self, *, state: Any, record: Any) -> None:
            data.targets[3] = 10**11

    fit = Trainer(
        network(data), SGD(), 0.1, epochs=3, batch_size=16, backend=backend, callbacks=[Relabel()]
    )
    with pytest.raises(DataError, match=r"class indices must be in 0\.\.\d, got 0\.\.10{11}"):
        fit.fit(data)
    assert fit.state.progress.steps % -(-len(data) // 16) > 0


@pytest.mark.parametrize("case", ["targets", "weights", "both"])
def test_read_only_arrays_compile_nothing_anew(case: str) -> None:
    from handloom.fused.steps import run_steps

    signatures: Any = run_steps
    for loss, targets in (
        (SoftmaxCrossEntropy(), np.arange(60) % 2),
        (MeanSquaredError(), np.ones((60, 1), np.float32)),
    ):
        x, weights = np.ones((60, 3), np.float32), np.ones(60, np.float32)
        before = None
        for locked in (False, True):
            targets.setflags(write=not locked or case == "weights")
            weights.setflags(write=not locked or case == "targets")
            x.setflags(write=not locked)
            names = ("a", "b") if targets.ndim == 1 else ("y",)
            made = Sequential([Dense(len(names))]).build((3,))
            fit = Trainer(made, SGD(), 0.1, epochs=1, batch_size=8, backend="fused", loss=loss)
            fit.fit(Dataset(x, targets, names), sample_weights=weights)
            before = before or len(signatures.signatures)
        assert len(signatures.signatures) == before


CHANGES: dict[str, tuple[Callable[[], Any], Callable[[Trainer], None]]] = {
    "momentum": (
        lambda: SGD(momentum=0.9), lambda fit: setattr(fit.state.optimizer, "momentum", 0.2),
    ),
    "no momentum": (
        lambda: SGD(momentum=0.9),
        lambda fit: setattr(fit.state.optimizer, "momentum", 0.0),
    ),
    "decay at last": (Adam, lambda fit: setattr(fit.state.optimizer, "weight_decay", 0.5)),
    "epsilon": (Adam, lambda fit: setattr(fit.state.optimizer, "epsilon", 0.5)),
    "weight decay": (
        lambda: SGD(weight_decay=0.5),
        lambda fit: setattr(fit.state.optimizer, "weight_decay", 0.0),
    ),
    "proximal step": (
        lambda: SGD(proximal_l1=0.5),
        lambda fit: setattr(fit.state.optimizer, "proximal_l1", 0.1),
    ),
    "proximal step at last": (
        Adam, lambda fit: setattr(fit.state.optimizer, "proximal_l1", 0.5),
    ),
    "beta1": (Adam, lambda fit: setattr(fit.state.optimizer, "beta1", 0.3)),
    "average": (Adam, lambda fit: setattr(fit.options.average, "decay", 0.1)),
    "delta": (Adam, lambda fit: setattr(fit.options.loss, "delta", 0.01)),
    "normalization": (Adam, lambda fit: setattr(fit.network.layers[1], "momentum", 0.1)),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_an_option_that_a_callback_changes_counts_from_the_next_step(name: str) -> None:
    optimizer, change = CHANGES[name]
    rng, trainers, ends = np.random.default_rng(0), list[Trainer](), []
    data = Dataset(rng.normal(size=(90, 4)), rng.normal(size=(90, 2)), ("y", "z"))
    for backend in ("fused", "numpy"):
        made = Sequential([Dense(8), BatchNorm(), ReLU(), Dense(2)]).build((4,), dtype=np.float64)

        class Change(Callback):
            def on_epoch_end(self, *, state: Any, record: Any) -> None:
                change(trainers[-1])

        fit = Trainer(
            made, optimizer(), 0.01, epochs=4, batch_size=16, loss=Huber(1.0), backend=backend,
            average=EMA(0.9), callbacks=[Change()], diagnose=False,
        )  # fmt: skip
        trainers.append(fit)
        fit.fit(data)
        assert fit.history.compiled_steps == (backend == "fused")
        average = fit.options.average
        assert average is not None
        ends.append(np.concatenate([made.parameters.values, average.values]))
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-9, atol=1e-9)


class AlarmError(Exception):
    """Raised by a signal handler."""


def test_an_exception_of_a_signal_handler_leaves_whole_steps_that_are_all_counted() -> None:
    rng = np.random.default_rng(0)
    data = Dataset(rng.normal(size=(4000, 20)), rng.integers(0, 2, 4000), ("a", "b"))

    def made() -> Trainer:
        built = Sequential([Dense(64), ReLU(), Dense(2)]).build((20,))
        return Trainer(
            built, Adam(), 1e-3, epochs=10**6, batch_size=64, threads=2, backend="fused",
            diagnose=False,
        )  # fmt: skip

    def raised(*_: Any) -> None:
        raise AlarmError

    fit = made()
    prepared = fit.prepare(data)
    handler = signal.signal(signal.SIGALRM, raised)
    signal.setitimer(signal.ITIMER_REAL, 1.0)  # after the first steps, on a busy machine too
    try:
        with pytest.raises(AlarmError):
            fit.run(prepared)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    counted = fit.state.optimizer.steps
    assert fit.state.progress.steps == counted > 0
    again = made()
    prepared, epoch = again.prepare(data), 0
    with prepared.threads:
        while (left := counted - again.state.optimizer.steps) > 0:
            order = prepared.order(epoch)
            steps = min(left, len(order))
            prepared.runner.run(prepared.arrays, order.part(0, steps), [1e-3] * steps)
            epoch += 1
    np.testing.assert_array_equal(fit.network.parameters.values, again.network.parameters.values)


def test_an_error_before_the_first_step_of_a_call_lets_the_other_threads_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runner: Any = importlib.import_module("handloom.fused.runner")

    def fails_where_it_leads(plan: Any, cells: Any, own: int) -> None:
        if own == 0:
            raise AlarmError
        run_steps(plan, cells, own)

    run_steps: Any = runner.run_steps
    monkeypatch.setattr("handloom.fused.plan_making.step_parts", lambda *_: 2)
    data = features()
    fit = Trainer(network(data), SGD(), 0.1, epochs=1, batch_size=16, threads=2, backend="fused")
    prepared = fit.prepare(data)
    monkeypatch.setattr(runner, "run_steps", fails_where_it_leads)
    with pytest.raises(AlarmError):
        fit.run(prepared)
    assert fit.state.optimizer.steps == 0


@pytest.mark.parametrize("fails", ["reading", "moves", "once"])
def test_an_error_while_rows_are_loaded_is_that_of_its_step(
    fails: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = silhouettes(rows=400, test_rows=20).train
    calls = 0

    @dataclass(frozen=True)
    class Fails:
        def __call__(self, images: Any, draw: Draw) -> None:
            nonlocal calls
            calls += 1
            if (fails == "once" and calls == 5) or (fails == "moves" and 77 in draw.rows):
                raise AlarmError

    if fails == "reading":
        np.save(tmp_path / "x.npy", data.inputs)
        np.save(tmp_path / "y.npy", data.targets)
        data = read_npy(tmp_path / "x.npy", tmp_path / "y.npy", class_names=data.class_names)
        with (tmp_path / "x.npy").open("r+b") as file:
            file.truncate(128 + 399 * 784)  # without the last row
    ends = []
    for backend in ("fused", "numpy"):
        calls = 0
        made = Sequential([Dense(10)]).build((784,))
        augment = () if fails == "reading" else (Fails(),)
        fit = Trainer(
            made, SGD(), 1e-3, epochs=1, batch_size=32, backend=backend, augment=augment,
            shuffle=fails == "reading", diagnose=False, seed=3,
        )  # fmt: skip
        prepared = fit.prepare(data)
        with pytest.raises(DataError if fails == "reading" else AlarmError):
            fit.run(prepared)
        ends.append((fit.state.optimizer.steps, made.parameters.vector.copy()))
    if fails == "once":  # taken for an exception of a signal handler, before the steps of its call
        assert ends[0][0] < ends[1][0] == 4
        return
    assert ends[0][0] == ends[1][0] > 0
    np.testing.assert_allclose(ends[0][1], ends[1][1], rtol=1e-4, atol=1e-6)
