"""Which lines of a reader a set of inputs reaches: ``python -m fuzz.coverage NAME FOLDER``.

Counted are the lines of those functions of Handloom that are entered at all.
"""

import contextlib
import json
import sys
import tempfile
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import handloom
from fuzz.targets import TARGETS
from fuzz.watch import attempt

SOURCE = str(Path(handloom.__file__).parent)


def lines_of(code: CodeType) -> set[int]:
    """Return the lines of a function that can be executed, without its first."""
    return {line for *_, line in code.co_lines() if line} - {code.co_firstlineno}


def main() -> None:
    """Print how many lines were reached, of how many, and which were not."""
    target, inputs = TARGETS[sys.argv[1]], sorted(Path(sys.argv[2]).iterdir())
    entered: dict[CodeType, set[int]] = {}

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(SOURCE):
            return None
        reached = entered.setdefault(code, set())
        if event == "line":
            reached.add(frame.f_lineno)
        return trace

    with tempfile.TemporaryDirectory() as made:
        read = target.prepare(Path(made))
        for path in inputs:
            data = path.read_bytes()
            sys.settrace(trace)  # each time: tracing ends where the stack is too deep for it
            with contextlib.suppress(Exception):
                attempt(read, data)
            sys.settrace(None)
    missed = sorted(
        f"{Path(code.co_filename).relative_to(SOURCE)}:{line}"
        for code, reached in entered.items()
        for line in lines_of(code) - reached
    )
    total = sum(len(lines_of(code)) for code in entered)
    print(json.dumps({"reached": total - len(missed), "lines": total, "missed": missed}))


if __name__ == "__main__":
    main()
