import json
import re

import numpy as np
import pytest
from tests.helpers.own_layers import Scale as OwnLayer

from handloom import Dataset, Dense, Model, ReLU, Sequential
from handloom.data.transforms import Scale
from handloom.markup import render
from handloom.reporting import report
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.sections.alive import alive

pytest.importorskip("PIL")

HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</title>&amp;\u202e\x00")
INPUTS = np.random.default_rng(0).integers(0, 256, (12, 8, 8), np.uint8)
TEST = Dataset(INPUTS, np.arange(12) % 3, HOSTILE, "rows")


def model(*layers: object, shape: tuple[int, ...] = (8, 8)) -> Model:
    network = Sequential([*layers, Dense(3)])  # type: ignore[list-item]
    network.build((int(np.prod(shape)),), seed=2)
    return Model(network, Scale(), HOSTILE, shape, "uint8")


def section(run: ReportedRun) -> Section:
    made = alive(run)
    assert isinstance(made, Section)
    return made


def test_every_class_name_is_escaped() -> None:
    html = report(model(Dense(4), ReLU()), TEST).html
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;alert(1)" in html
    stored = re.search(r'id="data-alive">(.*?)</script>', html)
    assert stored is not None
    assert json.loads(stored[1])["class_names"] == list(HOSTILE)


def test_a_layer_of_ones_own_is_named_and_pictures_are_shown() -> None:
    made = section(ReportedRun("run", model(Dense(4), OwnLayer()), test=TEST))
    html = render(made.body)
    assert "no forward pass in JavaScript for 1.scale (Scale)" in html
    assert made.data is None
    assert made.scripts == ()
    assert html.count("<img") == 3  # the image, and the last layer of two blocks
    assert "alive-stage" not in html


def test_a_page_without_scripts_shows_pictures_and_the_prediction() -> None:
    html = render(section(ReportedRun("run", model(Dense(4), ReLU()), test=TEST)).body)
    still, stage = html.split('id="alive-stage"')
    assert still.count("<img") == 3
    assert re.search(r"The network predicts: .* \d+\.\d\s%", still)
    assert stage.startswith(" hidden")


def test_without_rows_there_is_a_sketch_and_the_reason() -> None:
    missing = {"test": "the dataset was not found."}
    made = section(ReportedRun("run", model(Dense(4)), missing=missing))
    assert "the dataset was not found." in render(made.body)
    assert made.data is not None
    assert len(made.data["images"]) == 1


def test_without_a_model_it_is_omitted() -> None:
    made = alive(ReportedRun("run", missing={"model": "the folder has no model yet."}))
    assert made == Omission("The network, alive", "the folder has no model yet.")


def test_a_network_of_ones_own_class_is_omitted() -> None:
    own = type("OwnNetwork", (Sequential,), {})([Dense(3)]).build((64,))
    made = alive(ReportedRun("run", Model(own, Scale(), HOSTILE, (8, 8), "uint8"), test=TEST))
    assert isinstance(made, Omission)
    assert "OwnNetwork" in made.reason


@pytest.mark.parametrize("test", [TEST, None], ids=["with rows", "without"])
def test_weights_that_are_not_finite_are_told(test: Dataset | None) -> None:
    diverged = model(Dense(4), ReLU())
    diverged.network.parameters.values[...] = np.nan
    html = render(section(ReportedRun("run", diverged, test=test)).body)
    assert "cannot run the network: the weights are not finite." in html
    assert "not finite to not finite" in html


def test_images_of_two_channels_are_omitted() -> None:
    made = alive(ReportedRun("run", model(shape=(2, 8, 8))))
    assert isinstance(made, Omission)
    assert "2 channels" in made.reason


def test_a_network_with_two_classes_and_one_output_shows_both() -> None:
    network = Sequential([Dense(1)]).build((64,))
    names = ("no", "yes")
    binary = Model(
        network,
        Scale(),
        ("yes",),
        (8, 8),
        "uint8",
        output_activation="sigmoid",
        binary_classes=names,
    )
    made = section(ReportedRun("run", binary))
    assert made.data is not None
    assert made.data["class_names"] == list(names)


def test_the_section_is_little_more_than_its_weights() -> None:
    made = section(ReportedRun("run", model(Dense(400), ReLU()), test=TEST))
    size = len(render(made.body)) + len(json.dumps(made.data))
    weights = 2 * (64 * 400 + 400 * 3) * 4 / 3
    assert weights < size < weights + 40_000
