"""A training from beginning to end, whoever described it: settings of one's own, or a recipe."""

from collections.abc import Sequence
from dataclasses import dataclass

from handloom.data.dataset import Splits
from handloom.errors import ConfigurationError, HandloomError
from handloom.model import Model
from handloom.randomness import Stream
from handloom.recipes.book import recipe_settings_from_json
from handloom.recipes.plain import Settings
from handloom.recipes.recipe import RecipeSettings
from handloom.training import Callback, Checkpoints, Evaluation, History, evaluate
from handloom.training.interrupts import OnSignal

Experiment = Settings | RecipeSettings


def experiment_from_json(values: object) -> Experiment:
    """Return the settings that ``to_json`` of either kind gave.

    Raises
    ------
    ConfigurationError
        If one is missing, unknown, or means nothing.
    """
    if not isinstance(values, dict):
        raise ConfigurationError(f"settings are an object, got {values!r}")
    read = recipe_settings_from_json if "recipe" in values else Settings.from_json
    try:
        return read(values)
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
