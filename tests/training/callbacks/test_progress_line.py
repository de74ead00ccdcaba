"""The line of a bar: the most important parts first, within the width, and short numbers."""

import math
from collections.abc import Mapping

import pytest
from tests.helpers.terminal import HOSTILE, READABLE

from handloom.training import EpochRecord
from handloom.training.callbacks.progress_line import columns, layout, metrics_of, number


def record(
    *,
    validated: bool = True,
    accuracy: float | None = 0.9,
    recorded: Mapping[str, float] | None = None,
) -> EpochRecord:
    loss, right = (0.3333333, 0.8912345) if validated else (None, None)
    return EpochRecord(
        11, 0.3012345, 0.3, 0.0, accuracy, 1e-3, 1.0, loss, right, recorded=recorded or {}
    )


def shown(width: int, shown_record: EpochRecord, label: str = "training", total: int = 100) -> str:
    line = layout(width, label, 12, total, metrics_of(shown_record), left=83.0, elapsed=12.0)
    return f"{line.before}{'━' * line.bar}{line.after}"


@pytest.mark.parametrize(
    ("width", "parts"),
    [
        (39, ["12/100", "━━━", "val acc 0.8912", "1:23 left"]),
        (59, ["12/100", "━━━", "val acc 0.8912", "1:23 left", "loss 0.3012"]),
        (79, ["training", "12/100", "━━━", "val acc 0.8912", "1:23 left", "loss", "acc 0.9000"]),
        (160, ["validation accuracy 0.8912", "accuracy 0.9000", "validation loss", "0:12 passed"]),
    ],
)
def test_the_most_important_parts_are_shown_first(width: int, parts: list[str]) -> None:
    line = shown(width, record())
    assert all(part in line for part in parts), line


def test_metrics_are_written_in_one_order_and_times_last() -> None:
    line = shown(160, record(recorded={"top3": 0.99}))
    names = ["accuracy", "loss", "validation accuracy", "validation loss", "top3"]
    starts = [line.index(f"  {name} ") for name in names[1:]]
    assert line.index(" accuracy ") < starts[0]
    assert starts == sorted(starts)
    assert line.endswith("1:23 left  0:12 passed")
    assert "loss 0.3012  val acc 0.8912  1:23 left" in shown(59, record())


def test_without_validation_the_accuracy_is_first_and_without_it_the_loss() -> None:
    assert " acc 0.9000  1:23 left" in shown(39, record(validated=False))
    assert "━ loss 0.3012  1:23 left" in shown(39, record(validated=False, accuracy=None))


@pytest.mark.parametrize("name", ["top3", "x" * 300, READABLE, HOSTILE])
@pytest.mark.parametrize("label", ["training", "漢字" * 50, HOSTILE])
@pytest.mark.slow
def test_no_line_is_wider_than_the_terminal(name: str, label: str) -> None:
    for width in range(8, 250):
        line = shown(width, record(recorded={name: -1234567.0}), label, total=100_000)
        assert columns(line) <= width
        assert line.isprintable()
        assert width < 20 or "    12/100000" in line


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.89123, "0.8912"),
        (-0.5, "-0.500"),
        (123.456, "123.46"),
        (99999.6, "100000"),
        (999999.9, "1.00e6"),
        (5.2e-4, "5.2e-4"),
        (-1e300, "-1e300"),
        (0.0, "0.0000"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize("exponent", range(-320, 309, 7))
def test_a_number_has_at_most_six_characters(exponent: int) -> None:
    for value in (float(f"9.99999e{exponent}"), -float(f"1.2345e{exponent}")):
        assert len(number(value)) <= 6
        if abs(exponent) < 100:
            assert float(number(value)) == pytest.approx(value, rel=0.2)
