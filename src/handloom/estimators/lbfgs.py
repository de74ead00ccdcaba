"""L-BFGS on the full-batch objective, with scikit-learn's options and scipy's line search.

The search needs float64: a first step of length 1 / |gradient| changes no float32 weight where
targets are large, and the loss seems to have converged.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.parameters import Array, Parameters, l2_norm
from handloom.secondary import Secondary
from handloom.training.objective import Measurement

Vector = npt.NDArray[np.float64]
Objective = Callable[[Vector], tuple[float, Vector]]

STALLED = 0.01
"""A search has stalled if a step along its last gradient would lower the loss by this fraction."""


@dataclass(frozen=True)
class Minimum:
    """The result of a search.

    Attributes
    ----------
    loss : float
        The objective at the final weights.
    iterations : int
    failure : str or None
        The reason why the search ended before it converged; None if it converged.
    """

    loss: float
    iterations: int
    failure: str | None = None


def minimize(
    measure: Callable[[], Measurement],
    parameters: Parameters,
    *,
    interrupted: Callable[[], bool],
    max_iter: int,
    max_fun: int,
    tol: float,
    verbose: bool,
) -> Minimum:
    """Minimize an objective with L-BFGS; the result is written to ``parameters``.

    Parameters
    ----------
    measure : function
        Returns the loss at the current weights and writes its gradient to
        ``parameters.gradient``.
    parameters : Parameters
        The starting weights, in float64.
    interrupted : function
        Returns whether the search is to end after the current iteration, which ``parameters`` has.
    max_iter, max_fun : int
        The maximum number of iterations, and of evaluations of the objective.
    tol : float
        The search has converged once no entry of the projected gradient is larger.
    verbose : bool
        Whether to print a line per iteration.

    Returns
    -------
    Minimum
        The final objective, the number of iterations, and the reason of an early end.
    """
    from scipy.optimize import minimize as search

    vector, gradient = parameters.vector, parameters.gradient

    def objective(w: Vector) -> tuple[float, Vector]:
        vector[...] = w
        return measure().loss, gradient.astype(np.float64)

    result = search(
        objective,
        vector.copy(),
        method="L-BFGS-B",
        jac=True,
        callback=_reporter(vector, interrupted, verbose=verbose),
        options={"maxiter": max_iter, "maxfun": max_fun, "gtol": tol},
    )
    iterations = min(int(result.nit), max_iter)
    complaint = _complaint(result, iterations, max_iter, max_fun)
    if complaint is None and _has_stalled(objective, result, tol):
        complaint = (
            f"lbfgs stopped after {iterations} iteration(s) with a gradient of up to "
            f"{np.abs(result.jac).max():.2g}, expected at most tol={tol:g}: it found no step that "
            "lowers the loss. Standardize inputs and targets."
        )
    vector[...] = result.x
    return Minimum(float(result.fun), iterations, complaint)


def _reporter(
    vector: Array, interrupted: Callable[[], bool], *, verbose: bool
) -> Callable[[Any], None]:
    """Return a function for scipy to call after each iteration."""
    iteration, printing = count(1), Secondary("the iterations are not printed")

    def report(intermediate_result: Any) -> None:  # scipy inspects the parameter's name
        if verbose and not printing.failed:
            with printing:
                print(f"Iteration {next(iteration)}, loss = {intermediate_result.fun:.8f}")
        vector[...] = intermediate_result.x  # the search may have tried others since
        if interrupted():
            raise StopIteration  # scipy ends its search

    return report


def _complaint(result: Any, iterations: int, max_iter: int, max_fun: int) -> str | None:
    if result.status == 0:
        return None
    more = ""
    if iterations == max_iter:
        more = f" Increase max_iter (now {max_iter})."
    elif result.nfev >= max_fun:
        more = f" Increase max_fun (now {max_fun})."
    return (
        f"lbfgs failed to converge after {iterations} iteration(s) (status={result.status}): "
        f"{result.message}{more} Standardized inputs help too."
    )


def _has_stalled(objective: Objective, result: Any, tol: float) -> bool:
    """Whether the search ended because the loss changed too little, far from a minimum.

    To second order, the best step along a gradient ``g`` lowers the loss by
    ``|g|^4 / (2 g.H g)``. The curvature ``g.H g`` comes from a second gradient nearby.
    """
    g, w = result.jac, result.x
    if not (np.isfinite(g).all() and np.abs(g).max() > tol):
        return False
    norm = l2_norm(g)
    direction = g / norm
    distance = 1e-4 * max(1.0, l2_norm(w))
    _, nearby = objective(w - distance * direction)
    curvature = float(direction @ (g - nearby)) / distance
    return not 0.5 * norm * norm < STALLED * max(1.0, abs(float(result.fun))) * curvature
