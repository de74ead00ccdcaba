"""The contract check of layers: correct ones pass, and every broken one is named."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from tests.helpers.own_layers import Drop, MaxPool, Normalize, Rng, Scale, Square, rows

from handloom import ConfigurationError, HandloomError, Layer, ReLU, SoftmaxCrossEntropy
from handloom.parameters import Array
from handloom.testing import CheckError, check_layer, check_loss

X = rows(6, 5)
TARGETS = np.array([0, 3, 1, 2, 2, 4])


def normalized(x: Array, weights: Mapping[str, Array]) -> Array:
    return np.asarray((x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5))


@pytest.mark.parametrize(
    ("layer", "x", "reference"),
    [
        (Scale(), X, lambda x, w: x * w["gain"] + w["shift"]),
        (Normalize(), X, normalized),
        (Drop(), X, lambda x, w: x),
        (MaxPool(), rows(3, 2, 4, 6), lambda x, w: x.reshape(3, 2, 2, 2, 3, 2).max(axis=(3, 5))),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_right_layers_keep_the_contract(
    layer: Layer, x: Array, reference: Callable[[Array, Mapping[str, Array]], Array]
) -> None:
    report = check_layer(layer, x, reference)
    assert report.ok
    assert report.rows[0].name == "input"
    assert not layer.weights  # copies were run, not the layer itself


class Upcasts(Scale):
    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        return super().forward(x, training=training) * np.ones(1)


class ForgetsTheShapeItAnnounces(MaxPool):
    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return input_shape


class WritesToX(ReLU):
    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        np.maximum(x, 0.0, out=x)
        self._save_for_backward(x.copy(), training)
        return x.copy()


class WritesToDy(ReLU):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        dy *= self._saved_array() > 0.0
        return dy.copy() if need_dx else None


class ReusesItsOutput(Scale):
    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        if self._buffers is None:
            self._buffers = {}
        y = self._buffer("y", x.shape, x.dtype)
        y[...] = super().forward(x, training=training)
        return y


class WrongGradient(Scale):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        dx = super().backward(dy, need_dx=need_dx)
        self.gradients["gain"][...] *= -1.0
        return dx


class AlwaysReturnsDx(Scale):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return super().backward(dy)


class SkipsGradientsWithDx(Scale):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return super().backward(dy) if need_dx else None


class KeepsInInference(Scale):
    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        return super().forward(x, training=True)


class CountsInInference(ReLU):
    seen = 0

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        self.seen += not training
        return np.asarray(super().forward(x, training=training) + x.dtype.type(self.seen))


class DiffersInInference(ReLU):
    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        y = super().forward(x, training=training)
        return y if training else y * x.dtype.type(0.5)


class DropsByItself(Drop):
    generator = np.random.default_rng(0)

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        return super().forward(x, training=training, rng=self.generator)


class DropsTheSame(Drop):
    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        return super().forward(x, training=training, rng=np.random.default_rng(0))


class NeverSwitchedOff(Drop):
    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        return super().forward(x, training=True, rng=rng or np.random.default_rng(0))


class SaysNothingOfRows(Normalize):
    couples_rows = False

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        if len(x) < 2:
            return super().forward(x)
        return super().forward(x, training=True)


class Averages(Scale):
    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        y = super().forward(x, training=training)
        return y - y.mean(axis=1, keepdims=True) if len(x) % 2 else y


class WithFactor(Layer):
    """y = factor * x."""

    kind = "with_factor"

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor

    def config(self) -> dict[str, object]:
        return {"factor": self.factor}

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        return x * self.factor

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return dy * self.factor if need_dx else None


class ForgetsItsOption(WithFactor):
    def config(self) -> dict[str, object]:
        return {}


class NamesAnotherOption(WithFactor):
    def config(self) -> dict[str, object]:
        return {"times": self.factor}


class NotForJson(WithFactor):
    def config(self) -> dict[str, object]:
        return {"factor": np.float32(self.factor)}


class LearnsOutsideOfItsArrays(Scale):
    couples_rows = True  # and may differ in training
    mean: Array | float = 0.0

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        y = super().forward(x, training=training)
        if training:
            self.mean = x.mean(axis=0)
            return y
        return y - self.mean


class NeedsDx(Scale):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        if not need_dx:
            raise ValueError("dx is always needed")
        return super().backward(dy)


class SharesWithReplicas(Scale):
    def __init__(self) -> None:
        super().__init__()
        self.shared: dict[str, Array] = {}

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        if training:
            self.shared["x"] = x
        return x * self.weights["gain"] + self.weights["shift"]

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        self._save_for_backward(self.shared["x"], True)
        return super().backward(dy, need_dx=need_dx)


class ForgetsTheRows(ReLU):
    """Takes its whole buffer, however few rows there are this time."""

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        dx = super().backward(dy, need_dx=need_dx)
        return dx if dx is None or dx.base is None else dx.base


class NotANumber(ReLU):
    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        return super().forward(x, training=training) * x.dtype.type(np.nan)


class ReadsMemory(Square):
    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        return super().forward(x.ravel(order="K").reshape(x.shape), training=training)


class NeedsRows(ReLU):
    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        return super().forward(x / np.maximum(abs(x).max(axis=0) * 0, 1), training=training)


class SqueezesOneRow(ReLU):
    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        y = super().forward(x, training=training)
        return y.squeeze() if len(x) == 1 else y


IMAGES = rows(3, 2, 4, 6)


@pytest.mark.parametrize(
    ("layer", "x", "message"),
    [
        (Upcasts(), X, "shapes and dtypes: the output of inference must be .* got float64"),
        (ForgetsTheShapeItAnnounces(), IMAGES, r"shapes and dtypes: .*must be float32 of shape"),
        (WritesToX(), X, "nothing is overwritten: it writes to x"),
        (WritesToDy(), X, "nothing is overwritten: it writes to dy"),
        (ReusesItsOutput(), X, "overwritten: the output of one pass is overwritten by the next"),
        (WrongGradient(), X, "gradients: (.|\n)*gain .* WRONG: -1 x numeric"),
        (AlwaysReturnsDx(), X, "need_dx: .* must return None"),
        (SkipsGradientsWithDx(), X, "need_dx: .* the gradients of its arrays differ"),
        (KeepsInInference(), X, "inference: inference between forward and backward"),
        (CountsInInference(), X, "inference: two passes of inference differ"),
        (DiffersInInference(), X, "inference: training and inference differ"),
        (NeverSwitchedOff(), X, "inference: inference between forward and backward"),
        (DropsByItself(), X, "repeatable: the same pass twice gives different bits"),
        (DropsTheSame(), X, "repeatable: it is stochastic, yet nine seeds"),
        (SaysNothingOfRows(), X, "rows: in inference a row's output depends"),
        (Averages(), X, "rows: in inference a row's output depends"),
        (ForgetsItsOption(2.0), X, "configuration: ConfigurationError: .* factor is missing"),
        (NamesAnotherOption(2.0), X, "configuration: ConfigurationError: .* factor is missing"),
        (NotForJson(2.0), X, "configuration: TypeError"),
        (LearnsOutsideOfItsArrays(), X, "save and load: saved and loaded it computes"),
        (NeedsDx(), X, "first layer: ValueError: dx is always needed"),
        (SharesWithReplicas(), X, "replica: a pass of a replica changes"),
        (ForgetsTheRows(), X, "replica: a replica gives other bits on 3 rows"),
        (ReadsMemory(), X, "memory order: with x and dy stored columns first, y differs"),
        (NeedsRows(), X, "few rows: ValueError"),
        (SqueezesOneRow(), X, "few rows: the output of inference on 1 rows must have shape"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Layer) else "",
)
def test_a_broken_promise_is_named(layer: Layer, x: Array, message: str) -> None:
    with pytest.raises(CheckError, match=message):
        check_layer(layer, x)


def test_a_value_that_is_not_the_reference_is_named() -> None:
    with pytest.raises(CheckError, match=r"values: in float64 the output is .* away"):
        check_layer(Scale(), X, lambda x, w: x * w["gain"])
    with pytest.raises(CheckError, match="values: in float64 the output is inf away"):
        check_layer(NotANumber(), X, lambda x, w: x)
    with pytest.raises(CheckError, match=r"must have shape \(5, 6\) of the reference"):
        check_layer(Square(), X, lambda x, w: (x @ w["w"]).T)


def test_all_broken_promises_are_named_at_once() -> None:
    with pytest.raises(CheckError) as caught:
        check_layer(KeepsInInference(), X, lambda x, w: x)
    assert "the layer 'keepsininference' does not keep its contract" in str(caught.value)
    assert "- values: " in str(caught.value)
    assert "- inference: " in str(caught.value)
    assert isinstance(caught.value, HandloomError)
    assert isinstance(caught.value, AssertionError)


def test_a_contract_needs_two_rows() -> None:
    with pytest.raises(ConfigurationError, match="at least two rows"):
        check_layer(ReLU(), X[:1])
    with pytest.raises(ConfigurationError, match="at least two rows"):
        check_loss(SoftmaxCrossEntropy(), X[:1], TARGETS[:1])
