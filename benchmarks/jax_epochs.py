"""JAX at its best on a CPU: a whole epoch as one compiled call, a `lax.scan` over its steps.

JAX decides at its first use in a process how many threads it has, so it runs in one of its own.
"""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from benchmarks.jobs import EPSILON, Array, Job, Rows, weights_of
from benchmarks.measure import Spent, spent
from handloom import Dataset


class Jax:
    """JAX, in a process that ends when this is no longer used."""

    def __init__(self, job: Job, data: Dataset, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._child, theirs = context.Pipe()
        arguments = (theirs, threads, job, Rows(data, job.batch_size), weights_of(job.network()))
        context.Process(target=serve, args=arguments, daemon=True).start()
        theirs.close()
        self._ask("ready")

    def epoch(self) -> Spent:
        """Go through all rows once, and say how long that took."""
        took: Spent = self._ask("epoch")
        return took

    def weights(self) -> list[Array]:
        """Return weights and biases, layer by layer."""
        arrays: list[Array] = self._ask("weights")
        return arrays

    def _ask(self, question: str) -> Any:
        try:
            self._child.send(question)
            return self._child.recv()
        except (EOFError, BrokenPipeError):
            raise RuntimeError("JAX's process has ended; see above") from None


def serve(parent: Connection, threads: int, job: Job, rows: Rows, weights: list[Array]) -> None:
    """Answer a parent's questions until it closes the pipe.

    XLA makes as many threads as the environment variable ``NPROC`` says. Its flag
    ``xla_cpu_multi_thread_eigen`` does not limit them.
    """
    os.environ["NPROC"] = str(threads)
    os.environ["JAX_PLATFORMS"] = "cpu"
    epochs = Epochs(job, rows, weights)
    answers: dict[str, Callable[[], object]] = {
        "ready": lambda: True,
        "epoch": lambda: spent(epochs.run),
        "weights": epochs.weights,
    }
    while True:
        try:
            question = parent.recv()
        except EOFError:
            return
        parent.send(answers[question]())


class Epochs:
    """The training of a job; to be made in a process that has not used JAX yet."""

    def __init__(self, job: Job, rows: Rows, weights: list[Array]) -> None:
        import jax
        import jax.numpy as jnp

        self._jax, self._rows = jax, rows
        pairs = list(zip(weights[0::2], weights[1::2], strict=True))
        update = adam if job.optimizer == "adam" else sgd
        zeros = [jax.tree.map(np.zeros_like, pairs) for _ in range(2)]
        self._state = jax.tree.map(jnp.asarray, (pairs, *zeros, np.float32(0)))
        full = job.batch_size is None  # one step an epoch: its rows are scaled before
        self._x = jnp.asarray(rows.scaled if full else rows.bytes)
        self._y = jnp.asarray(rows.classes.astype(np.int32))
        self._epoch = jax.jit(epoch_of(job, update), donate_argnums=0)
        self._done = 0

    def run(self) -> float:
        """Go through all rows once, and return the mean loss of the steps."""
        order = self._rows.order(self._done)
        self._done += 1
        if order is not None:
            order = order.astype(np.int32)
        self._state, loss = self._epoch(self._state, self._x, self._y, order)
        return float(loss)  # waits for the result

    def weights(self) -> list[Array]:
        """Return weights and biases, layer by layer."""
        return [np.asarray(array) for pair in self._state[0] for array in pair]


def epoch_of(job: Job, update: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function to compile: from a state, rows and their order to a state and a loss."""
    import jax
    import jax.numpy as jnp

    def loss(weights: Any, x: Any, y: Any) -> Any:
        for w, b in weights[:-1]:
            x = jax.nn.relu(x @ w + b)
        w, b = weights[-1]
        logs = jax.nn.log_softmax(x @ w + b)
        return -jnp.take_along_axis(logs, y[:, None], axis=1).mean()

    def step(state: Any, x: Any, y: Any) -> tuple[Any, Any]:
        value, gradients = jax.value_and_grad(loss)(state[0], x, y)
        return update(state, gradients, job.rate), value

    def epoch(state: Any, x: Any, y: Any, order: Any) -> tuple[Any, Any]:
        if job.batch_size is None:
            return step(state, x, y)

        def gathered(state: Any, rows: Any) -> tuple[Any, Any]:
            scaled = (x[rows].astype(jnp.float32) - 127.5) / 127.5
            return step(state, scaled, y[rows])

        steps, left = divmod(len(x), job.batch_size)
        batches = order[: len(x) - left].reshape(steps, job.batch_size)
        state, losses = jax.lax.scan(gathered, state, batches)
        if left:
            state, _ = gathered(state, order[-left:])
        return state, losses.mean()

    return epoch


def sgd(state: Any, gradients: Any, rate: float) -> Any:
    """Make one step of gradient descent."""
    import jax

    weights, *rest = state
    return jax.tree.map(lambda w, dw: w - rate * dw, weights, gradients), *rest


def adam(state: Any, gradients: Any, rate: float) -> Any:
    """Make one step of Adam."""
    import jax
    import jax.numpy as jnp

    weights, m, v, steps = state
    steps = steps + 1
    m = jax.tree.map(lambda m, dw: 0.9 * m + 0.1 * dw, m, gradients)
    v = jax.tree.map(lambda v, dw: 0.999 * v + 0.001 * dw * dw, v, gradients)
    m_share, v_share = 1 - 0.9**steps, 1 - 0.999**steps
    weights = jax.tree.map(
        lambda w, m, v: w - rate * (m / m_share) / (jnp.sqrt(v / v_share) + EPSILON), weights, m, v
    )
    return weights, m, v, steps
