"""The command line on several ranks: rank 0 runs the command, the others share its trainings."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from handloom.cli.console import note
from handloom.cli.datasets import load_dataset
from handloom.data.sources.published import RESERVED
from handloom.data.table_options import DataOptions
from handloom.errors import HandloomError, require_known
from handloom.parallel.mpi import DISTRIBUTED, Distributed, ranks_of, started_processes
from handloom.parallel.ranks import Ranks
from handloom.recipes import experiment
from handloom.secondary import say
from handloom.studies import reference
from handloom.training.interrupts import NOTICE, SIGNALS

Distribute = Annotated[
    str | None,
    typer.Option(
        "--distributed",
        help="Share every step with the other processes that mpiexec has started: mpi.",
        show_default=False,
    ),
]

Job = Callable[[], None]
"""The part of the other ranks in a training; it is sent to them, as a function of this module."""


def checked_distributed(name: str | None) -> Distributed | None:
    """Return the value of the option ``--distributed``.

    Raises
    ------
    ConfigurationError
        If it is unknown.
    """
    if name is not None:
        require_known("--distributed", name, DISTRIBUTED)
    elif (started := started_processes()) > 1:
        note(
            f"this is one of {started} processes that train alone; --distributed mpi has them share"
        )
    return cast("Distributed | None", name)


def run_on_ranks(command: Callable[[], int]) -> int:
    """Run a command on rank 0, and return its status on every rank."""
    try:
        with _ending_by_signals():
            ranks = ranks_of("mpi")
    except HandloomError as error:
        say(f"error: {error}")
        return 1
    if not ranks.leads:
        return _follow(ranks)
    if NOTICE is not None:
        signal.signal(NOTICE, signal.default_int_handler)  # as SIGTERM
    status = 1
    try:
        status = command()
    finally:
        ranks.share(status)
    return status


@contextmanager
def _ending_by_signals() -> Iterator[None]:
    """Have signals end the process in a block: no handler of Python runs while MPI starts."""
    signals = [number for number in (*SIGNALS, NOTICE) if number is not None]
    previous = {number: signal.signal(number, signal.SIG_DFL) for number in signals}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _follow(ranks: Ranks) -> int:
    """Take part in the trainings of rank 0 until its command has ended; return its status.

    Errors are told to rank 0, which prints them.
    """
    for number in filter(None, (*SIGNALS, NOTICE)):
        signal.signal(number, signal.SIG_IGN)  # rank 0 has got it too, and decides
    with (
        open(os.devnull, "w") as nowhere,  # noqa: PTH123 - no path
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
    ):
        job: Job | int = 0
        while not isinstance(job := ranks.share(job), int):
            with suppress(Exception), ranks.together():
                job()
    return job


@contextmanager
def sharing(distributed: Distributed | None, job: Job) -> Iterator[None]:
    """Have the other ranks do a job while rank 0 trains in a block."""
    if distributed is None:
        yield
        return
    ranks = ranks_of(distributed)
    ranks.share(job)
    with ranks.together():
        yield


def path_on_ranks(named: str | None, source: str) -> str:
    """Return the path of a dataset for all ranks, on whose hosts its links may lead elsewhere."""
    return source if named is None or named in RESERVED else str(Path(named).absolute())


def part_of_training(
    settings: dict[str, Any], data: str, options: DataOptions, *, resume: bool
) -> Job:
    """Return the part of the other ranks in a training of an experiment."""
    return partial(_take_part, settings, data, options, resume=resume)


def part_of_study(name: str, data: str, options: DataOptions, **settings: Any) -> Job:
    """Return the part of the other ranks in a training of the reference study."""
    return partial(_take_part_in_study, name, data, options, **settings)


def _take_part(settings: object, data: str, options: DataOptions, *, resume: bool) -> None:
    chosen = experiment.experiment_from_json(settings)
    experiment.take_part(chosen, load_dataset(data, options), "mpi", resume=resume)


def _take_part_in_study(name: str, data: str, options: DataOptions, **settings: Any) -> None:
    reference.take_part(name, load_dataset(data, options), "mpi", **settings)
