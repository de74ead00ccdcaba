"""Markup: no text becomes an element, and no element runs or loads anything."""

import json

import pytest
from tests.helpers.pages import parsed

from handloom.markup import Code, element, json_code, render, table

HOSTILE = "</p><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\x1b[31m\u202e"


def test_text_and_attributes_come_out_as_they_went_in() -> None:
    (read,) = parsed(render(element("p", HOSTILE, title=HOSTILE))).children
    expected = HOSTILE.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
    assert (read.text, read.attributes["title"], read.children) == (expected, expected, [])


@pytest.mark.parametrize("tag", ["script", "style", "iframe", "object", "embed", "base", "meta"])
def test_a_section_has_no_element_that_runs_or_loads(tag: str) -> None:
    with pytest.raises(ValueError, match=tag):
        element(tag)


@pytest.mark.parametrize("name", ["onclick", "onload", "style", "ONCLICK", "x y", "a>b"])
def test_an_element_has_no_attribute_that_runs(name: str) -> None:
    with pytest.raises(ValueError, match="attribute"):
        element("p", **{name: "x"})


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "https://example.org",
        "//example.org",
        "data:text/html;base64,AAAA",
        "data:image/svg+xml;base64,AAAA",
        "file:///etc/passwd",
        "#a b",
        "",
    ],
)
def test_an_address_is_a_part_of_the_page_or_an_image_in_it(address: str) -> None:
    for name in ("href", "src"):
        with pytest.raises(ValueError, match=name):
            element("a", **{name: address})
    element("a", href="#part-1")
    element("img", src="data:image/png;base64,AAAA")


def test_a_name_of_an_element_is_no_markup() -> None:
    with pytest.raises(ValueError, match="name"):
        element("p><script")


@pytest.mark.parametrize("text", ["</script>", "a </STYLE >", "<!-- x"])
def test_code_cannot_end_its_element(text: str) -> None:
    with pytest.raises(ValueError, match="code"):
        Code(text)


def test_json_keeps_its_texts_and_cannot_end_its_element() -> None:
    value = {"name": HOSTILE, "separators": "\u2028\u2029", "</script>": [1.5, None]}
    code = json_code(value).text
    assert json.loads(code) == value
    assert not set("<>&\u2028") & set(code)


def test_numbers_are_short_and_nothing_is_left_out_but_none() -> None:
    assert render(element("p", 1.0, 0, [None, [0.125, "x"]], hidden=True, title=None)) == (
        '<p hidden="">100.12x</p>'
    )


def test_a_table_has_headings_of_columns_and_rows() -> None:
    assert render(table(["name", "size"], [["<b>", 3]], "sizes")) == (
        '<div><p>sizes</p><table><thead><tr><th scope="col">name</th><th scope="col">size</th>'
        '</tr></thead><tbody><tr><th scope="row">&lt;b&gt;</th><td>3</td></tr></tbody></table>'
        "</div>"
    )
    assert "<thead>" not in render(table([], [["a", "b"]]))
