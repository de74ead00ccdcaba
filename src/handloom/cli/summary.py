"""``handloom summary``: layers, shapes and parameters of a trained network."""

from handloom.cli.console import show_table
from handloom.cli.options import Run, load_model
from handloom.errors import HandloomError
from handloom.training.run_folder import RunFolder, is_run


def summary(run: Run) -> None:
    """Show a trained network: layers, shapes, parameters.

    Of a run also what its steps ran on.

    Example: handloom summary runs/train-1
    """
    model = load_model(run)
    network = model.network
    rows = [(name, str(shape), f"{size:,}") for name, shape, size in network.summary()]
    rows.append(("total", "", f"{len(network.parameters):,}"))
    show_table(
        f"{run}: trained on {model.trained_on}",
        ("layer", "output shape", "parameters"),
        [("input", network.input_shape, ""), *rows],
        caption=f"{network.parameters.dtype}{_ran(run)}; classes: {', '.join(model.class_names)}",
    )


def _ran(run: Run) -> str:
    """Return what the steps of a run ran on; nothing for a model, or before the end of a run."""
    try:
        return f"; trained with {RunFolder.open(run).history().ran}" if is_run(run) else ""
    except HandloomError:
        return ""
