"""The command line: one short file per command, which parses, calls the library and prints.

Only the standard library is imported before ``main`` runs, so that a missing extra is an error
message and not a traceback.
"""

import os
import signal
import sys
import threading

STANDARD_ERROR = 2
"""The largest file number of the standard streams."""


def main() -> None:
    """Run the command line and exit with its status. SIGTERM acts as Ctrl-C does."""
    _fill_closed_streams()
    try:
        if threading.current_thread() is threading.main_thread():
            _take_sigterm_as_ctrl_c()
        from handloom.cli.app import run

        status = run(sys.argv[1:])
    except KeyboardInterrupt:  # outside of a training, which handles its signals itself
        from handloom.secondary import say

        say("interrupted")
        status = 130
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("handloom"):
            raise
        sys.exit(
            f"error: the command line needs the package {error.name!r}: install Handloom with the "
            "extra 'cli', which brings it (in a clone: pip install '.[cli]')"
        )
    sys.exit(status)


def _fill_closed_streams() -> None:
    """Open the null device in place of closed standard streams, whose numbers other files take.

    Output of a library in C would be written to a file of the training.
    """
    while (file := os.open(os.devnull, os.O_RDWR)) <= STANDARD_ERROR:
        pass
    os.close(file)


def _take_sigterm_as_ctrl_c() -> None:
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
