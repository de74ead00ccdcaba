"""A report: one page that loads nothing and runs nothing but the library's scripts."""

import base64
import hashlib
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.pages import Parsed, parsed
from tests.helpers.training import continuous_targets, network

import handloom
from handloom import (
    Adam,
    ConfigurationError,
    Dataset,
    Dense,
    History,
    MeanSquaredError,
    Model,
    ReLU,
    Sequential,
    Trainer,
    silhouettes,
)
from handloom.files import FileError
from handloom.reporting.page import BEGINNING
from handloom.reporting.run import ReportedRun

pytest.importorskip("PIL")

HOSTILE = (
    "</script><script>document.title='hacked'</script>",
    "<img src=x onerror=\"document.title='hacked'\">",
    "'\"><svg onload=alert(1)>",
    "--><!--",
    "a\x1b]0;b\x07\u202ec",
    *(f"class {k} & <b>more</b>" for k in range(5)),
)
SPLITS = silhouettes(rows=400, test_rows=150)


def hostile(data: Dataset) -> Dataset:
    return Dataset(data.inputs, data.targets, HOSTILE, "<h1>data</h1>")


def trained(data: Dataset) -> tuple[Model, History]:
    trainer = Trainer(network(data, 24), Adam(), 1e-2, epochs=3, batch_size=50, backend="numpy")
    history = trainer.fit(data, 0.2)
    return trainer.model(), history


@pytest.fixture(scope="module")
def hostile_training() -> tuple[Model, History]:
    return trained(hostile(SPLITS.train))


def hostile_html(model: Model, history: History) -> str:
    splits = handloom.Splits(hostile(SPLITS.train), hostile(SPLITS.test))
    return handloom.report(model, splits, history, title="</title><script>x</script>").html


@pytest.fixture(scope="module")
def html(hostile_training: tuple[Model, History]) -> str:
    return hostile_html(*hostile_training)


@pytest.fixture(scope="module")
def page(html: str) -> Parsed:
    return parsed(html)


def test_hostile_names_are_text(page: Parsed) -> None:
    text = page.by_id("confusion").whole_text
    for name in HOSTILE[:4]:
        assert name in text
    assert "a\\x1b]0;b\\x07\\u202ec" in text
    assert {each.tag for each in page.by_id("content").all()} <= ALLOWED
    for each in page.all():
        assert not [name for name in each.attributes if name.startswith("on") or name == "style"]


ALLOWED = {
    *("section", "h2", "h3", "p", "ul", "ol", "li", "dl", "dt", "dd", "div", "span", "b", "small"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary", "figure"),
    *("figcaption", "a", "img", "pre", "code", "svg", "g", "path", "line", "rect", "circle"),
    *(
        "text",
        "use",
        "image",
        "button",
        "input",
        "label",
        "canvas",
        "output",
        "title",
        "kbd",
        "noscript",
    ),
    *("fieldset", "legend", "select", "option", "em", "i"),
}


def test_scripts_and_styles_are_those_that_the_policy_names(page: Parsed) -> None:
    (policy,) = (
        each.attributes["content"]
        for each in page.all("meta")
        if each.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    run = [each for each in page.all("script") if each.attributes.get("type") != "application/json"]
    for elements, rule in ((run, "script-src"), (list(page.all("style")), "style-src")):
        (code,) = elements
        digest = hashlib.sha256(code.text.encode()).digest()
        assert rules[rule] == f"'sha256-{base64.b64encode(digest).decode()}'"
    head = [each.attributes.get("http-equiv", each.tag) for each in page.all()]
    assert head.index("Content-Security-Policy") < head.index("style")


def test_every_address_is_in_the_page(page: Parsed) -> None:
    ids = [each.attributes["id"] for each in page.all() if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    for each in page.all():
        for name in ("href", "src", "aria-labelledby", "for"):
            address = each.attributes.get(name, "")
            if name in ("href", "src") and address:
                assert re.match("#|data:image/png;base64,", address), address
            if address and not address.startswith("data:"):
                assert address.removeprefix("#") in ids


def test_a_page_has_a_language_a_title_and_headings_in_order(page: Parsed) -> None:
    (document,) = page.all("html")
    assert document.attributes["lang"] == "en"
    assert len(list(page.all("title"))) == 1
    assert len(list(page.all("h1"))) == 1
    levels = [int(each.tag[1]) for each in page.all() if re.fullmatch(r"h\d", each.tag)]
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    assert all(each.attributes.get("alt") is not None for each in page.all("img"))


def test_captions_say_what_is_drawn(page: Parsed) -> None:
    text = " ".join(page.whole_text.split())
    assert "It is 0.01 in every epoch." in text  # and no axis that does not begin at 0
    assert "orange is darker, and strongest from a quarter of the class on" in text
    assert "Some labels may be wrong; which of these would you have got right?" in text


def test_the_same_model_makes_the_same_page(
    html: str, hostile_training: tuple[Model, History]
) -> None:
    assert hostile_html(*hostile_training) == html


def test_a_page_is_small_and_saved_whole(tmp_path: Path) -> None:
    model, history = trained(SPLITS.train)
    report = handloom.report(model, SPLITS, history)
    file = report.save(tmp_path / "new" / "report.html")
    assert file.read_text("utf-8") == report.html
    assert file.stat().st_size < 2_000_000
    assert report.save(file) == file


def test_a_page_replaces_no_other_file(tmp_path: Path) -> None:
    model, _ = trained(SPLITS.train)
    report = handloom.report(model, SPLITS)
    assert report.html.startswith(BEGINNING)
    mine = tmp_path / "mine.html"
    for content in ("", "<!doctype html>\n<html>", report.html[: len(BEGINNING) - 1]):
        mine.write_text(content)
        with pytest.raises(FileError, match=r"mine.html exists and is no page of Handloom"):
            report.save(mine)
        assert mine.read_text() == content
    with pytest.raises(FileError, match=r"must have the suffix .html, got .*rows.csv"):
        report.save(tmp_path / "rows.csv")


def test_a_notebook_shows_the_page_in_a_frame_of_its_own() -> None:
    model, _ = trained(SPLITS.train)
    report = handloom.report(model, SPLITS.test)
    (frame,) = parsed(report._repr_html_()).children
    assert frame.tag == "iframe"
    assert frame.attributes["sandbox"] == "allow-scripts"
    assert frame.attributes["srcdoc"] == report.html


def test_what_is_missing_is_said() -> None:
    model, _ = trained(SPLITS.train)
    page = parsed(handloom.report(model, SPLITS.test).html)
    omitted = [each.whole_text for each in page.by_id("omitted").all("li")]
    assert ": it was not recorded. Curves: how the training went" in omitted
    assert "omitted" not in {
        each.attributes.get("id")
        for each in parsed(handloom.report(model, SPLITS, _).html).all("section")
    }


def test_features_get_a_page_without_images() -> None:
    data = Dataset(
        np.random.default_rng(0).normal(size=(80, 3)),
        np.arange(80) % 2,
        ("<i>no</i>", "yes"),
        column_names=("<script>x</script>", "b", "c"),
    )
    model, history = trained(data)
    page = parsed(handloom.report(model, data, history).html)
    assert {"overview", "curves", "network"} <= {
        each.attributes.get("id") for each in page.all("section")
    }


def test_a_regression_gets_a_page_without_predictions() -> None:
    data = continuous_targets(60)
    own = Sequential([Dense(8), ReLU(), Dense(2)]).build((4,))
    loss = MeanSquaredError()
    trainer = Trainer(own, Adam(), 1e-2, epochs=2, batch_size=20, loss=loss, backend="numpy")
    history = trainer.fit(data)
    page = parsed(handloom.report(trainer.model(), data, history).html)
    assert "curves" in {each.attributes.get("id") for each in page.all("section")}
    with pytest.raises(handloom.ModelError, match="shape"):
        handloom.report(trainer.model(), Dataset(data.inputs[:, :3], data.targets))


def test_a_diverged_training_gets_a_page() -> None:
    data = SPLITS.train
    trainer = Trainer(network(data, 8), Adam(), 1e30, epochs=2, batch_size=50, backend="numpy")
    with pytest.warns(handloom.DivergenceWarning):
        history = trainer.fit(data)
    page = parsed(handloom.report(trainer.model(), SPLITS, history).html)
    assert "diverged" in page.by_id("overview").whole_text


@pytest.mark.parametrize("arguments", [("model", SPLITS), (None, SPLITS.test)])
def test_other_objects_are_refused(arguments: tuple[object, object]) -> None:
    with pytest.raises(ConfigurationError, match="model"):
        handloom.report(*arguments)  # type: ignore[arg-type]
    model, _ = trained(SPLITS.train)
    with pytest.raises(ConfigurationError, match="data"):
        handloom.report(model, [1, 2])  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="history"):
        handloom.report(model, SPLITS, [1])  # type: ignore[arg-type]


def test_a_run_without_anything_gets_a_page() -> None:
    from handloom.reporting.report import report_of

    page = parsed(report_of(ReportedRun("empty")).html)
    assert "Architecture: the network" in page.by_id("omitted").whole_text
