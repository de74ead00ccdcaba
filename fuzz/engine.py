"""One reader under atheris, in a process of its own: ``python -m fuzz.engine NAME ...``.

atheris follows which branches each input takes, keeps the inputs that take new ones, and changes
those further. The process ends with a status that is not 0 at the first finding: an error that is
not ours, an input that takes too long, memory beyond the bound, or a deed that `Watch` forbids.
"""

import random
import sys
import tempfile
from pathlib import Path

import atheris

INSTRUMENTED = ["handloom", "PIL", "numpy.lib", "gzip", "json", "safetensors"]
"""Where branches are followed: our readers, and their dependencies in Python."""

MEMORY_FILES = Path("/dev/shm")


def main() -> None:
    """Fuzz the target that is named first; the other arguments are those of libFuzzer."""
    name, arguments = sys.argv[1], sys.argv[2:]
    with atheris.instrument_imports(include=INSTRUMENTED):
        from fuzz.targets import TARGETS
        from fuzz.watch import Watch, attempt, limit_memory
    target = TARGETS[name]
    watch = Watch()
    with tempfile.TemporaryDirectory(dir=MEMORY_FILES if MEMORY_FILES.is_dir() else None) as made:
        folder = Path(made)
        read = target.prepare(folder)
        for seed in target.seeds():  # whatever is loaded at first use is loaded now
            if refused := attempt(read, seed):
                raise SystemExit(f"{name}: a valid file was refused: {refused}")
        limited = False

        def one(data: bytes) -> None:
            nonlocal limited
            if not limited:  # now, because libFuzzer has allocated its own memory
                limit_memory(target.memory)
                limited = True
            with watch.over(folder):
                attempt(read, data)

        def mutate(data: bytes, most: int, seed: int) -> bytes:
            rng = random.Random(seed)
            if rng.random() < 0.5:
                return bytes(atheris.Mutate(data, most))
            return target.mutation(data, rng)[:most]

        atheris.Setup([sys.argv[0], *arguments], one, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
