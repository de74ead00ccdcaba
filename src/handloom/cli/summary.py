"""``handloom summary``: layers, shapes and parameters of a trained network."""

from handloom.cli.console import show_table
from handloom.cli.options import Run, load_model
from handloom.errors import HandloomError
from handloom.training.history import History
from handloom.training.run_folder import RunFolder, is_run


def summary(run: Run) -> None:
    """Show a trained network: layers, shapes, parameters.

    Of a run also what its steps ran on, and how it ended.

    Example: handloom summary runs/train-1
    """
    model = load_model(run)
    network = model.network
    rows = [(name, str(shape), f"{size:,}") for name, shape, size in network.summary()]
    rows.append(("total", "", f"{len(network.parameters):,}"))
    history = _history(run)
    ran = "" if history is None else f"; trained with {history.ran}"
    caption = [f"{network.parameters.dtype}{ran}; classes: {', '.join(model.class_names)}"]
    show_table(
        f"{run}: trained on {model.trained_on}",
        ("layer", "output shape", "parameters"),
        [("input", network.input_shape, ""), *rows],
        caption=caption if history is None else [*caption, f"training: {history.ended}"],
    )


def _history(run: Run) -> History | None:
    """Return the history of a run; None for a model, or before the end of a run."""
    try:
        return RunFolder.open(run).history() if is_run(run) else None
    except HandloomError:
        return None
