"""The form: a field for each input column, the buttons of the test rows, and the prediction.

It is hidden until `scripts/form/form.js` brings it to life.
"""

from collections.abc import Sequence

from handloom.data.column_encoding import FIRST_CATEGORY, MISSING, UNSEEN
from handloom.markup import Element, Node, element
from handloom.reporting.form.cells import cell_text
from handloom.reporting.form.fields import Field
from handloom.reporting.prediction_table import prediction_table
from handloom.reporting.wording import counted, number


def form(fields: Sequence[Field], outputs: tuple[str, ...], *, classes: bool) -> Element:
    """Return the form, without any value yet."""
    return element(
        "div",
        element(
            "p",
            "Fill in a row, or start from one of the test set: the network runs at every change, "
            "in this page.",
            _hint(fields),
            class_="form-invitation",
        ),
        element(
            "div",
            element(
                "div",
                _buttons(),
                element("p", id="form-start", class_="soft"),
                element(
                    "div",
                    prediction_table(outputs, "form") if classes else _values(outputs),
                    element("p", id="form-truth"),
                    class_="form-result",
                ),
                element("p", id="form-live", aria_live="polite", class_="hidden-text"),
                class_="form-prediction",
            ),
            element(
                "div",
                [_field(index, each) for index, each in enumerate(fields)],
                role="group",
                aria_label="The row",
                class_="form-fields",
            ),
            class_="form-columns",
        ),
        id="form-stage",
        hidden=True,
    )


def _hint(fields: Sequence[Field]) -> Node:
    if not any(each.can_miss and each.encoding.kind == "number" for each in fields):
        return None
    return (
        " An empty field is a missing value; in a column that had none in the training rows it "
        "counts as the mean."
    )


def _buttons() -> Element:
    texts = {"next": "Another test row", "typical": "Typical row", "again": "Undo changes"}
    return element(
        "div",
        [element("button", text, type="button", data_row=key) for key, text in texts.items()],
        class_="tools",
    )


def _values(outputs: tuple[str, ...]) -> Element:
    """Return the continuous predictions."""
    return element(
        "dl",
        [
            element("div", element("dt", f"Predicted {name}"), element("dd", class_="form-value"))
            for name in outputs
        ],
        class_="facts",
    )


def _field(index: int, field: Field) -> Element:
    identity = f"form-field-{index}"
    control, remark = _control(identity, field)
    return element(
        "div",
        element("label", field.encoding.name, for_=identity),
        control,
        None
        if remark is None
        else element("span", remark, id=f"{identity}-range", class_="soft form-range"),
        class_="form-field",
        data_field=index,
    )


def _control(identity: str, field: Field) -> tuple[Node, str | None]:
    """Return the control of a field, and a remark about its values."""
    encoding = field.encoding
    if encoding.kind == "category":
        return _choice(identity, _options(field)), _shortened(field)
    if encoding.kind == "boolean" and not encoding.missing:
        return element("input", type="checkbox", id=identity), None
    if encoding.kind == "boolean" or not encoding.scale:
        return _choice(identity, _values_to_choose(field)), None
    return _number(identity, field), _range(field)


def _number(identity: str, field: Field) -> Node:
    slider = element(
        "input",
        type="range",
        min=repr(field.low),
        max=repr(field.high),
        step=repr(field.step),
        tabindex=-1,
        aria_hidden="true",  # repeats the field, for a mouse or a finger
    )
    return [
        element(
            "input",
            type="number",
            id=identity,
            step="any",
            data_step=repr(field.step),
            placeholder="missing" if field.can_miss else "a number",
            aria_describedby=f"{identity}-range",
        ),
        slider if field.low < field.high else None,
    ]


def _range(field: Field) -> str:
    low, high, typical = (
        number(float(value or 0.0), 6) for value in (field.low, field.high, field.typical)
    )
    missing = field.encoding.missing
    return f"{low} to {high}, median {typical}" + (
        f"; missing in {counted(missing, 'training row')}" if missing else ""
    )


def _choice(identity: str, options: Sequence[tuple[str, str]]) -> Element:
    return element(
        "select", [element("option", text, value=value) for value, text in options], id=identity
    )


def _options(field: Field) -> list[tuple[str, str]]:
    categories = field.encoding.categories
    return [
        *((str(index), categories[index - FIRST_CATEGORY]) for index in field.options),
        (str(UNSEEN), "(another, unseen)"),
        (str(MISSING), "(missing)"),
    ]


def _shortened(field: Field) -> str | None:
    known = len(field.encoding.categories)
    if len(field.options) == known:
        return None
    return f"the {len(field.options)} most frequent of {known:,} categories"


def _values_to_choose(field: Field) -> list[tuple[str, str]]:
    """Return the values of a boolean column, or of a constant one, which may be missing."""
    encoding = field.encoding
    values = (1.0, 0.0) if encoding.kind == "boolean" and encoding.scale else (encoding.mean,)
    return [*((repr(value), cell_text(encoding, value)) for value in values), ("", "(missing)")]
