"""The commands put together, and how each of them ends."""

import io
import sys
from collections.abc import Sequence

import typer

from handloom.cli.data import app as data_app
from handloom.cli.evaluate import evaluate
from handloom.cli.gradcheck import gradcheck
from handloom.cli.predict import predict
from handloom.cli.reproduce import reproduce
from handloom.cli.step import step
from handloom.cli.summary import summary
from handloom.cli.train import train
from handloom.errors import HandloomError

app = typer.Typer(
    name="handloom",
    help="Neural networks woven by hand in Python and NumPy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (reproduce, train, evaluate, gradcheck, predict, summary, step):
    app.command()(command)
app.add_typer(data_app, name="data")


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status.

    Whatever goes wrong that a user can mend is one readable line on standard error, and a status
    that is not zero. A traceback means a bug of ours.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a narrow locale loses no output
    try:
        app(list(arguments), prog_name="handloom")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except (HandloomError, OSError, MemoryError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        print(f"error: {reason}", file=sys.stderr)
        return 1
    return 0
