"""The evaluation that a plot of predictions draws: that of a model and rows, or one made before."""

from handloom.data.dataset import Dataset
from handloom.errors import ConfigurationError, DataError
from handloom.model import Model
from handloom.training.datasets import require_dataset
from handloom.training.evaluation import Evaluation, evaluate


def evaluation_of(
    model: Model | Evaluation, data: Dataset | None, *, classes: bool = True
) -> Evaluation:
    """Return an evaluation, of classes or of a regression.

    It is ``model`` itself, or that of a model on ``data``.

    Raises
    ------
    ConfigurationError
        If a model comes without rows.
    DataError
        If targets are of the other kind, or rows are not those of the evaluation.
    """
    if data is not None:
        require_dataset("data", data)
    if isinstance(model, Model) and data is None:
        raise ConfigurationError(
            "data must be the rows to predict, got none: pass (model, data), or the result of "
            "handloom.evaluate(model, data)"
        )
    # `evaluate` refuses anything else than a model and a dataset
    evaluation = model if isinstance(model, Evaluation) else evaluate(model, data)  # type: ignore[arg-type]
    if (evaluation.targets is not None) != classes:
        kinds = ("classes", "continuous targets")
        expected, got = kinds if classes else reversed(kinds)
        raise DataError(f"predictions must be of {expected}, got {got} of {evaluation.dataset}")
    if not classes and evaluation.regression is None:
        raise DataError(
            "predictions must be of one value for each target, got several quantiles: their "
            "coverage is in evaluation.quantiles"
        )
    if data is not None and len(data) != len(evaluation.probabilities):
        raise DataError(
            f"data must be the {len(evaluation.probabilities):,} rows of the evaluation, got "
            f"{len(data):,}"
        )
    return evaluation
