"""``handloom train --embed``: categories of a table as learned vectors."""

import csv
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Command
from tests.cli.table_files import read

from handloom import Dataset, Embedding, Model
from handloom.plots import decision_boundary

STREETS = 60


@pytest.fixture(scope="module")
def flats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a table whose rents depend on one of many streets, and a run on it."""
    folder = tmp_path_factory.mktemp("flats")
    generator = np.random.default_rng(0)
    street = generator.integers(0, STREETS, 600)
    level = generator.normal(0.0, 100.0, STREETS)
    with (folder / "flats.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("street", "floor", "town", "rent"))
        for index in street:
            floor, town = generator.integers(0, 6), generator.choice(["Bern", "Genf"])
            rent = 1000.0 + level[index] + 20.0 * floor + 50.0 * (town == "Genf")
            writer.writerow((f"{index} Road", floor, town, f"{rent:.1f}"))
    return folder


def command(flats: Path, out: Path, *options: object) -> tuple[object, ...]:
    return ("train", "--data", flats / "flats.csv", "--target", "rent", "--out", out, *options)


def test_a_column_of_many_categories_gets_learned_vectors_in_all_commands(
    handloom: Command, flats: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    refused = handloom(*command(flats, out))
    assert "60 categories, more than the 50" in refused.err
    assert "--embed street" in refused.err
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trained = handloom(*command(flats, out, "--embed", "street", "--epochs", 30))
        assert trained.status == 0
        resumed = handloom("train", "--resume", out, "--epochs", 32)
    assert (resumed.status, resumed.err.count("resumed in epoch 31")) == (0, 1)
    model = Model.load(out / "model")
    assert isinstance(model.network.layers[0], Embedding)
    assert model.network.layers[0].columns == {0: STREETS}
    assert json.loads((out / "results.json").read_text())["test_r2"] > 0.8
    assert "60 embedded: " in handloom("summary", out).out
    assert handloom("evaluate", out).status == 0
    new = tmp_path / "new.csv"
    new.write_text("street,floor,town\n3 Road,1,Bern\nUnknown,1,Genf\n,1,Bern\n")
    ended = handloom("predict", out, new, "--out", tmp_path / "out.csv")
    assert "1 category that the training rows lack, such as 'Unknown'" in ended.err
    assert len({row["prediction"] for row in read(tmp_path / "out.csv")}) == 3
    assert handloom("report", out).status == 0


def test_all_columns_of_categories_are_embedded(
    handloom: Command, flats: Path, tmp_path: Path
) -> None:
    options = ("--embed-all", "--task", "regression", "--epochs", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert handloom(*command(flats, tmp_path / "run", *options)).status == 0
    layer = Model.load(tmp_path / "run" / "model").network.layers[0]
    assert isinstance(layer, Embedding)
    assert layer.columns == {0: STREETS, 2: 2}
    refused = handloom("train", "--resume", tmp_path / "run", "--target", "rent", "--embed", "town")
    assert "was read with --target rent --task regression --embed-all" in refused.err
    verified = handloom("data", "verify", flats / "flats.csv", "--target", "rent", "--embed-all")
    assert verified.status == 0
    assert verified.out.count("category, embedded") == 2


def test_a_recipe_of_dense_layers_takes_embedded_columns(
    handloom: Command, flats: Path, tmp_path: Path
) -> None:
    options = ("--recipe", "mlp-quick", "--embed", "street", "--drop", "rent")
    arguments = ("train", "--data", flats / "flats.csv", "--target", "town", *options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ended = handloom(*arguments, "--epochs", 1, "--out", tmp_path / "run")
    assert ended.status == 0
    assert isinstance(Model.load(tmp_path / "run" / "model").network.layers[0], Embedding)


@pytest.mark.usefixtures("pictures")
def test_indices_have_no_decision_boundary(handloom: Command, flats: Path, tmp_path: Path) -> None:
    options = ("--embed", "street", "--drop", "rent", "--epochs", 1, "--out", tmp_path / "run")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ended = handloom("train", "--data", flats / "flats.csv", "--target", "town", *options)
    assert (ended.status, "pictures" in ended.err) == (0, False)
    model = Model.load(tmp_path / "run" / "model")
    rows = np.ones((4, 2), np.float32)
    data = Dataset(rows, np.array([0, 1, 0, 1]), class_names=("Bern", "Genf"))
    with pytest.raises(ValueError, match="got category indices"):
        decision_boundary(model, data, title="indices")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--embed", "street", "--embed", "floor"],
            "embed names the column 'floor', which holds numbers",
        ),
        (["--embed", "sreet"], "Did you mean 'street'?"),
        (["--embed", "rent"], "embed must not name the target"),
        (["--embed", "town", "--embed-all"], "--embed would be ignored beside --embed-all"),
        (["--embed", "town", "--image-shape", "1x2"], "leave out task, categorical, embed"),
    ],
)
def test_wrong_columns_to_embed_are_refused(
    handloom: Command, flats: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    ended = handloom(*command(flats, tmp_path / "run", *options))
    assert ended.status == 1
    assert message in ended.err
