"""``python -m benchmarks.records``: the protocol of the records, in commands.

``choose RECIPE`` compares the configurations of `benchmarks.records.candidates` on paired seeds of
validation splits and logs the choice; ``keep RECIPE --because REASON`` logs that a recipe stays as
it is. ``look RECIPE`` trains the chosen recipe on all training rows and evaluates the test set
once. ``page`` writes the tables of ``docs/records.md``. A stopped command goes on from its last
checkpoint, also within a training; one of PyTorch begins again. ``--trial`` tries everything on a
few generated images, with a log of its own.
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
from handloom.errors import HandloomError
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
    keep = commands.add_parser("keep", help="keep a recipe without a comparison")
    look = commands.add_parser("look", help="look at the test set once")
    for command in (choose, keep, look):
        command.add_argument("recipe", choices=list(RECIPES))
    for command in (choose, look):
        command.add_argument("--seeds", type=int, default=FEWEST_SEEDS)
    choose.add_argument("--only", nargs="+", help="some candidates; the recipe as it is is first")
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
    protocol = Protocol(splits, log, options.out)
    try:
        if options.command == "look":
            current = RECIPES[options.recipe]
            entry = protocol.look(current, options.seeds, again=options.again, torch=options.torch)
            print(shown(entry))
            return
        if options.command == "keep":
            entry = protocol.keep(options.recipe, RECIPES[options.recipe], options.because)
        else:
            known = candidates(options.recipe)
            only = {CURRENT: known[CURRENT]} | {
                label: known[label] for label in options.only or known
            }
            entry = protocol.choose(
                options.recipe, only, options.seeds, options.chosen, options.because
            )
            for label, (mean, low, high) in entry["differences"].items():
                points = f"{100 * mean:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"
                print(f"{label} minus {CURRENT}: {points} points")
        print(f"{options.recipe}: {entry['chosen'] or CURRENT}; {entry['reason']}")
    except (ProtocolError, HandloomError, KeyError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
