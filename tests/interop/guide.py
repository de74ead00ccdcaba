"""The blocks of code of the guide to leaving, and a small model as the guide saves it."""

import re
from pathlib import Path

from tests.helpers.training import network

from handloom import Adam, Model, Splits, Trainer, silhouettes

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "leaving.md"


def block(language: str, containing: str) -> str:
    """Return the only block of the page in a language that contains a text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (text,) = [each for each in blocks if containing in each]
    return str(text)


def garments() -> tuple[Model, Splits]:
    """Return a model of generated garments, and their images."""
    data = silhouettes(rows=300, test_rows=40)
    trainer = Trainer(network(data.train, 8), Adam(), 5e-3, epochs=1, batch_size=50)
    trainer.fit(data.train)
    return trainer.model(), data
