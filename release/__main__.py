"""Check a release: ``python -m release oldest`` and ``python -m release newest``.

The tests that come with the sdist run there, outside of the checkout, on what was installed:

- from the wheel, with all extras: the default suite but for its longest comparison;
- from the sdist, without any: the tests that need none.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from release.distributions import build, differences, unpack
from release.environments import Environment, empty_environment, find_python
from release.versions import OLDEST_PYTHON, oldest, pythons, requirements

LONGEST = "tests/training/test_backends.py::test_fifty_steps_agree_with_the_textbook"
"""Arithmetic alone, and a third of the time that the default suite takes."""

SUITE = ("-m", "not long", "-n", "auto", "--dist", "loadfile", "--deselect", LONGEST)

WITHOUT_EXTRAS = (
    *("tests/layers", "tests/losses", "tests/optimizers"),
    *(f"tests/training/test_{part}.py" for part in ("preparation", "runner", "trainer")),
    *(f"tests/test_{part}.py" for part in ("files", "metrics", "model", "network", "schedules")),
)

NOT_OURS = ("-W", "ignore::DeprecationWarning")
"""The oldest packages use newer ones in ways that these have deprecated since."""


def main() -> int:
    """Check the versions that the command line names, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m release", description=__doc__)
    parser.add_argument("versions", choices=["oldest", "newest"], help="of what Handloom needs")
    parser.add_argument("--python", action="append", help="3.12, say; repeat it for more")
    asked = parser.parse_args()
    is_oldest = asked.versions == "oldest"
    failed = []
    for version in asked.python or ([OLDEST_PYTHON] if is_oldest else pythons()):
        python = find_python(version)
        if python is None:
            print(f"Python {version} is not on this machine: left out", flush=True)
            continue
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)  # root's tests become another user, who must find packages
            failed += _check(python, Path(folder), is_oldest=is_oldest)
    for failure in failed:
        print(f"FAILED {failure}")
    return bool(failed)


def _check(python: Sequence[str], folder: Path, *, is_oldest: bool) -> list[str]:
    """Build, install and test with one Python; return what went wrong."""
    constraints = None
    if is_oldest:
        constraints = folder / "oldest.txt"
        constraints.write_text("\n".join(map(oldest, requirements())))
    made = [
        empty_environment(folder / name, python, constraints) for name in ("build", "full", "bare")
    ]
    builder, full, bare = made
    wheel, sdist = build(builder, folder / "dist")
    unpacked = unpack(sdist, folder / "sdist")
    failed = [f"{sdist.name} {difference}" for difference in differences(unpacked)]
    full.install(f"{wheel}[all,test]")
    bare.install(f"{sdist}[test]")
    options = NOT_OURS if is_oldest else ()
    failed += _tested(full, unpacked, wheel.name, *SUITE, *options)
    failed += _tested(bare, unpacked, sdist.name, *WITHOUT_EXTRAS, *options)
    return failed


def _tested(environment: Environment, unpacked: Path, distribution: str, *words: str) -> list[str]:
    """Run tests in an environment; return what went wrong."""
    where = "import sys, handloom; print(sys.version.split()[0], handloom.__file__)"
    python, file = environment.python("-c", where, cwd=unpacked, capture=True).stdout.split()
    if not Path(file).is_relative_to(environment.folder):
        return [f"{distribution}: the tests would not see what was installed"]
    print(f"== {distribution}, Python {python}: {' '.join(environment.installed())}", flush=True)
    done = environment.python("-m", "pytest", *words, cwd=unpacked)
    return [f"{distribution}, Python {python}"] if done.returncode else []


if __name__ == "__main__":
    sys.exit(main())
