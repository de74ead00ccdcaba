"""``handloom summary``: layers, shapes and parameters of a trained network."""

from handloom.cli.console import show_table
from handloom.cli.options import Run, load_model
from handloom.data.column_encoding import ColumnEncoding
from handloom.data.columns import Columns
from handloom.errors import HandloomError
from handloom.model import Model
from handloom.text import listed
from handloom.training.history import History
from handloom.training.run_folder import RunFolder, is_run


def summary(run: Run) -> None:
    """Show a trained network: layers, shapes, parameters.

    Of a run also the backend, and why training ended; of a table, the encoding of its columns.

    Example: handloom summary runs/train-1
    """
    model = load_model(run)
    network = model.network
    rows = [(name, str(shape), f"{size:,}") for name, shape, size in network.summary()]
    rows.append(("total", "", f"{len(network.parameters):,}"))
    history = _history(run)
    ran = "" if history is None else f"; trained with {history.ran}"
    caption = [f"{network.parameters.dtype}{ran}; {_outputs(model)}"]
    show_table(
        f"{run}: trained on {model.trained_on}",
        ("layer", "output shape", "parameters"),
        [("input", network.input_shape, ""), *rows],
        caption=caption if history is None else [*caption, f"training: {history.ended}"],
    )
    if model.columns is not None:
        show_columns(model.columns)


def _outputs(model: Model) -> str:
    kind = "classes" if model.classes else "outputs"
    return f"{kind}: {', '.join(model.classes or model.class_names)}"


def show_columns(columns: Columns) -> None:
    """Show the columns of a table, as the training rows have them."""
    rows = [(each.name, each.kind, *_learned(each), f"{each.missing:,}") for each in columns.inputs]
    caption = [f"learned from {columns.rows:,} training rows; {len(columns.names):,} flat columns"]
    if columns.left_out:
        caption.append(f"left out: {', '.join(columns.left_out)}")
    if (target := columns.target) is not None:
        units = "" if target.classes else f", mean {target.mean:.6g}, deviation {target.scale:.6g}"
        if target.scaling == "log":
            units += " of its logarithm"
        elif target.scaling == "divide":
            units = f", divided by {target.scale:.6g}"
        caption.append(f"target: {target.name}, {target.task}{units}")
    show_table(
        "columns",
        ("column", "kind", "categories", "mean", "deviation", "missing"),
        rows,
        left=3,
        caption=caption,
    )


def _learned(column: ColumnEncoding) -> tuple[str, str, str]:
    """Return the categories, the mean and the standard deviation of a column."""
    if column.kind != "category":
        return "", f"{column.mean:.6g}", f"{column.scale:.6g}"
    shown = listed(column.categories, 8)
    count = f"{len(column.categories):,} embedded: " if column.embedded else ""
    return f"{count}{shown}", "", ""


def _history(run: Run) -> History | None:
    """Return the history of a run; None for a model, or before the end of a run."""
    try:
        return RunFolder.open(run).history() if is_run(run) else None
    except HandloomError:
        return None
