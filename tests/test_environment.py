"""The environment of a result is recorded as JSON can hold it."""

import json
import os
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

import handloom
from handloom import environment as module
from handloom.environment import environment


@pytest.fixture(autouse=True)
def _looked_up_anew() -> Iterator[None]:
    """Forget the environment that was looked up before and during each test."""
    forget()
    yield
    forget()


def forget() -> None:
    module._version_of.cache_clear()
    module._blas.cache_clear()


def test_versions_and_cores_are_those_of_this_process() -> None:
    made = environment()
    assert made["versions"]["handloom"] == handloom.__version__
    assert made["versions"]["numpy"] == np.__version__
    assert made["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert made["cores"] == os.cpu_count()
    assert json.loads(json.dumps(made)) == made


def test_without_numba_its_version_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", version)
    monkeypatch.setattr("handloom.environment.find_spec", lambda name: None)
    assert environment()["versions"]["numba"] is None


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["/numpy.libs/a.so", "/scipy.libs/b.so"], ["openblas 0 Zen"]),
        (["/usr/lib/a.so", "/usr/lib/b.so"], ["openblas 0 Zen", "openblas 1 Zen"]),
    ],
)
def test_the_blas_of_numpy_is_named_or_all_that_are_loaded(
    monkeypatch: pytest.MonkeyPatch, paths: list[str], expected: list[str]
) -> None:
    blas = {"user_api": "blas", "internal_api": "openblas", "architecture": "Zen"}
    loaded = [{**blas, "version": number, "filepath": path} for number, path in enumerate(paths)]
    loaded.append({"user_api": "openmp", "filepath": "/numpy.libs/omp.so"})
    monkeypatch.setattr("threadpoolctl.threadpool_info", lambda: loaded)
    assert environment()["blas"] == expected
