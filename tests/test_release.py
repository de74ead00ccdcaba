"""The release check: the versions that pyproject.toml names, and the files of an sdist."""

import subprocess
from pathlib import Path

import pytest
from release import distributions
from release.environments import find_python
from release.versions import OLDEST_PYTHON, oldest, pythons, requirements


@pytest.mark.parametrize("requirement", requirements())
def test_every_requirement_has_one_lower_bound(requirement: str) -> None:
    assert oldest(requirement) == requirement.replace(">=", "==")


@pytest.mark.parametrize("requirement", ["numpy", "numpy>=2.0,<3", "numpy<3", "numpy~=2.0"])
def test_another_requirement_is_refused(requirement: str) -> None:
    with pytest.raises(ValueError, match=r"expected one bound"):
        oldest(requirement)


def test_the_oldest_python_is_the_first_of_those_named() -> None:
    assert pythons()[0] == OLDEST_PYTHON


def test_a_python_that_is_not_there_is_not_found() -> None:
    assert find_python("3.99") is None


def test_an_sdist_is_what_git_keeps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    checkout, unpacked = tmp_path / "checkout", tmp_path / "unpacked"
    for folder, names in (
        (checkout, ("kept", "lacking")),
        (unpacked, ("PKG-INFO", "kept", "x.npy")),
    ):
        folder.mkdir()
        for name in names:
            (folder / name).touch()
    subprocess.run(["git", "init", "--quiet", checkout], check=True)
    subprocess.run(["git", "add", "."], cwd=checkout, check=True)
    monkeypatch.setattr(distributions, "ROOT", checkout)
    assert distributions.differences(unpacked) == [
        "lacks lacking",
        "holds x.npy, which git does not keep",
    ]
