"""``handloom evaluate``: the metrics of a model, on the dataset that it is given."""

from pathlib import Path

from tests.cli.conftest import Command

from handloom import SGD, Dense, Model, Sequential, Trainer, evaluate, open_folder
from handloom.data.test_time_augmentation import MIRRORED


def test_evaluate_repeats_the_test_figures(
    handloom: Command, trained: Path, tiny_folder: Path
) -> None:
    ended = handloom("evaluate", trained, "--data", tiny_folder)
    evaluation = evaluate(Model.load(trained / "model"), open_folder(tiny_folder).test)
    assert ended.status == 0
    assert f"accuracy {evaluation.accuracy:.4f}, loss {evaluation.loss:.4f}" in ended.out


def test_evaluate_reports_views_apart(handloom: Command, trained: Path, tiny_folder: Path) -> None:
    ended = handloom("evaluate", trained, "--data", tiny_folder, "--views", "mirrored")
    evaluation = evaluate(Model.load(trained / "model"), open_folder(tiny_folder).test, MIRRORED)
    assert evaluation.of_views is not None
    assert (
        f"accuracy {evaluation.accuracy:.4f}, loss {evaluation.loss:.4f}"
        in ended.out.splitlines()[1]
    )
    last = f"accuracy {evaluation.of_views.accuracy:.4f}, loss {evaluation.of_views.loss:.4f}"
    assert ended.out.splitlines()[-1].endswith(last)


def test_a_class_without_precision_has_a_dash_that_is_explained(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    never = Sequential([Dense(10, weights="zeros")]).build((784,))
    never.parameters.weights["0.dense.biases"][0] = 1.0
    trainer = Trainer(never, SGD(), 1e-9, epochs=1)
    trainer.fit(open_folder(tiny_folder).train)
    trainer.model().save(tmp_path / "model")
    ended = handloom("evaluate", tmp_path / "model", "--data", tiny_folder)
    assert ended.status == 0
    assert [line.split()[2] for line in ended.out.splitlines() if line[1:3] in ("1 ", "9 ")] == [
        "-",
        "-",
    ]
    assert "-: no precision, as the class is never predicted" in ended.out
    assert "nan" not in ended.out


def test_evaluate_names_the_views_that_there_are(handloom: Command, trained: Path) -> None:
    ended = handloom("evaluate", trained, "--views", "miror")
    assert ended.status == 1
    assert "mirrored" in ended.err


def test_evaluate_does_not_guess_a_dataset(handloom: Command, trained: Path) -> None:
    ended = handloom("evaluate", trained / "model")
    assert ended.status == 1
    assert "the model was trained on tiny; name its folder with --data" in ended.err


def test_evaluate_takes_the_dataset_of_the_run(
    handloom: Command, trained: Path, tiny_folder: Path
) -> None:
    assert handloom("evaluate", trained).out == handloom(
        "evaluate", trained, "--data", tiny_folder
    ).out  # fmt: skip


def test_evaluate_refuses_a_dataset_with_other_classes(handloom: Command, trained: Path) -> None:
    ended = handloom("evaluate", trained, "--data", "silhouettes")
    assert ended.status == 1
    assert "must have the model's classes 0, 1" in ended.err
