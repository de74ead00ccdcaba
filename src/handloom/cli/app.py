"""The application: the list of commands, and the exit status of each.

A command is imported when it is called, not when it is listed, so that help is quick.
"""

import io
import sys
from collections.abc import Callable, Sequence
from functools import partial, wraps
from importlib import import_module
from itertools import pairwise
from typing import Annotated, Any

import typer

from handloom._version import __version__
from handloom.cli.spelling import suggestions
from handloom.cli.streams import end_output
from handloom.errors import HandloomError
from handloom.secondary import say
from handloom.text import printable

UsageError: Any = typer.BadParameter.__bases__[0]  # of click, or of the copy of it in later typers

INTERRUPTED = 130
"""The exit status after Ctrl-C."""

COMMANDS = {
    "reproduce": "Train the models of the reference study and compare them.",
    "train": "Train a network and write a run folder.",
    "recipes": "List the recipes that train takes by name.",
    "report": "Write one page that shows a run, or compares several.",
    "doctor": "Show why a training does not work, layer by layer.",
    "evaluate": "Evaluate a trained network on the test set of a dataset.",
    "gradcheck": "Compare a network's gradients with central differences.",
    "predict": "Predict the classes of images, or the rows of a table.",
    "export": "Write a trained network for ONNX, PyTorch or plain NumPy.",
    "summary": "Show a trained network: layers, shapes, parameters.",
    "step": "Print every array of a training step of a tiny network.",
    "data": "Verify a dataset and draw its samples.",
    "compile": "Compile the fused backend now, not at the first training.",
}
"""The commands with their help texts; each is in the module of its name."""


def application(called: str | None) -> typer.Typer:
    """Return the application, with the called command imported and all others only listed."""
    app = typer.Typer(
        name="handloom",
        help="Neural networks written by hand in Python and NumPy.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    )
    for name, text in COMMANDS.items():
        if name != called:
            app.command(name, help=text)(_named_only)
            continue
        module = import_module(f"handloom.cli.{name}")
        if isinstance(own := getattr(module, "app", None), typer.Typer):
            app.add_typer(own, name=name)
        else:
            app.command(name)(_telling(getattr(module, name)))
    app.callback()(_of_all)
    return app


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"handloom {__version__}")
        raise typer.Exit


def _of_all(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Neural networks written by hand in Python and NumPy."""


def _telling(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that tells an interruption outside of a training, where typer is silent."""

    @wraps(command)
    def telling(*arguments: Any, **values: Any) -> None:
        try:
            command(*arguments, **values)
        except KeyboardInterrupt:
            say("interrupted")
            raise typer.Exit(INTERRUPTED) from None

    return telling


def _named_only() -> None:
    """Stand in for a command that is listed and not called."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status.

    An error that the user can correct is one line on standard error and a status other than 0. A
    traceback is a bug in Handloom. Standard output that cannot be written to is an error, except
    after a training, whose results are saved; a reader that has closed the pipe gets no message.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # for locales that cannot encode all characters
    command = partial(_run, arguments)
    if _uses_ranks(arguments):
        from handloom.cli.ranks import run_on_ranks

        return end_output(run_on_ranks(command))
    return end_output(command())


def _uses_ranks(arguments: Sequence[str]) -> bool:
    """Return whether a command line asks for ranks: ``--distributed mpi``."""
    return "--distributed=mpi" in arguments or ("--distributed", "mpi") in pairwise(arguments)


def _suggest(error: Any) -> None:
    """Add to the error of an unknown option those that it stands for elsewhere."""
    if error.ctx is not None and hasattr(error, "possibilities"):
        options = {name for each in error.ctx.command.params for name in each.opts}
        if meant := suggestions(error.option_name, options):
            error.possibilities = meant


def _run(arguments: Sequence[str]) -> int:
    try:
        called = application(arguments[0] if arguments else None)
        status = called(list(arguments), prog_name="handloom", standalone_mode=False)
    except UsageError as error:
        _suggest(error)
        if error.ctx is None or error.message != error.ctx.get_help():  # without any argument
            error.message = printable(error.message)  # it quotes the arguments
        error.show()
        return int(error.exit_code)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except (HandloomError, OSError, MemoryError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        say(f"error: {reason}")
        return 1
    return int(status or 0)  # that of typer.Exit
