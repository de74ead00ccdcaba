"""The command that does a run again."""

import shlex
from collections.abc import Mapping
from typing import Any

from handloom.data.sources.published import RESERVED
from handloom.data.table_options import option_words
from handloom.recipes.option import options_of
from handloom.recipes.settings import LEARNING_RATES, Settings
from handloom.reporting.run import ReportedRun
from handloom.studies.reference import STEPS
from handloom.text import printable


def command_of(run: ReportedRun) -> str | None:
    """Return the command line that does a run again; None if it was not made by a command.

    The folder of a dataset is not named, because its path may hold a user's name.
    """
    description = run.description
    if description is None:
        return None
    defaults: dict[str, object]
    settings = description.settings
    if "study" in settings:
        words = [
            "reproduce",
            "--models",
            str(settings.get("model")),
            "--seeds",
            str(settings.get("seed")),
        ]
        defaults = {"validation_fraction": 0.0, "batch_size": 0, "steps": STEPS}
        others = _changed(settings, ("study", "model", "seed"), defaults)
    elif settings.get("kind") == "recipe":
        words = ["train", "--recipe", str(settings.get("recipe"))]
        defaults = {"validation_fraction": 0.0, "backend": "auto"}
        others = _changed(settings, ("kind", "recipe"), defaults)
    elif settings.get("kind") == Settings.kind:
        words = ["train"]
        others = _changed(settings, ("kind",), _defaults(settings.get("optimizer")))
    else:
        return None
    if description.data in RESERVED:
        others += ["--data", description.data]
    elif run.dataset not in RESERVED:
        options = description.data_options
        others += ["--data", "FILE" if "target" in options else "FOLDER", *_of_data(options)]
    return printable(shlex.join(["handloom", *words, *others]))


def _of_data(options: Mapping[str, Any]) -> list[str]:
    """Return the options with which a folder or a table was read, without a path."""
    test = {"test": "FILE"} if isinstance(options.get("test"), str) else {}
    return option_words({**options, **test})


def _defaults(optimizer: object) -> dict[str, object]:
    """Return the defaults of ``handloom train``, with the learning rate of an optimizer."""
    defaults = {each.name: each.default for each in options_of(Settings)}
    return {**defaults, "learning_rate": LEARNING_RATES.get(str(optimizer))}


def _changed(
    settings: Mapping[str, Any], left_out: tuple[str, ...], defaults: Mapping[str, object]
) -> list[str]:
    """Return the options of settings that differ from their defaults."""
    words = []
    for name, value in settings.items():
        if name in left_out or value is None:
            continue
        written = tuple(value) if isinstance(value, list) else value
        if name in defaults and written == defaults[name]:
            continue
        text = ",".join(map(str, written)) if isinstance(written, tuple) else str(written)
        words += [f"--{name.replace('_', '-')}", text]
    return words
