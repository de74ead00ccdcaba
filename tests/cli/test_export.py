"""``handloom export``: a run as a file of each format, compared on its data."""

import copy
import importlib.util
import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.conftest import Command

from handloom import (
    Adam,
    Dataset,
    Dense,
    Layer,
    MeanSquaredError,
    Model,
    Sequential,
    Trainer,
    from_onnx,
    load_run,
    silhouettes,
)
from handloom.interop.onnx import feeds
from handloom.interop.torch import from_torch
from handloom.parameters import Array

pytest.importorskip("onnx")

FILES = {"onnx": "model.onnx", "torch": "model_torch.py", "numpy": "model_numpy.py"}


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """Return a copy of a run on images."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture
def price(houses: Path, tmp_path: Path) -> Path:
    """Return a copy of a run on a table."""
    return Path(shutil.copytree(houses / "price", tmp_path / "price"))


def files_of(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("format", FILES)
def test_a_run_on_images_is_compared_on_its_test_rows(
    handloom: Command, run: Path, format: str
) -> None:
    done = handloom("export", run, "--format", format)
    assert done.status == 0, done.err
    written = run / FILES[format]
    assert f"Wrote {written} ({written.stat().st_size:,} bytes)" in done.out
    assert "rows (n, 28, 28) of uint8" in done.out
    assert "probabilities (n, 10): " in done.out
    assert f"{written.stem}" in done.out
    if format != "torch" or "torch" in sys.modules:
        assert "60 rows of the data: predictions " in done.out  # all test rows


@pytest.mark.parametrize("format", FILES)
def test_a_run_on_a_table_is_compared_on_its_rows(
    handloom: Command, price: Path, format: str
) -> None:
    done = handloom("export", price, "--format", format)
    assert done.status == 0, done.err
    assert (price / FILES[format]).is_file()
    assert "size (number), town (text)" in done.out
    assert "values (n, 1): price" in done.out
    if format == "numpy":
        assert "160 rows of the data: predictions are those of the model, to the bit" in done.out


def test_the_lines_of_use_work(
    handloom: Command, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    rows = silhouettes(rows=10, test_rows=5).test.inputs
    expected = Model.load(run / "model").predict(rows)
    monkeypatch.syspath_prepend(str(run))
    for format in ("onnx", "numpy"):
        out = handloom("export", run, "--format", format).out
        first, second = out[out.index("  use ") :].removeprefix("  use ").splitlines()[:2]
        names = {"onnxruntime": onnxruntime, "rows": rows}
        exec(first.strip(), names)
        predicted = eval(second.strip(), names)
        predicted = predicted[0] if format == "onnx" else predicted
        np.testing.assert_allclose(predicted, expected, atol=1e-5)
    sys.modules.pop("model_numpy", None)


def test_columns_named_like_outputs_leave_the_lines_of_use_working(
    handloom: Command, tmp_path: Path
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    frame = pytest.importorskip("pandas").DataFrame(
        {"logits": np.arange(40.0) % 7, "values": np.arange(40.0) % 3, "y": np.arange(40.0)}
    )
    data = Dataset.from_frame(frame, "y")
    network = Sequential([Dense(1)]).build(data.input_shape, seed=0)
    trainer = Trainer(network, Adam(), 1e-2, epochs=1, loss=MeanSquaredError())
    trainer.fit(data)
    trainer.model().save(tmp_path / "own")
    done = handloom("export", tmp_path / "own")
    assert "logits_2, values_2 (n, 1): y" in done.out
    first, second, _ = lines_of_use(done.out)
    names: dict[str, Any] = {"onnxruntime": onnxruntime, "feeds": feeds, "frame": frame}
    exec(first, names)
    (predicted,) = eval(second, names)
    np.testing.assert_allclose(predicted, trainer.model().predict(frame), rtol=1e-5)


def lines_of_use(out: str) -> list[str]:
    """Return the lines about the use of a file."""
    own = out[out.index("  use ") : out.index("  guide ")].removeprefix("  use ")
    return [line.strip() for line in own.splitlines()]


def test_the_lines_of_use_of_a_file_that_cannot_be_imported_work(
    handloom: Command, run: Path, tmp_path: Path
) -> None:
    rows = silhouettes(rows=10, test_rows=5).test.inputs
    expected = Model.load(run / "model").predict(rows)
    formats = ["numpy", "torch"] if importlib.util.find_spec("torch") else ["numpy"]
    for format in formats:
        out = tmp_path / f"my {format}-2.py"
        done = handloom("export", run, "--format", format, "--out", out)
        first, second, hint = lines_of_use(done.out)
        names: dict[str, Any] = {"runpy": runpy, "rows": rows}
        exec(first, names)
        np.testing.assert_allclose(np.asarray(eval(second, names)), expected, atol=1e-5)
        assert f"'my {format}-2' is no name to import: or rename the file" in hint


def test_the_folder_of_a_file_to_import_is_named(
    handloom: Command, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run)
    out = handloom("export", run, "--format", "numpy", "--out", "shoes.py").out
    assert lines_of_use(out) == ["import shoes", "shoes.predict(rows)"]
    out = handloom("export", run, "--format", "numpy", "--out", "rows.py").out
    assert lines_of_use(out) == ["import rows as model", "model.predict(rows)"]
    *_, where = lines_of_use(handloom("export", run, "--format", "numpy").out)
    assert where.startswith("(in the folder ")
    assert where.endswith("or with it in PYTHONPATH)")


def test_large_values_are_compared_relative_to_the_largest(
    tmp_path: Path,
) -> None:
    from handloom.interop.exported import Exported

    exported = Exported(tmp_path, "onnx", 3, 0.077, 1.5e-7)
    assert exported.agreement.endswith("by at most 0.077, 1.5e-07 of the largest")
    assert Exported(tmp_path, "onnx", 3, 3e-7, 4e-7).agreement.endswith("by at most 3e-07")


def test_a_model_folder_and_a_new_file(handloom: Command, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "shoes.onnx"
    done = handloom("export", run / "model", "--out", out, "--data", "silhouettes")
    assert done.status == 0, done.err
    assert "256 rows of the data" in done.out
    rows = silhouettes(rows=10, test_rows=5).test.inputs
    expected = Model.load(run / "model").predict(rows)
    assert (from_onnx(out).predict(rows) == expected).all()


def test_opset_and_dtype_are_those_of_the_file(
    handloom: Command, price: Path, tmp_path: Path
) -> None:
    import onnx

    out = tmp_path / "exact.onnx"
    done = handloom("export", price, "--opset", 19, "--dtype", "float64", "--out", out)
    assert done.status == 0, done.err
    assert {each.version for each in onnx.load(out).opset_import if not each.domain} == {19}
    assert from_onnx(out).network.parameters.dtype == np.float64


@pytest.mark.parametrize(
    ("arguments", "existing"),
    [
        (["--format", "onnx"], "model.onnx"),
        (["--format", "numpy"], "model_numpy.py"),
        (["--format", "torch"], "model_torch.py"),
        (["--format", "torch"], "model_torch.safetensors"),
        (["--format", "torch", "--out", "net"], "net.py"),
    ],
)
def test_an_existing_file_is_refused(
    handloom: Command,
    run: Path,
    arguments: list[str],
    existing: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(run)
    Path(existing).write_text("mine")
    before = files_of(run)
    done = handloom("export", run, *arguments)
    assert done.status != 0
    assert f"{existing} exists: remove it, or name a new file with --out" in done.err
    assert files_of(run) == before
    assert Path(existing).read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "onxx"], "unknown format 'onxx'; known are: numpy, onnx, torch. Did you"),
        (["--format", "numpy", "--opset", 18], "--opset is for --format onnx; leave it out"),
        (["--format", "torch", "--dtype", "float64"], "--dtype is for --format onnx"),
        (["--format", "numpy", "--out", "model.txt"], "must have the suffix .py, got 'model.txt'"),
        (["--opset", 16], "opset must be"),
        (["--opset", 0], "opset must be"),
        (["--dtype", "int8"], "dtype"),
        (["--dtype", ""], "dtype"),
        (["--format", "numpy", "--opset", 0], "--opset is for --format onnx; leave it out"),
        (["--out", "nowhere/model.onnx"], "the folder nowhere does not exist"),
        (["--data", "silhouetes"], "Did you mean 'silhouettes'?"),
    ],
)
def test_invalid_options_are_refused(
    handloom: Command,
    run: Path,
    arguments: list[object],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(run)
    before = files_of(run)
    done = handloom("export", run, *arguments)
    assert done.status != 0
    assert message in done.err
    assert files_of(run) == before


def test_where_the_data_is_gone_the_rows_are_made_up(
    handloom: Command, price: Path, houses: Path
) -> None:
    hidden = houses / "moved.csv"
    (houses / "houses.csv").rename(hidden)
    try:
        done = handloom("export", price, "--format", "numpy")
    finally:
        hidden.rename(houses / "houses.csv")
    assert done.status == 0, done.err
    assert "predictions are compared on made-up rows: " in done.err
    assert "houses.csv" in done.err
    assert "made-up rows: predictions " in done.out


def test_a_named_dataset_that_is_gone_is_an_error(
    handloom: Command, price: Path, tmp_path: Path
) -> None:
    done = handloom("export", price, "--data", tmp_path / "gone.csv")
    assert done.status != 0
    assert "gone.csv" in done.err
    assert not (price / "model.onnx").exists()


@pytest.mark.parametrize("data", ["moons", "folder"])
def test_rows_for_a_model_of_a_table_are_those_of_a_table(
    handloom: Command, price: Path, tmp_path: Path, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    done = handloom("export", price, "--data", data)
    assert done.status != 0
    assert (
        f"--data {data}: expected a CSV or Parquet file with the columns of the model, which are "
        "size, town" in done.err
    )
    assert not (price / "model.onnx").exists()


def test_a_run_that_does_not_exist_is_the_error_of_an_export(handloom: Command, run: Path) -> None:
    done = handloom("export", run.with_name("rum"))
    assert done.status != 0
    assert f"{run.with_name('rum')} does not exist" in done.err
    assert "Did you mean" in done.err
    assert "--out" not in done.err


class Doubled(Layer):
    kind = "doubled"

    def forward(self, x: Array, **_: object) -> Array:
        return x * 2

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return dy * 2


def test_a_layer_of_ones_own_is_refused_by_name(handloom: Command, tmp_path: Path) -> None:
    data = silhouettes(rows=40, test_rows=10)
    network = Sequential([Dense(4), Doubled(), Dense(10)]).build((784,), seed=0)
    trainer = Trainer(network, Adam(), 1e-3, epochs=1)
    trainer.fit(data.train)
    trainer.model().save(tmp_path / "own")
    for format in FILES:
        done = handloom("export", tmp_path / "own", "--format", format)
        assert done.status != 0
        assert "doubled" in done.err
    assert not [path for path in files_of(tmp_path) if path.name in FILES.values()]


@pytest.mark.parametrize("format", FILES)
def test_an_interrupted_write_leaves_nothing(
    handloom: Command, run: Path, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files_of(run)
    renamed = 1 if format == "torch" else 0  # the first of its two files is there then
    replace = Path.replace
    calls: list[Path] = []

    def counted(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) > renamed:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", counted)
    done = handloom("export", run, "--format", format)
    assert done.status != 0
    assert files_of(run) == before


def predictions(file: Path, rows: Any) -> Any:
    """Return the predictions of a file, by the runtime of its format."""
    if file.suffix == ".onnx":
        onnxruntime = pytest.importorskip("onnxruntime")
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        inputs = feeds(session, rows) if hasattr(rows, "columns") else {"input": rows}
        return session.run(None, inputs)[-1]
    names: dict[str, Any] = {"__name__": file.stem, "__file__": str(file)}
    exec(compile(file.read_text(), str(file), "exec"), names)
    if hasattr(rows, "columns"):
        rows = rows.to_dict("list")
    return names["predict"](rows) if file.stem == "model_numpy" else names["load"]().predict(rows)


@pytest.mark.parametrize("format", FILES)
def test_from_the_command_line_to_predictions(
    handloom: Command, run: Path, price: Path, houses: Path, format: str
) -> None:
    if format == "torch":
        pytest.importorskip("torch")
    frame = pytest.importorskip("pandas").read_csv(houses / "houses.csv")
    images = silhouettes(rows=10, test_rows=20).test.inputs
    for folder, rows in ((run, images), (price, frame[["town", "size"]])):
        assert handloom("export", folder, "--format", format).status == 0
        model = load_run(folder).model
        assert model is not None
        predicted, expected = predictions(folder / FILES[format], rows), model.predict(rows)
        np.testing.assert_allclose(predicted, expected, atol=1e-6, rtol=1e-5)


def test_the_weights_for_pytorch_come_back(handloom: Command, price: Path) -> None:
    assert handloom("export", price, "--format", "torch").status == 0
    model = Model.load(price / "model")
    weights, layers = model.network.get_weights(), model_copy(model)
    back = from_torch(price / "model_torch.safetensors", layers)
    for name, array in weights.items():
        np.testing.assert_array_equal(back.get_weights()[name], array)


def model_copy(model: Model) -> Sequential:
    """Return a network of the same layers with weights of its own, all ones."""
    network = copy.deepcopy(model.network)
    network.set_weights({name: array * 0 + 1 for name, array in network.get_weights().items()})
    return network
