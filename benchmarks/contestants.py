"""Who runs in the benchmark: Handloom, the products alone, PyTorch, scikit-learn, the textbook.

A contestant is made for one job and then asked for one epoch at a time. It keeps its state between
epochs, so that what training does to speed (numbers that become tiny, for one) is measured too.
"""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from benchmarks.textbook import Textbook
from handloom import SGD, Adam, Dataset, Dense, ReLU, Sequential, Trainer
from handloom.backend import FusedBackend
from handloom.layers import Layer
from handloom.parallel.partition import deal_shards
from handloom.parallel.pool import SERIAL, matmul

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Job:
    """What is to be trained."""

    name: str
    hidden: tuple[int, ...]
    batch_size: int | None
    optimizer: str
    rate: float

    @property
    def widths(self) -> list[int]:
        """Inputs, hidden units and classes."""
        return [784, *self.hidden, 10]


class Contestant(Protocol):
    """Somebody who can be asked for one epoch."""

    def epoch(self) -> float | None:
        """Go through all rows once; say how long that took, if the call took longer."""
        ...


class Handloom:
    """Ours."""

    def __init__(self, job: Job, data: Dataset, threads: int, backend: str) -> None:
        layers: list[Layer] = []
        for width in job.hidden:
            layers += [Dense(width), ReLU()]
        network = Sequential([*layers, Dense(10)]).build((784,))
        optimizer = Adam() if job.optimizer == "adam" else SGD()
        self.trainer = Trainer(
            network,
            optimizer,
            job.rate,
            epochs=10**9,
            batch_size=job.batch_size,
            threads=threads,
            backend=backend,
        )
        self._prepared = self.trainer.prepare(data)

    def epoch(self) -> float:
        """Go through all rows once, and say how long that took.

        A training holds BLAS to one thread from its beginning to its end. Here that begins and
        ends with each epoch, so that peers are not held too, and does not count.
        """
        with self._prepared.threads:
            started = time.perf_counter()
            self.trainer.run_epoch(self._prepared)
            return time.perf_counter() - started


class MatrixProducts:
    """The matrix products of an epoch, in our shards and lanes, and nothing else: the floor."""

    def __init__(self, job: Job, data: Dataset, threads: int) -> None:
        self._rows, self._batch = len(data), job.batch_size or len(data)
        self._pool = FusedBackend(np.float32).threads(threads)
        widths, generator = job.widths, np.random.default_rng(0)

        def draw(*shape: int) -> Array:
            return generator.standard_normal(shape).astype(np.float32)

        self._weights = [draw(d, h) for d, h in pairwise(widths)]
        longest = max(
            shard.stop - shard.start for lane in deal_shards(self._batch) for shard in lane
        )
        self._lanes = [
            (
                [draw(longest, width) for width in widths],
                [np.empty((longest, width), np.float32) for width in widths],
                [np.empty_like(w) for w in self._weights],
            )
            for _ in deal_shards(self._batch)
        ]

    def epoch(self) -> float:
        """Multiply what an epoch multiplies, and say how long that took."""
        with self._pool as pool:
            started = time.perf_counter()
            for start in range(0, self._rows, self._batch):
                deal = deal_shards(min(self._batch, self._rows - start))
                pool.run(
                    [
                        partial(self._lane, lane, shards)
                        for lane, shards in zip(self._lanes, deal, strict=False)
                    ]
                )
            return time.perf_counter() - started

    def _lane(self, lane: tuple[list[Array], ...], shards: list[slice]) -> None:
        activations, slopes, gradients = lane
        alone = len(deal_shards(self._batch)) == 1
        product = partial(matmul, pool=self._pool if alone else SERIAL)
        for shard in shards:
            n = shard.stop - shard.start
            x, dy = [a[:n] for a in activations], [s[:n] for s in slopes]
            for layer, w in enumerate(self._weights):
                product(x[layer], w, out=dy[layer + 1])
            for layer in range(len(self._weights) - 1, -1, -1):
                product(x[layer].T, x[layer + 1], out=gradients[layer])
                if layer:
                    product(x[layer + 1], self._weights[layer].T, out=dy[layer])


class Torch:
    """PyTorch: plain or with its fused optimizer, flushing tiny numbers or not, compiled or not."""

    def __init__(
        self,
        job: Job,
        data: Dataset,
        threads: int,
        *,
        fused: bool = False,
        flush: bool = False,
        compiled: bool = False,
    ) -> None:
        import torch

        self.torch, self.flush = torch, flush
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        layers: list[Any] = []
        for d, h in pairwise(job.widths):
            layers += [torch.nn.Linear(d, h), torch.nn.ReLU()]
        self.network = torch.nn.Sequential(*layers[:-1])
        optimizer_class = torch.optim.Adam if job.optimizer == "adam" else torch.optim.SGD
        self._loss: Callable[[Any, Any], Any] = self._compute_loss
        if compiled:
            self._loss = torch.compile(self._compute_loss)
        self.optimizer = optimizer_class(self.network.parameters(), lr=job.rate, fused=fused)
        rows = data.inputs.reshape(len(data), -1).astype(np.float32)
        self.x = torch.from_numpy((rows - 127.5) / 127.5)
        self.y = torch.from_numpy(data.targets)
        self.batch = job.batch_size

    def epoch(self) -> None:
        """Go through all rows once."""
        torch = self.torch
        torch.set_flush_denormal(self.flush)
        if self.batch is None:
            self._step(self.x, self.y)
        else:
            for rows in torch.randperm(len(self.x)).split(self.batch):
                self._step(self.x[rows], self.y[rows])
        torch.set_flush_denormal(False)

    def _compute_loss(self, x: Any, y: Any) -> Any:
        return self.torch.nn.functional.cross_entropy(self.network(x), y)

    def _step(self, x: Any, y: Any) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self._loss(x, y).backward()
        self.optimizer.step()


class ScikitLearn:
    """scikit-learn's classifier, an epoch at a time."""

    def __init__(self, job: Job, data: Dataset) -> None:
        from sklearn.neural_network import MLPClassifier

        self.classifier = MLPClassifier(
            job.hidden,
            solver=job.optimizer,
            learning_rate_init=job.rate,
            batch_size=job.batch_size or len(data),
            alpha=0.0,
            random_state=0,
        )
        self.x = (data.inputs.reshape(len(data), -1).astype(np.float32) - 127.5) / 127.5
        self.y = data.targets
        self.classes = np.arange(10)

    def epoch(self) -> None:
        """Go through all rows once."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.classifier.partial_fit(self.x, self.y, classes=self.classes)


class TextbookEpochs:
    """The notebook's arithmetic, in float64 as it ran."""

    def __init__(self, job: Job, data: Dataset) -> None:
        generator = np.random.default_rng(0)
        arrays: list[Array] = []
        for d, h in pairwise(job.widths):
            arrays += [0.01 * generator.standard_normal((d, h)), np.zeros(h)]
        self.textbook, self.rate = Textbook(arrays, l2=5e-4), job.rate
        self.x = (data.inputs.reshape(len(data), -1).astype(np.float32) - 127.5) / 127.5
        self.y = data.targets

    def epoch(self) -> None:
        """Make one full-batch step."""
        _, gradients = self.textbook.loss_and_gradients(self.x, self.y)
        self.textbook.sgd(gradients, self.rate)


Maker = Callable[[Job, Dataset, int], Contestant]
CONTESTANTS: dict[str, Maker] = {
    "handloom[fast]": lambda job, data, threads: Handloom(job, data, threads, "fused"),
    "handloom": lambda job, data, threads: Handloom(job, data, threads, "numpy"),
    "products alone": MatrixProducts,
    "torch": Torch,
    "torch, best": lambda job, data, threads: Torch(job, data, threads, fused=True, flush=True),
    "torch, compiled": lambda job, data, threads: Torch(
        job, data, threads, fused=True, flush=True, compiled=True
    ),
    "scikit-learn": lambda job, data, threads: ScikitLearn(job, data),
    "textbook": lambda job, data, threads: TextbookEpochs(job, data),
}
