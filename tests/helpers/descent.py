"""Steps of an optimizer along given gradients."""

import numpy as np
from tests.helpers.gradients import Float64

from handloom.initializers import Zeros
from handloom.optimizers import Optimizer
from handloom.parameters import Parameters, ParameterSpec


def walked(
    optimizer: Optimizer,
    gradients: Float64,
    *,
    rate: float = 1.0,
    start: float = 0.0,
    l2: float = 0.0,
) -> Float64:
    """Return the weights before the first step and after each.

    The gradients have the shape (steps,), of one weight, or (steps, weights); so has the result.
    """
    rows = gradients.reshape(len(gradients), -1)
    parameters = Parameters({"w": ParameterSpec((rows.shape[1], 1), Zeros(), l2=l2)}, np.float64)
    optimizer.bind(parameters)
    parameters.vector[...] = start
    path = [parameters.vector.copy()]
    for gradient in rows:
        parameters.gradient[...] = gradient
        parameters.add_penalty_gradient()
        optimizer.step(rate)
        path.append(parameters.vector.copy())
    return np.array(path, np.float64).reshape(-1, *gradients.shape[1:])
