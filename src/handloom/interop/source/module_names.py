"""The names of exported Python files as modules."""

import sys
from keyword import iskeyword
from pathlib import Path

from handloom.errors import ConfigurationError

IMPORTED = ("numpy", "torch", "safetensors", "handloom", "onnx", "onnxruntime", "pandas")
"""The packages that exported files import, and programs that compare or feed them."""

IN_EXAMPLES = ("file", "list", "names", "open", "predictions", "probabilities", "rows")
"""The other names in examples."""

STAND_IN = "model"
"""The name in examples for a file that cannot be imported by its own."""


def is_importable(file: Path) -> bool:
    """Return whether Python can import a file by its name: ``my_model.py``, not ``my-model.py``."""
    return file.stem.isidentifier() and not iskeyword(file.stem)


def module_name(file: Path) -> str:
    """Return the name by which example code imports a file.

    Of a name that Python cannot import, such as ``my-model.py``, it is ``"model"``: the file can be
    renamed.

    Raises
    ------
    ConfigurationError
        If the file has the name of a module that it or a program with it needs, itself or through
        another one. Python would import the file in its place, also in other programs of the
        folder.
    """
    if file.stem in IMPORTED or file.stem in sys.stdlib_module_names:
        raise ConfigurationError(
            f"path must not have the name of the module {file.stem}, in whose place Python would "
            f"import the file, got {file.name!r}: name it {file.stem}_model.py"
        )
    return file.stem if is_importable(file) else STAND_IN


def import_line(name: str) -> tuple[str, str]:
    """Return the line that imports a module in an example, and the name that it has there.

    Of a module that is called like something else in the example it is ``"model"``.
    """
    if name in IN_EXAMPLES:
        return f"import {name} as {STAND_IN}", STAND_IN
    return f"import {name}", name
