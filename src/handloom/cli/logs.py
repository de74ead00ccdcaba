"""Options that log a training for other tools: TensorBoard and MLflow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from handloom.training import MLflowLog, RunFolder, TensorBoardLog

ForTensorBoard = Annotated[
    Path | None,
    typer.Option(
        "--tensorboard",
        metavar="DIR",
        help="Log the training for TensorBoard, in a new folder in DIR.",
        show_default=False,
    ),
]
ForMLflow = Annotated[
    bool,
    typer.Option("--mlflow", help="Log the training as a run of MLflow, at MLFLOW_TRACKING_URI."),
]


def logs_to_json(tensorboard: Path | None, *, mlflow: bool) -> dict[str, Any]:
    """Return the logs that are asked for, as the description of a run has them."""
    folder = {} if tensorboard is None else {"tensorboard": str(tensorboard.absolute())}
    return {**folder, **({"mlflow": True} if mlflow else {})}


def loggers(run: RunFolder, logs: Mapping[str, Any]) -> list[TensorBoardLog | MLflowLog]:
    """Return the callbacks that write the logs of a run, under its name and with its settings."""
    name, parameters = run.path.name, {"settings": run.description.settings}
    made: list[TensorBoardLog | MLflowLog] = []
    if "tensorboard" in logs:
        made.append(TensorBoardLog(logs["tensorboard"], name=name, parameters=parameters))
    if "mlflow" in logs:
        made.append(MLflowLog(name=name, parameters=parameters))
    return made
