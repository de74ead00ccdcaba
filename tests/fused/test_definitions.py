"""Every compiled version agrees with its definition, for special values and all memory layouts."""

import ast
import importlib
import importlib.util
import inspect
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fused.cases import CASES
from tests.fused.helpers import TOLERANCE, Arguments, needs_numba

import handloom
from handloom.backend import FusedBackend
from handloom.data import batches
from handloom.layers import activations, pooling, winograd
from handloom.operations import TINY
from handloom.randomness import philox


def copies(arguments: Sequence[Any]) -> Arguments:
    """Return arguments with arrays of their own, in the same memory layout."""
    return [copy_of(each) if isinstance(each, np.ndarray) else each for each in arguments]


def copy_of(array: Any) -> Any:
    """Return an array in memory of its own, with the same strides."""
    low, high = np.lib.array_utils.byte_bounds(array)
    memory = np.zeros(max(high - low, 1), np.uint8)
    start = array.ctypes.data - low
    copied: Any = np.ndarray(array.shape, array.dtype, memory.data, start, array.strides)
    copied[...] = array
    return copied


EXACT = (
    activations.relu,
    activations.relu_backward,
    pooling.max_pool,
    batches.gather_rows,
    philox,
)
"""Definitions that only select values: their versions agree to the bit."""

UPDATES = ("handloom.optimizers",)
"""Where `TINY` counts as zero; elsewhere numbers below the smallest normal one do."""


def settled(x: Any, smallest: float) -> Any:
    """Return an array with entries as zeros that count as zero: NumPy flushes them now and then."""
    return np.where(np.abs(x) < smallest, 0.0, x) if x.dtype.kind == "f" else x


def agree(definition: Callable[..., Any], real: Any, ours: Any, theirs: Any) -> None:
    """Refuse values that differ by more than rounding, beside the largest of usual size."""
    smallest = TINY if definition.__module__.startswith(UPDATES) else float(np.finfo(real).tiny)
    ours, theirs = settled(np.asarray(ours), smallest), settled(np.asarray(theirs), smallest)
    if definition in EXACT:
        np.testing.assert_array_equal(ours, theirs)
        return
    usual = np.abs(theirs) < 1e10
    scale = float(np.abs(theirs[usual]).max(initial=0.0)) or 1.0
    np.testing.assert_allclose(ours[usual], theirs[usual], rtol=0, atol=TOLERANCE[real] * scale)
    np.testing.assert_allclose(ours[~usual], theirs[~usual], rtol=20 * TOLERANCE[real])


@needs_numba
@pytest.mark.parametrize("definition", CASES, ids=lambda definition: definition.__name__)
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_compiled_version_agrees_with_its_definition(
    definition: Callable[..., Any], real: Any, seed: int
) -> None:
    compiled = FusedBackend(real).version_of(definition)
    assert compiled is not definition
    for arguments in CASES[definition](np.random.default_rng(seed), real):
        # scratch is memory that a compiled version does not need
        kept = len(arguments) - ("scratch" in definition.__code__.co_varnames)
        expected, found = copies(arguments), copies(arguments)
        with np.errstate(all="ignore"):
            of_definition, of_compiled = definition(*expected), compiled(*found)
        for ours, theirs in zip(found[:kept], expected[:kept], strict=True):
            if isinstance(ours, np.ndarray) and not is_workspace(definition, ours):
                agree(definition, real, ours, theirs)
        if of_definition is not None:
            agree(definition, real, of_compiled, of_definition)


def is_workspace(definition: Callable[..., Any], array: Any) -> bool:
    """Return whether an array is scratch memory for tiles."""
    return definition in (winograd.winograd_forward, winograd.winograd_backward) and array.ndim == 6


@needs_numba
def test_every_compiled_version_is_compared() -> None:
    compared = {(definition.__module__, definition.__name__) for definition in CASES}
    assert {name for name, _ in compiled_versions()} == compared


@needs_numba
def test_a_compiled_version_takes_what_its_definition_takes() -> None:
    for (module, name), version in compiled_versions():
        definition = getattr(importlib.import_module(module), name)
        pool = ["pool"] if getattr(version, "splits", False) else []
        assert parameters_of(version) == [*pool, *parameters_of(definition)], name


def compiled_versions() -> Iterator[tuple[tuple[str, str], Any]]:
    """Yield the public functions of files that compile definitions, with the definitions' names."""
    for path in sorted((Path(handloom.__file__).parent / "fused").glob("*.py")):
        module = importlib.import_module(f"handloom.fused.{path.stem}")
        functions = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef)]
        names = {node.name for node in functions if not node.name.startswith("_")} - PROTOCOL
        for name in sorted(names if hasattr(module, "COMPILES") else ()):
            yield (module.COMPILES, name), getattr(module, name)


PROTOCOL = {"compile_for", "available"}
"""The other public functions of compiled files."""


def parameters_of(function: Any) -> list[str]:
    return list(inspect.signature(getattr(function, "py_func", function)).parameters)
