"""The reference study: its learning rates, and what it calls divergence."""

import pytest

from handloom.studies import reference
from handloom.training import EpochRecord, History, StopReason


def history(*losses: float, reason: StopReason | None = None) -> History:
    made = History()
    made.records = [
        EpochRecord(epoch, loss + 0.1, loss, 0.1, 0.5, 1.0, 0.1)
        for epoch, loss in enumerate(losses)
    ]
    made.stop_reason = reason
    made.stopped_in = len(losses) if reason else None
    return made


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (history(2.3, 1.0, 0.9), None),
        (history(2.31, 2.4, 3.0), None),  # never learned, so never lost it
        (history(2.3, 1.1, 2.2, 2.31, 2.4), 3),
        (history(2.3, 1.2, 2.4), None),  # not below half of ln 10 before
        (history(2.3, 1.0, reason=StopReason.NON_FINITE_LOSS), 2),
        (history(2.3, 1.0, reason=StopReason.INTERRUPTED), None),
    ],
)
def test_divergence_is_as_the_reference_defines_it(record: History, expected: int | None) -> None:
    assert reference.diverged_at(record) == expected


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam"])
def test_rates_agree_with_the_references_logs_to_the_last_digit(name: str) -> None:
    # the last row of each log, and one in its middle
    logged = {
        "sgd": {500: "0.1669449081803005", 1090: "0.08410428931875526"},
        "momentum": {500: "0.1669449081803005", 1090: "0.08410428931875526"},
        "adam": {260: "0.04873769373233258", 520: "0.047533035459644456"},
    }
    schedule = reference.MODELS[name].schedule
    for epoch, rate in logged[name].items():
        assert repr(schedule(epoch - 1)) == rate
