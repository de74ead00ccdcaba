"""The metrics that commands show: two classes, a threshold, a regression beside the mean."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Command
from tests.cli.table_files import read

from handloom import (
    Adam,
    Dense,
    Model,
    Pinball,
    Sequential,
    Trainer,
    brier_score,
    open_table,
    roc_auc,
)
from handloom.cli.app import run
from handloom.data.transforms import AsFloat


def recall_of_true(out: str) -> float:
    (line,) = (line for line in out.splitlines() if line.split()[:1] == ["True"])
    return float(line.split()[-1])


def test_two_classes_have_roc_auc_and_brier_score_in_tables_and_results(
    handloom: Command, houses: Path, tmp_path: Path
) -> None:
    results = json.loads((houses / "dear" / "results.json").read_text())
    assert results["positive_class"] == "True"
    shown = handloom("evaluate", houses / "dear").out
    scores = f"ROC AUC {results['test_roc_auc']:.4f}, Brier score {results['test_brier']:.4f}"
    assert f"{scores}; True, the positive class, is predicted above the probability 0.5" in shown
    assert "for all rows has accuracy 0." in shown
    data, out = houses / "houses.csv", tmp_path / "out.csv"
    handloom("predict", houses / "dear", data, "--out", out)
    rows = read(out)  # of all rows; those of the test rows are close
    true = [row["dear"] == "True" for row in rows]
    chance = [float(row["probability of True"]) for row in rows]
    assert results["test_roc_auc"] == pytest.approx(roc_auc(true, chance), abs=0.1)
    assert results["test_brier"] == pytest.approx(brier_score(true, chance), abs=0.1)


def test_a_threshold_moves_the_predictions_of_two_classes(
    handloom: Command, houses: Path, tmp_path: Path
) -> None:
    low, middle, high = (
        handloom("evaluate", houses / "dear", "--threshold", value).out
        for value in (0.001, 0.5, 0.999)
    )
    assert middle == handloom("evaluate", houses / "dear").out
    assert recall_of_true(low) == 1.0
    assert recall_of_true(high) < recall_of_true(middle)
    data, out = houses / "houses.csv", tmp_path / "out.csv"
    assert handloom("predict", houses / "dear", data, "--threshold", 0.2, "--out", out).status == 0
    for row in read(out):
        assert row["prediction"] == str(float(row["probability of True"]) > 0.2)


def test_the_other_class_may_be_the_positive_one(
    handloom: Command, houses: Path, tmp_path: Path
) -> None:
    shown = handloom("evaluate", houses / "dear").out
    assert "(for the other: --positive False)" in shown
    chosen = ("--positive", "False", "--threshold", 0.001)
    other = handloom("evaluate", houses / "dear", *chosen).out
    assert "False, the positive class, is predicted above the probability 0.001" in other
    assert "(for the other: --positive True)" in other
    assert recall_of_true(other) < recall_of_true(shown)
    auc = shown.partition("ROC AUC ")[2].partition(",")[0]
    assert f"ROC AUC {auc}," in other
    data, out = houses / "houses.csv", tmp_path / "out.csv"
    assert handloom("predict", houses / "dear", data, *chosen, "--out", out).status == 0
    for row in read(out):
        assert row["prediction"] == str(float(row["probability of False"]) <= 0.001)
    for command in (["evaluate", houses / "dear"], ["predict", houses / "dear", data]):
        refused = handloom(*command, "--positive", "Fals", "--threshold", 0.2)
        assert refused.status == 1
        assert "Did you mean 'False'?" in refused.err
    alone = handloom("predict", houses / "dear", data, "--positive", "False")
    assert "add --threshold" in alone.err
    refused = handloom("evaluate", houses / "price", "--positive", "False")
    assert "positive is for two classes, got 'False'" in refused.err


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_a_threshold_elsewhere_is_refused(
    handloom: Command, houses: Path, trained: Path, command: str
) -> None:
    table = [] if command == "evaluate" else [houses / "houses.csv"]
    refused = handloom(command, houses / "price", *table, "--threshold", 0.2)
    assert refused.status == 1
    assert "threshold is for two classes, got 0.2" in refused.err
    refused = handloom(command, houses / "dear", *table, "--threshold", 1)
    assert "threshold must be above 0 and below 1, got 1" in refused.err
    if command == "predict":
        refused = handloom("predict", trained, "shoe.png", "--threshold", 0.2)
        assert "--threshold is for tables" in refused.err


def test_a_regression_stands_beside_the_mean_and_has_no_accuracy(
    handloom: Command, houses: Path
) -> None:
    results = json.loads((houses / "price" / "results.json").read_text())
    assert results["test_rmse"] == pytest.approx(np.sqrt(results["test_mse"]))
    assert results["test_rmse"] < 0.7 * results["test_rmse_of_mean"]
    assert results["test_mae"] < 0.7 * results["test_mae_of_mean"]
    shown = handloom("evaluate", houses / "price").out
    assert "predicting the mean" in shown
    assert "predicting the median" in shown
    assert f"{results['test_mae_of_median']:.6g}" in shown
    assert f"{results['test_rmse']:.6g}" in shown
    assert f"{results['test_rmse_of_mean']:.6g}" in shown


def test_several_quantiles_have_a_row_in_the_table_and_a_column_each(
    handloom: Command, houses: Path, tmp_path: Path
) -> None:
    data = houses / "houses.csv"
    splits = open_table(data, "price", drop=["note", "dear"])
    network = Sequential([Dense(2)]).build(splits.train.input_shape, seed=0)
    trainer = Trainer(network, Adam(), 0.01, epochs=2, loss=Pinball([0.1, 0.9]))
    trainer.fit(splits.train)
    trainer.model().save(tmp_path / "model")
    evaluated = handloom("evaluate", tmp_path / "model", "--data", data)
    assert "quantile 0.9" in evaluated.out
    assert "fraction of rows at or below it" in evaluated.out
    out = tmp_path / "out.csv"
    assert handloom("predict", tmp_path / "model", data, "--out", out).status == 0
    for row in read(out):
        assert float(row["prediction (quantile 0.1)"]) <= float(row["prediction (quantile 0.9)"])


def test_the_table_of_a_regression_has_no_accuracy(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["train", "--data", "sine", "--epochs", "1", "--out", str(tmp_path / "run")]) == 0
    shown = capsys.readouterr().out
    assert "accuracy" not in shown
    assert "nan" not in shown
    assert "predicting the mean" in shown


def test_a_network_with_one_output_for_two_classes_is_evaluated(
    handloom: Command, tmp_path: Path
) -> None:
    network = Sequential([Dense(1)]).build(2, seed=0)
    model = Model(
        *(network, AsFloat(), ("lower",), (2,), "float32", "moons", "sigmoid"),
        binary_classes=("upper", "lower"),
    )
    model.save(tmp_path / "model")
    ended = handloom("evaluate", tmp_path / "model")
    assert ended.status == 0, ended.err
    assert "lower, the positive class, is predicted above the probability 0.5" in ended.out
    other = handloom("evaluate", tmp_path / "model", "--positive", "upper")
    assert "upper, the positive class, is predicted above the probability 0.5" in other.out
