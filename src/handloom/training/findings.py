"""Findings: the likely causes of a training that does not work, from its measurements.

Most findings need a symptom first: a loss no better than that of a constant prediction. A network
that learns well with half of its units dead has no problem.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from handloom.optimizers import OPTIMIZERS
from handloom.text import enumerated, printable
from handloom.training.diagnosis import Diagnosis, ProbeRecord
from handloom.training.history import History, StopReason

STUCK = 0.95
"""The loss relative to that of guessing at which a network has learned nothing."""

LEARNED = 0.8
"""The loss relative to that of guessing at which a network had clearly learned something."""

FEWEST_STEPS = 50
"""The number of steps before which a loss near that of guessing is no symptom."""

MANY_ROWS, UNFINISHED, FAR = 200, 0.5, 10.0
"""The number of measured rows, and the loss relative to that of guessing, from which a training of
fewer full-batch steps than `FEWEST_STEPS` is found to be unfinished; from the third on it grew."""

LARGE_UPDATE, SMALL_UPDATE = 1e-2, 1e-4
"""Ten times, and a tenth, of the usual norm of an update relative to the weights, 1e-3: Karpathy,
"CS231n: Convolutional Neural Networks for Visual Recognition", Stanford, 2015, notes on neural
networks 3."""

LARGE_OUTPUT = 100.0
"""The root mean square of a layer's outputs above which steps have ruined its weights: usual
initial weights keep it near that of the inputs, about 1 (He, Zhang, Ren, Sun, "Delving Deep into
Rectifiers: Surpassing Human-Level Performance on ImageNet Classification", ICCV 2015). Other causes
are large inputs and large initial weights, which come first."""

UNMOVED = 1.1
"""The norm of a layer's weights relative to that of its initial weights below which large outputs
are those of the initial weights. Random initial weights and the sum of all steps are nearly
orthogonal, so that steps of half the initial norm make it 1.12."""

WORSE, GROWN, RISEN = 1.2, 1.5, 1.1
"""Signs of a rate that is too large where a network still learns: the mean training loss of an
epoch relative to that of guessing, with the growth of the weights of a hidden layer; and the last
measured loss relative to the lowest, with an update of twice `LARGE_UPDATE`. With too large a rate
the learning curve shows "violent oscillations", and the loss often increases: Goodfellow, Bengio,
Courville, "Deep Learning", MIT Press, 2016, section 8.3.1. At rates that were chosen on held-out
rows neither was seen."""

LARGE_INPUT, SMALL_INPUT, LARGE_TARGET, SMALL_TARGET = 10.0, 1e-3, 100.0, 0.01
"""The scale of features and targets above which initial weights and usual rates are too large, that
below which features tell nothing, and that below which rates are too large for targets: for unit
scale see LeCun, Bottou, Orr, Müller, "Efficient BackProp", in "Neural Networks: Tricks of the
Trade", Springer, 1998, section 4.3."""

DEAD, MOSTLY_DEAD = 0.5, 0.95
"""The fraction of dead ReLUs, with the symptom and without it. Half of the units are inactive for a
row at random, 0.5 for all rows is not random. On dead units: Lu, Shin, Su, Karniadakis, "Dying ReLU
and Initialization: Theory and Numerical Examples", Communications in Computational Physics 28,
2020. (Up to 40 % die at high rates: CS231n, notes on neural networks 1.)"""

SATURATED, VANISHING = 0.5, 1e-2
"""The fraction of saturated outputs, and the gradient at the first layer relative to that at the
last: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
networks", AISTATS 2010. A sigmoid passes on at most a quarter of its gradient."""

VANISHED = 1e-12
"""The learning rate below which a schedule has ended, whatever the optimizer."""

SORTED = 0.9
"""The fraction of consecutive rows of one class, beyond that of a random order, above which batches
hold one class: for shuffling see LeCun, Bottou, Orr, Müller, "Efficient BackProp", in "Neural
Networks: Tricks of the Trade", Springer, 1998, section 4.2."""

OVERFIT_RISE, OVERFIT_GAP, OVERFIT_ERRORS = 1.2, 2.0, 2.0
"""The validation loss relative to its lowest value, and to the training loss, and the rise in
standard errors. Losses of rows deviate by about their mean or more, so the mean of ``n`` has the
relative error ``1 / sqrt(n)`` or more. Early stopping after a rise of the validation loss:
Prechelt, "Early Stopping - But When?", in "Neural Networks: Tricks of the Trade", Springer,
1998."""


@dataclass(frozen=True)
class Finding:
    """A likely cause of a training that does not work.

    Attributes
    ----------
    symptom : str
        A name, such as ``"dead units"``.
    sentence : str
        The measurement, and something to try.
    """

    symptom: str
    sentence: str

    def __str__(self) -> str:
        return printable(self.sentence)


def findings(history: History) -> list[Finding]:
    """Return the findings about a training; without a diagnosis, a loss that is not finite."""
    diagnosis, not_finite = history.diagnosis, list(_not_finite(history))
    if diagnosis is None:
        return not_finite
    causes = list(_sorted_rows(diagnosis))
    if not_finite:
        return [*causes, *not_finite]
    if not diagnosis.records:
        return [*causes, *_overfitting(history, diagnosis)]
    last = diagnosis.records[-1]
    if not _is_stuck(diagnosis, last):
        causes += _few_steps(history, diagnosis, last)
        causes += _slowed_by_rate(_Measured(history, diagnosis, last))
        return [
            *causes,
            *_dead(diagnosis, last, MOSTLY_DEAD),
            *_overfitting(history, diagnosis),
        ]
    seen = _Measured(history, diagnosis, last)
    for cause in _CAUSES:  # a later one may be the effect of an earlier one
        causes = causes or list(cause(seen))
    return [_stuck(diagnosis, last), *(causes or [_no_cause(history)])]


def _not_finite(history: History) -> Iterator[Finding]:
    """Find a loss that is not finite although the weights are, measured or of the last epoch."""
    losses: list[tuple[str, int, float]] = []
    if history.diagnosis is not None:
        name = f"loss on {history.diagnosis.rows} training rows"
        losses += [(name, each.epoch, each.loss) for each in history.layers[-1:]]
    if history.divergence is None:  # else its sentence says it
        for last in history.records[-1:]:
            losses.append(("training loss", last.epoch, last.loss))
            losses.append(("validation loss", last.epoch, last.validation_loss or 0.0))
    for name, epoch, loss in losses:
        if not math.isfinite(loss):
            yield Finding(
                "not finite",
                f"Training diverged: after epoch {epoch + 1} the {name} is not finite, although "
                f"the weights are. A smaller learning rate usually helps",
            )
            return


def _is_stuck(diagnosis: Diagnosis, last: ProbeRecord) -> bool:
    """Return whether a network has learned nothing in enough steps."""
    enough = (last.epoch + 1) * diagnosis.steps >= FEWEST_STEPS
    scale = min(1.0, diagnosis.target_scale or 1.0)  # that of a squared error is its square
    varies = diagnosis.guessing > 1e-6 * scale * scale  # constant targets are learned by then
    return enough and not last.loss < STUCK * diagnosis.guessing and varies


def _few_steps(history: History, diagnosis: Diagnosis, last: ProbeRecord) -> Iterator[Finding]:
    """Find a training of one step an epoch that ended before it learned much."""
    steps = len(history)
    if (
        diagnosis.steps == 1
        and 1 < steps < FEWEST_STEPS
        and diagnosis.rows >= MANY_ROWS
        and history.stop_reason is StopReason.MAX_EPOCHS
        and UNFINISHED * diagnosis.guessing < last.loss < FAR * diagnosis.guessing
    ):
        yield Finding(
            "few steps",
            f"The training made {steps} steps in all, and the loss, "
            f"{last.loss:.4g}, is still near that of the best constant prediction, "
            f"{diagnosis.guessing:.4g}: each epoch is one step. Train for more epochs (--epochs "
            f"on the command line) or, where no recipe sets it, a smaller batch: "
            f"set batch_size=32 (--batch-size 32)",
        )


def _slowed_by_rate(seen: "_Measured") -> Iterator[Finding]:
    """Find a rate that is too large, but not so large that nothing is learned."""
    last, diagnosis, history = seen.last, seen.diagnosis, seen.history
    enough = (last.epoch + 1) * diagnosis.steps >= FEWEST_STEPS
    if not enough or last.loss <= UNFINISHED * diagnosis.guessing:
        return
    losses = [record.data_loss for record in history.records]
    worst = max(range(len(losses)), key=losses.__getitem__)
    best = min(diagnosis.records, key=lambda record: record.loss)
    # before training the loss of classes is about that of guessing, unless inputs are large
    begun_near = diagnosis.target_scale == 0.0 and diagnosis.input_scale <= LARGE_INPUT
    learning = [each for each in last.layers if each.update is not None]
    growth = max((each.growth or 0.0 for each in learning[:-1]), default=0.0)
    update = max((each.update or 0.0 for each in learning), default=0.0)
    if begun_near and growth > GROWN and losses[worst] > WORSE * diagnosis.guessing:
        sign = f"in epoch {worst + 1} the mean training loss was {losses[worst]:.4g}"
    elif last.loss > RISEN * best.loss and update > 2.0 * LARGE_UPDATE:
        sign = (
            f"it was {best.loss:.4g} after epoch {best.epoch + 1}, and the last step changed the "
            f"weights of a layer by {update:.2g} of their norm, where about 0.001 is usual"
        )
    else:
        return
    rate = history.records[worst].learning_rate
    yield Finding(
        "learning rate too large",
        f"After epoch {last.epoch + 1} the loss on {diagnosis.rows} training rows is "
        f"{last.loss:.4g}, where the best constant prediction has {diagnosis.guessing:.4g}; {sign}:"
        f" the learning rate, {_stated(history, rate)}, is too large for {diagnosis.optimizer}; "
        f"try {rate / 10:.2g}, then {rate / 100:.2g}",
    )


def _stuck(diagnosis: Diagnosis, last: ProbeRecord) -> Finding:
    """Say that a network has learned nothing, or that its loss has risen again."""
    measured = [record for record in diagnosis.records if math.isfinite(record.loss)]
    best = min(measured, key=lambda record: record.loss)
    if best.loss < LEARNED * diagnosis.guessing:
        return Finding(
            "collapse",
            f"The network has lost what it had learned: the loss on {diagnosis.rows} training rows "
            f"was {best.loss:.4g} after epoch {best.epoch + 1}, and is {last.loss:.4g} after epoch "
            f"{last.epoch + 1}. The best constant prediction has {diagnosis.guessing:.4g}",
        )
    return Finding(
        "stuck",
        f"After epoch {last.epoch + 1} the loss on {diagnosis.rows} training rows is "
        f"{last.loss:.4g}. The best constant prediction has {diagnosis.guessing:.4g}: the network "
        f"has learned nothing",
    )


@dataclass(frozen=True)
class _Measured:
    """The measurements that causes are found in; ``last`` is the latest record."""

    history: History
    diagnosis: Diagnosis
    last: ProbeRecord

    @property
    def changes(self) -> list[tuple[float, str, int]]:
        """The norms of steps relative to the weights, each with its layer and its epoch."""
        return [
            (layer.update, layer.layer, record.epoch)
            for record in self.diagnosis.records
            for layer in record.layers
            if layer.update is not None
        ]

    @property
    def largest_output(self) -> tuple[float, str]:
        """The largest root mean square of the outputs of a layer with weights, and its name."""
        learning = [each for each in self.last.layers if each.update is not None]
        return max(((each.output, each.layer) for each in learning), default=(0.0, ""))


def _unchanged(seen: _Measured) -> Iterator[Finding]:
    """Find an optimizer of the user's own that changes nothing; others may, at tiny rates."""
    name, rate = seen.diagnosis.optimizer, _largest_rate(seen.history)
    own = name not in {each.__name__ for each in OPTIMIZERS.values()}
    changes = [change for change, _, _ in seen.changes]
    gradient = max((each.gradient for each in seen.last.layers), default=0.0)
    if own and changes and max(changes) == 0.0 and gradient > 0.0 and rate > VANISHED:
        yield Finding(
            "unchanged weights",
            f"No measured step changed a weight, although the gradient is not 0: where update of "
            f"{name} is to change w, it must do so in place, as w -= rate * dw; w = w - rate * dw "
            f"makes a new array",
        )


def _small_inputs(seen: _Measured) -> Iterator[Finding]:
    scale = seen.diagnosis.input_scale
    if scale < SMALL_INPUT:
        yield Finding(
            "small input features",
            f"The largest input feature has a scale (root mean square) of {scale:.3g}: check that "
            f"rows were loaded and are not scaled twice, and scale them to about unit size",
        )


def _alike(seen: _Measured) -> Iterator[Finding]:
    if names := [each.layer for each in seen.last.layers if each.alike]:
        yield Finding(
            "equal units",
            f"All units of {enumerated(names)} compute the same function, because their initial "
            f"weights are zero or equal: use random initial weights, such as the default of the "
            f"layer",
        )


def _scales(seen: _Measured) -> Iterator[Finding]:
    for part, size, limit in (
        ("input feature", seen.diagnosis.input_scale, LARGE_INPUT),
        ("target", seen.diagnosis.target_scale, LARGE_TARGET),
    ):
        if size > limit:
            yield Finding(
                f"large {part}s",
                f"The largest {part} has a scale (root mean square) of {size:.3g}: scale the "
                f"{part}s to about unit size, for instance to mean 0 and standard deviation 1",
            )
    if 0.0 < (size := seen.diagnosis.target_scale) < SMALL_TARGET:
        yield Finding(
            "small targets",
            f"The largest target has a scale (root mean square) of {size:.3g}, which the first "
            f"outputs exceed by far: scale the targets to about unit size, for instance to mean 0 "
            f"and standard deviation 1",
        )


def _large_weights(seen: _Measured) -> Iterator[Finding]:
    output, name = seen.largest_output
    growth = {each.layer: each.growth for each in seen.last.layers}.get(name)
    steps_taken = any(change > 0.0 for change, layer, _ in seen.changes if layer == name)
    if output > LARGE_OUTPUT and steps_taken and growth is not None and growth < UNMOVED:
        yield Finding(
            "large initial weights",
            f"The outputs of {name} are {output:.3g} (root mean square), where initial weights "
            f"usually make them about 1, and all steps together made the norm of its weights "
            f"{growth:.2f} times the initial one: use smaller initial weights, such as the default "
            f"of the layer",
        )


def _large_rate(seen: _Measured) -> Iterator[Finding]:
    change, changed, epoch = max(seen.changes, default=(0.0, "", 0))
    output, grown = seen.largest_output
    if output > LARGE_OUTPUT:
        rates = [record.learning_rate for record in seen.history.records]
        epoch = rates.index(max(rates))
        cause = (
            f"The outputs of {grown} have grown to {output:.3g} (root mean square), where initial "
            f"weights make them about 1"
        )
    elif change > LARGE_UPDATE:
        cause = (
            f"In epoch {epoch + 1} a step changed the weights of {changed} by {change:.2g} of "
            f"their norm, where about 0.001 is usual"
        )
    else:
        return
    rate = seen.history.records[epoch].learning_rate
    yield Finding(
        "learning rate too large",
        f"{cause}: the learning rate, {_stated(seen.history, rate)}, is too large for "
        f"{seen.diagnosis.optimizer}; try {rate / 10:.2g}, then {rate / 100:.2g}",
    )
    yield from _dead(seen.diagnosis, seen.last, MOSTLY_DEAD)  # an effect of large steps


def _dead_units(seen: _Measured) -> Iterator[Finding]:
    yield from _dead(seen.diagnosis, seen.last, DEAD)


def _dead(diagnosis: Diagnosis, last: ProbeRecord, limit: float) -> Iterator[Finding]:
    dead = [(each.dead, each.layer) for each in last.layers if each.dead is not None]
    share, name = max(dead, default=(0.0, ""))
    if share >= limit:
        yield Finding(
            "dead units",
            f"{share:.0%} of the units of {name} are dead: they output 0 for all "
            f"{last.dead_rows or diagnosis.rows:,} rows measured, and get no gradient from them. "
            f"Try a smaller learning rate, biases of 0 or above as initial values, or LeakyReLU",
        )


def _vanishing(seen: _Measured) -> Iterator[Finding]:
    learning = [each for each in seen.last.layers if each.update is not None]
    if (
        len(learning) < 2
        or _max_dead(seen.last) >= DEAD
        or _max_saturated(seen.last)[0] > SATURATED
    ):
        return
    first, top = learning[0].gradient, learning[-1].gradient
    if first < VANISHING * top:
        yield Finding(
            "vanishing gradient",
            f"The gradient vanishes on its way back: at the output of {learning[0].layer} it is "
            f"{first / top:.1g} of that of {learning[-1].layer}. Try fewer layers, ReLU in place "
            f"of sigmoid or tanh, BatchNorm before the activations, or Residual blocks",
        )


def _saturation(seen: _Measured) -> Iterator[Finding]:
    share, name = _max_saturated(seen.last)
    if share > SATURATED:
        yield Finding(
            "saturation",
            f"{share:.0%} of the outputs of {name} are saturated, where the derivative nearly "
            f"vanishes. Try smaller initial weights, BatchNorm before the activations, or ReLU",
        )


def _small_rate(seen: _Measured) -> Iterator[Finding]:
    ratios = [each.update for record in seen.diagnosis.records for each in record.layers]
    measured = [each for each in ratios if each is not None]
    if measured and max(measured) < SMALL_UPDATE and _max_dead(seen.last) < DEAD:
        rate = _largest_rate(seen.history)
        yield Finding(
            "learning rate too small",
            f"A step changes the weights by at most {max(measured):.2g} of their norm, where about "
            f"0.001 is usual: the learning rate, {_stated(seen.history, rate)}, is too small for "
            f"{seen.diagnosis.optimizer}; try {rate * 10:.2g}, then {rate * 100:.2g}. A clip_norm "
            f"that is far too small has the same effect",
        )


def _ended_schedule(seen: _Measured) -> Iterator[Finding]:
    rate = _largest_rate(seen.history)
    if rate >= VANISHED:
        return
    if rate > 0.0 and _is_constant(seen.history):
        yield Finding(
            "learning rate too small",
            f"The learning rate, {rate:.3g}, is too small for any optimizer; try 0.001, then 0.1",
        )
    else:
        yield Finding(
            "ended schedule",
            f"The learning rate was at most {rate:.3g} at the end of every epoch: the schedule has "
            f"decayed it within the first epoch. Schedules count optimizer steps, not epochs",
        )


def _largest_rate(history: History) -> float:
    """Return the largest rate at the end of an epoch; the last one may be 0 by its schedule."""
    return max(record.learning_rate for record in history.records)


def _is_constant(history: History) -> bool:
    """Return whether several epochs ended with the same rate."""
    return len(history) > 1 and len({record.learning_rate for record in history.records}) == 1


def _stated(history: History, rate: float) -> str:
    """Return a rate at the end of an epoch; one that a schedule may have changed with its epoch."""
    if _is_constant(history):
        return f"{rate:.3g}"
    rates = [record.learning_rate for record in history.records]
    return f"{rate:.3g} at the end of epoch {rates.index(rate) + 1}"


_CAUSES: tuple[Callable[[_Measured], Iterator[Finding]], ...] = (
    _unchanged,
    _small_inputs,
    _alike,
    _scales,
    _ended_schedule,
    _vanishing,
    _large_weights,
    _large_rate,
    _dead_units,
    _saturation,
    _small_rate,
)


def _no_cause(history: History) -> Finding:
    rate = _largest_rate(history)
    return Finding(
        "unknown cause",
        f"Weights, gradients and inputs show no cause: check that targets belong to their rows, "
        f"and try the learning rates {rate / 10:.2g} and {rate * 10:.2g}, then more epochs",
    )


def _sorted_rows(diagnosis: Diagnosis) -> Iterator[Finding]:
    if diagnosis.sortedness > SORTED and diagnosis.steps > 1:
        yield Finding(
            "sorted rows",
            "The rows are sorted by class and not shuffled, so each step learns one class and "
            "forgets the others: shuffle the rows (shuffle=True)",
        )


def _overfitting(history: History, diagnosis: Diagnosis) -> Iterator[Finding]:
    """Find a validation loss that rises while the training loss falls."""
    held_out = diagnosis.held_out
    records = [each for each in history if each.validation_loss is not None]
    if len(records) < 2 or history.stop_reason is StopReason.EARLY_STOPPING:
        return  # early stopping is the remedy
    losses = [each.validation_loss or 0.0 for each in records]
    best, last = min(range(len(losses)), key=losses.__getitem__), records[-1]
    by_chance = OVERFIT_ERRORS / math.sqrt(held_out) if held_out else 0.0
    risen = losses[-1] > max(OVERFIT_RISE, 1.0 + by_chance) * losses[best]
    if risen and losses[-1] > OVERFIT_GAP * last.data_loss and last.data_loss < losses[best]:
        rows = f" (of {held_out:,} rows)" if held_out else ""
        yield Finding(
            "overfitting",
            f"The network seems to overfit: the validation loss{rows} was lowest after epoch "
            f"{records[best].epoch + 1} ({losses[best]:.4g}) and rose to {losses[-1]:.4g}, while "
            f"the training loss fell to {last.data_loss:.4g}. Try fewer epochs (--epochs on the "
            f"command line) or more training rows or, where no recipe sets them, EarlyStopping "
            f"(--patience), Dropout (--dropout), a weight penalty (--l2), or, for images, "
            f"augmentation (--augment)",
        )


def _max_saturated(last: ProbeRecord) -> tuple[float, str]:
    return max(((each.saturated or 0.0, each.layer) for each in last.layers), default=(0.0, ""))


def _max_dead(last: ProbeRecord) -> float:
    return max((each.dead or 0.0 for each in last.layers), default=0.0)
