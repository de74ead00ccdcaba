"""PyTorch: plain; at its best; in bfloat16; and with its compiler, a step in one compiled call."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.jobs import EPSILON, Array, Job, Rows, weights_of
from handloom import Dataset


class Torch:
    """PyTorch.

    Parameters
    ----------
    best : bool
        With the fused optimizer, and tiny numbers flushed to zero.
    bfloat16 : bool
        With products in bfloat16 (`torch.autocast`), of rows that are stored so.
    """

    def __init__(
        self,
        job: Job,
        data: Dataset,
        threads: int,
        *,
        best: bool = False,
        bfloat16: bool = False,
    ) -> None:
        import torch

        self.torch, self._threads, self._flush = torch, threads, best
        self._autocast = bfloat16
        self.network = network_of(job)
        kind = torch.optim.Adam if job.optimizer == "adam" else torch.optim.SGD
        options = {"eps": EPSILON} if job.optimizer == "adam" else {}
        self._optimizer = kind(self.network.parameters(), lr=job.rate, fused=best, **options)
        self._rows, self._done = Rows(data, job.batch_size), 0
        self._x = torch.from_numpy(self._rows.scaled)
        if bfloat16:
            self._x = self._x.to(torch.bfloat16)
        self._y = torch.from_numpy(self._rows.classes.astype(np.int64))

    def epoch(self) -> None:
        """Go through all rows once."""
        torch = self.torch
        torch.set_num_threads(self._threads)
        torch.set_flush_denormal(self._flush)
        order = self._rows.order(self._done)
        self._done += 1
        if order is None:
            self._step(self._x, self._y)
        else:
            for rows in torch.from_numpy(order).split(self._rows.batch_size):
                self._step(self._x[rows], self._y[rows])
        torch.set_flush_denormal(False)

    def weights(self) -> list[Array]:
        """Return weights and biases, layer by layer."""
        return [array.detach().numpy().T for array in self.network.parameters()]

    def _compute_loss(self, x: Any, y: Any) -> Any:
        bfloat16 = self.torch.autocast("cpu", dtype=self.torch.bfloat16)
        with bfloat16 if self._autocast else nullcontext():
            return self.torch.nn.functional.cross_entropy(self.network(x), y)

    def _step(self, x: Any, y: Any) -> None:
        self._optimizer.zero_grad(set_to_none=True)
        self._compute_loss(x, y).backward()
        self._optimizer.step()


class CompiledTorch:
    """PyTorch's compiler at its best: gathering, loss, gradient and update in one compiled call.

    It is quicker than a compiled loss whose gradient and update are separate calls. The last,
    smaller batch is compiled for itself: otherwise one version for every size would take the place
    of the first.
    """

    def __init__(self, job: Job, data: Dataset, threads: int) -> None:
        import torch

        self.torch, self._threads = torch, threads
        network = network_of(job)
        self._parameters = {
            name: array.detach().clone() for name, array in network.named_parameters()
        }
        moments = [
            {name: torch.zeros_like(array) for name, array in self._parameters.items()}
            for _ in range(2)
        ]
        update = partial(adam, moments, torch.zeros(())) if job.optimizer == "adam" else sgd
        torch.compiler.reset()  # at most eight versions of a function are compiled, for all jobs
        step = step_of(network, update, job.rate)
        self._step = torch.compile(step, dynamic=False, fullgraph=True)
        self._rows, self._done = Rows(data, job.batch_size), 0
        self._x = torch.from_numpy(self._rows.scaled)
        self._y = torch.from_numpy(self._rows.classes.astype(np.int64))

    def epoch(self) -> None:
        """Go through all rows once."""
        torch = self.torch
        torch.set_num_threads(self._threads)
        torch.set_flush_denormal(True)
        order = self._rows.order(self._done)
        self._done += 1
        size = self._rows.batch_size
        batches = [None] if order is None else torch.from_numpy(order).split(size)
        with torch.no_grad():
            for rows in batches:
                self._step(self._parameters, self._x, self._y, rows)
        torch.set_flush_denormal(False)

    def weights(self) -> list[Array]:
        """Return weights and biases, layer by layer."""
        return [array.numpy().T for array in self._parameters.values()]


def step_of(network: Any, update: Callable[..., None], rate: float) -> Callable[..., Any]:
    """Return the function to compile: it makes a step in place and returns the loss."""
    import torch

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        logits = torch.func.functional_call(network, parameters, x)
        return torch.nn.functional.cross_entropy(logits, y)

    def step(parameters: Any, x: Any, y: Any, rows: Any) -> Any:
        if rows is not None:
            x, y = x[rows], y[rows]
        gradients, value = torch.func.grad_and_value(loss)(parameters, x, y)
        update(parameters, gradients, rate)
        return value

    return step


def sgd(parameters: Any, gradients: Any, rate: float) -> None:
    """Make one step of gradient descent."""
    for name, w in parameters.items():
        w.sub_(gradients[name], alpha=rate)


def adam(moments: Any, steps: Any, parameters: Any, gradients: Any, rate: float) -> None:
    """Make one step of Adam."""
    steps.add_(1)
    m_share, v_share = 1 - 0.9**steps, 1 - 0.999**steps
    for name, w in parameters.items():
        m, v, dw = moments[0][name], moments[1][name], gradients[name]
        m.mul_(0.9).add_(dw, alpha=0.1)
        v.mul_(0.999).addcmul_(dw, dw, value=0.001)
        w.sub_(rate * (m / m_share) / ((v / v_share).sqrt() + EPSILON))


def network_of(job: Job) -> Any:
    """Return PyTorch's network of a job, with our weights."""
    import torch

    layers: list[Any] = []
    for d, h in pairwise(job.widths):
        layers += [torch.nn.Linear(d, h), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1])
    with torch.no_grad():
        for mine, ours in zip(network.parameters(), weights_of(job.network()), strict=True):
            mine.copy_(torch.from_numpy(np.ascontiguousarray(ours.T)))
    return network
