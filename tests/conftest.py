"""Options and fixtures of the whole test suite."""

import importlib
import os
import signal
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest

from handloom import backend

# all processes of the suite share the compiled bytecode, whatever the environment says
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# many tests take some of the same drawn images; a chunk has a thousand, however few are asked for
_silhouettes: Any = importlib.import_module("handloom.data.sources.silhouettes")
_silhouettes.draw_chunk = lru_cache(maxsize=32)(_silhouettes.draw_chunk)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fused",
        action="store_true",
        help="train on the fused backend wherever the rule may choose, however short the training",
    )


SLOW_FIRST = ("cli", "training", "plots", "recipes", "parallel", "estimators")
"""Folders of files that take long, so that no worker is left with one when the others are done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        folder = item.nodeid.removeprefix("tests/").partition("/")[0]
        return SLOW_FIRST.index(folder) if folder in SLOW_FIRST else len(SLOW_FIRST)

    items.sort(key=rank)


@pytest.fixture(autouse=True, scope="session")
def _backend(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--fused"):
        backend.FUSED_FROM = 0.0


@pytest.fixture(autouse=True, scope="session")
def _signals_are_heard() -> None:
    """Undo signal settings of a shell or nohup that starts the tests in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True, scope="session")
def _disk_is_not_waited_for() -> Iterator[None]:
    """Leave out flushes to disk, which no test outlives; subprocesses make theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda handle: None)
        yield
