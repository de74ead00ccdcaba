"""A rank that dies is named with the last checkpoint, and the other ranks end."""

import os
import pickle
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.processes import running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="signals and sessions are POSIX's"),
]

START = """
import os, signal, sys, threading, time
from handloom.parallel.watch import Watch
from tests.helpers.file_ranks import FileRanks
ranks = FileRanks(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
rank, hang = ranks.rank, threading.Event().wait
"""
BEGIN = """
watch = Watch.begin(ranks)
if rank == 0:
    watch.report("the last good checkpoint is runs/wide/step-000001200")
print(os.getpid(), watch._process.pid if watch._process else 0, watch.unwatched, flush=True)
sys.stdin.readline()
"""
TIDY = "watch.end()"
ROOT = Path(__file__).parents[2]


class Job:
    """The processes of a job, and the process that watches them."""

    def __init__(self, ranks: "list[subprocess.Popen[str]]", errors: int) -> None:
        self.ranks, self.errors = ranks, errors
        self.watcher, self.unwatched = 0, ""

    def wait_until_begun(self) -> None:
        for rank, process in enumerate(self.ranks):
            _, watcher, self.unwatched = read(process).split(maxsplit=2)
            if rank == 0:
                self.watcher = int(watcher)

    def go_on(self) -> None:
        """Let all ranks read a line, and go on."""
        for process in self.ranks:
            assert process.stdin is not None
            with suppress(BrokenPipeError):  # of a rank that the death of another has ended
                os.write(process.stdin.fileno(), b"\n")

    def end(self, seconds: float = 4.0) -> tuple[list[int], str]:
        """Return the exit codes, and standard error, which the watching process closes last."""
        until = time.monotonic() + seconds
        codes = [process.wait(until - time.monotonic()) for process in self.ranks]
        errors = b""
        while select.select([self.errors], [], [], max(until - time.monotonic(), 0.0))[0]:
            if not (data := os.read(self.errors, 1 << 16)):
                return codes, errors.decode()
            errors += data
        pytest.fail(f"a process is left; standard error: {errors.decode()}")


def read(process: "subprocess.Popen[str]") -> str:
    """Read a line."""
    assert process.stdout is not None
    return process.stdout.readline()


@contextmanager
def job(folder: Path, *codes: str, start: str = START + BEGIN, begun: bool = True) -> Iterator[Job]:
    """Run a rank for each code, in a session of its own."""
    folder.mkdir(exist_ok=True)
    reading, writing = os.pipe()
    options: dict[str, Any] = {"cwd": ROOT, "start_new_session": True, "stderr": writing}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with ExitStack() as stack:
        stack.callback(os.close, reading)
        with os.fdopen(writing):
            ranks = [
                stack.enter_context(
                    running(start + code, folder, rank, len(codes), **pipes, **options)
                )
                for rank, code in enumerate(codes)
            ]
        one = Job(ranks, reading)
        if begun:
            one.wait_until_begun()
            one.go_on()
        yield one


def line_of(job: Job, rank: int, event: str = "died") -> str:
    """Return the line that names a rank."""
    name = f"rank {rank} (host {socket.gethostname()}, process {job.ranks[rank].pid})"
    return f"{name} {event}; the last good checkpoint is runs/wide/step-000001200\n"


@pytest.mark.parametrize(
    ("rank", "death", "code"),
    [
        (0, "os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        (1, "os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        (2, "os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV),
        (1, "os._exit(3)", 3),
        (0, "os._exit(0)", 0),
    ],
)
@pytest.mark.slow
def test_a_dead_rank_is_named_and_all_others_end(
    tmp_path: Path, rank: int, death: str, code: int
) -> None:
    codes = ["hang()"] * 3
    codes[rank] = death
    with job(tmp_path, *codes) as one:
        ended, errors = one.end()
        assert errors == line_of(one, rank)
    assert ended == [code if each == rank else 1 for each in range(3)]


def test_nothing_is_said_when_all_ranks_say_goodbye(tmp_path: Path) -> None:
    no_zombie = """
watch.end()
watch._thread.join(5.0)
try:
    os.kill(watch._process.pid, 0)
except ProcessLookupError:
    sys.exit(7)
"""
    goodbyes = [no_zombie, TIDY + ";watch.end(); watch.report('late')", TIDY]
    with job(tmp_path, *goodbyes) as one:
        assert one.unwatched == "[]\n"
        assert one.end() == ([7, 0, 0], "")


def test_a_rank_may_end_long_before_the_others(tmp_path: Path) -> None:
    with job(tmp_path, TIDY, "time.sleep(0.2); os._exit(3)", "hang()") as one:
        codes, errors = one.end()
        assert errors == line_of(one, 1)
    assert codes == [0, 3, 1]


@pytest.mark.skipif(sys.platform != "linux", reason="the order is kept by epoll")
@pytest.mark.parametrize("first", [0, 1, 2])
def test_the_first_of_several_deaths_is_named(tmp_path: Path, first: int) -> None:
    """Also if the watching process looks when all of them are dead."""
    with job(tmp_path, "hang()", "hang()", "hang()") as one:
        os.kill(one.watcher, signal.SIGSTOP)
        for rank in (first, (first + 1) % 3, (first + 2) % 3):
            one.ranks[rank].kill()
            one.ranks[rank].wait()
        os.kill(one.watcher, signal.SIGCONT)
        assert one.end()[1] == line_of(one, first)


def test_a_death_before_the_first_report_names_no_checkpoint(tmp_path: Path) -> None:
    start = START + BEGIN.replace("watch.report", "str")
    with job(tmp_path, "hang()", "os._exit(3)", start=start) as one:
        assert one.end()[1].endswith(" died; no checkpoint was written yet\n")


def test_a_report_stays_one_line(tmp_path: Path) -> None:
    report = r"watch.report('a\nbye\n\x1b[2J' + 'b' * 10**6); print(flush=True); hang()"
    with job(tmp_path, report, "sys.stdin.readline(); os._exit(3)") as one:
        read(one.ranks[0])
        one.go_on()
        errors = one.end()[1]
    assert errors.count("\n") == 1
    assert r"died; a\nbye\n\x1b[2Jbbb" in errors
    assert len(errors) < 3000


def test_a_rank_whose_program_ends_ends_the_job(tmp_path: Path) -> None:
    """Also where MPI then waits for the other ranks in the process."""
    wait = "import ctypes; ctypes.pythonapi.Py_AtExit(ctypes.pythonapi.pause)\n"
    with job(tmp_path, "hang()", wait + "sys.exit(0)", "hang()") as one:
        assert [one.ranks[rank].wait(4.0) for rank in (0, 2)] == [1, 1]
        one.ranks[1].kill()  # as a launcher does
        assert one.end()[1] == line_of(one, 1)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_to_all_processes_leaves_none(tmp_path: Path, name: str) -> None:
    """The watching process ignores it, names one rank or none, and ends."""
    code = "try: print(flush=True); hang()\nfinally: watch.end()"
    with job(tmp_path, code, code, code) as one:
        for process in one.ranks:
            read(process)
        pids = [one.watcher, *(process.pid for process in one.ranks)]
        for pid in pids:
            os.kill(pid, getattr(signal, name))
        codes, errors = one.end()
    assert 0 not in codes
    assert errors.count("KeyboardInterrupt") == 3 * (name == "SIGINT")
    assert len(re.findall(r"^rank .* died; the last good", errors, re.M)) == (name == "SIGTERM")


def test_training_goes_on_without_its_watching_process(tmp_path: Path) -> None:
    codes = ["hang(0.3); " + TIDY, "hang(0.3); " + TIDY]
    with job(tmp_path, *codes) as one:
        os.kill(one.watcher, signal.SIGKILL)
        ended, errors = one.end()
    assert ended == [0, 0]
    assert errors.startswith("the process that watches the ranks has ended: ")
    assert errors.count("\n") == 1


FORK = """
if os.fork() == 0:
    watch.report("a checkpoint of a copy")
    watch.end()
    os.close(2)
    time.sleep(4.0)
    os._exit(0)
"""


def test_a_forked_process_neither_says_goodbye_nor_hides_a_death(tmp_path: Path) -> None:
    with job(tmp_path, FORK + "hang()", FORK + "hang(0.3); os._exit(3)") as one:
        codes, errors = one.end(3.0)
        assert errors == line_of(one, 1)
    assert codes == [1, 3]


def test_two_jobs_on_one_host_do_not_meet(tmp_path: Path) -> None:
    go_on = "sys.stdin.readline(); " + TIDY
    with (
        job(tmp_path / "a", go_on, go_on) as tidy,
        job(tmp_path / "b", "hang()", "os._exit(3)") as other,
    ):
        assert other.end()[1] == line_of(other, 1)
        tidy.go_on()
        assert tidy.end() == ([0, 0], "")


def endpoint(folder: Path) -> Any:
    """Return where the watching process of a job listens."""
    path = folder / "2-0.pickle"
    until = time.monotonic() + 10.0
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    return pickle.loads(path.read_bytes())  # noqa: S301


def wait_until_refused(port: int) -> None:
    """Return when nobody listens there any more."""
    until = time.monotonic() + 5.0
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionError:
            return
        time.sleep(0.01)
    pytest.fail("the watching process still listens")


LATE = """
class Late(FileRanks):
    def gather(self, value):
        values = super().gather(value)
        if self._calls == 2:
            sys.stdin.readline()
        return values
if rank == 1:
    ranks.__class__ = Late
"""


def test_strangers_cannot_end_the_job(tmp_path: Path) -> None:
    texts = [
        b"hello 0123 1 host 7\nbye\n",
        b"bye\n",
        b"hello\n",
        b"\xff\x00\n",
        b"",
    ]
    with (
        job(tmp_path, "hang()", "hang()", start=START + LATE + BEGIN, begun=False) as one,
        ExitStack() as strangers,
    ):
        here = endpoint(tmp_path)
        texts.append(f"hello {here.token} 1 host 7\nbye\n".encode())  # a rank that gave up
        for number, text in enumerate([*texts, *texts[1:]]):  # each once closed, once not
            stranger = strangers.enter_context(socket.create_connection(("127.0.0.1", here.port)))
            with suppress(ConnectionError):  # cut off
                stranger.sendall(text)
            if number % 2:
                stranger.close()
        endless = strangers.enter_context(socket.create_connection(("127.0.0.1", here.port)))
        with pytest.raises(ConnectionError):  # cut off
            endless.sendall(b"x" * (1 << 24))
        one.go_on()
        one.wait_until_begun()
        one.go_on()
        assert one.unwatched == "[]\n"
        wait_until_refused(here.port)
        strangers.close()
        one.ranks[1].kill()
        codes, errors = one.end()
        assert errors == line_of(one, 1)
    assert codes == [1, -signal.SIGKILL]


CLOSED_PORT = """
class Unreachable(FileRanks):
    def gather(self, value):
        values = super().gather(value)
        return [each._replace(port=1) if hasattr(each, "port") else each for each in values]
if rank == 1:
    ranks.__class__ = Unreachable
"""
NO_PROCESS = "sys.executable = '/nowhere/python'\n"


@pytest.mark.parametrize(
    ("start", "unwatched", "message"),
    [
        (CLOSED_PORT, "[1]\n", "rank 1 cannot be watched (rank 1 on host .*: 127.0.0.1 port 1: "),
        (NO_PROCESS, "[0, 1, 2]\n", "ranks 0, 1, 2 cannot be watched (rank 0 on host .*: "),
    ],
    ids=["one rank", "all ranks"],
)
def test_ranks_that_cannot_connect_are_told_and_train(
    tmp_path: Path, start: str, unwatched: str, message: str
) -> None:
    tidy = "hang(0.1); " + TIDY
    with job(tmp_path, tidy, tidy, tidy, start=START + start + BEGIN) as one:
        assert one.unwatched == unwatched
        codes, errors = one.end()
    assert codes == [0, 0, 0]
    assert errors.count("cannot be watched") == 1
    assert re.search(message.replace("(", r"\("), errors)


def stop(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGSTOP)
    time.sleep(15.0)
    process.send_signal(signal.SIGCONT)


@pytest.mark.long
@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_is_busy_or_stopped_is_not_dead(tmp_path: Path, rank: int) -> None:
    """15 seconds are longer than a lost host stays connected."""
    codes = ["sys.stdin.readline(); " + TIDY] * 2
    codes[rank] = "sum(range(10**9)); " + codes[rank]  # a call that holds the GIL
    with job(tmp_path, *codes) as one:
        stop(one.ranks[rank])
        one.go_on()
        assert one.end(60.0) == ([0, 0], "")


MPI_RANK = """
import os, signal, sys, time
from mpi4py import MPI
from handloom.parallel.watch import Watch

world = MPI.COMM_WORLD

class Ranks:
    rank = world.rank
    gather = staticmethod(world.allgather)

watch = Watch.begin(Ranks())
if world.rank == 0:
    watch.report("the last good checkpoint is runs/wide/step-000001200")
world.barrier()
if world.rank == int(sys.argv[1]):
    print(os.getpid(), flush=True)
    eval(sys.argv[2])
world.barrier()
watch.end()
"""


def mpiexec() -> str:
    """Return the path of mpiexec, or skip the test."""
    pytest.importorskip("mpi4py")
    beside = Path(sys.executable).with_name("mpiexec")
    path = str(beside) if beside.exists() else shutil.which("mpiexec")
    return path or pytest.skip("mpiexec is not installed")


@pytest.fixture(scope="module")
def in_ranks() -> Callable[[int, int, str], "subprocess.CompletedProcess[str]"]:
    """Run ranks under mpiexec, of which one evaluates an expression."""
    path = mpiexec()

    def run(size: int, rank: int, code: str) -> "subprocess.CompletedProcess[str]":
        command = [path, "-n", str(size), sys.executable, "-c", MPI_RANK, str(rank), code]
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
        )

    return run


@pytest.mark.parametrize("rank", [0, 2])
def test_mpiexec_cannot_hide_a_dead_rank(in_ranks: Any, rank: int) -> None:
    job = in_ranks(3, rank, "os.kill(os.getpid(), signal.SIGKILL)")
    name = f"rank {rank} (host {socket.gethostname()}, process {job.stdout.split()[0]})"
    said = [line for line in job.stderr.splitlines() if "checkpoint" in line]
    assert said == [f"{name} died; the last good checkpoint is runs/wide/step-000001200"]
    assert job.returncode != 0


def test_mpiexec_ends_tidily(in_ranks: Any) -> None:
    job = in_ranks(3, 0, "None")
    assert (job.returncode, job.stderr) == (0, "")


@pytest.mark.long
@pytest.mark.parametrize("rank", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "death",
    ["os.kill(os.getpid(), signal.SIGKILL)", "os.kill(os.getpid(), signal.SIGSEGV)", "os._exit(3)"],
)
def test_the_first_death_is_named_under_mpiexec(in_ranks: Any, rank: int, death: str) -> None:
    for _ in range(20):
        job = in_ranks(4, rank, death)
        said = [line for line in job.stderr.splitlines() if "checkpoint" in line]
        assert len(said) == 1
        assert said[0].startswith(f"rank {rank} (host ")
