"""A small network, for the tests of networks and of their parts."""

import numpy as np

from handloom import Dense, ReLU, Sequential, Softmax


def network(*, softmax: bool = True, dtype: type = np.float64, **strengths: float) -> Sequential:
    layers = [Dense(5, **strengths), ReLU(), Dense(3)]  # type: ignore[arg-type]
    return Sequential([*layers, Softmax()] if softmax else layers).build((6,), seed=1, dtype=dtype)
