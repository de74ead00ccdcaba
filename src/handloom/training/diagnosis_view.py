"""The measurements of layers as HTML: the table of one epoch, and usual values."""

from collections.abc import Sequence
from typing import Protocol

from handloom.markup import Element, element, table

MEANINGS = {
    "outputs": "root mean square, usually 0.1 to 10; of any size before BatchNorm, which rescales",
    "gradient": "of a row's loss with respect to the outputs, root mean square; usually the first "
    "layer's is at least 1 % of the last one's",
    "update": "norm of the epoch's last one relative to the weights, usually 0.0001 to 0.01; less "
    "where the learning rate has fallen",
    "dead": "units of ReLU that are 0 for every row, usually below 50 %",
    "saturated": "outputs of sigmoid and tanh near their limits, usually below 50 %",
}
"""The measurements by column, each with its usual range; see `handloom.training.findings`."""

MOST_LAYERS = 60
"""The largest number of layers that are shown: of a deeper network the first and last ones."""


class Measured(Protocol):
    """The measurements of one layer; see `handloom.training.diagnosis.LayerProbe`."""

    @property
    def layer(self) -> str:
        """The name of the layer."""
        ...

    def cells(self) -> tuple[str, ...]:
        """Return its measurements as text, one for each of `MEANINGS`; empty if it has none."""
        ...


def meanings(dead_rows: int = 0) -> dict[str, str]:
    """Return `MEANINGS`, with the number of rows on which dead units were sought if known."""
    every = f"every one of {dead_rows:,} rows" if dead_rows else "every row"
    return {**MEANINGS, "dead": MEANINGS["dead"].replace("every row", every)}


def layers_view(layers: Sequence[Measured], caption: str, dead_rows: int = 0) -> Element:
    """Return a table of layers, without the columns that none of them has, and usual values."""
    half = MOST_LAYERS // 2
    shown = layers if len(layers) <= MOST_LAYERS else [*layers[:half], *layers[-half:]]
    if len(shown) < len(layers):
        caption += f" The first and last {half} of {len(layers):,} layers are shown."
    rows = [(each.layer, each.cells()) for each in shown]
    known = [i for i in range(len(MEANINGS)) if any(cells[i] for _, cells in rows)]
    names = [list(MEANINGS)[i] for i in known]
    explained = meanings(dead_rows)
    return element(
        "div",
        table(
            ["layer", *names],
            [[name, *(cells[i] for i in known)] for name, cells in rows],
            caption,
        ),
        element(
            "ul", [element("li", element("b", name), f": {explained[name]}") for name in names]
        ),
    )
