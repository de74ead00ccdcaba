"""Experiments by their kind: how each is kept as JSON and read again, and how it is run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from handloom.data.dataset import Splits
from handloom.errors import ConfigurationError, HandloomError, require_known
from handloom.model import Model
from handloom.randomness import Stream
from handloom.recipes.base import Experiment
from handloom.recipes.recipe import RecipeSettings
from handloom.recipes.registry import recipe_settings_from_json
from handloom.recipes.settings import Settings
from handloom.training import Callback, Checkpoints, Evaluation, History, evaluate
from handloom.training.interrupts import OnSignal

KINDS: Mapping[str, Callable[[dict[str, Any]], Experiment]] = {
    Settings.kind: Settings.from_json,
    RecipeSettings.kind: recipe_settings_from_json,
}
"""Readers of experiments by their kind."""


def experiment_to_json(experiment: Experiment) -> dict[str, Any]:
    """Return an experiment as JSON can hold it, its kind included."""
    return {"kind": experiment.kind, **experiment.to_json()}


def experiment_from_json(values: object) -> Experiment:
    """Return the experiment that `experiment_to_json` described.

    Raises
    ------
    ConfigurationError
        If one is missing, unknown, or means nothing.
    """
    if not isinstance(values, dict):
        raise ConfigurationError(f"settings are an object, got {values!r}")
    kind = str(values.get("kind"))
    require_known("kind of settings", kind, KINDS)
    try:
        return KINDS[kind]({name: value for name, value in values.items() if name != "kind"})
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, HandloomError):
            raise
        raise ConfigurationError(f"settings: {error!r}") from None


@dataclass(frozen=True)
class Trained:
    """What a training came to.

    Attributes
    ----------
    model : Model
    history : History
    test : Evaluation
        On the test part, with the weights that the network ended with.
    """

    model: Model
    history: History
    test: Evaluation


def train(
    experiment: Experiment,
    splits: Splits,
    callbacks: Sequence[Callback] = (),
    *,
    checkpoints: Checkpoints | None = None,
    resume: bool = False,
    on_signal: OnSignal = "deliver",
) -> Trained:
    """Train the network that is described, from the beginning or from a checkpoint.

    Raises
    ------
    DataError
        If the dataset cannot be learned from, or not split as asked.
    """
    network = experiment.build(splits.train)
    rows, held_out = splits.train, None
    if experiment.validation_fraction:
        rows, held_out = rows.split(experiment.validation_fraction, Stream(experiment.seed))
    trainer = experiment.trainer(
        network, experiment.steps(rows), callbacks, checkpoints, on_signal=on_signal
    )
    history = trainer.fit(rows, held_out, resume=resume)
    model = trainer.model()
    return Trained(model, history, evaluate(model, splits.test))
