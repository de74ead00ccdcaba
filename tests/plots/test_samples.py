"""Samples and their augmented versions are drawn with the names of their classes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.helpers import images
from tests.plots.helpers import NAMES, WHERE, dataset, pixels, render

from handloom import Erase, Flip, Shift, moons, plots, sine
from handloom.data.dataset import Dataset
from handloom.errors import ConfigurationError, DataError


def photographs(channels: int, y: int, x: int) -> Dataset:
    return Dataset(images(12, channels, y, x), np.arange(12) % 3, NAMES, WHERE)


class TestSampleGrid:
    def test_has_a_row_for_each_class(self) -> None:
        figure = render(plots.samples(dataset(), per_class=3))
        (axes,) = figure.axes
        assert [text.get_text() for text in axes.get_yticklabels()] == list(NAMES)
        assert axes.get_xlabel() == "the first 3 of each class"
        assert WHERE in figure.get_suptitle()

    def test_has_no_row_for_a_class_without_images(self) -> None:
        two = dataset().take(np.flatnonzero(dataset().targets != 1))
        (axes,) = render(plots.samples(two)).axes
        assert [text.get_text() for text in axes.get_yticklabels()] == [NAMES[0], NAMES[2]]

    def test_shows_the_first_images_and_leaves_the_rest_white(self) -> None:
        samples = dataset(rows=4)  # two of class 0, one of each other
        sheet = pixels(plots.samples(samples, per_class=2))
        assert (sheet[:5, :7] == samples.inputs[0]).all()
        assert (sheet[:5, 8:] == samples.inputs[3]).all()
        assert (sheet[6:11, 8:] == 255).all()

    def test_shows_colors(self) -> None:
        samples = photographs(3, 9, 7)
        sheet = pixels(plots.samples(samples, per_class=2))
        assert (sheet[:9, :7] == np.moveaxis(samples.inputs[0], 0, -1)).all()
        assert (sheet[10:19, 8:15] == np.moveaxis(samples.inputs[4], 0, -1)).all()

    @pytest.mark.parametrize("shape", [(3, 28, 28), (4, 96, 64), (1, 600, 800), (3, 5, 400)])
    def test_a_file_has_a_sensible_size(self, shape: tuple[int, int, int], tmp_path: Path) -> None:
        plots.save(plots.samples(photographs(*shape), per_class=4), tmp_path / "samples.png")
        with Image.open(tmp_path / "samples.png") as image:
            assert min(image.size) >= 250
            assert max(image.size) <= 1500
        assert (tmp_path / "samples.png").stat().st_size < 1_000_000

    def test_refuses_what_is_no_image(self) -> None:
        features = Dataset(np.zeros((3, 4)), np.arange(3), NAMES)
        with pytest.raises(
            DataError, match=r"rows of shape \(4,\): a cell that ends with the data"
        ):
            plots.samples(features)
        with pytest.raises(DataError, match=r"uint8 of shape \(n, y, x\), .*got float64"):
            plots.samples(Dataset(np.zeros((3, 4, 4)), np.arange(3), NAMES))
        with pytest.raises(ConfigurationError, match=r"pass splits\.test"):
            plots.samples(moons(10))  # type: ignore[arg-type]

    def test_rows_of_two_features_are_points_by_class(self) -> None:
        data = moons(30).train
        figure = render(plots.samples(data))
        (axes,) = figure.axes
        for label, drawn in enumerate(axes.collections):
            own = np.asarray(data.inputs)[data.targets == label]
            np.testing.assert_array_equal(drawn.get_offsets(), own)
            assert drawn.get_label() == data.class_names[label]

    def test_points_of_classes_that_share_a_color_have_different_markers(self) -> None:
        rows = np.random.default_rng(0).standard_normal((30, 2))
        (axes,) = plots.samples(Dataset(rows, np.arange(30) % 10)).axes
        first, eighth = axes.collections[0], axes.collections[7]
        np.testing.assert_array_equal(first.get_facecolor(), eighth.get_facecolor())
        circle, square = (np.asarray(each.get_paths()[0].vertices) for each in (first, eighth))
        assert not np.array_equal(circle, square)

    def test_rows_of_one_feature_are_points_against_their_targets(self) -> None:
        data = sine(30).train
        (axes,) = render(plots.samples(data)).axes
        (drawn,) = axes.collections
        expected = np.column_stack([data.inputs, data.targets])
        np.testing.assert_allclose(np.asarray(drawn.get_offsets(), np.float64), expected)

    def test_has_no_more_columns_than_images(self) -> None:
        figure = plots.samples(dataset(rows=4), per_class=10**9)
        assert figure.axes[0].get_xlabel() == "the first 2 of each class"

    def test_a_long_row_is_wrapped(self, tmp_path: Path) -> None:
        samples = dataset(rows=300)
        figure = plots.samples(samples, per_class=100)
        sheet = pixels(figure)
        of_first = samples.inputs[samples.targets == 0]
        assert sheet.shape == (3 * 5 * 6 - 1, 20 * 8 - 1)
        assert (sheet[6:11, :7] == of_first[20]).all()
        assert (sheet[30:35, :7] == samples.inputs[1]).all()
        plots.save(figure, tmp_path / "samples.png")
        with Image.open(tmp_path / "samples.png") as image:
            assert image.size[0] / 20 > 100, "thumbnails of at least 100 pixels"

    def test_the_images_fill_the_page(self) -> None:
        """Without a gap below the title, however few the classes."""
        images = np.zeros((20, 28, 28), np.uint8)
        two = Dataset(images, np.arange(20) % 2, ("cat", "dog"), WHERE)
        figure = render(plots.samples(two))
        (panel,) = figure.axes
        box, page = panel.get_window_extent(), figure.bbox
        assert (page.y1 - box.y1) / figure.dpi < 0.8
        assert box.width > 0.85 * page.width

    def test_refuses_continuous_targets(self) -> None:
        samples = Dataset(images(6, 9, 9), np.linspace(0.0, 1.0, 6), ["height"], WHERE)
        with pytest.raises(DataError, match="must be classes, got continuous"):
            plots.samples(samples)
        with pytest.raises(DataError, match="must be classes, got continuous"):
            plots.augmented_samples(samples, [Flip()])

    def test_refuses_no_samples(self) -> None:
        with pytest.raises(ConfigurationError, match="per_class"):
            plots.samples(dataset(), per_class=0)


class TestAugmentedSamples:
    def test_shows_the_first_image_of_each_class_and_its_versions(self) -> None:
        samples = photographs(3, 14, 14)
        sheet = pixels(plots.augmented_samples(samples, [Flip(alternating=True)], versions=2))
        cells = sheet.reshape(3 * 15 - 1, 3 * 15 - 1, 3)
        for label in range(3):
            image = np.moveaxis(samples.inputs[label], 0, -1)
            shown = [cells[15 * label :][:14, 15 * column :][:, :14] for column in range(3)]
            assert (shown[0] == image).all()
            flipped = [(each == image[:, ::-1]).all() for each in shown[1:]]
            same = [(each == image).all() for each in shown[1:]]
            assert sorted(flipped) == sorted(same) == [False, True]

    def test_leaves_the_dataset_and_other_classes_as_they_are(self) -> None:
        samples = dataset(rows=2)  # none of the third class
        before = samples.inputs.copy()
        figure = plots.augmented_samples(samples, [Erase(1.0), Shift(2)], versions=3)
        assert (samples.inputs == before).all()
        assert (pixels(figure)[12:17] == 255).all()
        assert figure.axes[0].get_xlabel() == "the first of each class, and 3 augmented versions"

    def test_the_seed_decides(self) -> None:
        sheets = [
            pixels(plots.augmented_samples(dataset(), [Shift(2)], seed=seed)) for seed in (0, 0, 1)
        ]
        assert (sheets[0] == sheets[1]).all()
        assert (sheets[0] != sheets[2]).any()

    def test_refuses_nothing_to_do(self) -> None:
        with pytest.raises(ConfigurationError, match="at least one augmentation"):
            plots.augmented_samples(dataset(), [])
        with pytest.raises(ConfigurationError, match="versions"):
            plots.augmented_samples(dataset(), [Flip()], versions=0)
        with pytest.raises(DataError, match="1 channel"):
            plots.augmented_samples(photographs(2, 9, 9), [Flip()])
