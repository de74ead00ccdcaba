"""The job script of the guide to several machines, run by a stand-in for Slurm."""

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from benchmarks.digests import mpiexec

PAGE = Path(__file__).parents[1] / "docs" / "guides" / "clusters.md"

OPTIONS = "--hidden 4096,4096 --batch-size 8192 --lanes 64 --shard-rows 128"
ACTIVATE = "source env/bin/activate"
DATA = "data=$HOME/data/wide"
SMALL = (
    "--hidden 32 --batch-size 500 --shard-rows 125 --epochs 100000 "
    "--backend numpy --validation-fraction 0"
)


def job_script() -> str:
    """Return the script of the page."""
    blocks = re.findall(r"^```sh\n(#!/bin/bash\n.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert len(blocks) == 1
    return str(blocks[0])


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """Return the folder of a job: its script, and programs that stand in for those of a cluster."""
    pytest.importorskip("mpi4py")
    if sys.platform != "linux" or shutil.which("bash") is None:
        pytest.skip("the script needs bash")
    launcher = mpiexec()
    if launcher is None:
        pytest.skip("the script needs mpiexec")
    programs = tmp_path / "bin"
    programs.mkdir()
    write_program(programs / "mpiexec", f'#!/bin/sh\nexec {launcher} "$@"\n')
    write_program(programs / "handloom", f'#!/bin/sh\nexec {sys.executable} -m handloom "$@"\n')
    write_program(programs / "scontrol", f'#!/bin/sh\necho "$@" >> {tmp_path}/queue\n')
    script = job_script()
    for line, ours in ((OPTIONS, SMALL), (ACTIVATE, ""), (DATA, "data=silhouettes")):
        assert line in script
        script = script.replace(line, ours)
    write_program(tmp_path / "job.sh", script)
    return tmp_path


def start(job: Path, tasks: int) -> "subprocess.Popen[str]":
    environment = {
        **os.environ,
        "PATH": f"{job / 'bin'}:{os.environ['PATH']}",
        "SLURM_NTASKS": str(tasks),
        "SLURM_JOB_ID": "17",
    }
    return subprocess.Popen(
        ["bash", str(job / "job.sh")],
        cwd=job,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def epochs(job: Path) -> int:
    log = job / "runs" / "wide" / "history.csv"
    return max(0, len(log.read_text().splitlines()) - 1) if log.exists() else 0


def run_until_signal(job: Path, tasks: int) -> str:
    """Start the job, send SIGUSR1 when an epoch more is done, and return its output."""
    before, process = epochs(job), start(job, tasks)
    try:
        limit = time.monotonic() + 60
        while epochs(job) <= before and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.05)
        process.send_signal(signal.SIGUSR1)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, output
    return output


@pytest.mark.long
def test_the_job_script_requeues_itself_and_resumes_on_other_tasks(job: Path) -> None:
    run_until_signal(job, tasks=2)
    assert (job / "queue").read_text() == "requeue 17\n"
    first = epochs(job)
    output = run_until_signal(job, tasks=3)
    assert "resumed in epoch" in output
    assert "3 ranks on 1 host" in output
    assert epochs(job) > first
    assert (job / "queue").read_text() == "requeue 17\n" * 2
