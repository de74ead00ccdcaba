"""CSV files: separators, decimal commas and encodings are told, and every error names its line."""

from pathlib import Path

import numpy as np
import pytest

from handloom import DataError, open_table
from handloom.data.cells import cells_of
from handloom.data.formats import csv_table, tables, text_encoding
from handloom.data.formats.csv_table import CsvTable
from handloom.data.sources.open_table import read_splits, read_whole
from handloom.data.table_options import TableOptions


def written(folder: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def columns_of(path: Path) -> tuple[dict[str, list[str]], list[str]]:
    """Return the cells of a file by column, and the notes."""
    notes: list[str] = []
    table = CsvTable(path, notes.append)
    chunks = list(table.chunks())
    cells = {
        name: [text for chunk in chunks for text in cells_of(chunk.columns[name]).texts]
        for name in table.names
    }
    return cells, notes


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_separators_line_ends_and_a_byte_order_mark(
    tmp_path: Path, separator: str, ends: str, mark: str
) -> None:
    lines = ["name,size", '"a ""b""",1.5', "", " c ,2"]
    path = written(tmp_path, mark + ends.join(line.replace(",", separator) for line in lines))
    cells, notes = columns_of(path)
    assert cells == {"name": ['a "b"', "c"], "size": ["1.5", "2"]}
    assert len(notes) == (separator != ",")


def test_a_line_that_declares_the_separator_is_no_header(tmp_path: Path) -> None:
    read, notes = columns_of(written(tmp_path, "\ufeffsep=;\r\nwidth, height;b\r\n1,5;x\r\n"))
    assert read == {"width, height": ["1.5"], "b": ["x"]}
    assert sum("separated by semicolons" in note for note in notes) == 1


def test_a_comma_in_a_column_of_texts_is_no_proof_of_a_decimal_comma(tmp_path: Path) -> None:
    read, notes = columns_of(written(tmp_path, "x;note\n" + "5.291;ok\n" * 9 + "1.234;1,5\n"))
    assert read["x"] == ["5.291"] * 9 + ["1.234"]
    assert not any("decimal comma" in note for note in notes)


def test_a_mark_of_inches_in_the_header_begins_no_cell(tmp_path: Path) -> None:
    read, _ = columns_of(written(tmp_path, 'size",name\n1,"x;y;z"\n2,u"\n'))
    assert read == {'size"': ["1", "2"], "name": ["x;y;z", 'u"']}


def test_the_separator_is_found_below_a_header_cell_of_several_lines(tmp_path: Path) -> None:
    read, _ = columns_of(written(tmp_path, '"price, net\nof tax";b;c\n7;8;9\n'))
    assert read == {"price, net\nof tax": ["7"], "b": ["8"], "c": ["9"]}


def test_a_quoted_cell_may_hold_the_separator_and_line_ends(tmp_path: Path) -> None:
    path = written(tmp_path, 'a,b\n"1,5\nx",2\n3\n')
    with pytest.raises(DataError, match=r"table.csv: line 4 has 1 cells, expected 2"):
        columns_of(path)


def test_decimal_commas_are_read_and_told(tmp_path: Path) -> None:
    cells, notes = columns_of(written(tmp_path, "a;b\n1,5;x\n-2,25;y,z\n"))
    assert cells == {"a": ["1.5", "-2.25"], "b": ["x", "y,z"]}
    assert [note.split(": ")[1] for note in notes] == [
        "cells are separated by semicolons",
        "numbers such as '1,5' have a decimal comma",
    ]


@pytest.mark.parametrize(
    ("content", "cells", "told"),
    [
        ("a;b\n1.201;1,5\n13.429,2;2\n7;3\n", ["1201", "13429.2", "7"], "points"),
        ("a;b\n1.234.567;1,5\n-2.000;2\n", ["1234567", "-2000"], "points"),
        ("a;b\n1.201;1,5\n0.5;2\n", ["1.201", "0.5"], None),
        ("a;b\n0.125;1,5\n", ["0.125"], None),
        ("a;b\n1.2.2024;1,5\n", ["1.2.2024"], None),
        ("a;b\n1.201;x\n", ["1.201"], None),
        ("a;b\n1,234.5;x\n2,000;y\n", ["1234.5", "2000"], "commas"),
        ('a,b\n"1,234.5",x\n"2,000",y\n3.5,z\n', ["1234.5", "2000", "3.5"], "commas"),
        ('a,b\n"1,5",x\n', ["1,5"], None),
    ],
)
def test_marks_between_thousands_are_read_and_told(
    tmp_path: Path, content: str, cells: list[str], told: str | None
) -> None:
    read, notes = columns_of(written(tmp_path, content))
    assert read["a"] == cells
    between = [note for note in notes if "between thousands" in note]
    assert len(between) == (told is not None)
    assert all("column 'a': numbers such as '1" in note and str(told) in note for note in between)


@pytest.mark.parametrize("cells", [("1.201", "2.345", "0.5"), ("7", "8", "0.5", "9", "1.201")])
def test_a_point_of_two_meanings_in_one_column_of_a_large_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: tuple[str, ...]
) -> None:
    monkeypatch.setattr(csv_table, "SAMPLE", 20)
    monkeypatch.setattr(tables, "AT_ONCE", 0)
    path = written(tmp_path, "a;b\n" + "".join(f"{cell};1,5\n" for cell in cells))
    with pytest.raises(
        DataError, match=r"column 'a': '1\.201' .* '0\.5' in line 4 a decimal point"
    ):
        list(tables.open_file(path, tell=lambda _: None).chunks())


def test_numbers_far_down_are_read_as_in_the_first_lines(tmp_path: Path) -> None:
    for cells in ("5,000;x\n1,001;x\n", "1.500;x\n2,5;x\n"):
        read = []
        for empty in (0, csv_table.SAMPLE):
            path = written(tmp_path, "kg;a\n" + ";x\n" * empty + cells)
            (chunk,) = tables.open_file(path, tell=lambda _: None).chunks()
            read.append(chunk.columns["kg"].values[-2:].tolist())
        assert read[0] == read[1]


GERMAN = "Straße;Größe\nBahnhofstraße;1,5\nZürich;2\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_exports_of_spreadsheets_are_read_in_their_encoding(tmp_path: Path, encoding: str) -> None:
    cells, notes = columns_of(written(tmp_path, GERMAN.encode(encoding)))
    assert cells == {"Straße": ["Bahnhofstraße", "Zürich"], "Größe": ["1.5", "2"]}
    told = [note.removeprefix(f"{tmp_path}/table.csv: ") for note in notes if "is " in note]
    assert [note for note in told if "UTF" in note] == {
        "utf-16": ["is text in UTF-16"],
        "cp1252": [
            "is no text in UTF-8, so it is read as Windows-1252, such as 'Straße'; if letters are "
            "wrong, convert the file to UTF-8"
        ],
    }.get(encoding.replace("latin-1", "cp1252"), [])


def test_signs_of_windows_are_read_and_both_byte_orders(tmp_path: Path) -> None:
    cells, _ = columns_of(written(tmp_path, "a,b\n1,5 €\n".encode("cp1252")))
    assert cells["b"] == ["5 €"]
    marked = b"\xfe\xff" + "a,b\n1,5 €\n".encode("utf-16-be")
    assert columns_of(written(tmp_path, marked))[0]["b"] == ["5 €"]


def test_damaged_utf8_and_other_encodings_are_refused_with_a_command(tmp_path: Path) -> None:
    damaged = "a,b\nZürich,1\nGenève,2\n".encode().replace("è".encode(), b"\xe8")
    for content in (damaged, "a,b\nZürich,1\n".encode("cp850"), b"a,b\n1,\xe9\0\n"):
        with pytest.raises(DataError, match=r"no text in UTF-8 \(byte 0x.*'my table.csv'"):
            columns_of(written(tmp_path, content, "my table.csv"))
    with pytest.raises(DataError, match="is damaged text in UTF-16"):
        columns_of(written(tmp_path, "a,b\n1,2\n".encode("utf-16")[:-1]))


def test_another_encoding_far_down_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_encoding, "SCANNED", 8)
    content = "a,b\n1,ü\n2,é\n".encode() + b"3,\xe9\n"
    with pytest.raises(DataError, match=r"no text in UTF-8 \(byte 0xe9\)"):
        columns_of(written(tmp_path, content))
    cells, _ = columns_of(written(tmp_path, content[:-4]))
    assert cells["b"] == ["ü", "é"]


NOT_CLOSED = r"line {}: a cell begins with a quotation mark \(.\) that is not closed; close it, or"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"a,b\n", "holds a header only"),
        (b"a,b\n1\n", "line 2 has 1 cells, expected 2"),
        (b"a,b\n1,2\n1,2,3\n", "line 3 has 3 cells, expected 2"),
        (b"a,a\n1,2\n", "two columns are named 'a'"),
        (b"a,\n1,2\n", "column 2 has no name: give it one in the header$"),
        (b",a\n0,1\n", "column 1 has no name.*; if pandas wrote its index there, .* index=False"),
        (b"a,b\n1,x,y\n", "line 2 has 3 cells.*: quote cells that hold a ','$"),
        (b'a,b\n1, "x,y"\n', "line 2 has 3 cells.*: remove the blanks between a ',' and a quot"),
        (b"sep=|\na|b\n1|2\n", r"cells seem to be separated by '\|'; expected commas"),
        (b"sep=;\na;b\n1;2;3\n", "line 3 has 3 cells, expected 2"),
        (b"a,b\n1,\0\n", "line 2 holds a NUL character"),
        (b"a,b\n1,caf\xe9\0\n", r"no text in UTF-8 \(byte 0xe9\).*: .*iconv"),
        (b'a,b\n1,"2\n', NOT_CLOSED.format(2)),
        (b'a,b\n1,2\n\n1,"2\n3,4\n5,6\n', NOT_CLOSED.format(4)),
        (b'a,b\n"1\n2",2\r\n1,"2\n3,4\n', NOT_CLOSED.format(4)),
        (b'"a,b\n1,2\n', NOT_CLOSED.format(1)),
        (b'a,b\n1,"2"3\n', r"line 2: .* text follows its closing one; double a quotation mark"),
        (b'a,b\n1,"2\n3,4\n5,"6"\n', r"line 2: .* closing one in line 4; double a quotation mark"),
        (b"a,b\n1," + b"x" * 200_000 + b"\n", "line 2: a cell has more than 131,072 characters: "),
        (b'a,b\n1,"2\n' + b"3,4\n" * 50_000, r"line 2: a cell .* mark \(\"\) that is not closed\?"),
        (b"a|b\n1|2\n3|4\n", r"cells seem to be separated by '\|'; expected commas, semicolons or"),
        (b"a:b:c\n1:2:3\n", "cells seem to be separated by ':'; expected commas, semicolons or"),
        (b",".join(b"c%d" % n for n in range(100_001)) + b"\n", "at most 100,000 columns"),
    ],
    ids=range(25),
)
def test_a_bad_file_is_refused_by_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        columns_of(written(tmp_path, content))
    assert str(error.value).startswith(str(tmp_path / "table.csv"))


@pytest.mark.parametrize("content", ["a|b\n1\n2|3\n", "time\n12:30\n", "a:b\n", "a|b,c\n1|2,3\n"])
def test_a_single_column_may_hold_signs_that_separate_elsewhere(
    tmp_path: Path, content: str
) -> None:
    assert CsvTable(written(tmp_path, content), lambda _: None).names


def test_a_line_without_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_table, "MAX_LINE", 1000)
    with pytest.raises(DataError, match="line 2 has 1,000 characters or more"):
        columns_of(written(tmp_path, "a,b\n" + "1" * 5000))


@pytest.mark.parametrize("named", ["", "nothing.csv", "folder", "table.xlsx", "a\0b.csv"])
def test_a_path_without_a_table_is_refused(tmp_path: Path, named: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "table.xlsx").write_bytes(b"x")
    with pytest.raises(DataError):
        open_table(tmp_path / named if named else "", "a")


def test_errors_in_cells_name_the_line(tmp_path: Path) -> None:
    rows = "".join(f"{n},{n % 2}\n" for n in range(100))
    path = written(tmp_path, f"x,y\n{rows}inf,1\n")
    with pytest.raises(
        DataError, match=r"column 'x' must hold finite numbers, got inf in line 102"
    ):
        open_table(path, "y", test=0.01, seed=3)
    path = written(tmp_path, f"x,y\n{rows}12 m,1\n")
    with pytest.raises(DataError, match="holds numbers and texts, the first is '12 m' in line 102"):
        open_table(path, "y", test=0.01, seed=3)
    prices = "".join(f"{n},{n + 0.5}\n" for n in range(100))
    path = written(tmp_path, f"x,y\n{prices}1,free\n")
    with pytest.raises(DataError, match="the first that is no number is 'free' in line 102"):
        open_table(path, "y")
    path = written(tmp_path, f"x,y\n{rows}1,\n")
    with pytest.raises(DataError, match="the target 'y' has no value in line 102"):
        open_table(path, "y")


def test_missing_values_booleans_and_categories_that_are_numbers(tmp_path: Path) -> None:
    lines = [
        f"{n / 4 if n % 3 else 'NA'},{str(n % 4 > 1).lower()},{n % 5},{n % 2}" for n in range(40)
    ]
    path = written(tmp_path, "\n".join(["size,open,floor,sold", *lines]))
    splits = open_table(path, "sold", categorical=["floor"])
    assert splits.train.column_names == (
        *("size", "size is missing", "open"),
        *(f"floor={n}" for n in range(5)),
    )
    assert splits.train.columns is not None
    assert [each.kind for each in splits.train.columns.inputs] == ["number", "boolean", "category"]


def test_a_file_larger_than_memory_gives_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(0)
    lines = [
        f"{x:.4f},{'' if n % 7 == 0 else 'abc'[n % 3]},{n % 3 > 0},{x + n:.3f}"
        for n, x in enumerate(generator.normal(size=500))
    ]
    path = written(tmp_path, "\n".join(["x,kind,even,y", *lines]))
    options = TableOptions("y")
    whole = read_splits(path, options)
    monkeypatch.setattr(tables, "AT_ONCE", 0)
    monkeypatch.setattr(csv_table, "CELLS", 64)
    monkeypatch.setattr("handloom.data.row_store.IN_MEMORY", 0)
    streamed = read_splits(path, options, cache=tmp_path)
    assert isinstance(streamed.train.inputs, np.memmap)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["table.csv"]
    for own, other in ((whole.train, streamed.train), (whole.test, streamed.test)):
        rows, mapped = (np.asarray(each.inputs, np.float64) for each in (own, other))
        assert np.abs(rows - mapped).max() < 1e-5
        np.testing.assert_allclose(own.targets, other.targets, rtol=1e-5)
    assert len(streamed.train.take(np.arange(5))) == 5


def test_categories_are_spelled_as_in_the_file_in_every_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = ["true", "false"] * 20 + ["maybe", "true"] * 20
    lines = [f"{answer},{n}.5" for n, answer in enumerate(answers)]
    path = written(tmp_path, "\n".join(["answer,y", *lines]))
    whole = open_table(path, "y").train
    assert whole.column_names == ("answer=false", "answer=maybe", "answer=true")
    monkeypatch.setattr(tables, "AT_ONCE", 0)
    monkeypatch.setattr(csv_table, "CELLS", 20)
    streamed = open_table(path, "y").train
    assert streamed.columns == whole.columns
    assert (streamed.inputs == whole.inputs).all()


def test_a_decimal_comma_may_have_an_exponent(tmp_path: Path) -> None:
    columns, _ = columns_of(written(tmp_path, "a;b\n1,5e1;x,y\n-2,5E-1;1,2,3\n3;,\n"))
    assert columns == {"a": ["1.5e1", "-2.5E-1", "3"], "b": ["x,y", "1,2,3", ","]}


@pytest.mark.parametrize("chunked", [False, True])
def test_booleans_and_numbers_in_one_column_are_categories_in_any_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, chunked: bool
) -> None:
    rows = [f"{'true' if n < 30 else n % 3},{n}.5" for n in range(60)]
    path = written(tmp_path, "\n".join(["mixed,y", *rows]))
    if chunked:
        monkeypatch.setattr(tables, "AT_ONCE", 0)
        monkeypatch.setattr(csv_table, "CELLS", 20)
    splits = open_table(path, "y")
    assert splits.train.column_names == ("mixed=0", "mixed=1", "mixed=2", "mixed=true")


def test_other_rows_may_write_an_integer_class_as_a_float(tmp_path: Path) -> None:
    rows = "".join(f"{n * n % 7},{n % 2}\n" for n in range(40))
    splits = open_table(written(tmp_path, f"x,y\n{rows}"), "y")
    other = written(tmp_path, "x,y\n1,1.0\n2,0.0\n3,1\n", "other.csv")
    assert splits.train.columns is not None
    data = read_whole(other, splits.train.columns, TableOptions("y"))
    assert data.targets.tolist() == [1, 0, 1]
    wrong = written(tmp_path, "x,y\n1,0.5\n", "wrong.csv")
    with pytest.raises(DataError, match=r"the target 'y' is '0.5' in line 2, no class"):
        read_whole(wrong, splits.train.columns, TableOptions("y"))


def test_two_columns_of_one_name_in_flat_rows_are_refused_by_name(tmp_path: Path) -> None:
    rows = "".join(f"{n % 5 or ''},{n * n % 7},{n}.5\n" for n in range(40))
    path = written(tmp_path, f"a,a is missing,y\n{rows}")
    message = "the columns 'a' and 'a is missing' would both become a column 'a is missing'"
    with pytest.raises(DataError, match=message):
        open_table(path, "y")


def test_points_that_may_be_between_thousands_are_told(tmp_path: Path) -> None:
    path = tmp_path / "costs.csv"
    path.write_text("cost;age\n4.050;61\n998;40\n12.300;55\n")
    notes: list[str] = []
    tables.open_file(path, tell=notes.append)
    assert any("column 'cost': numbers such as '4.050' are read with a decimal" in n for n in notes)
    path.write_text("cost;age\n4.05;61\n998;40\n12.300;55\n")
    notes.clear()
    tables.open_file(path, tell=notes.append)
    assert not any("decimal" in note for note in notes)


WITH_POINTS = "Kaufpreis;Zinsen;Fläche;y\n" + "".join(
    f"{n}.623;{n};{n}.5;1.458,{n}\n" for n in range(10, 40)
)
WITH_COMMAS = "Kaufpreis;Zinsen;Fläche;y\n" + "".join(
    f"{n},623;{n};{n}.5;1,458.{n}\n" for n in range(10, 40)
)


def read_for(folder: Path, training: str, later: str) -> tuple[dict[str, list[str]], list[str]]:
    """Return the cells of a file for a model that was trained on another one, and the notes."""
    options = TableOptions("y", task="regression")
    splits = read_splits(written(folder, training), options, tell=lambda _: None)
    columns = splits.train.columns
    assert columns is not None
    again = type(columns).from_json(columns.to_json())
    assert again == columns
    notes: list[str] = []
    path = written(folder, later, "later.csv")
    table = tables.open_file(path, decimal_mark=again.decimal_mark, tell=notes.append)
    (chunk,) = table.chunks()
    return {name: list(chunk.columns[name].values) for name in table.names}, notes


@pytest.mark.parametrize(
    ("training", "later", "cells"),
    [
        (WITH_POINTS, "Kaufpreis;Zinsen;Fläche\n8.623;3;1.125\n", ["8623", "3", "1.125"]),
        (WITH_POINTS, "Kaufpreis;Zinsen;Fläche\n8.623,5;3;1.125\n", ["8623.5", "3", "1.125"]),
        (WITH_COMMAS, "Kaufpreis;Zinsen;Fläche\n8,623;3;1.125\n", ["8623", "3", "1.125"]),
    ],
)
def test_a_later_file_is_read_with_the_decimal_mark_of_the_training_rows(
    tmp_path: Path, training: str, later: str, cells: list[str]
) -> None:
    read, notes = read_for(tmp_path, training, later)
    assert [each for (each,) in read.values()] == cells
    assert not any("unlike the training rows" in note for note in notes)


@pytest.mark.parametrize(
    ("training", "later", "cells"),
    [
        (WITH_POINTS, "Kaufpreis;Zinsen;Fläche\n8.623;3.5;1.125\n", ["8.623", "3.5", "1.125"]),
        (WITH_POINTS, "Kaufpreis,Zinsen,Fläche\n8.623,3,1.125\n", ["8.623", "3", "1.125"]),
        (WITH_POINTS, "Kaufpreis;Zinsen;Fläche\n1,234.5;3;1.125\n", ["1234.5", "3", "1.125"]),
        (WITH_COMMAS, "Kaufpreis;Zinsen;Fläche\n8.623;3,5;7\n", ["8623", "3.5", "7"]),
    ],
)
def test_a_later_file_that_shows_another_decimal_mark_is_told(
    tmp_path: Path, training: str, later: str, cells: list[str]
) -> None:
    read, notes = read_for(tmp_path, training, later)
    assert [each for (each,) in read.values()] == cells
    assert sum("unlike the training rows" in note for note in notes) == 1


def test_columns_that_were_saved_before_have_no_decimal_mark(tmp_path: Path) -> None:
    options = TableOptions("y", task="regression")
    columns = read_splits(
        written(tmp_path, WITH_POINTS), options, tell=lambda _: None
    ).train.columns
    assert columns is not None
    assert columns.decimal_mark is not None
    earlier = columns.to_json()
    del earlier["decimal_mark"]
    assert type(columns).from_json(earlier).decimal_mark is None
