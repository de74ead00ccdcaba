"""Virtual environments, each with a Python that the machine has, empty at first."""

import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    Attributes
    ----------
    folder : Path
        Where it lies.
    constraints : Path or None
        The file with the only versions that pip may install; without one it takes the newest.
    """

    folder: Path
    constraints: Path | None = None

    @property
    def commands(self) -> Path:
        """The folder of its programs, ``python`` among them."""
        return self.folder / ("Scripts" if sys.platform == "win32" else "bin")

    def install(self, *requirements: str) -> None:
        """Install packages.

        Raises
        ------
        subprocess.CalledProcessError
            If pip finds no versions that go together.
        """
        words = ["-m", "pip", "install", "-qq", *requirements]  # errors alone
        if self.constraints is not None:
            words += ["--constraint", str(self.constraints)]
        self.python(*words).check_returncode()

    def installed(self) -> list[str]:
        """Return what is installed, each with its version."""
        listed = self.python("-m", "pip", "list", "--format=freeze", capture=True)
        return listed.stdout.split()

    def python(
        self, *words: str, cwd: Path | None = None, capture: bool = False
    ) -> "subprocess.CompletedProcess[str]":
        """Run its Python, which sees no other package than those of the environment."""
        return subprocess.run(
            [str(self.commands / "python"), *words],
            cwd=cwd or self.folder,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            capture_output=capture,
            text=True,
            check=False,
        )


def empty_environment(
    folder: Path, python: Iterable[str] = (sys.executable,), constraints: Path | None = None
) -> Environment:
    """Make a virtual environment that holds nothing but pip.

    Parameters
    ----------
    folder : Path
        Where it shall lie.
    python : strings
        The command that starts the Python to make it with.
    constraints : Path or None
        As those of `Environment`.
    """
    subprocess.run([*python, "-m", "venv", str(folder)], check=True)
    return Environment(folder, constraints)


def find_python(version: str) -> list[str] | None:
    """Return the command that starts a version of Python, as ``3.12``; None if there is none."""
    # `env` asks pyenv, where it is in use, for a version that is not the one of the moment
    command = ["env", f"PYENV_VERSION={version}", f"python{version}"]
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return [sys.executable]
    try:
        probe = subprocess.run([*command, "-c", ""], capture_output=True, check=False)
    except OSError:
        return None
    return command if probe.returncode == 0 else None
