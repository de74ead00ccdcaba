"""What pyproject.toml says of versions: those of Python, and those of other packages."""

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())

BUILD_REQUIREMENTS: list[str] = PYPROJECT["build-system"]["requires"]

OLDEST_PYTHON: str = PYPROJECT["project"]["requires-python"].removeprefix(">=")


def pythons() -> list[str]:
    """Return the versions of Python that Handloom says it runs on, as ``3.11``."""
    prefix = "Programming Language :: Python :: "
    said = [line.removeprefix(prefix) for line in PYPROJECT["project"]["classifiers"]]
    return [version for version in said if re.fullmatch(r"3\.\d+", version)]


def requirements() -> list[str]:
    """Return everything that Handloom is built with or needs, for whatever purpose."""
    project = PYPROJECT["project"]
    listed = [BUILD_REQUIREMENTS, project["dependencies"]]
    listed += project["optional-dependencies"].values()
    return [one for group in listed for one in group if not one.startswith("handloom[")]


def oldest(requirement: str) -> str:
    """Return the constraint that admits the lower bound of a requirement and nothing else.

    Raises
    ------
    ValueError
        If the requirement has no lower bound, or has more than that.
    """
    bound = re.fullmatch(r"([\w.-]+)>=([\d.]+)( *;.*)?", requirement)
    if bound is None:
        raise ValueError(
            f"{requirement!r} in pyproject.toml: expected one bound, like 'numpy>=2.0'"
        )
    name, version, marker = bound.groups(default="")
    return f"{name}=={version}{marker}"
