"""L-BFGS: the whole objective at once, with a line search that scikit-learn's users know."""

from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.parallel.threads import Threads
from handloom.training import Trainer


def minimize(
    trainer: Trainer,
    threads: Threads,
    *,
    max_iter: int,
    max_fun: int,
    tol: float,
    verbose: bool,
) -> tuple[float, int, str | None]:
    """Minimize a trainer's objective over all rows; its network ends with the result.

    Ctrl-C and SIGTERM end the search after the iteration it is in, as ``trainer.history`` says,
    and reach the application then as they do after `Trainer.fit`.

    Parameters
    ----------
    trainer : Trainer
        Begun; it measures loss and gradient.
    threads : Threads
        What `Trainer.begin` returned.
    max_iter, max_fun : int
        How many iterations and how many measurements there may be.
    tol : float
        The largest entry of the gradient at which the search ends.
    verbose : bool
        Whether to print a line an iteration.

    Returns
    -------
    loss : float
    iterations : int
    complaint : str or None
        Why the search ended before it was done.
    """
    from scipy.optimize import OptimizeResult
    from scipy.optimize import minimize as search

    vector, gradient = trainer.network.parameters.vector, trainer.network.parameters.gradient
    made = 0

    def objective(w: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        vector[...] = w
        return trainer.measure().loss, gradient.astype(np.float64)

    def report(intermediate_result: Any) -> None:  # scipy looks at the parameter's name
        nonlocal made
        made += 1
        if verbose:
            print(f"Iteration {made}, loss = {intermediate_result.fun:.8f}")
        if trainer.history.stop_reason is not None:
            raise StopIteration  # what scipy ends its search at

    with trainer.interruptible(), threads, np.errstate(over="ignore", invalid="ignore"):
        found: OptimizeResult = search(
            objective,
            vector.astype(np.float64),
            method="L-BFGS-B",
            jac=True,
            callback=report,
            options={"maxiter": max_iter, "maxfun": max_fun, "gtol": tol},
        )
        vector[...] = found.x
    iterations = min(int(found.nit), max_iter)
    complaint = None
    if found.status != 0:
        more = f" Increase max_iter (now {max_iter})." if iterations == max_iter else ""
        complaint = (
            f"lbfgs failed to converge after {iterations} iteration(s) (status={found.status}): "
            f"{found.message}{more} Inputs of about unit size help too."
        )
    return float(found.fun), iterations, complaint
