"""Embedding: the last hidden layer in two dimensions, by principal components."""

import numpy as np
import numpy.typing as npt

from handloom.charts.scales import Scale
from handloom.data.dataset import Dataset
from handloom.data.transforms import given_rows
from handloom.markup import Element, Node, element
from handloom.model import Model
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.wording import percent

TITLE = "Map of the last hidden layer: which images look alike to it"

MEASURED, SHOWN = 500, 260
"""The numbers of test rows whose components are computed, and that are drawn."""

WIDTH, HEIGHT, MARGIN, IMAGE = 900, 560, 24, 24
"""The size of the map, its margin, and the side of an image in it."""

SAME, MOST_ALIKE = 0.01, 0.9
"""The distance of two rows, relative to the largest row, below which they are nearly the same, and
the fraction of such rows from which a map would show one spot."""

TAIL = 0.005
"""The fraction of the rows at each end of an axis that are drawn at its edge."""

LINE = 17
"""The height of a label."""

Floats = npt.NDArray[np.float64]


def embedding(run: ReportedRun) -> Section | Omission | None:
    """Return the map of the test rows, as the last hidden layer sees them."""
    if run.model is None or run.test is None or run.thumbnails is None:
        return Omission(TITLE, run.why_missing("model", "test"))
    if len(run.model.before_loss.layers) < 2:
        return None
    rows = np.linspace(0, len(run.test) - 1, min(MEASURED, len(run.test))).astype(np.intp)
    hidden = last_hidden(run.model, run.test.take(rows))
    if not np.isfinite(hidden).all():
        return Omission(TITLE, "the values of the last hidden layer are not finite.")
    share = alike(hidden)
    if share >= MOST_ALIKE:
        return Section(
            "embedding",
            TITLE,
            element(
                "p",
                f"{'All' if share == 1.0 else 'Nearly all'} images have nearly the same "
                f"activations: {percent(share, 0)} of {len(rows):,} test rows differ from the "
                f"middle one by at most {percent(SAME, 0)} of the largest norm. The layers after "
                "it can hardly tell these images apart, so there is no map.",
            ),
        )
    points, shares = principal_components(hidden)
    return Section(
        "embedding",
        TITLE,
        element(
            "figure",
            element(
                "div",
                _map(run, rows, points),
                class_="scroll",
                tabindex=0,
                role="region",
                aria_label="Map of test images",
            ),
            element(
                "figcaption",
                f"The last hidden layer has {hidden.shape[1]} values for an image. Drawn are the "
                "two directions in which they differ most (the first principal components of "
                f"{len(rows):,} test rows), with {percent(float(shares.sum()), 0)} of their "
                "variance. Images that lie together look alike to the network. A red frame is a "
                "wrong prediction; names stand at the middle of each class.",
            ),
            class_="cloud",
        ),
        styles=("images", "embedding"),
    )


def last_hidden(model: Model, data: Dataset) -> Floats:
    """Return the input of the last layer with weights for each row, shape (n, d)."""
    network = model.before_loss
    x = np.empty((len(data), *network.input_shape), network.parameters.dtype)
    model.transform(given_rows(model.transform, data.inputs[:]), x.reshape(len(x), -1))
    layers = [layer for _, layer in network.named_layers()]
    last = max((index for index, layer in enumerate(layers) if layer.weights), default=0)
    with np.errstate(over="ignore", invalid="ignore"):
        for layer in layers[:last]:
            x = layer.forward(x)
    return x.reshape(len(x), -1).astype(np.float64)


def alike(hidden: Floats) -> float:
    """Return the fraction of rows whose values are nearly those of the middle row."""
    middle = np.median(hidden, axis=0)
    distances = np.sqrt(((hidden - middle) ** 2).sum(axis=1))
    norms = np.sqrt((hidden**2).sum(axis=1))
    return float(np.mean(distances <= SAME * norms.max()))


def principal_components(values: Floats) -> tuple[Floats, Floats]:
    """Return the first two principal components of rows, and their shares of the variance.

    The sign of a component is that of its largest entry, so that the same rows give the same map.
    """
    centered = values - values.mean(axis=0)
    covariance = centered.T @ centered / len(values)
    variances, directions = np.linalg.eigh(covariance)
    if len(variances) < 2:
        directions = np.hstack([directions, np.zeros_like(directions)])
        return centered @ directions, np.array([1.0, 0.0])
    two = directions[:, [-1, -2]]
    two *= np.sign(two[np.abs(two).argmax(axis=0), [0, 1]])
    return centered @ two, variances[[-1, -2]] / max(float(variances.sum()), 1e-300)


def _map(run: ReportedRun, rows: npt.NDArray[np.intp], points: Floats) -> Element:
    assert run.test is not None
    points = np.clip(points, *np.quantile(points, [TAIL, 1 - TAIL], axis=0))
    x, y = (
        Scale(float(low), float(high) + 1e-9, start, end)
        for low, high, start, end in zip(
            points.min(axis=0),
            points.max(axis=0),
            (MARGIN, HEIGHT - MARGIN),
            (WIDTH - MARGIN, MARGIN),
            strict=True,
        )
    )
    few = np.linspace(0, len(rows) - 1, min(SHOWN, len(rows))).astype(np.intp)
    targets = run.test.targets[rows]
    nodes: list[Node] = [
        _image(run, int(rows[index]), x(float(points[index, 0])), y(float(points[index, 1])))
        for index in few
    ]
    centers = {
        name: np.median(own, axis=0)
        for label, name in enumerate(run.class_names)
        if len(own := points[targets == label])
    }
    nodes += _labels({name: (x(float(a)), y(float(b))) for name, (a, b) in centers.items()})
    names = ", ".join(run.class_names)
    return element(
        "svg",
        nodes,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        class_="map",
        role="img",
        aria_label=f"Map of {len(few)} test images of the classes {names}, by principal components",
    )


def _labels(centers: dict[str, tuple[float, float]]) -> list[Node]:
    """Return the names of the classes at their middles, moved down where two would overlap."""
    drawn: list[tuple[float, float, float]] = []
    labels: list[Node] = []
    for name, (center, y) in sorted(centers.items(), key=lambda item: item[1][1]):
        half = 4.2 * len(name)
        x, down = min(max(center, half + 4), WIDTH - half - 4), y
        while any(abs(x - a) < half + b and abs(down - c) < LINE for a, b, c in drawn):
            down += LINE / 2
        drawn.append((x, half, down))
        labels.append(element("text", name, x=x, y=down + 4))
    return labels


def _image(run: ReportedRun, row: int, x: float, y: float) -> Node:
    assert run.thumbnails is not None
    assert run.test is not None
    left, top = x - IMAGE / 2, y - IMAGE / 2
    wrong = run.predicted is not None and run.predicted[row] != run.test.targets[row]
    frame = element("rect", x=left, y=top, width=IMAGE, height=IMAGE, class_="frame")
    image = run.thumbnails.of(row, "", x=left, y=top, width=IMAGE, height=IMAGE)
    return [image, frame if wrong else None]
