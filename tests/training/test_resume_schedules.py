"""A resume recognizes schedules of one's own by their rates, and refuses those with a state."""

import functools
import itertools
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from tests.helpers.training import ROWS
from tests.training.helpers import StopAt, trainer

from handloom import (
    BestWeights,
    ConfigurationError,
    CosineDecay,
    ModelError,
    Warmup,
)
from handloom.schedules import Constant, Schedule

STEPS = 9  # three epochs of three steps


def closure(peak: float) -> Schedule:
    def rate(step: int) -> float:
        return peak / (1 + step)

    return rate


def inverse(step: int, peak: float = 1e-3) -> float:
    return peak / (1 + step)


class Peak:
    """A callable object, and one with a method to pass."""

    def __init__(self, peak: float) -> None:
        self.peak = peak

    def __call__(self, step: int) -> float:
        return self.peak / (1 + step)

    def rate(self, step: int) -> float:
        return self.peak / (1 + step)


class Slotted:
    """Has no ``__dict__``."""

    __slots__ = ("peak",)

    def __init__(self, peak: float) -> None:
        self.peak = peak

    def __call__(self, step: int) -> float:
        return self.peak / (1 + step)


class Cosine(CosineDecay):
    """A subclass of one of the library's."""

    def __call__(self, step: int) -> float:
        return 100 * super().__call__(step)


PAIRS: dict[str, tuple[Callable[[], Schedule], Callable[[], Schedule]]] = {
    "lambda": (lambda: lambda step: 1e-3, lambda: lambda step: 1e-1),
    "closure": (lambda: closure(1e-3), lambda: closure(1e-1)),
    "partial": (
        lambda: functools.partial(inverse, peak=1e-3),
        lambda: functools.partial(inverse, peak=1e-1),
    ),
    "bound method": (lambda: Peak(1e-3).rate, lambda: Peak(1e-1).rate),
    "object": (lambda: Peak(1e-3), lambda: Peak(1e-1)),
    "object with slots": (lambda: Slotted(1e-3), lambda: Slotted(1e-1)),
    "warmup of a lambda": (
        lambda: Warmup(2, lambda step: 1e-3),
        lambda: Warmup(2, lambda step: 1e-1),
    ),
    "warmup of a warmup of a closure": (
        lambda: Warmup(2, Warmup(1, closure(1e-3))),
        lambda: Warmup(2, Warmup(1, closure(1e-1))),
    ),
    "partial of a bound method": (
        lambda: functools.partial(Peak(1e-3).rate),
        lambda: functools.partial(Peak(1e-1).rate),
    ),
    "method of one of the library's": (
        lambda: CosineDecay(1e-3, 20).__call__,
        lambda: CosineDecay(1e-1, 20).__call__,
    ),
    "cached": (lambda: functools.cache(closure(1e-3)), lambda: functools.cache(closure(1e-1))),
    "only later": (
        lambda: lambda step: 1e-3,
        lambda: lambda step: 1e-3 if step < 8 else 1e-1,
    ),
    "only after the planned end": (
        lambda: lambda step: 1e-3,
        lambda: lambda step: 1e-3 if step < 12 else 1e-1,
    ),
    "numpy": (
        lambda: lambda step: cast(float, np.float32(1e-3)),
        lambda: lambda step: cast(float, np.float32(1e-1)),
    ),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_another_schedule_is_refused_with_the_step_and_both_rates(
    tmp_path: Path, kind: str
) -> None:
    before, after = PAIRS[kind]
    trainer(tmp_path, StopAt(4), learning_rate=before()).fit(ROWS)
    other = trainer(tmp_path, learning_rate=after())
    start = other.network.parameters.vector.copy()
    with pytest.raises(ModelError, match=r"learning_rate is \S+ at step \d+, the checkpoint has"):
        other.fit(ROWS, resume=True)
    assert np.array_equal(other.network.parameters.vector, start)


@pytest.mark.parametrize("kind", PAIRS)
def test_the_same_schedule_is_resumed_with_the_same_bits(tmp_path: Path, kind: str) -> None:
    made, _ = PAIRS[kind]
    whole = trainer(None, learning_rate=made())
    whole.fit(ROWS)
    trainer(tmp_path, StopAt(4), learning_rate=made()).fit(ROWS)
    resumed = trainer(tmp_path, learning_rate=made())
    resumed.fit(ROWS, resume=True)
    assert np.array_equal(resumed.network.parameters.vector, whole.network.parameters.vector)


def test_the_message_has_the_first_step_that_differs(tmp_path: Path) -> None:
    trainer(tmp_path, StopAt(4), learning_rate=lambda step: 1e-3).fit(ROWS)
    with pytest.raises(ModelError, match=r"is 0\.1 at step 0, the checkpoint has 0\.001"):
        trainer(tmp_path, learning_rate=lambda step: 1e-1).fit(ROWS, resume=True)


def test_a_subclass_with_the_name_of_one_of_the_librarys_is_another_schedule(
    tmp_path: Path,
) -> None:
    trainer(tmp_path, StopAt(4), learning_rate=CosineDecay(1e-3, STEPS)).fit(ROWS)
    same_name = type("CosineDecay", (Cosine,), {"__qualname__": "CosineDecay"})
    with pytest.raises(ModelError, match=r"learning_rate is .*CosineDecay, .* the library's"):
        trainer(tmp_path, learning_rate=same_name(1e-3, STEPS)).fit(ROWS, resume=True)
    nested = Warmup(1, same_name(1e-3, STEPS - 1))
    trainer(tmp_path / "nested", StopAt(4), learning_rate=nested).fit(ROWS)
    plain = Warmup(1, CosineDecay(1e-3, STEPS - 1))
    with pytest.raises(ModelError, match="learning_rate"):
        trainer(tmp_path / "nested", learning_rate=plain).fit(ROWS, resume=True)


def test_a_function_in_place_of_a_constant_is_another_schedule(tmp_path: Path) -> None:
    trainer(tmp_path, StopAt(4), learning_rate=Constant(1e-3)).fit(ROWS)
    with pytest.raises(ModelError, match="learning_rate"):
        trainer(tmp_path, learning_rate=lambda step: 1e-3).fit(ROWS, resume=True)


class Halving:
    """Halves its rate at each call."""

    def __init__(self) -> None:
        self.value = 1.0

    def __call__(self, step: int) -> float:
        self.value /= 2
        return self.value

    def rate(self, step: int) -> float:
        return self(step)


def from_iterator() -> Schedule:
    rates = iter([0.1] * 5 + [0.01] * 100)
    return lambda step: next(rates)


def counting() -> Schedule:
    calls = itertools.count()
    return lambda step: 0.1 / (1 + next(calls))


def drawing() -> Schedule:
    draws = random.Random(0)
    return lambda step: draws.random()


def with_memory() -> Schedule:
    """Return a rate that depends on the step that was asked for before."""
    last = [0]

    def rate(step: int) -> float:
        back = step < last[0]
        last[0] = step
        return 0.01 if back else 0.1

    return rate


STATEFUL: dict[str, Callable[[], Schedule]] = {
    "object": Halving,
    "bound method": lambda: Halving().rate,
    "iterator": from_iterator,
    "counter": counting,
    "random": drawing,
    "memory": with_memory,
    "warmup": lambda: Warmup(2, Halving()),
    "partial": lambda: functools.partial(Halving()),
}


@pytest.mark.parametrize("kind", STATEFUL)
def test_a_schedule_with_a_state_is_refused_before_the_first_step(
    tmp_path: Path, kind: str
) -> None:
    made = trainer(tmp_path, learning_rate=STATEFUL[kind]())
    start = made.network.parameters.vector.copy()
    with pytest.raises(ConfigurationError, match=r"when it is called again.*lambda step"):
        made.fit(ROWS)
    assert np.array_equal(made.network.parameters.vector, start)
    assert not list(tmp_path.glob("step-*"))


def test_without_checkpoints_a_schedule_may_have_a_state_and_is_called_once_a_step() -> None:
    steps = []

    def rate(step: int) -> float:
        steps.append(step)
        return 0.1 / len(steps)

    trainer(None, learning_rate=rate).fit(ROWS)
    assert steps == list(range(STEPS))


def test_a_schedule_that_fails_after_its_last_step_is_one_of_the_step_alone(
    tmp_path: Path,
) -> None:
    table = [0.1 / (1 + step) for step in range(STEPS)]
    whole = trainer(None, learning_rate=lambda step: table[step])
    whole.fit(ROWS)
    trainer(tmp_path, StopAt(4), learning_rate=table.__getitem__).fit(ROWS)
    resumed = trainer(tmp_path, learning_rate=table.__getitem__)
    resumed.fit(ROWS, resume=True)
    assert np.array_equal(resumed.network.parameters.vector, whole.network.parameters.vector)


def test_rates_of_a_builtin_function_are_compared_too(tmp_path: Path) -> None:
    low, high = ([rate] * STEPS for rate in (1e-3, 1e-1))
    trainer(tmp_path, StopAt(4), learning_rate=low.__getitem__).fit(ROWS)
    with pytest.raises(ModelError, match=r"learning_rate is 0\.1 at step 0"):
        trainer(tmp_path, learning_rate=high.__getitem__).fit(ROWS, resume=True)


def test_rates_are_compared_at_a_resume_for_more_epochs_and_again(tmp_path: Path) -> None:
    options: dict[str, Any] = {"learning_rate": closure(0.1)}
    trainer(tmp_path, StopAt(4), **options).fit(ROWS)
    for epochs in (4, 5):
        trainer(tmp_path, epochs=epochs, **options).fit(ROWS, resume=True)
    with pytest.raises(ModelError, match="at step 0"):
        trainer(tmp_path, epochs=6, learning_rate=closure(0.2)).fit(ROWS, resume=True)
    whole = trainer(None, epochs=5, **options)
    whole.fit(ROWS)
    last = trainer(tmp_path, epochs=5, **options)
    last.fit(ROWS, resume=True)
    assert np.array_equal(last.network.parameters.vector, whole.network.parameters.vector)


def test_a_last_digit_of_another_processor_is_the_same_rate(tmp_path: Path) -> None:
    trainer(tmp_path, StopAt(4), learning_rate=Scaled(0.1)).fit(ROWS)
    with pytest.raises(ModelError, match="learning_rate"):
        trainer(tmp_path, learning_rate=Scaled(0.1, 1.0 + 1e-9)).fit(ROWS, resume=True)
    trainer(tmp_path, learning_rate=Scaled(0.1, math.nextafter(1.0, 2.0))).fit(ROWS, resume=True)


class Scaled:
    """Hides its factor from the comparison of attributes."""

    def __init__(self, rate: float, factor: float = 1.0) -> None:
        self.rate, self.other = rate, [object(), factor].pop
        self._value = [rate * factor].__getitem__

    def __call__(self, step: int) -> float:
        return self._value(0)


def test_the_criterion_of_best_weights_is_part_of_the_training(tmp_path: Path) -> None:
    """Not a schedule, but a function inside of a part of the library too."""

    def better(margin: float) -> Callable[[float, float], bool]:
        return lambda value, best: value < best - margin

    def fit(margin: float, *more: Any, resume: bool = False) -> None:
        best = BestWeights("loss", improves=better(margin))
        trainer(tmp_path, best, *more).fit(ROWS, resume=resume)

    fit(0.0, StopAt(4))
    with pytest.raises(ModelError, match=r"improves\.margin is 0\.5, the checkpoint has 0\.0"):
        fit(0.5, resume=True)
    fit(0.0, resume=True)
