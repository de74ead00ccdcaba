"""Shows, after the comparisons with PyTorch, how large the errors were that they measured."""

from collections.abc import Callable

import pytest
from tests.helpers import gradients

LARGEST: dict[str, float] = {}


@pytest.fixture(autouse=True)
def _measured(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Note the largest relative error of each test."""
    if not hasattr(request.module, "relative_error"):
        return
    name = f"{request.module.__name__.rpartition('.')[2]}: {request.node.name}"
    measure: Callable[..., float] = gradients.relative_error

    def noted(*arrays: object) -> float:
        error = measure(*arrays)
        LARGEST[name] = max(error, LARGEST.get(name, 0.0))
        return error

    monkeypatch.setattr(request.module, "relative_error", noted)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the errors, the largest first, where the comparisons were asked for by their marker."""
    if LARGEST and terminalreporter.config.getoption("markexpr") == "parity":
        terminalreporter.section("relative errors beside PyTorch, the largest of each test")
        for name, error in sorted(LARGEST.items(), key=lambda item: -item[1]):
            terminalreporter.line(f"{error:8.1e}  {name}")
