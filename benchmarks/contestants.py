"""The contestants of the benchmark: Handloom, the products alone, other libraries, the textbook.

A contestant is made for one job and then asked for one epoch at a time. It keeps its state between
epochs, so that effects of training on speed (numbers that become tiny, for one) are measured too.
"""

import shutil
import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from typing import Protocol, runtime_checkable

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.jax_epochs import Jax
from benchmarks.jobs import Array, Job, Rows, weights_of
from benchmarks.measure import Spent, spent
from benchmarks.textbook import Textbook
from benchmarks.torch_epochs import CompiledTorch, Torch
from handloom import Dataset, Trainer
from handloom.backend import FusedBackend
from handloom.parallel.partition import deal_shards
from handloom.parallel.pool import SERIAL, matmul


class Contestant(Protocol):
    """A program that makes one epoch at a time."""

    def epoch(self) -> Spent | None:
        """Go through all rows once; return the time, or None for that of the whole call."""
        ...


@runtime_checkable
class Checked(Contestant, Protocol):
    """A contestant whose weights are compared; see `benchmarks.learning`."""

    def weights(self) -> list[Array]:
        """Return weights and biases, layer by layer."""
        ...


class Handloom:
    """Ours."""

    def __init__(self, job: Job, data: Dataset, threads: int, backend: str) -> None:
        self.trainer = Trainer(
            job.network(),
            job.update(),
            job.rate,
            epochs=10**9,
            batch_size=job.batch_size,
            threads=threads,
            backend=backend,
        )
        self._prepared = self.trainer.prepare(data)

    def epoch(self) -> Spent:
        """Go through all rows once, and return the time.

        A training holds BLAS to one thread from its beginning to its end. Here that begins and
        ends with each epoch, so that peers are not held too, and does not count.
        """
        with self._prepared.threads:
            return spent(partial(self.trainer.run_epoch, self._prepared))

    def weights(self) -> list[Array]:
        """Return weights and biases, layer by layer."""
        return weights_of(self.trainer.network)


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

    def epoch(self) -> Spent:
        """Make the products of an epoch, and return the time."""
        with self._pool:
            return spent(self._multiply)

    def _multiply(self) -> None:
        for start in range(0, self._rows, self._batch):
            deal = deal_shards(min(self._batch, self._rows - start))
            lanes = zip(self._lanes, deal, strict=False)
            self._pool.run([partial(self._lane, lane, shards) for lane, shards in lanes])

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


class ScikitLearn:
    """scikit-learn's classifier, an epoch at a time, in float32."""

    def __init__(self, job: Job, data: Dataset, threads: int) -> None:
        from sklearn.neural_network import MLPClassifier

        self.classifier = MLPClassifier(
            job.hidden,
            solver=job.optimizer,
            learning_rate_init=job.rate,
            batch_size=job.batch_size or len(data),
            alpha=0.0,
            momentum=0.0,
            random_state=0,
        )
        rows, self._threads = Rows(data, job.batch_size), threads
        self._epoch = partial(
            self.classifier.partial_fit, rows.scaled, rows.classes, classes=np.arange(10)
        )

    def epoch(self) -> Spent:
        """Go through all rows once, and return the time."""
        with warnings.catch_warnings(), threadpool_limits(self._threads, user_api="blas"):
            warnings.simplefilter("ignore")
            return spent(self._epoch)


class TextbookEpochs:
    """The notebook's arithmetic, in float64 as it ran."""

    def __init__(self, job: Job, data: Dataset, threads: int) -> None:
        generator = np.random.default_rng(0)
        arrays: list[Array] = []
        for d, h in pairwise(job.widths):
            arrays += [0.01 * generator.standard_normal((d, h)), np.zeros(h)]
        self.textbook, self.rate = Textbook(arrays, l2=5e-4), job.rate
        rows, self._threads = Rows(data, None), threads
        self._x, self._y = rows.scaled, rows.classes

    def epoch(self) -> Spent:
        """Make one full-batch step."""
        with threadpool_limits(self._threads, user_api="blas"):
            return spent(self._step)

    def _step(self) -> None:
        _, gradients = self.textbook.loss_and_gradients(self._x, self._y)
        self.textbook.sgd(gradients, self.rate)


Maker = Callable[[Job, Dataset, int], Contestant]
CONTESTANTS: dict[str, Maker] = {
    "handloom[fast]": partial(Handloom, backend="fused"),
    "handloom": partial(Handloom, backend="numpy"),
    "products alone": MatrixProducts,
    "torch": Torch,
    "torch, best": partial(Torch, best=True),
    "torch, compiled": CompiledTorch,
    "torch, bfloat16": partial(Torch, best=True, bfloat16=True),
    "jax": Jax,
    "scikit-learn": ScikitLearn,
    "textbook": TextbookEpochs,
}
PACKAGES = {
    **{name: "torch" for name in CONTESTANTS if name.startswith("torch")},
    "jax": "jax",
    "scikit-learn": "sklearn",
    "handloom[fast]": "numba",
    "products alone": "numba",
}
"""The packages that some contestants import."""


def missing(name: str) -> str | None:
    """Return the reason why a contestant cannot run here, None if it can."""
    package = PACKAGES.get(name)
    if package and find_spec(package) is None:
        return f"{package} is not installed"
    if name == "torch, compiled" and shutil.which("g++") is None:
        return "there is no g++, which PyTorch compiles with"
    return None
