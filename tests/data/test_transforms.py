"""Transforms write flat floats into a buffer, to the bit, and survive JSON."""

import json
import tracemalloc
from typing import Any

import numpy as np
import pytest

from handloom import DataError
from handloom.backend import FusedBackend
from handloom.data import AsFloat, Scale, Transform, transform_for, transform_from_config
from handloom.data.transforms import scale_rows
from handloom.errors import ConfigurationError

BYTES = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scale_brings_bytes_to_one(dtype: type[np.floating[Any]]) -> None:
    out = np.full((4, 64), np.nan, dtype)
    assert Scale()(BYTES, out) is out
    expected = (BYTES.astype(dtype) - dtype(127.5)) / dtype(127.5)
    assert expected.dtype == dtype
    assert np.array_equal(out, expected.reshape(4, 64))
    assert (out.min(), out.max()) == (-1.0, 1.0)


def test_scale_computes_in_the_dtype_of_the_buffer() -> None:
    out = np.empty((4, 64))
    Scale(0.1, 0.3)(BYTES, out)
    assert np.array_equal(out, ((BYTES.astype(np.float64) - 0.1) / 0.3).reshape(4, 64))


def test_scale_allocates_nothing_of_the_size_of_a_batch() -> None:
    images = np.zeros((4096, 28, 28), np.uint8)
    out = np.empty((4096, 784), np.float32)
    tracemalloc.start()
    try:
        Scale()(images, out)
        assert tracemalloc.get_traced_memory()[1] < out.nbytes // 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_as_float_keeps_values(dtype: type[np.floating[Any]]) -> None:
    features = np.linspace(-3, 3, 12).reshape(3, 2, 2)
    out = np.empty((3, 4), dtype)
    assert AsFloat()(features, out) is out
    assert np.array_equal(out, features.reshape(3, 4).astype(dtype))


@pytest.mark.parametrize("transform", [Scale(), AsFloat()])
@pytest.mark.parametrize(
    "out", [np.empty((4, 63)), np.empty((3, 64)), np.empty((4, 8, 8)), np.empty((4, 64), np.uint8)]
)
def test_a_buffer_that_does_not_fit_is_refused(transform: Transform, out: Any) -> None:
    with pytest.raises(DataError, match=r"\(4, 8, 8\) need a floating-point buffer of .*\(4, 64\)"):
        transform(BYTES, out)


def test_the_dtype_chooses_the_transform() -> None:
    assert transform_for(BYTES) == Scale(127.5, 127.5)
    assert transform_for(np.zeros((2, 2), np.float32)) == AsFloat()


@pytest.mark.parametrize("transform", [Scale(1.5, -2), AsFloat()])
def test_settings_survive_json(transform: Transform) -> None:
    assert transform_from_config(json.loads(json.dumps(transform.to_config()))) == transform


@pytest.mark.parametrize(
    ("shift", "divisor"), [(0, 0), (float("nan"), 1), (0, float("inf")), ("1", "x"), (None, 1)]
)
def test_settings_that_mean_nothing(shift: Any, divisor: Any) -> None:
    with pytest.raises(ConfigurationError, match="of Scale must"):
        Scale(shift, divisor)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"name": "scales"}, "unknown transform 'scales'.*Did you mean 'scale'"),
        ({}, "unknown transform 'None'"),
        ({"name": ["scale"]}, "unknown transform"),
        ({"name": "scale", "shift": 0.0}, "'scale' must have .*, got no divisor"),
        ({"name": "scale", "shift": 0.0, "divider": 1.0}, "'divider'.*Did you mean 'divisor'"),
        ({"name": "as_float", "shift": 0.0}, "unknown setting of 'as_float' 'shift'"),
        ({"name": "scale", "shift": 0.0, "divisor": 0.0}, "must not be 0"),
    ],
)
def test_a_description_that_is_wrong(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        transform_from_config(config)


@pytest.mark.parametrize("stored", ["f2", "g", ">f4", ">f8", "i2", "?"])
def test_compiled_scaling_takes_every_stored_type(stored: str) -> None:
    pytest.importorskip("numba")
    inputs = np.arange(12).reshape(3, 4).astype(stored)
    scaled, expected = np.empty((3, 4), np.float32), np.empty((3, 4), np.float32)
    FusedBackend(np.float32).version_of(scale_rows)(inputs, 1.5, 2.0, scaled)
    scale_rows(inputs.astype(np.float64), 1.5, 2.0, expected)
    np.testing.assert_allclose(scaled, expected)
