"""``handloom report``: the page of a run or of several; train and reproduce write it too."""

import json
import shutil
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from tests.cli.conftest import Command
from tests.helpers.pages import parsed


def address(out: str) -> Path:
    """Return the file that the last line names."""
    line = out.strip().splitlines()[-1]
    assert line.startswith("report: file://")
    return Path(unquote(urlparse(line.removeprefix("report: ")).path))


def test_train_writes_a_page_and_names_it_last(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a run & more"
    ended = handloom(
        *("train", "--data", tiny_folder, "--hidden", "4", "--epochs", "1"),
        *("--out", out, "--report"),
    )
    assert ended.status == 0
    assert address(ended.out) == (out / "report.html").resolve()
    page = parsed((out / "report.html").read_text("utf-8"))
    assert "a run & more" in next(page.all("h1")).text
    html = (out / "report.html").read_text("utf-8")
    assert str(tmp_path) not in html
    assert str(tiny_folder) not in html
    assert next(page.by_id("provenance").all("code")).text.endswith("--data FOLDER")
    assert page.by_id("mistakes")


def test_a_run_gets_a_page_and_several_are_compared(
    handloom: Command, trained: Path, tmp_path: Path
) -> None:
    ended = handloom("report", trained, "--out", tmp_path / "page.html")
    assert (ended.status, ended.err) == (0, "")
    assert address(ended.out) == (tmp_path / "page.html").resolve()
    ended = handloom("report", trained, trained, "--out", tmp_path / "page.html")  # it is replaced
    assert "Comparison of 2 runs" in address(ended.out).read_text("utf-8")


def test_a_comparison_lies_beside_the_runs_and_replaces_nothing(
    handloom: Command, trained: Path, tmp_path: Path
) -> None:
    runs = [shutil.copytree(trained, tmp_path / name) for name in ("one", "two")]
    for expected in ("comparison.html", "comparison-2.html"):
        assert address(handloom("report", *runs).out) == (tmp_path / expected).resolve()
    assert not (runs[0] / "report.html").exists()


@pytest.mark.long
def test_a_resume_renews_the_page_of_an_earlier_state(
    handloom: Command, trained: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(trained, tmp_path / "run")
    assert handloom("report", run).status == 0
    before = (run / "report.html").read_text("utf-8")
    epochs = json.loads((run / "run.json").read_text())["settings"]["epochs"] + 1
    ended = handloom("train", "--resume", run, "--epochs", epochs)
    assert ended.status == 0
    after = address(ended.out).read_text("utf-8")
    assert after.startswith("<!doctype html>")
    assert after != before


@pytest.mark.parametrize("name", ["table.csv", "run.json", "page.htm", "page"])
def test_a_page_is_an_html_file(
    handloom: Command, trained: Path, tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    ended = handloom("report", trained, "--out", file)
    assert ended.status == 1
    assert f"must have the suffix .html, got {file}" in ended.err
    assert not file.exists()


def test_a_page_replaces_earlier_pages_alone(
    handloom: Command, trained: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(trained, tmp_path / "run")
    model, data = run / "model", ("--data", tiny_folder)
    commands = {
        tmp_path / "mine.html": ("report", run, "--out", tmp_path / "mine.html"),
        run / "report.html": ("report", run),
        run / "model-report.html": ("report", model, *data),
    }
    for file, command in commands.items():
        file.write_text("<!doctype html>\nmy thesis")
        ended = handloom(*command)
        assert ended.status == 1
        assert f"{file} exists and is no page of Handloom" in ended.err
        assert file.read_text() == "<!doctype html>\nmy thesis"
        file.unlink()
        assert handloom(*command).status == 0
        assert handloom(*command).status == 0  # its own page


def test_a_page_without_its_rows_says_so(handloom: Command, trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    described = (run / "run.json").read_text().replace("/tiny", "/nowhere")
    (run / "run.json").write_text(described)
    ended = handloom("report", run)
    assert ended.status == 0
    assert "the page lacks the test rows" in ended.err
    assert "where the run names it (its folder)" in ended.err
    assert address(ended.out) == (run / "report.html").resolve()


def test_a_page_that_cannot_be_made_is_an_error(
    handloom: Command, trained: Path, tmp_path: Path
) -> None:
    ended = handloom("report", tmp_path)
    assert ended.status == 1
    assert "neither the folder of a run" in ended.err
    assert handloom("report", trained, "--data", tmp_path).status == 1
    ended = handloom("report", trained / "model")
    assert f"{trained / 'model'} is the model of a run: name the run, {trained}\n" in ended.err
    shutil.copytree(trained / "model", tmp_path / "alone")
    ended = handloom("report", tmp_path / "alone")
    assert f"{tmp_path / 'alone'} is a model without its run" in ended.err
    assert ended.err.endswith("with --data\n")
    (tmp_path / "file").write_text("")
    assert handloom("report", trained, "--out", tmp_path / "file" / "page.html").status == 1


@pytest.mark.long
def test_reproduce_ends_with_the_address_of_its_page_which_links_to_those_of_the_runs(
    handloom: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "study"
    models = ("--models", "sgd,adam")
    ended = handloom("reproduce", "--data", tiny_folder, *models, "--out", out, *SHORT)
    assert ended.status == 0
    assert address(ended.out) == (out / "report.html").resolve()

    def links(file: Path) -> list[str]:
        section = parsed(file.read_text("utf-8")).by_id("optimizers")
        return [each.attributes["href"] for each in section.all("a")]

    addresses = links(out / "report.html")
    assert addresses == [f"runs/{name}-seed0/report.html" for name in ("sgd", "adam")]
    for each in addresses:
        page = parsed((out / each).read_text("utf-8"))
        assert "Training report" in next(page.all("h1")).text
    (out / addresses[0]).unlink()
    assert handloom("report", out).status == 0
    assert links(out / "report.html") == addresses[1:]
    elsewhere = tmp_path / "page.html"
    assert handloom("report", out, "--out", elsewhere).status == 0
    assert links(elsewhere) == []


SHORT = ("--steps", "2")
