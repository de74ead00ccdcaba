"""Backends: the choice by size, and fetching versions of definitions."""

import pickle
from typing import Any

import numpy as np
import pytest

from handloom import EMA, SGD, Adam, AdamW, Dense, Muon, RMSprop, Sequential
from handloom.backend import FUSED_FROM, NUMPY, FusedBackend, choose_backend
from handloom.errors import ConfigurationError, MissingExtraError
from handloom.optimizers.adam import adam_step
from handloom.reductions import row_sums


def test_the_choice_depends_on_the_size_of_the_training_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("handloom.backend.FUSED_FROM", FUSED_FROM)
    pytest.importorskip("numba")

    def chosen(name: str, work: float) -> str:
        return choose_backend(name, np.float32, work=work).name

    assert chosen("auto", 6e9) == "numpy"
    assert chosen("auto", 8e10) == "fused"
    assert chosen("numpy", 8e10) == "numpy"
    assert chosen("fused", 1) == "fused"


def test_without_numba_numpy_serves_and_fused_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("handloom.backend.find_spec", lambda name: None)
    assert choose_backend("auto", np.float32, work=1e12).name == "numpy"
    with pytest.raises(MissingExtraError, match="the extra 'fast'"):
        choose_backend("fused", np.float32, work=1)
    with pytest.raises(ConfigurationError, match=r"unknown backend 'fusd'.*Did you mean 'fused'"):
        choose_backend("fusd", np.float32, work=1)


def test_numpy_runs_definitions_as_they_are() -> None:
    assert NUMPY.version_of(adam_step) is adam_step
    assert not NUMPY.compiles(adam_step)


def test_what_has_no_compiled_version_is_its_definition() -> None:
    pytest.importorskip("numba")
    fused = FusedBackend(np.float32)
    assert fused.version_of(row_sums) is row_sums
    assert not fused.compiles(row_sums)
    assert fused.compiles(adam_step)


def test_a_function_of_another_package_is_never_replaced() -> None:
    pytest.importorskip("numba")

    def adam_step(*_: Any) -> None:
        """Do something else, in a module named like one of the library's."""

    adam_step.__module__ = "mine.adam"
    assert FusedBackend(np.float32).version_of(adam_step) is adam_step
    assert not FusedBackend(np.float32).compiles(adam_step)


def test_a_copy_of_what_was_bound_to_compiled_code_is_bound_to_nothing() -> None:
    pytest.importorskip("numba")
    network = Sequential([Dense(300)]).build((300,))
    backend = FusedBackend(np.float32)
    with backend.threads(2) as threads:
        optimizer = Adam().bind(network.parameters, backend, threads)
        network.parameters.gradient[...] = 1.0
        optimizer.step(0.1)
        copied = pickle.loads(pickle.dumps(optimizer))  # noqa: S301
    assert copied.steps == 1
    assert np.array_equal(copied.state["first_moment"], optimizer.state["first_moment"])


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW, RMSprop, Muon])
def test_an_optimizer_that_overrides_an_update_gets_scratch_on_any_backend(kind: Any) -> None:
    pytest.importorskip("numba")

    class Mine(kind):  # type: ignore[misc]
        def update(self, w: Any, dw: Any, state: Any, rate: float, scratch: Any) -> None:
            np.multiply(dw, rate, out=scratch)
            w -= scratch

    vectors = []
    for backend in (NUMPY, FusedBackend(np.float32)):
        network = Sequential([Dense(200)]).build((200,))
        with backend.threads(2) as threads:
            optimizer = Mine().bind(network.parameters, backend, threads)
            for name, gradient in network.parameters.gradients.items():
                gradient[...] = np.arange(gradient.size).reshape(gradient.shape) * (len(name) % 3)
            optimizer.step(0.1)
        vectors.append(network.parameters.vector)
    np.testing.assert_allclose(vectors[0], vectors[1], rtol=1e-5)


def test_an_average_that_was_bound_to_compiled_code_can_be_copied() -> None:
    pytest.importorskip("numba")
    network, backend = Sequential([Dense(300)]).build((300,)), FusedBackend(np.float32)
    with backend.threads(2) as threads:
        average = EMA(0.5).bind(network.parameters, backend, threads)
        average.update()
        copied = pickle.loads(pickle.dumps(average))  # noqa: S301
    assert copied.steps == 1
    assert np.array_equal(copied.values, average.values)
