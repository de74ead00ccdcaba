"""A loss of one's own: a model predicts by the activation that the loss declares."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pytest
from tests.helpers.training import features

from handloom import Adam, ConfigurationError, Dense, Sequential, Trainer
from handloom.losses import RowLoss, SoftmaxCrossEntropy, Targets
from handloom.parameters import Array

DATA = features(40)


class Hinge(RowLoss):
    """The largest violation of a margin of 1 between a class's logit and another one."""

    def check_targets(self, predictions: Array, targets: Targets, weights: Array | None) -> Targets:
        return targets

    def row_losses(self, predictions: Array, targets: Targets, gradient: Array) -> Array:
        rows = np.arange(len(targets))
        violations = predictions + 1.0 - predictions[rows, targets][:, None]
        violations[rows, targets] = 0.0
        worst = violations.argmax(axis=1)
        gradient[...] = 0.0
        gradient[rows, worst] += 1.0
        gradient[rows, targets] -= 1.0
        return np.asarray(violations[rows, worst])


class CountingHinge(Hinge):
    def correct(self, predictions: Array, targets: Targets) -> int:
        return int((predictions.argmax(axis=1) == targets).sum())


class DeclaredHinge(CountingHinge):
    output_activation: ClassVar[str] = "softmax"


class Bare:
    """A loss that derives from no class of the library."""

    def __call__(self, predictions, targets, weights=None, *, total_weight=None, out=None):  # type: ignore[no-untyped-def]
        return SoftmaxCrossEntropy()(
            predictions, targets, weights, total_weight=total_weight, out=out
        )


class CountingBare(Bare):
    def correct(self, predictions: Array, targets: Targets) -> int:
        return SoftmaxCrossEntropy().correct(predictions, targets)


def trained(loss: object) -> Trainer:
    network = Sequential([Dense(3)]).build(DATA.input_shape, dtype="float64")
    trainer = Trainer(network, Adam(), 0.1, epochs=3, batch_size=10, loss=loss)  # type: ignore[arg-type]
    trainer.fit(DATA)
    return trainer


@pytest.mark.parametrize("loss", [CountingHinge(), CountingBare()])
def test_a_loss_with_correct_and_no_output_activation_is_refused_by_name(loss: object) -> None:
    message = (
        rf'{type(loss).__name__} must have an attribute output_activation: .*"softmax", "sigmoid"'
    )
    with pytest.raises(ConfigurationError, match=message):
        trained(loss)


@pytest.mark.parametrize("loss", [Hinge(), Bare()])
def test_without_correct_a_model_predicts_the_outputs_themselves(loss: object) -> None:
    trainer = trained(loss)
    predicted = trainer.model().predict(DATA.inputs)
    np.testing.assert_array_equal(predicted, trainer.network.predict(DATA.inputs))
    assert trainer.history.records[-1].accuracy is None


def test_a_declared_softmax_makes_probabilities_and_accuracy_is_measured() -> None:
    trainer = trained(DeclaredHinge())
    predicted = trainer.model().predict(DATA.inputs)
    np.testing.assert_allclose(predicted.sum(axis=1), 1.0, rtol=1e-12)
    assert predicted.min() > 0
    assert 0 < trainer.history["accuracy"][-1] <= 1


def by_rows(predictions, targets, weights=None, *, total_weight=None, out=None):  # type: ignore[no-untyped-def]
    return SoftmaxCrossEntropy()(predictions, targets, weights, out=out)


class GradientByRows(Bare):
    def __call__(self, predictions, targets, weights=None, *, total_weight=None, out=None):  # type: ignore[no-untyped-def]
        by_rows(predictions, targets, weights, out=out)  # type: ignore[no-untyped-call]
        return super().__call__(predictions, targets, weights, total_weight=total_weight)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("loss", [by_rows, GradientByRows()])
def test_a_loss_that_ignores_the_total_weight_is_refused(loss: Any) -> None:
    name = getattr(loss, "__name__", "GradientByRows")
    with pytest.raises(ConfigurationError, match=f"the loss {name} must divide by total_weight"):
        trained(loss)


class Noisy(Bare):
    """A loss with a state: its value is random, and each call changes the next one."""

    def __init__(self) -> None:
        self.draws, self.calls = np.random.default_rng(0), 0

    def __call__(self, *arguments: Any, **options: Any) -> tuple[float, Array]:
        value, gradient = super().__call__(*arguments, **options)  # type: ignore[no-untyped-call]
        self.calls += 1
        return value * self.draws.uniform(0.5, 1.5), gradient


def test_the_state_of_a_loss_is_as_it_was_after_the_check() -> None:
    loss = Noisy()
    trainer = Trainer(Sequential([Dense(3)]).build(DATA.input_shape), Adam(), 0.1, loss=loss)
    trainer.prepare(DATA)
    assert loss.calls == 0
    assert loss.draws.random() == np.random.default_rng(0).random()


def test_a_loss_that_draws_from_the_generator_of_numpy_is_not_taken_for_a_wrong_one() -> None:
    class Global(Bare):
        def __call__(self, *arguments: Any, **options: Any) -> tuple[float, Array]:
            value, gradient = super().__call__(*arguments, **options)  # type: ignore[no-untyped-call]
            return value * np.random.rand(), gradient  # noqa: NPY002

    assert len(trained(Global()).history) == 3


class InPlace(Bare):
    """A loss that scales an argument of its call where it is."""

    def __init__(self, argument: int) -> None:
        self.argument = argument

    def __call__(self, *arguments: Any, **options: Any) -> tuple[float, Array]:
        value, gradient = super().__call__(*arguments, **options)  # type: ignore[no-untyped-call]
        arguments[self.argument][...] = 0
        return value, gradient


@pytest.mark.parametrize(("argument", "name"), [(0, "predictions"), (1, "targets"), (2, "weights")])
def test_a_loss_that_writes_to_its_arguments_is_refused_before_it_does(
    argument: int, name: str
) -> None:
    targets, weights = DATA.targets.copy(), np.ones(len(DATA))
    network = Sequential([Dense(3)]).build(DATA.input_shape)
    trainer = Trainer(network, Adam(), 0.1, loss=InPlace(argument), epochs=1)
    with pytest.raises(ConfigurationError, match=f"the loss InPlace must not write to its {name}"):
        trainer.fit(DATA, sample_weights=weights)
    assert np.array_equal(DATA.targets, targets)
    assert (weights == 1).all()


def test_a_frozen_loss_is_trained_that_keeps_what_it_has_computed() -> None:
    @dataclass(frozen=True)
    class Frozen(Bare):
        scale: float = 1.0

        @cached_property
        def factor(self) -> float:
            return 2.0 * self.scale

        def __call__(self, *arguments: Any, **options: Any) -> tuple[float, Array]:
            value, gradient = super().__call__(*arguments, **options)  # type: ignore[no-untyped-call]
            gradient *= self.factor
            return self.factor * value, gradient

    assert len(trained(Frozen()).history) == 3


def test_an_error_that_a_loss_raises_for_a_few_rows_is_no_refusal() -> None:
    class ManyRows(Bare):
        def __call__(self, *arguments: Any, **options: Any) -> tuple[float, Array]:
            if len(arguments[0]) < 10:
                raise ConfigurationError("needs 10 rows")
            value, gradient = super().__call__(*arguments, **options)  # type: ignore[no-untyped-call]
            return value, gradient

    trained(ManyRows())
