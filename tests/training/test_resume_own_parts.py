"""A resume recognizes losses, optimizers, layers and other parts of one's own by attributes."""

import functools
import math
import warnings
from array import array
from collections import Counter, OrderedDict, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from tests.helpers.training import ROWS
from tests.training.helpers import StopAt, trainer

from handloom import (
    EMA,
    SGD,
    Adam,
    BestWeights,
    Callback,
    Checkpoints,
    ConfigurationError,
    Dense,
    EarlyStopping,
    Flip,
    Layer,
    ModelError,
    ReLU,
    Residual,
    Sequential,
    Shift,
    SoftmaxCrossEntropy,
    Trainer,
    silhouettes,
)
from handloom.optimizers import Optimizer
from handloom.parameters import Array

PICTURES = silhouettes(rows=300, test_rows=10).train
Parts = dict[str, Any]


class Kind(Enum):
    """A simple value too."""

    SOFT = 1
    HARD = 2


class Scaled:
    """A loss of one's own, without a config: a multiple of another one."""

    output_activation = "softmax"
    offset = 0.0

    def __init__(self, factor: Any = 1.0, loss: Any = None, **more: Any) -> None:
        self.factor, self.loss = factor, loss or SoftmaxCrossEntropy()
        vars(self).update(more)

    def __call__(self, *arguments: Any, **options: Any) -> tuple[float, Array]:
        value, gradient = self.loss(*arguments, **options)
        gradient *= self.factor
        return value * self.factor, gradient

    def correct(self, predictions: Array, targets: Any) -> int:
        return SoftmaxCrossEntropy().correct(predictions, targets)


class Smooth(SoftmaxCrossEntropy):
    """A subclass, whose attribute its config omits."""

    temperature: ClassVar[float] = 1.0

    def row_losses(self, predictions: Array, targets: Any, gradient: Array) -> Array:
        losses: Array = super().row_losses(predictions, targets, gradient)
        gradient *= self.temperature
        return losses * self.temperature


def with_attribute(part: Any, **attributes: Any) -> Any:
    vars(part).update(attributes)
    return part


def loss_function(factor: float = 1.0, table: Any = ()) -> Callable[..., Any]:
    base = Scaled(factor)

    def loss(*arguments: Any, **options: Any) -> tuple[float, Array]:
        assert table is not None
        return base(*arguments, **options)

    loss.output_activation = "softmax"  # type: ignore[attr-defined]
    return loss


class Signs(Optimizer):
    """Steps of the same size."""

    size = 1.0

    def update(self, w: Any, dw: Any, state: Any, rate: float, scratch: Any) -> None:
        w -= rate * self.size * np.sign(dw)

    def config(self) -> dict[str, object]:
        return {"weight_decay": self.weight_decay, "proximal_l1": self.proximal_l1}


class Gain(Layer):
    """A layer whose factor is an attribute."""

    kind = "own_gain"
    factor = 1.0

    def forward(self, x: Array, *, training: bool = False, rng: Any = None) -> Array:
        return x * x.dtype.type(self.factor)

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return dy * dy.dtype.type(self.factor)


class Brighten:
    """An augmentation that is not a dataclass."""

    def __init__(self, by: int) -> None:
        self.by = by

    def __call__(self, images: Any, draw: Any) -> None:
        images[...] = np.minimum(images, 255 - self.by) + np.uint8(self.by)


def brightening(by: int) -> Callable[[Any, Any], None]:
    def brighten(images: Any, draw: Any) -> None:
        images[...] = np.minimum(images, 255 - by) + np.uint8(by)

    return brighten


class Halved:
    """A transform of one's own, whose to_config omits its divisor."""

    def __init__(self, divisor: float = 2.0) -> None:
        self.divisor = divisor

    def __call__(self, inputs: Any, out: Any) -> Any:
        np.divide(inputs.reshape(out.shape), self.divisor, out=out, casting="unsafe")
        return out

    def to_config(self) -> dict[str, Any]:
        return {"name": "halved"}


class Decaying(Callback):
    """Changes the weights after each epoch, and counts its calls."""

    factor = 0.9
    seen = 0

    def on_epoch_end(self, *, state: Any, record: Any) -> None:
        self.seen += 1
        self.latest = record.loss
        state.network.parameters.vector[...] *= self.factor


class Averaged(EMA):
    """A subclass of a part of the library that is not a base class."""

    bias = 0.0


@dataclass
class Table:
    """A value in an attribute."""

    rows: int
    offset: float = 0.0


def cycled(factor: float) -> Scaled:
    loss = Scaled(factor)
    loss.itself = loss  # type: ignore[attr-defined]
    return loss


def images(**parts: Any) -> Parts:
    return {"pictures": True, **parts}


def changed(kind: type, **attributes: Any) -> Any:
    return with_attribute(kind(), **attributes)


CASES: dict[str, tuple[Callable[[], Parts], Callable[[], Parts], str]] = {
    "loss": (
        lambda: {"loss": Scaled(1.0)},
        lambda: {"loss": Scaled(2.0)},
        r"loss\.factor is 2\.0, the checkpoint has 1\.0",
    ),
    "loss, an attribute of the class": (
        lambda: {"loss": Scaled()},
        lambda: {"loss": changed(Scaled, offset=1.0)},
        r"loss\.offset is 1\.0, the checkpoint has 0\.0",
    ),
    "loss in a loss": (
        lambda: {"loss": Scaled(loss=SoftmaxCrossEntropy(0.1))},
        lambda: {"loss": Scaled(loss=SoftmaxCrossEntropy(0.2))},
        r"loss\.loss\.label_smoothing is 0\.2, the checkpoint has 0\.1",
    ),
    "loss in a loss of another class": (
        lambda: {"loss": Scaled(loss=SoftmaxCrossEntropy())},
        lambda: {"loss": Scaled(loss=Scaled())},
        r"loss\.loss is \S+Scaled, the checkpoint has \S+SoftmaxCrossEntropy",
    ),
    "own loss in a loss": (
        lambda: {"loss": Scaled(loss=Scaled(1.0))},
        lambda: {"loss": Scaled(loss=Scaled(3.0))},
        r"loss\.loss\.factor is 3\.0, the checkpoint has 1\.0",
    ),
    "cycle": (
        lambda: {"loss": cycled(1.0)},
        lambda: {"loss": cycled(2.0)},
        r"loss\.factor is 2\.0",
    ),
    "text": (
        lambda: {"loss": Scaled(name="a")},
        lambda: {"loss": Scaled(name="b")},
        r"loss\.name is 'b', the checkpoint has 'a'",
    ),
    "bool": (
        lambda: {"loss": Scaled(hard=False)},
        lambda: {"loss": Scaled(hard=True)},
        r"loss\.hard is True",
    ),
    "none": (
        lambda: {"loss": Scaled(limit=None)},
        lambda: {"loss": Scaled(limit=1)},
        r"loss\.limit is 1, the checkpoint has None",
    ),
    "not a number": (
        lambda: {"loss": Scaled(limit=math.nan)},
        lambda: {"loss": Scaled(limit=math.inf)},
        r"loss\.limit is inf, the checkpoint has nan",
    ),
    "enum": (
        lambda: {"loss": Scaled(kind=Kind.SOFT)},
        lambda: {"loss": Scaled(kind=Kind.HARD)},
        r"loss\.kind is Kind\.HARD, the checkpoint has Kind\.SOFT",
    ),
    "dict": (
        lambda: {"loss": Scaled(costs={"a": 1, "$b": [1, (2, 3)]})},
        lambda: {"loss": Scaled(costs={"a": 1, "$b": [1, (2, 4)]})},
        r"loss\.costs is \{'a': 1, '\$b': \[1, \(2, 4\)\]\}, the checkpoint has",
    ),
    "dict of objects": (
        lambda: {"loss": Scaled(parts={"a": Table(1), "b": 5})},
        lambda: {"loss": Scaled(parts={"a": Table(2), "b": 5})},
        r"loss\.parts a\.rows is 2, the checkpoint has 1",
    ),
    "number beside an object": (
        lambda: {"loss": Scaled(parts=[Table(1), 5])},
        lambda: {"loss": Scaled(parts=[Table(1), 6])},
        r"loss\.parts 1 is 6, the checkpoint has 5",
    ),
    "set": (
        lambda: {"loss": Scaled(kept={"a", "b", "c"})},
        lambda: {"loss": Scaled(kept={"a", "b", "d"})},
        r"loss\.kept is \{'a', 'b', 'd'\}",
    ),
    "long text": (
        lambda: {"loss": Scaled(text="a" * 10**5)},
        lambda: {"loss": Scaled(text="a" * 10**5 + "b")},
        r"loss\.text is str [0-9a-f]+, the checkpoint has str",
    ),
    "array": (
        lambda: {"loss": Scaled(costs=np.ones(1000))},
        lambda: {"loss": Scaled(costs=np.r_[np.ones(999), 2.0])},
        r"loss\.costs is array of float64, shape \(1000,\), [0-9a-f]+, the checkpoint has",
    ),
    "array of another dtype": (
        lambda: {"loss": Scaled(costs=np.ones(3))},
        lambda: {"loss": Scaled(costs=np.ones(3, np.float32))},
        r"loss\.costs is array of float32",
    ),
    "number of numpy": (
        lambda: {"loss": Scaled(np.float32(1.0))},
        lambda: {"loss": Scaled(np.float32(2.0))},
        r"loss\.factor is 2\.0",
    ),
    "function in an attribute": (
        lambda: {"loss": Scaled(each=loss_function(1.0))},
        lambda: {"loss": Scaled(each=loss_function(2.0))},
        r"loss\.each\.base\.factor is 2\.0, the checkpoint has 1\.0",
    ),
    "closure of a loss": (
        lambda: {"loss": loss_function(table=(1, 2))},
        lambda: {"loss": loss_function(table=(1, 3))},
        r"loss\.table is \(1, 3\), the checkpoint has \(1, 2\)",
    ),
    "object in a closure of a loss": (
        lambda: {"loss": loss_function(1.0)},
        lambda: {"loss": loss_function(2.0)},
        r"loss\.base\.factor is 2\.0, the checkpoint has 1\.0",
    ),
    "bound method as a loss": (
        lambda: {"loss": with_attribute(Scaled(1.0)).__call__, "count_correct": False},
        lambda: {"loss": with_attribute(Scaled(2.0)).__call__, "count_correct": False},
        r"loss\.object\.factor is 2\.0, the checkpoint has 1\.0",
    ),
    "subclass of a loss": (
        lambda: {"loss": Smooth()},
        lambda: {"loss": changed(Smooth, temperature=2.0)},
        r"loss\.temperature is 2\.0, the checkpoint has 1\.0",
    ),
    "optimizer": (
        lambda: {"optimizer": Signs()},
        lambda: {"optimizer": changed(Signs, size=2.0)},
        r"optimizer\.size is 2\.0, the checkpoint has 1\.0",
    ),
    "layer": (
        lambda: {"layers": [Dense(8), Gain(), Dense(3)]},
        lambda: {"layers": [Dense(8), changed(Gain, factor=2.0), Dense(3)]},
        r"network layers 1\.factor is 2\.0, the checkpoint has 1\.0",
    ),
    "layer in a layer": (
        lambda: {"layers": [Dense(8), Residual([Gain()]), Dense(3)]},
        lambda: {"layers": [Dense(8), Residual([changed(Gain, factor=2.0)]), Dense(3)]},
        r"network layers 1 block layers 0\.factor is 2\.0, the checkpoint has 1\.0",
    ),
    "augmentation": (
        lambda: images(augment=[Flip(), Brighten(1)]),
        lambda: images(augment=[Flip(), Brighten(2)]),
        r"augment 1\.by is 2, the checkpoint has 1",
    ),
    "function as an augmentation": (
        lambda: images(augment=[brightening(1)]),
        lambda: images(augment=[brightening(2)]),
        r"augment 0\.by is 2, the checkpoint has 1",
    ),
    "partial of an augmentation": (
        lambda: images(augment=[functools.partial(Brighten(1))]),
        lambda: images(augment=[functools.partial(Brighten(2))]),
        r"augment 0\.func\.by is 2, the checkpoint has 1",
    ),
    "transform": (
        lambda: {"transform": Halved(2.0)},
        lambda: {"transform": Halved(3.0)},
        r"transform\.divisor is 3\.0, the checkpoint has 2\.0",
    ),
    "callback": (
        lambda: {"callbacks": [Decaying()]},
        lambda: {"callbacks": [changed(Decaying, factor=0.8)]},
        r"callbacks 0\.factor is 0\.8, the checkpoint has 0\.9: .*changes_results = False",
    ),
    "average": (
        lambda: {"average": Averaged()},
        lambda: {"average": with_attribute(Averaged(), bias=1.0)},
        r"average\.bias is 1\.0, the checkpoint has 0\.0",
    ),
}


def made(parts: Parts, folder: Path | None, *more: Callback) -> tuple[Trainer, Any]:
    """Return a trainer of some parts, and its rows."""
    parts = {"epochs": 3, "batch_size": 100, "threads": 1, "backend": "numpy", **parts}
    pictures = parts.pop("pictures", False)
    layers = parts.pop("layers", None) or [Dense(8), ReLU(), Dense(10 if pictures else 3)]
    network = Sequential(layers).build((784,) if pictures else (5,), seed=0)
    callbacks = [*parts.pop("callbacks", ()), *more]
    optimizer = parts.pop("optimizer", None) or SGD()
    checkpoints = None if folder is None else Checkpoints(folder, every=10**6)
    rate = parts.pop("learning_rate", 0.01)
    whole = Trainer(network, optimizer, rate, callbacks=callbacks, checkpoints=checkpoints, **parts)
    return whole, PICTURES if pictures else ROWS


NOT_SAVABLE = {"layer", "layer in a layer", "transform"}
"""Cases whose second part no file would make again: it is refused before its first step."""


@pytest.mark.parametrize(
    ("case", "turned"),
    [
        (case, turned)
        for case in CASES
        for turned in (False, True)
        if turned <= (case not in NOT_SAVABLE)
    ],
)
def test_another_part_of_ones_own_is_refused_by_name(
    tmp_path: Path, case: str, turned: bool
) -> None:
    before, after, message = CASES[case]
    if turned:
        before, after, message = after, before, message.partition(" is ")[0]
    trainer_, rows = made(before(), tmp_path, StopAt(4))
    trainer_.fit(rows)
    other, _ = made(after(), tmp_path)
    start = other.network.parameters.vector.copy()
    with pytest.raises(ModelError, match=rf"cannot resume: {message}"):
        other.fit(rows, resume=True)
    assert np.array_equal(other.network.parameters.vector, start)


@pytest.mark.filterwarnings("ignore:fit was called again")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.slow
def test_the_same_part_of_ones_own_is_resumed_with_the_same_bits(tmp_path: Path, case: str) -> None:
    parts, _, _ = CASES[case]
    whole, rows = made(parts(), None)
    whole.fit(rows)
    first, _ = made(parts(), tmp_path, StopAt(4))
    first.fit(rows)
    second, _ = made(parts(), tmp_path, StopAt(6))
    second.fit(rows, resume=True)
    without_stop = second.options.callbacks[:-1]
    same_objects = Trainer.__new__(Trainer)
    same_objects._set_options(second.network, replace(second.options, callbacks=without_stop))
    for each in (same_objects, made(parts(), tmp_path)[0]):
        each.fit(rows, resume=True)
        assert np.array_equal(each.network.parameters.vector, whole.network.parameters.vector)


def test_an_attribute_that_is_gone_is_refused_and_a_new_one_gets_a_warning(tmp_path: Path) -> None:
    trainer(tmp_path, StopAt(4), loss=Scaled(more=1)).fit(ROWS)
    with pytest.raises(
        ModelError, match=r"loss\.more is missing, the checkpoint has 1: make it with the same"
    ):
        trainer(tmp_path, loss=Scaled()).fit(ROWS, resume=True)
    with pytest.warns(UserWarning, match=r"loss\.another is 2, .* no such attribute"):
        trainer(tmp_path, loss=Scaled(more=1, another=2)).fit(ROWS, resume=True)


def test_the_module_of_a_class_is_part_of_its_name(tmp_path: Path) -> None:
    trainer(tmp_path, StopAt(4), loss=Scaled()).fit(ROWS)
    other = type("Scaled", (Scaled,), {"__module__": "elsewhere", "__qualname__": "Scaled"})
    with pytest.raises(ModelError, match=r"loss is elsewhere:Scaled, the checkpoint has tests"):
        trainer(tmp_path, loss=other()).fit(ROWS, resume=True)


@pytest.mark.filterwarnings("ignore:the code of")
def test_a_script_may_be_imported_when_its_training_is_resumed(tmp_path: Path) -> None:
    script = type("Mine", (Scaled,), {"__module__": "__main__", "__qualname__": "Mine"})
    module = type("Mine", (Scaled,), {"__module__": "train", "__qualname__": "Mine"})
    trainer(tmp_path, StopAt(4), loss=script()).fit(ROWS)
    trainer(tmp_path, loss=module()).fit(ROWS, resume=True)


@pytest.mark.parametrize(
    ("plain", "own"),
    [
        ({"optimizer": Adam()}, {"optimizer": type("Adam", (Adam,), {})()}),
        ({"loss": SoftmaxCrossEntropy()}, {"loss": type("SoftmaxCrossEntropy", (Smooth,), {})()}),
        ({"average": EMA()}, {"average": type("EMA", (EMA,), {})()}),
        (
            {"callbacks": [EarlyStopping("loss")]},
            {"callbacks": [type("EarlyStopping", (EarlyStopping,), {})("loss")]},
        ),
    ],
)
def test_a_class_with_the_name_of_one_of_the_librarys_is_another(
    tmp_path: Path, plain: Parts, own: Parts
) -> None:
    first, rows = made(plain, tmp_path / "plain", StopAt(4))
    first.fit(rows)
    with pytest.raises(ModelError, match="the checkpoint has the library's"):
        made(own, tmp_path / "plain")[0].fit(rows, resume=True)
    first, rows = made(own, tmp_path / "own", StopAt(4))
    first.fit(rows)
    with pytest.raises(ModelError, match="is the library's, the checkpoint has"):
        made(plain, tmp_path / "own")[0].fit(rows, resume=True)


def test_a_layer_that_was_used_before_a_resume_is_the_same_layer(tmp_path: Path) -> None:
    whole, rows = made({"layers": [Dense(8), Gain(), Dense(3)]}, None)
    whole.fit(rows)
    made({"layers": [Dense(8), Gain(), Dense(3)]}, tmp_path, StopAt(1))[0].fit(rows)
    resumed, _ = made({"layers": [Dense(8), Gain(), Dense(3)]}, tmp_path)
    resumed.network.layers[1]._save_for_backward(np.ones(3, np.float32), True)
    resumed.fit(rows, resume=True)
    assert np.array_equal(resumed.network.parameters.vector, whole.network.parameters.vector)


def test_a_network_of_ones_own_is_not_one_of_the_librarys(tmp_path: Path) -> None:
    class Mine(Sequential):
        scale = 1.0

    def fit(kind: type[Sequential], *more: Callback, resume: bool = False) -> None:
        checkpoints = Checkpoints(tmp_path, every=10**6)
        network = kind([Dense(3)]).build((5,), seed=0)
        options: dict[str, Any] = {"batch_size": 100, "epochs": 3}
        Trainer(network, SGD(), 0.1, callbacks=more, checkpoints=checkpoints, **options).fit(
            ROWS, resume=resume
        )

    fit(Mine, StopAt(4))
    with pytest.raises(ModelError, match=r"network is the library's, the checkpoint has .*Mine"):
        fit(Sequential, resume=True)
    fit(Mine, StopAt(6), resume=True)
    Mine.scale = 2.0
    with pytest.raises(ModelError, match=r"network\.scale is 2\.0, the checkpoint has 1\.0"):
        fit(Mine, resume=True)


def test_running_state_is_not_compared(tmp_path: Path) -> None:
    """Attributes that training changes are those of the callback, not of the training."""

    class Running(Decaying):
        def __init__(self) -> None:
            self.losses: list[float] = []
            self.best: float | None = None

        def on_epoch_end(self, *, state: Any, record: Any) -> None:
            super().on_epoch_end(state=state, record=record)
            self.losses.append(record.loss)
            self.best = min(self.losses)

    for stop in (1, 4, 6):
        folder = tmp_path / str(stop)
        whole, rows = made({"callbacks": [Running()]}, None)
        whole.fit(rows)
        used = Running()
        made({"callbacks": [used]}, folder, StopAt(stop))[0].fit(rows)
        for each in (used, Running()):
            resumed, _ = made({"callbacks": [each]}, folder)
            resumed.fit(rows, resume=True)
            assert np.array_equal(
                resumed.network.parameters.vector, whole.network.parameters.vector
            )


class Limit(Callback):
    """Has an argument that its config omits."""

    def __init__(self, limit: float) -> None:
        self.limit = limit


class Patient(EarlyStopping):
    """Inherits a config that knows nothing of its argument."""

    def __init__(self, monitor: str, *, wait: Any) -> None:
        super().__init__(monitor, patience=2)
        self.wait = wait


class Weighted(SoftmaxCrossEntropy):
    """Has one more argument than the class whose config it inherits."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight


class Slow(SGD):
    """Has one more argument than the class whose config it inherits."""

    def __init__(self, *, more: float) -> None:
        super().__init__()
        self.more = more


class Steep(Shift):
    """Inherits the fields of a dataclass."""

    def __init__(self, slope: float) -> None:
        super().__init__(1)
        object.__setattr__(self, "slope", slope)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            lambda: {"callbacks": [Limit(0.5)]},
            r"callbacks 0: config\(\) of Limit .* limit is missing.*"
            r'\{\*\*super\(\)\.config\(\), "limit": self\.limit\}; '
            r"if no result depends on it, write changes_results = False in its class",
        ),
        (
            lambda: {"callbacks": [BestWeights("loss"), Patient("loss", wait=1)]},
            r"callbacks 1: config\(\) of Patient .* wait is missing",
        ),
        (
            lambda: {"loss": Weighted(0.5)},
            r"loss: config\(\) of Weighted .* weight is missing",
        ),
        (lambda: {"optimizer": Slow(more=0.5)}, r"optimizer: config\(\) of Slow .* more"),
        (
            lambda: images(augment=[Steep(0.5)]),
            r"augment 0: the dataclass Steep .* slope is missing",
        ),
    ],
)
def test_an_init_with_an_inherited_config_is_refused_before_the_first_step(
    tmp_path: Path, parts: Callable[[], Parts], message: str
) -> None:
    refused, rows = made(parts(), tmp_path)
    start = refused.network.parameters.vector.copy()
    with pytest.raises(ConfigurationError, match=message):
        refused.fit(rows)
    assert np.array_equal(refused.network.parameters.vector, start)
    assert not list(tmp_path.glob("step-*"))
    allowed, _ = made(parts(), None)
    allowed.fit(rows)


def test_an_init_without_arguments_needs_no_config(tmp_path: Path) -> None:
    class Counts(Callback):
        def __init__(self) -> None:
            self.calls = 0

    class Watches(Callback):
        changes_results = False

        def __init__(self, label: str) -> None:
            self.label = label

    trainer(tmp_path, Counts(), Watches("a"), StopAt(4)).fit(ROWS)
    trainer(tmp_path, Counts(), Watches("b")).fit(ROWS, resume=True)


Point = namedtuple("Point", "x")


class Raising(int):
    """A number whose text cannot be made."""

    def __repr__(self) -> str:
        raise RuntimeError("mine")


OTHERS: dict[str, tuple[Any, Any]] = {
    "deque": (deque([1]), deque([2])),
    "OrderedDict": (OrderedDict(a=1), OrderedDict(a=2)),
    "Counter": (Counter("a"), Counter("b")),
    "named tuple": (Point(1), Point(2)),
    "Fraction": (Fraction(1, 2), Fraction(1, 3)),
    "Decimal": (Decimal(1), Decimal(2)),
    "array": (array("d", [1]), array("d", [2])),
    "bytearray": (bytearray(b"a"), bytearray(b"b")),
    "memoryview": (memoryview(b"a"), memoryview(b"b")),
    "mapping proxy": (MappingProxyType({"a": 1}), MappingProxyType({"a": 2})),
    "namespace": (SimpleNamespace(a=1), SimpleNamespace(a=2)),
    "mask": (np.ma.masked_less([1, 2], 2), np.ma.masked_greater([1, 2], 1)),
    "array of objects": (np.array([1, "a"], object), np.array([2, "a"], object)),
    "long list": ([0] * 10_001, [1] * 10_001),
    "long dict": (dict.fromkeys(range(10_001), 0), dict.fromkeys(range(10_001), 1)),
    "long set": ({*range(10_001)}, {*range(1, 10_002)}),
    "slice": (slice(1), slice(2)),
    "timedelta": (timedelta(1), timedelta(2)),
    "ufunc": (np.exp, np.log),
    "built-in function": (abs, max),
    "class": (np.float32, np.float64),
    "class of the library": (ReLU, Dense),
}


@pytest.mark.parametrize(("before", "after"), OTHERS.values(), ids=OTHERS)
def test_another_value_of_a_standard_type_is_refused(
    before: Any, after: Any, tmp_path: Path
) -> None:
    trainer(tmp_path, StopAt(3), loss=Scaled(table=before)).fit(ROWS)
    with pytest.raises(ModelError, match=r"loss\.table"):
        trainer(tmp_path, loss=Scaled(table=after)).fit(ROWS, resume=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trainer(tmp_path, loss=Scaled(table=before)).fit(ROWS, resume=True)


def test_a_value_whose_text_cannot_be_made_stops_no_training(tmp_path: Path) -> None:
    trainer(tmp_path, StopAt(3), loss=Scaled(table=Raising(1))).fit(ROWS)
    trainer(tmp_path, loss=Scaled(table=Raising(1))).fit(ROWS, resume=True)


def test_a_method_replaced_on_an_object_of_the_library_is_refused(tmp_path: Path) -> None:
    def other(predictions: Array, targets: Any, gradient: Array) -> Array:
        return SoftmaxCrossEntropy().row_losses(predictions, targets, gradient)

    trainer(tmp_path, StopAt(3), loss=SoftmaxCrossEntropy()).fit(ROWS)
    changed = with_attribute(SoftmaxCrossEntropy(), row_losses=other)
    with pytest.raises(ModelError, match=r"loss row_losses is .*the checkpoint has the library's"):
        trainer(tmp_path, loss=changed).fit(ROWS, resume=True)
