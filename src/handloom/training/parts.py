"""Parts of a training that options name or hold: optimizer, loss, transform, augmentations."""

from collections.abc import Iterable
from typing import cast

from handloom.data.augment import Augmentation
from handloom.data.transforms import TRANSFORMS, Transform
from handloom.errors import ConfigurationError, refuse_class, require_instance, require_known
from handloom.losses import CategoricalCrossEntropy, Loss, loss as loss_named
from handloom.optimizers import Optimizer, optimizer as optimizer_named


def as_optimizer(value: object) -> Optimizer:
    """Return an optimizer, or the one of a name, with its defaults.

    Raises
    ------
    ConfigurationError
        If the name is unknown, or the value is no optimizer.
    """
    chosen = optimizer_named(value) if isinstance(value, str) else value
    require_instance("optimizer", chosen, Optimizer)
    return cast(Optimizer, chosen)


def as_loss(value: object) -> Loss | None:
    """Return a loss from logits, or the one of a name, with its defaults; None for None.

    Raises
    ------
    ConfigurationError
        If the name is unknown, or the value is no loss, or takes probabilities.
    """
    chosen = loss_named(value) if isinstance(value, str) else value
    refuse_class("loss", chosen)
    if isinstance(chosen, CategoricalCrossEntropy):
        raise ConfigurationError(
            "loss must take logits, got CategoricalCrossEntropy, which takes probabilities: "
            "loss=SoftmaxCrossEntropy() is the same loss of logits"
        )
    if chosen is not None and not callable(chosen):
        raise ConfigurationError(
            f"loss must be a loss such as SoftmaxCrossEntropy(), or a name, got {chosen!r}"
        )
    return chosen


def as_transform(value: object) -> Transform | None:
    """Return a transform, or the one of a name, with its defaults; None for None.

    Raises
    ------
    ConfigurationError
        If the name is unknown, or the value is no transform.
    """
    if isinstance(value, str):
        require_known("transform", value, TRANSFORMS)
        return TRANSFORMS[value]()
    refuse_class("transform", value)
    if value is not None and not (callable(value) and hasattr(value, "to_config")):
        raise ConfigurationError(
            f"transform must be a transform such as Scale() or AsFloat(), with a method "
            f"to_config, got {value!r}"
        )
    return cast("Transform | None", value)


def as_augmentations(values: object) -> tuple[Augmentation, ...]:
    """Return augmentations as a tuple.

    Raises
    ------
    ConfigurationError
        If it is no sequence, or an entry is no augmentation.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ConfigurationError(
            f"augment must be a sequence of augmentations, got {values!r}: pass augment=[...]"
        )
    chosen = tuple(values)
    for each in chosen:
        refuse_class("an augmentation", each)
        if not callable(each):
            raise ConfigurationError(
                f"augment must hold augmentations such as Flip(), got {each!r}"
            )
    return chosen
