"""``handloom summary``: layers, shapes and parameters of a trained network."""

from handloom.cli.console import show_table
from handloom.cli.options import Run, load_model


def summary(run: Run) -> None:
    """Show a trained network: layers, shapes, parameters.

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
        caption=f"{network.parameters.dtype}; classes: {', '.join(model.class_names)}",
    )
