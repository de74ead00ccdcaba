"""Parameters and gradients for the tests of optimizers."""

import numpy as np
from tests.helpers.gradients import Float64

from handloom.initializers import Zeros
from handloom.optimizers import Optimizer
from handloom.parallel.partition import BLOCK
from handloom.parameters import Parameters, ParameterSpec

SIZE = BLOCK + 3  # more than one block, and a remainder


def parameters() -> Parameters:
    made = Parameters({"w": ParameterSpec((SIZE,), Zeros())}, np.float64)
    made.vector[...] = np.random.default_rng(0).standard_normal(SIZE)
    return made


def gradients(steps: int) -> Float64:
    return np.random.default_rng(1).standard_normal((steps, SIZE))


def run(rule: Optimizer, steps: int = 5) -> Float64:
    made = parameters()
    rule.bind(made)
    for step, gradient in enumerate(gradients(steps)):
        made.gradient[...] = gradient
        rule.step(0.1 / (1 + step))
    return made.vector.astype(np.float64)


SHAPES = {"0.weights": (5, 7), "0.biases": (7,), "1.kernel": (3, 3, 2, 4), "2.weights": (7, 3)}


def shaped(*, elementwise: bool = False) -> Parameters:
    """Return parameters of several layers; the last one may be a gain."""
    specs = {name: ParameterSpec(shape, Zeros()) for name, shape in SHAPES.items()}
    if elementwise:
        specs["2.weights"] = ParameterSpec((7, 3), Zeros(), elementwise=True)
    made = Parameters(specs, np.float64)
    made.vector[...] = np.random.default_rng(0).standard_normal(len(made))
    return made


def drawn(made: Parameters, steps: int) -> Float64:
    return np.random.default_rng(1).standard_normal((steps, len(made)))
