"""The scripts of a page are checked together by TypeScript, where node and tsc are."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from handloom.reporting import assets

TSC = Path(os.environ.get("HANDLOOM_NPM", "build/npm")) / "node_modules/typescript/bin/tsc"


def test_every_file_of_the_package_is_listed() -> None:
    root = Path(assets.__file__).parent
    for folder, suffix, names in (
        ("scripts", "js", assets.SCRIPTS),
        ("styles", "css", assets.STYLES),
    ):
        files = (root / folder).rglob(f"*.{suffix}")
        stored = {each.relative_to(root / folder).with_suffix("").as_posix() for each in files}
        assert stored == set(names)


def test_scripts_hold_one_idea_and_load_nothing() -> None:
    text = assets.scripts(assets.SCRIPTS) + assets.styles(assets.STYLES)
    for word in ("eval(", "innerHTML", "outerHTML", "document.write", "fetch(", "import(", "url("):
        assert word not in text, word
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.skipif(not TSC.is_file(), reason="tsc is not installed: make test-browser does it")
def test_typescript_finds_no_mistake() -> None:
    root = Path(assets.__file__).parent / "scripts"
    scripts = [str(root / f"{name}.js") for name in assets.SCRIPTS]
    options = ["--checkJs", "--noEmit", "--strict", "--target", "es2022"]
    libraries = ["--lib", "es2023,dom,dom.iterable"]
    ended = subprocess.run(
        ["node", str(TSC), *options, *libraries, *scripts],
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout
