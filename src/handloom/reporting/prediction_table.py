"""The table of class probabilities, which `scripts/predictions.js` fills."""

from handloom.markup import Element, element

COLUMNS = ("class", "as a bar", "probability")


def prediction_table(class_names: tuple[str, ...], prefix: str) -> Element:
    """Return the table, without any value yet.

    Parameters
    ----------
    class_names : tuple of str
    prefix : str
        Of its ids: ``"alive"`` for ``"alive-predictions"`` and ``"alive-verdict"``.
    """
    verdict = element("b", id=f"{prefix}-verdict", class_="prediction-verdict")
    return element(
        "table",
        element("caption", "Prediction: ", verdict),
        element(
            "thead",
            element(
                "tr",
                [
                    element("th", element("span", each, class_="hidden-text"), scope="col")
                    for each in COLUMNS
                ],
            ),
        ),
        element(
            "tbody",
            [
                element(
                    "tr",
                    element("th", name, scope="row"),
                    element(
                        "td", element("div", element("i"), element("i"), class_="prediction-bar")
                    ),
                    element("td"),
                )
                for name in class_names
            ],
        ),
        id=f"{prefix}-predictions",
        class_="predictions",
    )
