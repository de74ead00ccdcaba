"""A standard stream that breaks ends no training: its model is saved, and its status is 0."""

import json
import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from handloom import Model

MAIN = "from handloom.cli import main; main()"
FULL = Path("/dev/full")

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")


def shell(command: tuple[object, ...], redirection: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of Handloom in a shell, with redirected output."""
    line = shlex.join([sys.executable, "-c", MAIN, *map(str, command)])
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line} {redirection}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def training(data: Path, run: Path, *options: object) -> tuple[object, ...]:
    shape = ("--hidden", 8, "--epochs", 3, "--threads", 1, "--backend", "numpy")
    return ("train", "--data", data, "--out", run, *shape, *options)


def require_whole(run: Path) -> None:
    """Check that a training has made all its epochs, and written all its files."""
    Model.load(run / "model")
    assert json.loads((run / "results.json").read_text())["epochs"] == 3
    assert len((run / "history.csv").read_text().splitlines()) == 4
    assert {path.name for path in (run / "pictures").iterdir()} >= {"curves.png", "confusion.png"}


@pytest.mark.parametrize(
    ("redirection", "on_output", "on_error"),
    [
        pytest.param(
            *("2>/dev/full", "the progress is not shown: OSError: [Errno 28]", ""),
            marks=pytest.mark.long,
        ),
        (">/dev/full", "", "the results are not printed: cannot write to standard output"),
        pytest.param(
            *("2>&-", "the progress is not shown: OSError: the stream is closed", ""),
            marks=pytest.mark.long,
        ),
        pytest.param(
            *("| true", "", "the results are not printed: BrokenPipeError"),
            marks=pytest.mark.long,
        ),
        pytest.param(">/dev/full 2>&1", "", "", marks=pytest.mark.long),
        pytest.param(">&-", "", "training  epoch 3/3", marks=pytest.mark.long),
        pytest.param(">&- 2>&-", "", "", marks=pytest.mark.long),
        pytest.param("2>&1 | true", "", "", marks=pytest.mark.long),
        pytest.param("| head -1", "", "training  epoch 3/3", marks=pytest.mark.long),
    ],
)
@pytest.mark.slow
def test_a_training_outlives_its_output(
    tiny_folder: Path, tmp_path: Path, redirection: str, on_output: str, on_error: str
) -> None:
    run = tmp_path / "run"
    done = shell(training(tiny_folder, run), redirection)
    assert done.returncode == 0, done.stdout + done.stderr
    require_whole(run)
    assert on_output in done.stdout
    assert on_error in done.stderr
    for message in ("is not shown", "not printed"):
        assert (done.stdout + done.stderr).count(message) <= 1
    for stream in (done.stdout, done.stderr):
        assert "Traceback" not in stream
        assert "Exception ignored" not in stream
    if on_output:
        assert "all 3 epochs done" in done.stdout
        assert f"Wrote to {run}" in done.stdout


@pytest.mark.long
@pytest.mark.parametrize("redirection", ["2>/dev/full", ">/dev/full", "| true"])
def test_a_study_outlives_its_output(tiny_folder: Path, tmp_path: Path, redirection: str) -> None:
    run = tmp_path / "study"
    command = ("reproduce", "--data", tiny_folder, "--out", run, "--models", "adam", "--steps", 3)
    done = shell(command, redirection)
    assert done.returncode == 0, done.stdout + done.stderr
    Model.load(run / "runs" / "adam-seed0" / "model")
    assert json.loads((run / "results.json").read_text())["complete"]
    assert (run / "pictures" / "loss.png").exists()


@pytest.mark.slow
def test_a_training_outlives_its_terminal(tiny_folder: Path, tmp_path: Path) -> None:
    """The terminal is closed once it has the bar; from then on writing to it is an error."""
    run = tmp_path / "run"
    master, terminal = pty.openpty()
    command = [sys.executable, "-c", MAIN, *map(str, training(tiny_folder, run))]
    process = subprocess.Popen(
        ["bash", "-c", "trap '' HUP; exec \"$@\"", "bash", *command],
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(terminal)
    try:
        said = b""
        while b"/3" not in said:
            said += os.read(master, 4096)
        os.close(master)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
    require_whole(run)


@pytest.mark.parametrize(
    ("redirection", "status", "message"),
    [
        (">/dev/full", 1, "error: cannot write to standard output: No space left on device"),
        ("| true", 1, ""),
        ("2>/dev/full", 0, ""),
    ],
)
@pytest.mark.slow
def test_other_commands_fail_if_their_output_is_lost(
    trained: Path, redirection: str, status: int, message: str
) -> None:
    done = shell(("summary", trained), redirection)
    assert done.returncode == status
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == bool(message)


def test_a_table_that_does_not_fit_the_buffer_names_standard_output(tmp_path: Path) -> None:
    names = [f"column {n}" for n in range(500)]
    data = tmp_path / "wide.csv"
    data.write_text("\n".join([",".join(names), *[",".join(["1"] * 500)] * 3]))
    done = shell(("data", "verify", data), ">/dev/full")
    assert done.returncode == 1
    assert done.stderr == "error: cannot write to standard output: No space left on device\n"


def test_an_error_is_printed_where_standard_error_is_full(tmp_path: Path) -> None:
    done = shell(("summary", tmp_path / "none"), "2>/dev/full")
    assert done.returncode == 1
    assert done.stdout.startswith("error: ")


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_no_file_of_a_command_takes_the_number_of_a_closed_stream(trained: Path) -> None:
    code = (
        "import atexit, os\nfrom handloom.cli import main\n"
        "atexit.register(lambda: print(os.readlink('/proc/self/fd/2')))\nmain()"
    )
    line = shlex.join([sys.executable, "-c", code, "summary", str(trained)])
    done = subprocess.run(
        ["bash", "-c", f"{line} 2>&-"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines()[-1] == os.devnull
