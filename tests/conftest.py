"""Options of the test suite, and what every test finds."""

import signal

import pytest

from handloom import backend


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fused",
        action="store_true",
        help="train on the fused backend wherever the rule may choose, however short the training",
    )


@pytest.fixture(autouse=True, scope="session")
def _backend(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--fused"):
        backend.FUSED_FROM = 0.0


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_is_heard() -> None:
    """Undo what a shell does that starts the tests in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
