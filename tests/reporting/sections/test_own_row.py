"""The section with a row of one's own, as it is without scripts."""

import re
from typing import Any

import numpy as np
import pytest
from tests.helpers.own_layers import Scale as OwnLayer

from handloom import Dataset, Dense, Embedding, Model, Sequential
from handloom.data.transforms import AsFloat
from handloom.markup import render
from handloom.reporting.form.form import form
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.sections.own_row import own_row

pd: Any = pytest.importorskip("pandas")

HOSTILE = "<script>alert(1)</script>"


def frame(rows: int) -> Any:
    rng = np.random.default_rng(rows)
    return pd.DataFrame(
        {
            HOSTILE: rng.integers(0, 90, rows) / 2,
            "town": rng.choice(["here", HOSTILE, "there"], rows),
            "price": rng.integers(1_000, 9_000, rows) * 100.0,
        }
    )


DATA = Dataset.from_frame(frame(60), "price", embed=["town"])
COLUMNS = DATA.columns
assert COLUMNS is not None


def model(*layers: object) -> Model:
    assert COLUMNS is not None
    network = Sequential([Embedding(COLUMNS.embedded), *layers, Dense(1)])  # type: ignore[list-item]
    network.build(DATA.input_shape, seed=1)
    return Model(
        network,
        AsFloat(),
        DATA.class_names,
        DATA.input_shape,
        "float32",
        output_activation="identity",
        column_names=DATA.column_names,
        columns=COLUMNS,
    )


def section(run: ReportedRun) -> Section:
    made = own_row(run)
    assert isinstance(made, Section)
    return made


def test_a_page_without_scripts_shows_rows_predictions_and_targets_in_units_of_the_table() -> None:
    raw = frame(20)
    test = Dataset.from_frame(raw, "price", columns=COLUMNS)
    trained = model()
    html = render(section(ReportedRun("run", trained, test=test)).body)
    still, stage = html.split('id="form-stage"')
    assert stage.startswith(" hidden")
    assert f"{raw['price'][0]:,.6g}" in still
    assert f"{float(trained.predict(raw)[0, 0]):,.6g}" in still
    assert ">predicted price<" in still
    assert f">{raw[HOSTILE][0]:g}<" in still
    assert HOSTILE not in html


def test_a_layer_of_ones_own_is_named_and_rows_are_shown() -> None:
    made = section(ReportedRun("run", model(OwnLayer()), test=DATA))
    html = render(made.body)
    assert "no forward pass in JavaScript for 1.scale (Scale)" in html
    assert "line 2" in html
    assert made.data is None
    assert made.scripts == ()


def test_each_field_has_a_label_of_its_own() -> None:
    html = render(section(ReportedRun("run", model(), test=DATA)).body)
    labels = re.findall(r'<label for="([^"]+)"', html)
    assert len(labels) == len(set(labels)) == 2
    for identity in labels:
        assert f'id="{identity}"' in html
    for described in re.findall(r'aria-describedby="([^"]+)"', html):
        assert f'id="{described}"' in html


def test_a_network_that_is_too_large_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handloom.reporting.alive.network_export.MAX_BYTES", 10)
    made = section(ReportedRun("run", model(), test=DATA))
    assert "This page cannot run the network: " in render(made.body)
    assert made.data is None


def test_rows_with_too_many_features_are_omitted() -> None:
    rows = Dataset(np.zeros((4, 60), np.float32), np.array([0, 1, 0, 1]), ("a", "b"))
    network = Sequential([Dense(2)]).build((60,))
    made = own_row(
        ReportedRun("run", Model(network, AsFloat(), ("a", "b"), (60,), "float32"), test=rows)
    )
    assert isinstance(made, Omission)
    assert made.reason == "its rows have 60 features, more than the 50 of a form."


def test_without_rows_it_is_omitted_with_the_reason() -> None:
    missing = {"test": "the dataset was not found."}
    made = own_row(ReportedRun("run", model(), missing=missing))
    assert made == Omission("A row of your own", "the dataset was not found.")


def test_images_have_no_form() -> None:
    network = Sequential([Dense(2)]).build((64,))
    images = Model(network, AsFloat(), ("a", "b"), (8, 8), "uint8")
    assert own_row(ReportedRun("run", images)) is None


def test_a_form_without_fields_that_can_miss_has_no_hint() -> None:
    assert "missing" not in render(form([], ("a",), classes=False))
