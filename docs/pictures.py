"""The pictures of the README, made by ``make pictures`` or ``python -m docs.pictures``.

Curves and confusion matrix are those of Fashion-MNIST; images are shown of the generated dataset
silhouettes only, whose license is that of this repository.
"""

import argparse
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from matplotlib.figure import Figure
from PIL import Image

from handloom import fashion_mnist, plots, report, silhouettes
from handloom.data import Splits
from handloom.files import make_folder, write_bytes, write_text
from handloom.recipes.experiment import Trained, train
from handloom.recipes.recipe import RecipeSettings
from handloom.recipes.registry import named_recipe

OUT = Path(__file__).parent / "_static" / "pictures"
RECIPE = "mlp-flash"
WIDTH, MOST_BYTES = 1000, 100_000
COLORS = (256, 128, 64, 32, 16)
PARTS = (4, 5)
"""The first and the last part of the step that is shown: forward of the last layer, and loss."""

COLUMNS, CHARACTER, LINE = 80, 8.4, 18
"""The width of the terminal in characters; the width and the height of a character in pixels."""

NO_BREAK = "\u00a0"  # of several spaces, SVG shows one

HEADING = re.compile(r"^\d+\. ")


def small_png(image: Image.Image, *, width: int = WIDTH, most: int = MOST_BYTES) -> bytes:
    """Return a PNG file of an image, at most ``width`` wide, with as many colors as fit.

    Raises
    ------
    ValueError
        If it is larger than ``most`` bytes with the fewest colors.
    """
    image = image.convert("RGB")
    if image.width > width:
        height = round(image.height * width / image.width)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    for colors in COLORS:
        content = io.BytesIO()
        palette = image.quantize(colors, dither=Image.Dither.NONE)
        palette.save(content, format="PNG", optimize=True)
        if len(content.getvalue()) <= most:
            return content.getvalue()
    raise ValueError(f"a picture must have at most {most:,} bytes, got {len(content.getvalue()):,}")


def drawn(figure: Figure) -> Image.Image:
    """Return a figure as an image."""
    content = io.BytesIO()
    with plots.figure.drawing():
        figure.savefig(content, format="png", dpi=plots.figure.DOTS_PER_INCH)
    return Image.open(content)


def parts_of(text: str, first: int, last: int) -> list[str]:
    """Return the lines of numbered parts of the output of ``handloom step``.

    Raises
    ------
    ValueError
        If there is no such part.
    """
    lines = [line.rstrip() for line in text.splitlines()]
    starts = [  # a wrapped sentence may begin as a heading does
        index for index, line in enumerate(lines) if HEADING.match(line) and not lines[index - 1]
    ]
    if not 1 <= first <= last <= len(starts):
        raise ValueError(f"parts must be from 1 to {len(starts)}, got {first} to {last}")
    end = starts[last] if last < len(starts) else len(lines)
    kept = lines[starts[first - 1] : end]
    while kept and not kept[-1]:
        kept.pop()
    return kept


def terminal_svg(command: str, lines: Sequence[str]) -> str:
    """Return an SVG picture of a terminal: a command and lines of its output.

    Every line has its width in characters, so that frames close in any monospaced font.
    """
    shown = [(f"$ {command}", "prompt"), ("...", "pale"), ("", "")]
    shown += [(line, "heading" if HEADING.match(line) else "") for line in lines]
    width = round(CHARACTER * max(len(line) for line, _ in shown)) + 32
    height = LINE * len(shown) + 32
    texts = [
        f'<text x="{16 + CHARACTER * (len(line) - len(line.lstrip())):g}" y="{30 + LINE * index}" '
        f'class="{kind}" textLength="{CHARACTER * len(line.strip()):g}" '
        f'lengthAdjust="spacingAndGlyphs">{escape(line.strip()).replace(" ", NO_BREAK)}</text>'
        for index, (line, kind) in enumerate(shown)
        if line
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" aria-label="{escape(command)}">',
            "<style>",
            "text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', "
            "monospace; fill: #d6dbe2; }",
            ".prompt { fill: #8fd694; } .heading { fill: #ffffff; font-weight: bold; }",
            ".pale { fill: #8a929c; }",
            "</style>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#1b1f24"/>',
            *texts,
            "</svg>\n",
        ]
    )


def step_output() -> str:
    """Return the output of ``handloom step``."""
    code = "import sys; from handloom.cli.app import run; sys.exit(run(['step']))"
    settings = {"COLUMNS": str(COLUMNS), "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    ).stdout


def trained_on(splits: Splits) -> Trained:
    """Return the recipe of the README, trained."""
    recipe = named_recipe(RECIPE)
    return train(RecipeSettings(recipe, epochs=recipe.epochs), splits)


def confusion(splits: Splits) -> Image.Image:
    """Return the confusion matrix of the recipe on the test rows."""
    return drawn(plots.confusion(trained_on(splits).test, title=RECIPE))


def mistakes() -> Image.Image:
    """Return the most confident mistakes of the recipe on silhouettes."""
    splits = silhouettes()
    return drawn(plots.mistakes(trained_on(splits).test, splits.test, title=RECIPE, count=10))


def live_network(folder: Path) -> Image.Image | None:
    """Return the network alive in a report on silhouettes; None without Chromium and playwright."""
    chromium = shutil.which("chromium")
    if chromium is None or importlib.util.find_spec("playwright") is None:
        return None
    from playwright.sync_api import sync_playwright

    splits = silhouettes()
    trained = trained_on(splits)
    page_file = report(trained.model, splits, trained.history).save(folder / "report.html")
    with sync_playwright() as browsers:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = browsers.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": 1100, "height": 900})
        page.goto(page_file.resolve().as_uri())
        content = page.locator("#alive").screenshot()
        browser.close()
    return Image.open(io.BytesIO(content))


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(prog="python -m docs.pictures", description=__doc__)
    parser.add_argument(
        "--study", type=Path, required=True, help="the folder of a finished `handloom reproduce`"
    )
    parser.add_argument("--out", type=Path, default=OUT, help="the folder of the pictures")
    options = parser.parse_args()
    curves = options.study / "pictures" / "accuracy.png"
    if not curves.is_file():
        parser.error(f"--study must name the folder of a finished study, but {curves} is no file")
    out = make_folder(options.out)
    with Image.open(curves) as image:
        write_bytes(out / "curves.png", small_png(image))
    write_bytes(out / "confusion.png", small_png(confusion(fashion_mnist())))
    write_bytes(out / "mistakes.png", small_png(mistakes()))
    with tempfile.TemporaryDirectory() as folder:
        live = live_network(Path(folder))
    if live is None:
        print("report.png is not made: it needs Chromium, and playwright (make test-browser)")
    else:
        write_bytes(out / "report.png", small_png(live))
    write_text(out / "step.svg", terminal_svg("handloom step", parts_of(step_output(), *PARTS)))
    for path in sorted(out.iterdir()):
        print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
