"""The controls of the section: board, tools, predictions, and a figure for each layer.

They are hidden until `scripts/alive/alive.js` brings them to life.
"""

from handloom.markup import Element, Node, element
from handloom.reporting.alive.activations import ShownLayer
from handloom.reporting.alive.rows import ShownRow
from handloom.reporting.prediction_table import prediction_table
from handloom.reporting.run import ReportedRun

FEW_LAYERS = 8
"""The largest number of layers that are all shown at first."""


def stage(run: ReportedRun, layers: list[ShownLayer], rows: list[ShownRow]) -> Element:
    """Return the controls, without any value yet."""
    assert run.model is not None
    in_color = len(run.model.row_shape) == 3 and run.model.row_shape[0] == 3
    return element(
        "div",
        element(
            "p",
            "Draw on the image, or choose another one: the whole network runs at every change, in "
            "this page. A click switches a unit off; at the output, it excludes a class.",
            class_="alive-invitation",
        ),
        _keys(),
        _images(run, rows),
        element(
            "div",
            element(
                "div",
                element("div", _board(), _buttons(), class_="alive-drawing"),
                prediction_table(run.class_names, "alive"),
                _brush(in_color),
                _switched_off(),
                element("p", id="alive-live", aria_live="polite", class_="hidden-text"),
                class_="alive-input",
            ),
            element("div", _legend(layers), map(_layer, layers), class_="alive-layers"),
            class_="alive-columns",
        ),
        id="alive-stage",
        hidden=True,
    )


def _images(run: ReportedRun, rows: list[ShownRow]) -> Node:
    if run.thumbnails is None or rows[0].index is None:
        return element(
            "p",
            element("button", "Sketch", type="button", data_image=0, aria_pressed="false"),
            " There is no test image: ",
            run.why_missing("test"),
        )
    buttons = [
        element(
            "button",
            run.thumbnails.of(each.index, ""),
            type="button",
            data_image=number,
            aria_label=f"Test image {each.index}: {each.description}",
            aria_pressed="false",
        )
        for number, each in enumerate(rows)
        if each.index is not None
    ]
    return [
        element(
            "div",
            buttons,
            role="group",
            aria_label="Test images: arrow keys move",
            class_="alive-images",
        ),
        element("p", id="alive-start", class_="soft alive-hint"),
    ]


def _keys() -> Element:
    return element(
        "details",
        element("summary", "By keyboard"),
        element(
            "p",
            "On the image: arrows, home, end, page up and page down move the pen, space paints, "
            "shift and arrows paint a line.",
            id="alive-board-keys",
        ),
        element(
            "p",
            "On a layer: arrows, home and end choose a unit, enter switches it off or on.",
            id="alive-unit-keys",
        ),
        element(
            "p",
            "Among the test images: arrows, home and end move, enter chooses one. Everywhere here: "
            "ctrl z undoes the last change, ctrl y or ctrl shift z redoes it.",
        ),
        class_="alive-keys",
    )


def _board() -> Element:
    return element(
        "canvas",
        id="alive-board",
        tabindex=0,
        role="application",
        aria_roledescription="drawing",
        aria_label="The image",
        aria_describedby="alive-board-keys",
    )


def _buttons() -> Element:
    buttons = [
        ("undo", "Undo", "Undo the last change"),
        ("redo", "Redo", "Redo the last change"),
        ("clear", "Clear", "Clear the image"),
        ("mirror", "⇋", "Mirror the image"),
        ("left", "←", "Move the image left"),
        ("right", "→", "Move the image right"),
        ("up", "↑", "Move the image up"),
        ("down", "↓", "Move the image down"),
        ("turn-left", "↺ 15°", "Turn the image to the left by 15°"),
        ("turn-right", "↻ 15°", "Turn the image to the right by 15°"),
    ]
    return element(
        "div",
        [
            element("button", text, type="button", data_action=name, aria_label=label, title=label)
            for name, text, label in buttons
        ],
        element("button", "Switch all on", type="button", id="alive-all-on", aria_disabled="true"),
        element(
            "button",
            "Draw with the finger",
            type="button",
            id="alive-finger",
            aria_pressed="false",
            hidden=True,
        ),
        class_="alive-buttons",
    )


def _brush(in_color: bool) -> Element:
    shade = (
        _control("Color", id="alive-shade", type="color", value="#ffffff")
        if in_color
        else _control("Gray", id="alive-shade", type="range", min=0, max=100, value=100)
    )
    return element(
        "div",
        _control("Brush", id="alive-size", type="range", min=1, max=8, step=0.5, value=2),
        shade,
        _control("Eraser", id="alive-eraser", type="checkbox"),
        class_="alive-brush",
    )


def _control(text: str, **attributes: object) -> Element:
    control = element("input", **attributes)
    checkbox = attributes["type"] == "checkbox"
    return element("label", [control, " ", text] if checkbox else [text, " ", control])


def _switched_off() -> Element:
    return element(
        "div",
        element("h3", "Switched off"),
        element("ul", id="alive-off-units"),
        element(
            "p",
            "Their activation is 0; an output that is off excludes its class. The lines in the "
            "bars mark the prediction with all units on.",
            class_="soft",
        ),
        id="alive-off",
        hidden=True,
    )


def _legend(layers: list[ShownLayer]) -> Node:
    every = None
    if any(each.between for each in layers):
        few = len(layers) <= FEW_LAYERS
        text = f"All {len(layers)} layers, not only the last one of each block"
        every = _control(text, id="alive-every", type="checkbox", checked=few)
    return element(
        "div",
        element(
            "p",
            element("span", class_="alive-scale", aria_hidden="true"),
            " Blue below zero, orange above; the strongest color is the layer's largest magnitude.",
            class_="soft alive-hint",
        ),
        every,
        class_="alive-legend",
    )


def _layer(shown: ShownLayer) -> Element:
    units = f"{shown.shape[0]:,} {'channels' if shown.is_image else 'units'}"
    if shown.is_image:
        units += f" of {shown.shape[1]} x {shown.shape[2]}"
    label = f"{shown.name}, {units}"
    return element(
        "figure",
        element(
            "figcaption",
            element("b", shown.name),
            f" {units}, ",
            element("span", class_="alive-range"),
        ),
        element(
            "canvas",
            tabindex=0,
            role="application",
            aria_roledescription="units of a layer",
            aria_label=label,
            aria_describedby="alive-unit-keys",
            class_="alive-units",
        ),
        element("div", class_="alive-tip", hidden=True, aria_hidden="true"),
        data_layer=shown.name,
        data_between=shown.between,
        class_="alive-layer",
    )
