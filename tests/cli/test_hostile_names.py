"""Names of foreign files are shown by every command, and act on no terminal."""

import ast
import json
import os
import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from tests.helpers.terminal import HOSTILE, READABLE, acting, captured

import handloom
from handloom.cli.app import COMMANDS, run

pytestmark = pytest.mark.filterwarnings("ignore:Glyph")  # the font has not every language

NOT_UTF8 = os.fsdecode(b"\xff")

CASES: dict[str, list[tuple[str, ...]]] = {
    "reproduce": [
        ("--data", "{data}", "--steps", "1", "--models", "adam", "--out", "{out}"),
        ("--data", "{missing}"),
    ],
    "train": [
        ("--data", "{data}", "--epochs", "1", "--hidden", "4", "--out", "{out}", "--report"),
        ("--resume", "{run}"),
        ("--resume", "{foreign}"),
        ("--data", "{data}", "--out", "{run}"),
        ("--optimizer", HOSTILE),
        ("--hidden", HOSTILE),
    ],
    "recipes": [],
    "doctor": [("{foreign}",), ("{missing}",), ("{run}",)],
    "report": [
        ("{run}", "{foreign}", "--data", "{data}", "--out", "{out}"),
        ("{foreign}", "--data", "{data}", "--out", "{data}"),
        ("{run}", "--data", "{other}"),
        ("{missing}",),
    ],
    "evaluate": [
        ("{run}", "--data", "{data}"),
        ("{run}",),
        ("{run}", "--data", "{other}"),
        ("{run}", "--data", "{data}", "--views", HOSTILE),
    ],
    "gradcheck": [("{run}", "--data", "{data}"), ("{run}",)],
    "predict": [("{run}", "{image}"), ("{run}", "{missing}")],
    "export": [("{run}", "--out", "{out}.onnx"), ("{run}", "--format", HOSTILE), ("{missing}",)],
    "summary": [("{run}",), ("{run}/model",), ("{missing}",), ("{unknown}",)],
    "step": [("--optimizer", HOSTILE)],
    "compile": [("--dtype", HOSTILE)],
    "data verify": [("{data}",), ("{missing}",)],
    "data show": [
        ("{data}", "--out", "{out}.png"),
        ("{data}", "--out", "{out}"),
        ("{data}", "--out", "{image}"),
    ],
}
"""Command lines of each command; each shows a hostile name."""


def commands() -> list[str]:
    """Return the names of all commands, those of groups included."""
    names: list[str] = []
    for name in COMMANDS:
        group = getattr(import_module(f"handloom.cli.{name}"), "app", None)
        if isinstance(group, typer.Typer):
            names += [
                f"{name} {each.name or each.callback.__name__}"
                for each in group.registered_commands
                if each.callback is not None
            ]
        else:
            names.append(name)
    return names


def image_folder(folder: Path, *classes: str) -> Path:
    """Write images of hostile names, in two parts with folders of each class."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8), np.uint8)
    for part in ("train", "test"):
        for name in classes:
            (folder / part / name).mkdir(parents=True)
            for index, image in enumerate(pixels):
                Image.fromarray(image).save(folder / part / name / f"{HOSTILE}{index}.png")
    return folder


@pytest.fixture(scope="session")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a dataset, a run and an image, all of hostile names."""
    pytest.importorskip("matplotlib")
    root = tmp_path_factory.mktemp("hostile")
    data = image_folder(root / f"data {HOSTILE}", f"{HOSTILE} $\\frac$", f"_{HOSTILE} {READABLE}")
    other = image_folder(root / f"other {HOSTILE}", f"a {HOSTILE}", f"b {HOSTILE}")
    trained, foreign = root / f"run {HOSTILE}", root / f"foreign {HOSTILE}"
    options = ("--epochs", "1", "--hidden", "4")
    assert run(["train", "--data", str(data), "--out", str(trained), *options]) == 0
    shutil.copytree(trained, foreign)
    rewrite(foreign / "history.json")
    described = json.loads((foreign / "run.json").read_text())
    described["settings"] |= {"optimizer": HOSTILE, HOSTILE: HOSTILE}
    (foreign / "run.json").write_text(json.dumps(described))
    unknown = root / f"unknown {HOSTILE}"
    unknown.mkdir()
    handloom.files.write_set(unknown, HOSTILE, 1, {"model.json": b"{}"})
    image = next((data / "test").rglob("*.png"))
    return {
        "data": data,
        "other": other,
        "run": trained,
        "foreign": foreign,
        "unknown": unknown,
        "image": image,
        "missing": root / f"missing {HOSTILE}",
    }


def rewrite(path: Path) -> None:
    """Give layers and the optimizer in a history hostile names, and a cause to show them."""
    history = json.loads(path.read_text())
    diagnosis = history["diagnosis"]
    diagnosis["optimizer"] = HOSTILE
    for record in diagnosis["records"]:
        for layer in record["layers"]:
            layer.update(layer=f"{layer['layer']} {HOSTILE}", alike=True, output=1e9)
        record["loss"] = diagnosis["guessing"]
    path.write_text(json.dumps(history))


def test_every_command_has_cases() -> None:
    assert sorted(CASES) == sorted(commands())


@pytest.mark.parametrize("on_terminal", [False, True], ids=["pipe", "terminal"])
@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        pytest.param(command, arguments, id=f"{command} {index}")
        for command, cases in CASES.items()
        for index, arguments in enumerate([*cases, (HOSTILE, HOSTILE, HOSTILE), (f"--{HOSTILE}",)])
    ],
)
def test_names_are_shown_and_do_not_act(
    command: str,
    arguments: tuple[str, ...],
    on_terminal: bool,
    paths: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("HANDLOOM_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    named = {**paths, "out": tmp_path / f"out {HOSTILE}"}
    line = [*command.split(), *(each.format(**named) for each in arguments)]
    with captured(monkeypatch, on_terminal=on_terminal) as received:
        run(line)
    text = b"".join(received).decode()
    assert acting(text, on_terminal=on_terminal) == []
    assert "Traceback" not in text
    assert not any(line.startswith("error: forged") for line in text.splitlines())
    if command not in ("recipes",) or arguments:
        assert "\\x1b" in text


def test_other_languages_and_brackets_stay_readable(
    paths: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with captured(monkeypatch, on_terminal=False) as received:
        assert run(["summary", str(paths["run"])]) == 0
    text = b"".join(received).decode()
    assert READABLE in text
    assert "[red]" in text


def test_a_file_name_that_is_not_utf8(
    paths: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / f"{NOT_UTF8}.png"
    try:
        shutil.copy(paths["image"], image)
    except OSError:
        pytest.skip("such names are invalid here")
    with captured(monkeypatch, on_terminal=False) as received:
        assert run(["predict", str(paths["run"]), str(image)]) == 0
    assert "\\udcff.png" in b"".join(received).decode()


def test_class_folders_that_are_not_utf8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        data = image_folder(tmp_path / NOT_UTF8, f"a{NOT_UTF8}", "b")
    except OSError:
        pytest.skip("such names are invalid here")
    out = tmp_path / "run"
    with captured(monkeypatch, on_terminal=True) as received:
        options = ("--epochs", "1", "--hidden", "4", "--out", str(out))
        assert run(["train", "--data", str(data), *options]) == 0
        assert run(["summary", str(out)]) == 0
        assert run(["data", "show", str(data), "--out", str(tmp_path / "samples.png")]) == 0
    assert "a\\xff" in b"".join(received).decode()
    assert json.loads((out / "results.json").read_text())["epochs"] == 1
    assert handloom.Model.load(out / "model").class_names == ("a\\xff", "b")


def test_names_in_files_are_those_of_the_folders(paths: dict[str, Path]) -> None:
    names = handloom.Model.load(paths["run"] / "model").class_names
    assert sorted(names) == sorted(path.name for path in (paths["data"] / "train").iterdir())
    assert json.loads((paths["run"] / "run.json").read_text())["data"] == str(paths["data"])


PRINTING = {
    "cli/console.py",
    "secondary.py",
    "training/callbacks/cell_line.py",
    "estimators/verbosity.py",
    "estimators/lbfgs.py",
}
"""The files that print: the first three escape, those of the estimators print figures."""


@pytest.mark.slow
def test_only_a_few_files_print() -> None:
    root = Path(handloom.__file__).parent
    printing = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    }
    assert printing == PRINTING
