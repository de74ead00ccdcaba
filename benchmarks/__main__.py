"""``python -m benchmarks``: Handloom beside its peers, in one run.

Writes ``results.json`` and pictures; see ``docs/performance.md`` for what they show.
"""

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from benchmarks import anchors, convolution
from benchmarks.contestants import CONTESTANTS, ScikitLearn, missing
from benchmarks.goals import table
from benchmarks.jobs import FULL_BATCH, MINI_BATCH, Array, Job
from benchmarks.learning import CHECKS, losses
from benchmarks.measure import Timing, in_turn, process, summary
from benchmarks.picture import draw
from benchmarks.torch_epochs import network_of
from handloom import Dataset, Dense, ReLU, Sequential, Softmax, open_folder, silhouettes
from handloom.layers import Layer
from handloom.parallel.threads import default_threads

SHOWN_AS_MEASURED = ("learning", "full batch", "mini-batch", "one core")

BLAS_VARIABLES = ("OPENBLAS_", "MKL_", "OMP_")
"""Beginnings of the environment variables that change how fast products are."""

ON_DEMAND = ("million rows",)
"""Parts that run only if they are named: half an hour and 8 GB of disk."""


def main() -> None:
    """Measure the requested parts, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark"))
    usual = [name for name in PARTS if name not in ON_DEMAND]
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=usual)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each full-size job")
    parser.add_argument("--limit", type=int, help="only so many rows, to try it out")
    parser.add_argument("--draw", type=Path, help="only show a results file again")
    options = parser.parse_args()
    results: dict[str, Any]
    if options.draw:
        results = json.loads(options.draw.read_text())
        report(results, options.draw.parent)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    data, threads = dataset(), default_threads()
    data = data.take(slice(0, options.limit)) if options.limit else data
    path = options.out / "results.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    results["machine"] = machine(data, threads)
    for name in filter(missing, CONTESTANTS):
        print(f"left out: {name} ({missing(name)})")
    for name in options.only:
        print(f"{name} ...", flush=True)
        results[name] = PARTS[name](data, threads, options.rounds)
        path.write_text(json.dumps(results, indent=1))
        if name not in SHOWN_AS_MEASURED:
            show(results[name])
    report(results, options.out)
    print(f"\nWrote {path} and pictures beside it.")


def report(results: dict[str, Any], folder: Path) -> None:
    """Print the tables of some results, and draw them."""
    print(f"\n{anchors.table(results)}\n{table(results)}")
    draw(results, folder)
    anchors.draw(results, folder)


def dataset() -> Dataset:
    """Return Fashion-MNIST where it is at hand, else as many generated rows."""
    named = os.environ.get("HANDLOOM_DATA")
    return (open_folder(named) if named else silhouettes(60_000, test_rows=10_000)).train


def machine(data: Dataset, threads: int) -> dict[str, object]:
    """Return the environment that the figures depend on."""
    blas = threadpool_info()[0]
    packages = ["numpy", "numba", "torch", "jax", "scikit-learn"]
    return {
        "dataset": f"{data.name}, {len(data):,} rows",
        "threads": threads,
        "cores": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "blas": f"{blas['internal_api']} {blas['version']} ({blas.get('architecture')})",
        "python": platform.python_version(),
        "set": {name: os.environ[name] for name in os.environ if name.startswith(BLAS_VARIABLES)},
        **{
            name: version(name)
            for name in packages
            if find_spec(name.replace("-learn", "").replace("scikit", "sklearn"))
        },
    }


def contestants(job: Job) -> list[str]:
    """Return the contestants that can run a job here."""
    names = [name for name in CONTESTANTS if missing(name) is None]
    return [name for name in names if name != "textbook" or job.batch_size is None]


def learning(data: Dataset, threads: int, rounds: int) -> dict[str, Any]:
    """Compare losses after an epoch; only contestants with equal ones have comparable times."""
    results: dict[str, Any] = {}
    for job in (*FULL_BATCH, *MINI_BATCH):
        for name, check in CHECKS.items():
            entry = losses(job, check.rows(job, data), threads, contestants(job))
            results[f"{job.name}, {name}"] = entry
            figures = ", ".join(f"{name} {loss:.5f}" for name, loss in entry.items())
            print(f"  {job.name}, loss after {name}: {figures}", flush=True)
            check.refuse(job, entry)
    return results


def epochs(jobs: list[Job], data: Dataset, threads: int, rounds: int) -> dict[str, Any]:
    """Time epochs of the same job by everybody, in turn."""
    results: dict[str, Any] = {}
    for job in jobs:
        entered = {name: CONTESTANTS[name](job, data, threads) for name in contestants(job)}
        results[job.name] = in_turn(
            {name: one.epoch for name, one in entered.items()}, rounds, warm_up=1
        )
        show({job.name: results[job.name]})
    return results


def one_core(data: Dataset, threads: int, rounds: int) -> dict[str, Any]:
    """Time epochs of all jobs with one thread for everybody."""
    return epochs([*FULL_BATCH, *MINI_BATCH], data, 1, rounds)


def tenth_epoch(data: Dataset, threads: int, rounds: int) -> dict[str, Any]:
    """Time ten epochs with small batches in a row: training should not get slower."""
    job = MINI_BATCH[1]
    names = [name for name in contestants(job) if name != "products alone"]
    entered = {name: CONTESTANTS[name](job, data, threads) for name in names}
    timed = in_turn({name: one.epoch for name, one in entered.items()}, 10, warm_up=0)
    results: dict[str, Any] = {"batch 32, tenth epoch": {}, "batch 32, first epoch": {}}
    for name, timing in timed.items():
        results["batch 32, first epoch"][name] = summary(timing["rounds"][:1])
        results["batch 32, tenth epoch"][name] = summary(timing["rounds"][-1:])
    return results


def prediction(data: Dataset, threads: int, rounds: int) -> dict[str, Any]:
    """Time the probabilities of 10,000 rows and of one, of prepared rows."""
    rows = (data.inputs[:10_000].reshape(-1, 784).astype(np.float32) - 127.5) / 127.5
    job = MINI_BATCH[0]
    layers: list[Layer] = [Dense(128), ReLU(), Dense(128), ReLU(), Dense(10), Softmax()]
    network = Sequential(layers).build((784,))
    calls: dict[str, Callable[[Array], object]] = {"handloom": network.predict}
    if find_spec("torch"):
        calls["torch, best"] = _torch_prediction(job, threads)
    if find_spec("sklearn"):
        fitted = ScikitLearn(job, data.take(slice(0, 1000)), threads)
        fitted.epoch()
        calls["scikit-learn"] = fitted.classifier.predict_proba
    return {
        f"predict {count:,} rows": in_turn(
            {name: partial(call, rows[:count]) for name, call in calls.items()},
            10,
            repeat=repeat,
        )
        for count, repeat in ((10_000, 5), (1, 500))
    }


def _torch_prediction(job: Job, threads: int) -> Callable[[Array], object]:
    import torch

    torch.set_num_threads(threads)
    network = network_of(job)

    def predict(x: Array) -> object:
        with torch.inference_mode():
            return torch.softmax(network(torch.from_numpy(x)), dim=1).numpy()

    return predict


ROWS = """
import json, sys
from benchmarks.goals import table
from benchmarks.measure import peak_memory
from handloom import Adam, Dense, ReLU, Sequential, Trainer, read_npy
rows, backend, epochs = int(sys.argv[1]), sys.argv[2], int(sys.argv[4])
data = read_npy("inputs.npy", "targets.npy").take(slice(0, rows))
network = Sequential([Dense(128), ReLU(), Dense(128), ReLU(), Dense(10)]).build((784,))
batch = None if sys.argv[3] == "full" else int(sys.argv[3])
options = {"batch_size": batch, "backend": backend, "transform": "scale"}
trainer = Trainer(network, Adam(), 1e-3, epochs=epochs, **options)
seconds = trainer.fit(data)["seconds"][1:].mean()
print(json.dumps([seconds, peak_memory()]))
"""


ROW_COUNTS = (1_000, 10_000, 60_000, 600_000)
MANY_ROWS = 1_000_000
"""From this number of rows on, one process makes two epochs; below, three make three each."""


def rows(data: Dataset, threads: int, rounds: int) -> dict[str, Any]:
    """Time an epoch, and its memory, over more and more rows of a mapped file."""
    return _rows(data, ROW_COUNTS)


def million_rows(data: Dataset, threads: int, rounds: int) -> dict[str, Any]:
    """Time an epoch, and its memory, over 10,000 to 10 million rows: a file of 8 GB."""
    return _rows(data, (10_000, 100_000, 1_000_000, 10_000_000))


def _rows(data: Dataset, counts: Sequence[int]) -> dict[str, Any]:
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        most = max(counts)
        mapped = np.lib.format.open_memmap(
            f"{folder}/inputs.npy", mode="w+", dtype=np.uint8, shape=(most, 784)
        )
        for start in range(0, most, len(data)):
            part = mapped[start : start + len(data)]
            part[...] = data.inputs.reshape(len(data), -1)[: len(part)]
        mapped.flush()
        del mapped
        np.save(f"{folder}/targets.npy", np.resize(data.targets, most))
        code = f"import os; os.chdir({folder!r})\n{ROWS}"
        for batch in ("full", "128"):
            for count in counts:
                processes, each = (3, 3) if count < MANY_ROWS else (1, 2)
                arguments = (code, str(count), "fused", batch, str(each))
                runs = [json.loads(process(*arguments)[1]) for _ in range(processes)]
                results[f"{batch} batch, {count:,} rows"] = {
                    "microseconds per row": summary([1e6 * run[0] / count for run in runs]),
                    "peak memory (MB)": summary([run[1] for run in runs]),
                }
    return results


def shapes(data: Dataset, threads: int, rounds: int) -> dict[str, Any]:
    """Time an epoch of 10,000 rows for wider and for deeper networks."""
    some = data.take(slice(0, 10_000))
    jobs = [Job(f"width {w}", (w, w), 128, "adam", 1e-3) for w in (64, 128, 256, 512, 1024, 2048)]
    jobs += [Job(f"depth {d}", (128,) * d, 128, "adam", 1e-3) for d in (1, 2, 4, 8)]
    names = [name for name in ("handloom[fast]", "torch, best") if missing(name) is None]
    return {
        job.name: in_turn({name: CONTESTANTS[name](job, some, threads).epoch for name in names}, 3)
        for job in jobs
    }


FULL_BATCH_MEMORY = """
import os, sys
from benchmarks.goals import table
from benchmarks.measure import peak_memory
from handloom import SGD, Dense, ReLU, Sequential, Trainer, open_folder, silhouettes
named = os.environ.get("HANDLOOM_DATA")
data = (open_folder(named) if named else silhouettes(60_000, test_rows=10)).train
network = Sequential([Dense(128), ReLU(), Dense(128), ReLU(), Dense(10)]).build((784,))
Trainer(network, SGD(), 0.1, epochs=3, backend=sys.argv[1]).fit(data)
print(peak_memory())
"""


def processes(data: Dataset, threads: int, rounds: int) -> dict[str, Any]:
    """Measure whole processes: how long imports take, and how much memory a full batch."""
    beyond = "import time, numpy\nstarted = time.perf_counter()\nimport handloom\n"
    beyond += "print(time.perf_counter() - started)"
    shown = "import sys; sys.argv = ['handloom', '--help']\nfrom handloom.cli import main; main()"
    return {
        "import handloom, beyond NumPy (s)": {
            "handloom": summary([float(process(beyond)[1]) for _ in range(7)])
        },
        "handloom --help (s)": {"handloom": summary([process(shown)[0] for _ in range(7)])},
        "full batch, peak memory (MB)": {
            name: summary([float(process(FULL_BATCH_MEMORY, backend)[1]) for _ in range(3)])
            for name, backend in (("handloom", "numpy"), ("handloom[fast]", "fused"))
        },
        "fused backend, ready (s)": {"handloom[fast]": _preparation()},
    }


def _preparation() -> Timing:
    code = """
from handloom import Adam, Dense, ReLU, Sequential, Trainer, silhouettes
data = silhouettes(rows=10, test_rows=10).train
network = Sequential([Dense(128), ReLU(), Dense(10)]).build((784,))
trainer = Trainer(network, Adam(), 1e-3, backend="fused")
trainer.begin(data)
print(trainer.history.preparation_seconds)
"""
    return summary([float(process(code)[1]) for _ in range(5)])


def show(results: dict[str, Any]) -> None:
    """Print the medians with their spread, and the ratio of ours to each of the others."""
    for job, timings in results.items():
        print(f"  {job}")
        ours = timings.get("handloom[fast]", timings.get("handloom"))
        for name, timing in timings.items():
            line = f"    {name:<22} {timing['median']:11.6g} "
            line += f"({timing['low']:.6g} to {timing['high']:.6g})"
            if "cores" in timing and "first" in timing:
                line += f"   cores {timing['cores']:.2f}, first {timing['first']:.3g}"
            if ours and ours is not timing:
                line += f"   ours / this {ours['median'] / timing['median']:.2f}"
            print(line, flush=True)


def convolutions(data: Dataset, threads: int, rounds: int) -> dict[str, Any]:
    """Time convolutional layers, on one thread each; the last part, as PyTorch stays at one."""
    return convolution.measure()


PARTS: dict[str, Callable[[Dataset, int, int], dict[str, Any]]] = {
    "learning": learning,
    "full batch": partial(epochs, FULL_BATCH),
    "mini-batch": partial(epochs, MINI_BATCH),
    "one core": one_core,
    "tenth epoch": tenth_epoch,
    "prediction": prediction,
    "rows": rows,
    "million rows": million_rows,
    "shapes": shapes,
    "processes": processes,
    "convolution": convolutions,
}

if __name__ == "__main__":
    main()
