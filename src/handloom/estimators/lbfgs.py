"""L-BFGS on the full-batch objective, with scikit-learn's options and scipy's line search."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.parameters import Parameters
from handloom.training.objective import Measurement


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
        The starting weights.
    interrupted : function
        Returns whether the search is to end after the current iteration.
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

    def objective(w: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        vector[...] = w
        return measure().loss, gradient.astype(np.float64)

    result = search(
        objective,
        vector.astype(np.float64),
        method="L-BFGS-B",
        jac=True,
        callback=_reporter(interrupted, verbose=verbose),
        options={"maxiter": max_iter, "maxfun": max_fun, "gtol": tol},
    )
    vector[...] = result.x
    iterations = min(int(result.nit), max_iter)
    return Minimum(float(result.fun), iterations, _complaint(result, iterations, max_iter))


def _reporter(interrupted: Callable[[], bool], *, verbose: bool) -> Callable[[Any], None]:
    """Return a function for scipy to call after each iteration."""
    iteration = count(1)

    def report(intermediate_result: Any) -> None:  # scipy inspects the parameter's name
        if verbose:
            print(f"Iteration {next(iteration)}, loss = {intermediate_result.fun:.8f}")
        if interrupted():
            raise StopIteration  # scipy ends its search

    return report


def _complaint(result: Any, iterations: int, max_iter: int) -> str | None:
    if result.status == 0:
        return None
    more = f" Increase max_iter (now {max_iter})." if iterations == max_iter else ""
    return (
        f"lbfgs failed to converge after {iterations} iteration(s) (status={result.status}): "
        f"{result.message}{more} Standardized inputs help too."
    )
