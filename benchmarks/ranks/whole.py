"""``python -m benchmarks.ranks.whole ranks|threads dense|cnn``: the steps of a whole training.

Started by ``mpiexec -n 2`` with one thread a rank, or alone with two threads. In contrast to the
turns of `benchmarks.ranks`, threads stay awake from call to call, as in any training.
"""

import argparse

import numpy as np

from benchmarks.ranks.jobs import images
from handloom import Adam, Dense, ReLU, Sequential, Trainer
from handloom.recipes.recipe import RecipeSettings
from handloom.recipes.registry import named_recipe

EPOCHS = 8


def main() -> None:
    """Train, and print the median time of a step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared_by", choices=["ranks", "threads"])
    parser.add_argument("network", choices=["dense", "cnn"])
    options = parser.parse_args()
    trainer = _trainer(options.network, ranks=options.shared_by == "ranks")
    history = trainer.fit(images())
    if trainer.leads:
        steps = -(-len(images()) // (trainer.options.batch_size or 1))
        seconds = history["seconds"]
        share = history.communication_seconds / seconds.sum()
        step = 1e3 * float(np.median(seconds)) / steps
        print(f"{options.network}, {options.shared_by}: {step:.2f} ms, messages {share:.0%}")


def _trainer(network: str, *, ranks: bool) -> Trainer:
    threads = 1 if ranks else 2
    if network == "cnn":
        settings = RecipeSettings(named_recipe("cnn"), epochs=EPOCHS, threads=threads)
        built = settings.build(images())
        steps = settings.steps(images(), built)
        return settings.trainer(built, steps, distributed="mpi" if ranks else None)
    layers = [Dense(512), ReLU(), Dense(512), ReLU(), Dense(10)]
    return Trainer(
        Sequential(layers).build((784,), seed=0),
        Adam(),
        1e-3,
        epochs=EPOCHS,
        batch_size=512,
        lanes=2,
        shard_rows=256,
        threads=threads,
        backend="fused",
        distributed="mpi" if ranks else None,
    )


if __name__ == "__main__":
    main()
