"""Diagnosis: the measurements of a training on a few fixed rows, after some of its epochs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from handloom.errors import require_count, require_number
from handloom.markup import element, render
from handloom.text import listed
from handloom.training.diagnosis_view import layers_view


@dataclass(frozen=True)
class LayerProbe:
    """The measurements of one layer.

    Attributes
    ----------
    layer : str
        The name of the layer, such as ``"0.dense"``.
    output : float
        The root mean square of its outputs.
    gradient : float
        The root mean square of the gradient of a row's loss with respect to these outputs.
    dead : float or None
        The fraction of units, or channels, whose output is 0 for every one of ``dead_rows`` rows;
        of ReLU only.
    saturated : float or None
        The fraction of outputs at which the derivative nearly vanishes; of sigmoid and tanh only.
    alike : bool
        Whether all units compute the same function.
    update : float or None
        The l2 norm of the last update of the epoch, divided by that of the weights; None for a
        layer without weights.
    growth : float or None
        The l2 norm of the weights, divided by that at the beginning of the training; None for a
        layer without weights, with initial weights of 0, or of a diagnosis without
        ``initial_norms``.
    second_moment : tuple of float
        The quantiles `QUANTILES` of the optimizer's second moment; empty if it has none.
    """

    layer: str
    output: float
    gradient: float
    dead: float | None = None
    saturated: float | None = None
    alike: bool = False
    update: float | None = None
    growth: float | None = None
    second_moment: tuple[float, ...] = ()

    def cells(self) -> tuple[str, ...]:
        """Return output, gradient, update, dead and saturated as text; empty if not measured."""
        measured = (self.output, self.gradient, self.update)
        shares = (self.dead, self.saturated)
        return (
            *("" if value is None else f"{value:.3g}" for value in measured),
            *("" if share is None else f"{share:.0%}" for share in shares),
        )


QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The quantiles of the optimizer's second moment."""


@dataclass(frozen=True)
class ProbeRecord:
    """The measurements after one epoch.

    Attributes
    ----------
    epoch : int
        Counted from 0.
    loss : float
        The mean loss of the rows, without penalty.
    layers : tuple of LayerProbe
    dead_rows : int
        The number of rows on which dead units are sought: more than those of the other
        measurements if some units are dead on these; 0 in a record of an earlier version.
    """

    epoch: int
    loss: float
    layers: tuple[LayerProbe, ...]
    dead_rows: int = 0

    def __repr__(self) -> str:
        count = f"{len(self.layers)} layer{'' if len(self.layers) == 1 else 's'}"
        return f"ProbeRecord(epoch={self.epoch}, loss={self.loss:.4g}, {count})"

    def _repr_html_(self) -> str:
        """Return the table of the layers, as a notebook shows it."""
        caption = f"Each layer after epoch {self.epoch + 1}; the loss is {self.loss:.4g}."
        return render(layers_view(self.layers, caption, self.dead_rows))


@dataclass
class Diagnosis:
    """The measurements of a training; `handloom.training.findings` reads them.

    Attributes
    ----------
    optimizer : str
        The class of the optimizer.
    steps : int
        The number of steps of an epoch.
    sortedness : float
        The fraction of consecutive training rows of one class, beyond that of a random order: 1 if
        rows are sorted; 0 if they are shuffled.
    rows : int
        The number of training rows that are measured.
    guessing : float
        The loss of these rows if all of them get the best constant prediction.
    input_scale, target_scale : float
        The root mean square of the largest input feature, and of the largest continuous target.
    records : list of ProbeRecord
    skipped : list of int
        The epochs after which there was no time for a measurement; see `handloom.training.probe`.
    seconds : float
        The time of all measurements.
    update_ratios : dict of str to float
        The norms of the last update of the current epoch, relative to the weights.
    initial_norms : dict of str to float
        The l2 norms of the weights of each layer at the beginning of the training; empty in a
        diagnosis of an earlier version.
    held_out : int
        The number of validation rows; 0 without any, and in a diagnosis of an earlier version.
    """

    optimizer: str
    steps: int
    sortedness: float = 0.0
    rows: int = 0
    guessing: float = 0.0
    input_scale: float = 0.0
    target_scale: float = 0.0
    records: list[ProbeRecord] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    seconds: float = 0.0
    update_ratios: dict[str, float] = field(default_factory=dict)
    initial_norms: dict[str, float] = field(default_factory=dict)
    held_out: int = 0

    def __repr__(self) -> str:
        epochs = listed(str(record.epoch + 1) for record in self.records)
        after = f"after epoch {epochs}" if self.records else "no measurements"
        return f"Diagnosis({after}; {self.rows} rows, loss of guessing {self.guessing:.4g})"

    def _repr_html_(self) -> str:
        """Return the layers after the last measured epoch, as a notebook shows them."""
        if not self.records:
            why = ": the training was too short for the time that it takes" if self.skipped else ""
            return render(element("p", f"The layers were not measured{why}."))
        last = self.records[-1]
        return render(
            layers_view(
                last.layers,
                f"Each layer after epoch {last.epoch + 1}, on {self.rows:,} training rows. Their "
                f"loss is {last.loss:.4g}; that of the best constant prediction, of guessing, is "
                f"{self.guessing:.4g}.",
                last.dead_rows,
            )
        )

    def to_json(self) -> dict[str, Any]:
        """Return the measurements as JSON; NaN and infinity become None."""
        described: dict[str, Any] = _finite(asdict(self))
        return described

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the diagnosis that `to_json` described.

        Raises
        ------
        AttributeError, KeyError, TypeError, ValueError
            If an entry is missing, unknown or invalid.
        """
        metrics = ("sortedness", "guessing", "input_scale", "target_scale", "seconds")
        if {*values, "initial_norms", "held_out"} != set(asdict(cls("", 0))):
            raise ValueError("a diagnosis has other entries")
        return cls(
            optimizer=str(values["optimizer"]),
            steps=require_count("steps", values["steps"], minimum=0),
            rows=require_count("rows", values["rows"], minimum=0),
            held_out=require_count("held_out", values.get("held_out", 0), minimum=0),
            records=[_record(each) for each in values["records"]],
            skipped=[require_count("an epoch", each, minimum=0) for each in values["skipped"]],
            update_ratios=_by_name(values["update_ratios"]),
            initial_norms=_by_name(values.get("initial_norms", {})),
            **{name: _number(values[name]) for name in metrics},
        )


def _by_name(values: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): _number(value) for name, value in values.items()}


def _record(values: Mapping[str, Any]) -> ProbeRecord:
    layers = tuple(_layer(each) for each in values["layers"])
    epoch = require_count("epoch", values["epoch"], minimum=0)
    dead_rows = require_count("dead_rows", values.get("dead_rows", 0), minimum=0)
    return ProbeRecord(epoch, _number(values["loss"]), layers, dead_rows)


def _layer(values: Mapping[str, Any]) -> LayerProbe:
    optional = {
        name: None if values.get(name) is None else _number(values[name])
        for name in ("dead", "saturated", "update", "growth")
    }
    return LayerProbe(
        layer=str(values["layer"]),
        output=_number(values["output"]),
        gradient=_number(values["gradient"]),
        alike=bool(values["alike"]),
        second_moment=tuple(map(_number, values["second_moment"])),
        **optional,
    )


def _number(value: object) -> float:
    """Return a measurement; None, which stands for NaN and infinity, becomes NaN."""
    return float("nan") if value is None else require_number("a measurement", value)


def _finite(value: Any) -> Any:
    """Return nested values, with None for NaN and infinity, which are not JSON."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value
