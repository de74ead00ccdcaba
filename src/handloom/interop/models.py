"""The model that an export writes."""

from handloom.data.table_target import TableTarget
from handloom.errors import ConfigurationError, ModelError
from handloom.model import Model
from handloom.network import Sequential
from handloom.training.loaded_run import LoadedRun


def model_of(subject: object) -> Model:
    """Return a model itself, or that of a run.

    Raises
    ------
    ModelError
        If the run has none.
    ConfigurationError
        If the subject is another object.
    """
    if isinstance(subject, Model):
        return subject
    if isinstance(subject, LoadedRun):
        if subject.model is None:
            raise ModelError(f"{subject.path} has no model yet: its training has not ended")
        return subject.model
    if isinstance(subject, Sequential):
        advice = "Model(network, ...), or trainer.model() after a training"
    elif hasattr(subject, "to_model"):
        advice = "estimator.to_model()"
    else:
        advice = "trainer.model(), Model.load(folder) or load_run(folder)"
    raise ConfigurationError(
        f"model must be an instance of Model, got {type(subject).__name__}: pass {advice}"
    )


def scaled_target(model: Model) -> TableTarget | None:
    """Return the continuous target of a table, to whose units outputs are restored; else None."""
    target = None if model.columns is None else model.columns.target
    return None if target is None or target.task == "classification" else target
