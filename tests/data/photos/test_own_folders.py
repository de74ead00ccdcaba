"""A model of a folder of images sees a file of that folder as the row that it was trained on."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")

from fuzz.targets import replace_in_set
from PIL import Image, ImageDraw

from handloom import (
    Adam,
    ConfigurationError,
    Dataset,
    Dense,
    Flatten,
    Model,
    ModelError,
    Sequential,
    Splits,
    Trainer,
    open_folder,
    silhouettes,
)
from handloom.data.photos.statistics import statistics_of
from handloom.files import read_set
from handloom.model import KIND, VERSION

MODES = ("L", "RGB", "RGBA", "P", "LA")


def drawn(index: int, generator: np.random.Generator) -> Image.Image:
    """Return a dark shape on paper of any brightness; every third one has a transparent margin."""
    width, height, paper, ink = generator.integers([20, 20, 150, 0], [61, 61, 256, 100]).tolist()
    image = Image.new("RGBA", (width, height), (paper, paper, paper // 2, 255))
    side = int(generator.integers(8, 16))
    draw = ImageDraw.Draw(image)
    shape = draw.rectangle if index % 2 else draw.ellipse
    shape((3, 2, 3 + side, 2 + side), fill=(ink, 50, 60, 255))
    if index % 3 == 0:
        draw.rectangle((0, height - 6, width, height), fill=(0, 0, 0, 0))
    return image


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of 40 files: PNG of several modes, and JPEG that a camera held on its side."""
    folder, generator = tmp_path_factory.mktemp("own") / "shapes", np.random.default_rng(0)
    turned = Image.Exif()
    turned[0x0112] = 6
    for index in range(80):
        parent = folder / ("disc", "square")[index % 2]
        parent.mkdir(parents=True, exist_ok=True)
        image = drawn(index, generator)
        if index % 5 == 4:
            large = image.convert("RGB").resize((5 * image.width, 5 * image.height))
            large.save(parent / f"{index:02}.jpg", exif=turned)
        else:
            image.convert(MODES[index // 2 % len(MODES)]).save(parent / f"{index:02}.png")
    return folder


def trained(data: Splits) -> Model:
    network = Sequential([Flatten(), Dense(2)]).build(data.train.input_shape, seed=0)
    trainer = Trainer(network, Adam(), 1e-2, epochs=1, batch_size=32)
    trainer.fit(data.train)
    return trainer.model()


@pytest.mark.parametrize(
    ("fit", "color"),
    [("pad", "rgb"), ("pad", "rgba"), ("pad", None), ("crop", "gray"), ("stretch", "rgba")],
)
@pytest.mark.filterwarnings("ignore::handloom.errors.DataWarning")  # mixed modes become RGBA
def test_a_file_of_the_folder_is_seen_as_its_row(
    files: Path, tmp_path: Path, fit: str, color: str | None
) -> None:
    options = {"size": (16, 20), "fit": fit, "color": color, "test": 0.1}
    data = open_folder(files, **options)  # type: ignore[arg-type]
    trained(data).save(tmp_path)
    model = Model.load(tmp_path)
    rows = {row.tobytes() for part in (data.train, data.test) for row in np.asarray(part.inputs)}
    predictions = [model.predict_image(path) for path in sorted(files.glob("*/*"))]
    assert all(each.pixels.tobytes() in rows and not each.prepared for each in predictions)
    assert np.mean([bool(each.familiar) for each in predictions]) >= 0.95
    as_is = model.predict_image(next(files.glob("*/*")), as_is=True)
    assert as_is.pixels.tobytes() in rows


@pytest.mark.parametrize("told_by", ["brightness", "size"])
def test_files_are_seen_as_their_rows_though_they_look_prepared(
    tmp_path: Path, told_by: str
) -> None:
    """Discs in the middle of light paper: preparation would make both classes alike."""
    generator = np.random.default_rng(0)
    for index in range(24):
        side, first = int(generator.integers(40, 90)), index % 2 == 0
        extent = (0.9 if first else 0.75) if told_by == "size" else 0.8
        ink = (160 if first else 30) if told_by == "brightness" else 60
        image = Image.new("L", (side, side), 245)
        low, high = side * (1 - extent) / 2, side * (1 + extent) / 2
        ImageDraw.Draw(image).ellipse((low, low, high, high), fill=ink + index)
        parent = tmp_path / "discs" / ("a" if first else "b")
        parent.mkdir(parents=True, exist_ok=True)
        image.save(parent / f"{index}.png")
    data = open_folder(tmp_path / "discs", size=28, test=0.2)
    rows = {row.tobytes() for part in (data.train, data.test) for row in np.asarray(part.inputs)}
    arrays = statistics_of(Dataset(data.train.inputs, data.train.targets))
    assert arrays is not None
    assert arrays.prepared  # they do look so
    model = trained(data)
    seen = [model.predict_image(path) for path in (tmp_path / "discs").glob("*/*")]
    assert {each.pixels.tobytes() for each in seen} == rows
    assert not any(each.prepared for each in seen)


def test_transparency_of_arrays_and_images_is_kept(files: Path) -> None:
    data = open_folder(files, size=16, color="rgba", test=0.1)
    row = np.asarray(data.train.inputs[0], np.uint8)
    model, pixels = trained(data), np.ascontiguousarray(np.moveaxis(row, 0, -1))
    assert (row[3] < 255).any()
    for source in (row, pixels, Image.fromarray(pixels)):
        assert np.array_equal(model.predict_image(source).pixels, row)
    inverted = model.predict_image(row, as_is=True, invert=True).pixels
    assert np.array_equal(inverted, np.concatenate([255 - row[:3], row[3:]]))


@pytest.mark.filterwarnings("ignore:no object found:handloom.DataWarning")
def test_an_image_of_the_caller_stays_as_it_is(files: Path, tmp_path: Path) -> None:
    model = trained(open_folder(files, size=16, color="rgb", test=0.1))
    garments = silhouettes(300, test_rows=10)
    network = Sequential([Flatten(), Dense(10)]).build((28, 28), seed=0)
    trainer = Trainer(network, Adam(), 1e-2, epochs=1, batch_size=100)
    trainer.fit(garments.train)
    Image.new("RGB", (3000, 2000)).save(tmp_path / "large.jpg")
    for each in (model, trainer.model()):
        with Image.open(tmp_path / "large.jpg") as image:
            each.predict_image(image)
            assert image.size == (3000, 2000)


def test_images_that_look_prepared_have_photographs_prepared() -> None:
    garments = silhouettes(300, test_rows=10).train
    corners = np.zeros_like(np.asarray(garments.inputs))
    for row, image in enumerate(np.asarray(garments.inputs)[:, ::4, ::4]):  # small, anywhere
        top, left = 7 * row % 20, 5 * row % 20
        corners[row, top : top + 7, left : left + 7] = image
    transparent = np.repeat(np.asarray(garments.inputs)[:, None], 4, axis=1)
    for inputs, prepared in (
        (garments.inputs, True),
        (255 - np.asarray(garments.inputs), True),
        (corners, False),
        (transparent, False),
    ):
        statistics = statistics_of(Dataset(inputs, garments.targets))
        assert statistics is not None
        assert statistics.prepared is prepared


def test_the_fit_stays_with_the_data(files: Path) -> None:
    train = open_folder(files, size=16, fit="crop", color="rgb", test=0.1).train
    assert train.fit == replace(train, name="other").fit == "crop"
    assert train.take(slice(0, 9)).fit == train.sorted_by_class().fit == "crop"
    assert silhouettes(30, test_rows=10).train.fit is None
    with pytest.raises(ConfigurationError, match="unknown fit 'croped'; known are"):
        Dataset(train.inputs, train.targets, fit="croped")  # type: ignore[arg-type]


def test_models_of_earlier_versions_prepare_photographs(files: Path, tmp_path: Path) -> None:
    model = trained(open_folder(files, size=16, fit="stretch", color="rgb", test=0.1))
    model.save(tmp_path)
    described = json.loads(read_set(tmp_path, KIND, VERSION)["model.json"])
    statistics = described["image_statistics"]
    assert (statistics.pop("fit"), statistics.pop("prepared")) == ("stretch", False)
    replace_in_set(tmp_path, "model.json", json.dumps(described).encode())
    assert Model.load(tmp_path).predict_image(next(files.glob("*/*"))).prepared
    for name, message in (("fit", "unknown fit 7"), ("prepared", "prepared must be")):
        described["image_statistics"] = {**statistics, name: 7}
        replace_in_set(tmp_path, "model.json", json.dumps(described).encode())
        with pytest.raises(ModelError, match=message):
            Model.load(tmp_path)
