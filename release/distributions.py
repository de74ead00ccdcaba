"""The two files of a release, and what must be in them."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from release.environments import Environment
from release.versions import BUILD_REQUIREMENTS, ROOT


class Distributions(NamedTuple):
    """The files of a release."""

    wheel: Path
    sdist: Path


def build(environment: Environment, folder: Path) -> Distributions:
    """Build the sdist, and the wheel from what is in the sdist.

    Parameters
    ----------
    environment : Environment
        What is needed to build is installed there.
    folder : Path
        Where the two files shall lie.
    """
    environment.install("build", *BUILD_REQUIREMENTS)
    words = ["-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = environment.python(*words, capture=True)
    if built.returncode:
        raise RuntimeError(f"cannot build:\n{built.stdout}{built.stderr}")
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Distributions(wheel, sdist)


def unpack(sdist: Path, folder: Path) -> Path:
    """Unpack an sdist and return the folder that it holds."""
    shutil.unpack_archive(sdist, folder)
    (unpacked,) = folder.iterdir()
    return unpacked


def differences(unpacked: Path) -> list[str]:
    """Return how an unpacked sdist differs from the files that git keeps: it shall not at all."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    tracked = set(listed.stdout.split("\0")) - {""}
    held = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    held -= {"PKG-INFO"}  # which the build writes
    return [f"lacks {name}" for name in sorted(tracked - held)] + [
        f"holds {name}, which git does not keep" for name in sorted(held - tracked)
    ]
