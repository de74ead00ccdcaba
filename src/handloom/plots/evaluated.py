"""The evaluation that a plot of predictions draws: that of a model and rows, or one made before."""

from handloom.data.dataset import Dataset
from handloom.errors import ConfigurationError, DataError
from handloom.model import Model
from handloom.training.evaluation import Evaluation, evaluate


def evaluation_of(model: Model | Evaluation, data: Dataset | None) -> Evaluation:
    """Return an evaluation of classes: ``model`` itself, or that of a model on ``data``.

    Raises
    ------
    ConfigurationError
        If a model comes without rows.
    DataError
        If targets are continuous, or rows are not those of the evaluation.
    """
    if isinstance(model, Model) and data is None:
        raise ConfigurationError(
            "data must be the rows to predict, got none: pass (model, data), or the result of "
            "handloom.evaluate(model, data)"
        )
    # `evaluate` refuses anything else than a model and a dataset
    evaluation = model if isinstance(model, Evaluation) else evaluate(model, data)  # type: ignore[arg-type]
    if evaluation.targets is None:
        raise DataError(
            f"predictions must be of classes to be drawn, got continuous targets of "
            f"{evaluation.dataset}"
        )
    if data is not None and len(data) != len(evaluation.targets):
        raise DataError(
            f"data must be the {len(evaluation.targets):,} rows of the evaluation, got "
            f"{len(data):,}"
        )
    return evaluation
