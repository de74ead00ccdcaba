"""The CSV log has the columns of the history, and replaces none that it should not."""

from pathlib import Path

import pytest
from tests.helpers.training import ROWS, network
from tests.training.helpers import trainer

from handloom import Adam, ConfigurationError, CSVLog, EarlyStopping, Trainer


def test_the_csv_log_has_a_line_an_epoch(tmp_path: Path) -> None:
    log = CSVLog(tmp_path / "log.csv")
    history = Trainer(network(ROWS), Adam(), 0.01, epochs=3, callbacks=[log]).fit(ROWS)
    assert (tmp_path / "log.csv").read_text() == history.to_csv()


def test_a_refused_training_leaves_the_log_of_the_one_before(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    trainer(None, CSVLog(log)).fit(ROWS)
    before = log.read_text()
    with pytest.raises(ConfigurationError, match="EarlyStopping monitors 'validation_loss', which"):
        trainer(None, CSVLog(log), EarlyStopping()).fit(ROWS)
    assert log.read_text() == before
