"""Options of the test suite."""

import pytest

from handloom.training import kernel_choice


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fused",
        action="store_true",
        help="train with fused kernels wherever the rule may choose, however short the job",
    )


@pytest.fixture(autouse=True, scope="session")
def _kernels(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--fused"):
        kernel_choice.FUSED_FROM = 0.0
