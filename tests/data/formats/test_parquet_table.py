"""Parquet files: the rows of the frame that was written, and damaged files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handloom import DataError, open_table, split_frame
from handloom.data.formats import parquet_table

pd: Any = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")


def frame() -> Any:
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": generator.normal(size=90),
            "kind": generator.choice(np.array(["a", "b", None]), 90),
            "y": generator.random(90) > 0.5,
        },
        index=np.arange(90)[::-1] * 2,
    )


@pytest.mark.parametrize("cells", [1 << 20, 60])
def test_rows_are_those_of_the_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    monkeypatch.setattr(parquet_table, "CELLS", cells)
    frame().to_parquet(tmp_path / "table.parquet")
    own, expected = open_table(tmp_path / "table.parquet", "y"), split_frame(frame(), "y")
    rows, other = (np.asarray(each.train.inputs, np.float64) for each in (own, expected))
    assert np.abs(rows - other).max() < 1e-6
    assert (own.test.targets == expected.test.targets).all()
    assert own.name == "table"


def test_an_index_of_pandas_is_a_column_only_if_it_has_a_name(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    frame().assign(__index_of_prices=1.0).to_parquet(path)
    assert parquet_table.ParquetTable(path).names == ("x", "kind", "y", "__index_of_prices")
    frame().rename_axis("number").to_parquet(path)
    assert parquet_table.ParquetTable(path).names == ("x", "kind", "y", "number")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    frame().to_parquet(path)
    content = path.read_bytes()
    for damaged in (b"", b"PAR1", content[:-10], content[:4] + b"\xff" * 400 + content[404:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"table\.parquet: not a complete Parquet file"):
            open_table(path, "y")
    frame().head(0).to_parquet(path)
    with pytest.raises(DataError, match="holds no rows"):
        open_table(path, "y")
