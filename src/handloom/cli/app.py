"""The commands put together, and how each of them ends.

A command is imported when it is called, not when it is listed: help has nothing to compute.
"""

import io
import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from handloom.errors import HandloomError

COMMANDS = {
    "reproduce": "Train the reference's models and a steadier one, compare them.",
    "train": "Train a network and write a run folder.",
    "recipes": "List the recipes that train takes by name.",
    "evaluate": "Measure a trained network on the test part of a dataset.",
    "gradcheck": "Compare a network's gradients with central differences.",
    "predict": "Name the most probable classes of images, of any size and mode.",
    "summary": "Show a trained network: layers, shapes, parameters.",
    "step": "Walk through a training step of a tiny network, with a pencil.",
    "data": "Verify datasets and look at them.",
}
"""The commands, each in the module of its name, and what the list of them says."""


def application(wanted: str | None) -> typer.Typer:
    """Return the command line, with the command that is wanted imported and all others named."""
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
        if name != wanted:
            app.command(name, help=text)(_named_only)
            continue
        module = import_module(f"handloom.cli.{name}")
        if isinstance(own := getattr(module, "app", None), typer.Typer):
            app.add_typer(own, name=name)
        else:
            app.command(name)(getattr(module, name))
    return app


def _named_only() -> None:
    """Stand for a command that is listed and not called."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status.

    Whatever goes wrong that a user can mend is one readable line on standard error, and a status
    that is not zero. A traceback means a bug of ours.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a narrow locale loses no output
    try:
        application(arguments[0] if arguments else None)(list(arguments), prog_name="handloom")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except (HandloomError, OSError, MemoryError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        print(f"error: {reason}", file=sys.stderr)
        return 1
    return 0
