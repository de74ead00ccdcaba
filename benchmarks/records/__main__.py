"""``python -m benchmarks.records``: the protocol of the records, in commands.

``choose RECIPE`` compares the configurations of `benchmarks.records.candidates` on paired seeds of
validation splits and logs the choice; ``keep RECIPE --because REASON`` logs that a recipe stays as
it is. ``validate RECIPE --seed SEED`` is one run of a choice: it is logged, and ``choose`` takes
the runs that are in the log. ``look RECIPE`` trains the chosen recipe on all training rows and
evaluates the test set once. ``page`` writes the tables of ``docs/records.md``. A stopped command
goes on from its last checkpoint, also within a training; one of PyTorch begins again. ``--trial``
tries everything on a few generated images, with a log of its own.
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.records.candidates import CURRENT, candidates
from benchmarks.records.log import Log
from benchmarks.records.page import choices_table, earlier_table, looks_table, write
from benchmarks.records.protocol import FEWEST_SEEDS, Protocol, ProtocolError, shown
from handloom import fashion_mnist, silhouettes
from handloom.errors import HandloomError, require_known
from handloom.recipes.registry import RECIPES

DOCS = Path(__file__).parents[2] / "docs"
LOG, PAGE, EARLIER = DOCS / "records/protocol.jsonl", DOCS / "records.md", "records/recipes.json"
DATA = "a6991a3213bb"
"""The digest of Fashion-MNIST, whose looks the page shows."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the commands."""
    result = argparse.ArgumentParser(prog="python -m benchmarks.records", description=__doc__)
    result.add_argument("--out", type=Path, default=Path("runs/records"))
    result.add_argument("--log", type=Path, default=LOG)
    result.add_argument("--trial", action="store_true", help="a few generated images")
    commands = result.add_subparsers(dest="command", required=True)
    choose = commands.add_parser("choose", help="compare configurations on validation rows")
    validate = commands.add_parser("validate", help="one run of a choice")
    keep = commands.add_parser("keep", help="keep a recipe without a comparison")
    look = commands.add_parser("look", help="look at the test set once")
    for command in (choose, validate, keep, look):
        command.add_argument("recipe", choices=list(RECIPES))
    for command in (choose, look):
        command.add_argument("--seeds", type=int, default=FEWEST_SEEDS)
    choose.add_argument("--only", nargs="+", help="some candidates; the recipe as it is is first")
    validate.add_argument("--candidate", default=CURRENT)
    validate.add_argument("--seed", type=int, required=True, help="1000 or more")
    choose.add_argument("--chosen", help="another choice than that of the intervals")
    choose.add_argument("--because", help="the reason for it")
    keep.add_argument("--because", required=True, help="the reason")
    look.add_argument("--again", metavar="REASON", help="why the test set is looked at again")
    look.add_argument("--torch", action="store_true", help="PyTorch too, seed by seed")
    commands.add_parser("page", help="write the tables of docs/records.md")
    return result


def main(arguments: list[str] | None = None) -> None:
    """Run a command; calls against the protocol are refused."""
    options = parser().parse_args(arguments)
    if options.command == "page":
        results = json.loads((DOCS / EARLIER).read_text())["results"]
        entries = list(Log(options.log))
        tables = {
            "choices": choices_table(entries, DATA),
            "protocol": looks_table(entries, DATA),
            "before": earlier_table(results),
        }
        write(PAGE, tables)
        print(f"wrote {PAGE}")
        return
    log = Log(options.out / "trial.jsonl" if options.trial else options.log)
    splits = silhouettes(600, test_rows=200) if options.trial else fashion_mnist()
    try:
        print(_outcome(options, Protocol(splits, log, options.out)))
    except (ProtocolError, HandloomError) as error:
        sys.exit(str(error))


def _outcome(options: argparse.Namespace, protocol: Protocol) -> str:
    """Run a command of the protocol and return what came of it."""
    name, known = options.recipe, candidates(options.recipe)
    if options.command == "look":
        return shown(
            protocol.look(RECIPES[name], options.seeds, again=options.again, torch=options.torch)
        )
    if options.command == "keep":
        entry = protocol.keep(name, RECIPES[name], options.because)
        return f"{name}: {CURRENT}; {entry['reason']}"
    if options.command == "validate":
        require_known("candidate", options.candidate, known)
        run = protocol.validate(known[options.candidate], options.seed)
        return f"{name}, {options.candidate}, seed {options.seed}: {run.accuracy:.4f}"
    labels = [CURRENT, *(options.only or known)]
    for label in labels:
        require_known("candidate", label, known)
    compared = {label: known[label] for label in labels}
    entry = protocol.choose(name, compared, options.seeds, options.chosen, options.because)
    differences = [
        f"{label} minus {CURRENT}: {100 * mean:+.2f} ({100 * low:+.2f} to {100 * high:+.2f}) points"
        for label, (mean, low, high) in entry["differences"].items()
    ]
    return "\n".join([*differences, f"{name}: {entry['chosen']}; {entry['reason']}"])


if __name__ == "__main__":
    main()
