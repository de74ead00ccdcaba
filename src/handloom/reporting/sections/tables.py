"""Tables of sections, in a box that scrolls where it is narrow, and bars in their cells."""

from collections.abc import Sequence

from handloom.markup import Element, Node, element
from handloom.reporting.captions import table_caption


def scrolling_table(
    caption: str, columns: Sequence[str], rows: Sequence[Sequence[Node]], *, label: str
) -> Element:
    """Return a table whose first column names its rows.

    Parameters
    ----------
    caption : str
    columns : sequence of str
        The heads of the columns; an empty one is that of bars, which repeat other columns.
    rows : sequence of sequence of Node
    label : str
        The name of the scrolling box, for those who do not see it.
    """
    bars = element("span", "as bars", class_="hidden-text")
    head = [element("th", text or bars, scope="col") for text in columns]
    body = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            [element("td", cell) for cell in row[1:]],
        )
        for row in rows
    ]
    return element(
        "div",
        element(
            "table",
            table_caption(caption),
            element("thead", element("tr", head)),
            element("tbody", body),
        ),
        class_="scroll",
        tabindex=0,
        role="region",
        aria_label=label,
    )


def two_bars(upper: float, lower: float) -> Element:
    """Return two fractions as bars, which repeat the numbers of other cells."""
    return element(
        "svg",
        element("rect", x=0, y=1, width=100 * upper, height=6, class_="bar"),
        element("rect", x=0, y=9, width=100 * lower, height=6, class_="bar other"),
        viewBox="0 0 100 16",
        class_="bars",
        aria_hidden="true",
    )


def values_of_chart(title: str, table: Element) -> Element:
    """Return the values of a chart as a table that is closed at first."""
    return element(
        "details",
        element(
            "summary",
            "Values ",
            element("span", f"of the chart {title} ", class_="hidden-text"),
            "as a table",
        ),
        table,
    )
