"""A table of houses in a CSV file, for the tests of commands."""

import csv
from pathlib import Path

import numpy as np

ROWS = 160


def table(path: Path, rows: int = ROWS, *, seed: int = 0, **cells: list[str]) -> Path:
    """Write a table of houses, whose prices depend on size and town; some cells are missing."""
    generator = np.random.default_rng(seed)
    size = generator.uniform(20.0, 200.0, rows)
    town = generator.choice(["Bern", "Oslo", "Rome"], rows)
    price = 1e5 + 3e3 * size + 2e5 * (town == "Oslo") + generator.normal(0.0, 1e4, rows)
    columns = {
        "size": [f"{value:.1f}" if generator.random() > 0.1 else "" for value in size],
        "town": town.tolist(),
        "note": [f"=cmd|{n}" for n in range(rows)],
        "dear": [str(value > 4e5) for value in price],
        "price": [f"{value:.2f}" for value in price],
        **cells,
    }
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
