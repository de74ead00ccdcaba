"""``python -m benchmarks.scale --out DIR``: how the time of a compiled step grows with its size.

Measures steps of many sizes with one thread and with all, fits the model of
`benchmarks.step_model` to two thirds of them, and tries it on the others. Writes ``scale.json``
and a picture.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from itertools import compress, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.__main__ import dataset, machine
from benchmarks.jobs import Array, Job
from benchmarks.measure import Spent, in_turn, spent
from benchmarks.step_model import (
    BATCHES,
    PHASES,
    WIDTHS,
    Fit,
    counts,
    fitted,
    grid,
    held_out,
    job_of,
)
from handloom import Dataset, Trainer, plots
from handloom.parallel.threads import default_threads
from handloom.plots.figure import BLUE, DARK, LIGHT, VERMILLION, drawing, new_figure

CALL_MULTIPLICATIONS, MOST_STEPS = 10**9, 500
"""A measured call makes about this many multiplications, in at most this many steps."""

QUIET = 0.85
"""The fewest processors that are busy for each thread, if nothing else runs on the machine."""


class Comparison(NamedTuple):
    """Measured steps with some number of threads, and the model of them.

    All but a tenth of the jobs kept at least ``busy`` processors busy.
    """

    threads: int
    seconds: Array
    busy: float
    fit: Fit

    @property
    def cores(self) -> str:
        """The label of tables and of the picture."""
        return "1 core" if self.threads == 1 else f"{self.threads} cores"


def steps(job: Job, data: Dataset, threads: int) -> Callable[[], Spent]:
    """Return a call that makes some steps, and returns the time of one."""
    options: dict[str, Any] = {"batch_size": job.batch_size, "threads": threads}
    trainer = Trainer(job.network(), job.update(), job.rate, backend="fused", **options)
    prepared = trainer.prepare(data)
    if not trainer.history.compiled_steps:
        raise RuntimeError(f"{job.name}: steps must run compiled, but run layer by layer")
    order = prepared.order(0)
    number = min(MOST_STEPS, len(order), 1 + CALL_MULTIPLICATIONS // counts(job).multiplications)
    part, rates = order.part(0, number), [job.rate] * number

    def call() -> Spent:
        with prepared.threads:
            taken = spent(partial(prepared.runner.run, prepared.arrays, part, rates))
        return Spent(*(value / number for value in taken))

    return call


def measure(data: Dataset, threads: list[int], rounds: int) -> dict[str, Any]:
    """Return the seconds of a step of every job, and the busy processors, by number of threads."""
    calls = {(job.name, count): steps(job, data, count) for job, count in product(grid(), threads)}
    timed = in_turn({f"{name}, {count}": call for (name, count), call in calls.items()}, rounds)
    results: dict[str, Any] = {}
    for count in threads:
        timings = [timed[f"{job.name}, {count}"] for job in grid()]
        results[str(count)] = {
            "seconds": [timing["median"] for timing in timings],
            "cores": [timing["cores"] for timing in timings],
        }
    return results


def compared(results: dict[str, Any]) -> list[Comparison]:
    """Fit the model to the jobs that are not held out, for each number of threads."""
    fit_to = [not held for held in held_out(grid())]
    jobs = list(compress(grid(), fit_to))
    return [
        Comparison(
            int(count),
            seconds,
            float(np.quantile(one["cores"], 0.1)),
            fitted(jobs, seconds[fit_to]),
        )
        for count, one in results.items()
        for seconds in [np.array(one["seconds"])]
    ]


def constants_table(comparisons: list[Comparison]) -> str:
    """Return a Markdown table of the constants, and of the errors for jobs that were not fitted."""
    lines = [
        "| on | latency, µs a step | billion multiplications a second | GB/s "
        "| error, median | worst | processors busy, at least |",
        "|---|" + "---:|" * 6,
    ]
    for one in comparisons:
        latency, work, moved = (float(value) for value in one.fit.constants)
        per_second = [1e-9 / value if value else np.inf for value in (work, moved)]
        error = np.abs(one.fit.seconds(grid()) / one.seconds - 1)[held_out(grid())]
        cells = [one.cores, f"{1e6 * PHASES * latency:.1f}", *(f"{x:.0f}" for x in per_second)]
        cells += [f"{100 * x:.0f} %" for x in (np.median(error), error.max())]
        lines.append(f"| {' | '.join(cells)} | {one.busy:.2f} |")
    disturbed = [one.cores for one in comparisons if one.busy < QUIET * one.threads]
    if disturbed:
        lines += ["", f"Other work ran on the machine: measure {' and '.join(disturbed)} again."]
    return "\n".join(lines) + "\n"


def sizes_table(comparisons: list[Comparison]) -> str:
    """Return a Markdown table of predicted steps of two layers with Adam.

    The last columns are extrapolated: the rate grows with the cores, the latency stays, and the
    bandwidth stays (first figure) or grows too (second).
    """
    one, most = comparisons[0], comparisons[-1]
    lines = [
        f"| batch | units | µs a step, 1 core | {most.cores} | work, 1 core | {most.cores} "
        f"| speed-up, {most.cores} | *4 cores, extrapolated* | *8 cores, extrapolated* |",
        "|" + "---:|" * 9,
    ]
    for batch, width in product(BATCHES[::2], WIDTHS[::2]):
        jobs = [job_of(batch, width, 2)]
        alone = one.fit.seconds(jobs).item()
        cells = [f"{batch}", f"{width}"]
        cells += [f"{1e6 * each.fit.seconds(jobs).item():.0f}" for each in (one, most)]
        cells += [f"{100 * each.fit.work_share(jobs).item():.0f} %" for each in (one, most)]
        cells.append(f"{alone / most.fit.seconds(jobs).item():.2f}")
        for cores in (4, 8):
            more = [most.fit.with_cores(cores / most.threads, bandwidth=b) for b in (False, True)]
            gains = " to ".join(f"{alone / fit.seconds(jobs).item():.1f}" for fit in more)
            cells.append(f"*{gains}*")
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "The least batch of which multiplications take half of the time:",
        "",
        f"| units | {' | '.join(map(str, WIDTHS))} |",
        "|---|" + "---:|" * len(WIDTHS),
    ]
    for each in comparisons:
        bounds = [str(each.fit.bound_by_work(width) or "none") for width in WIDTHS]
        lines.append(f"| {each.cores} | {' | '.join(bounds)} |")
    return "\n".join(lines) + "\n"


def draw(comparisons: list[Comparison], folder: Path) -> None:
    """Draw predicted against measured times; jobs that were fitted have hollow markers."""
    held = np.array(held_out(grid()))
    with drawing():
        figure = new_figure(8.5, 8.5, "A step's time, predicted from its size")
        panel = figure.subplots()
        styles = ((BLUE, "o"), (VERMILLION, "s"))
        for one, (color, marker) in zip(comparisons, styles, strict=False):
            measured, predicted = 1e6 * one.seconds, 1e6 * one.fit.seconds(grid())
            for which, fill, part in ((~held, "none", "fitted"), (held, color, "held out")):
                panel.plot(
                    measured[which],
                    predicted[which],
                    marker,
                    color=color,
                    markerfacecolor=fill,
                    label=f"{one.cores}, {part}",
                )
        times = 1e6 * np.concatenate([one.seconds for one in comparisons])
        ends = [0.8 * times.min(), 1.25 * times.max()]
        panel.plot(ends, ends, color=DARK, linewidth=1.5, label="predicted as measured")
        powers = 10.0 ** np.arange(np.ceil(np.log10(ends[0])), np.log10(ends[1]))
        panel.set(xscale="log", yscale="log", aspect="equal")
        panel.set_xticks(powers, [f"{power:,.0f}" for power in powers])
        panel.set_yticks(powers, [f"{power:,.0f}" for power in powers])
        panel.set_xlabel("measured, microseconds a step")
        panel.set_ylabel("predicted, microseconds a step")
        panel.grid(visible=True, color=LIGHT)
        panel.set_axisbelow(True)
        panel.legend()
    plots.save(figure, folder / "scale.png")


def main() -> None:
    """Measure, or show the results of an earlier run again."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/scale"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--draw", type=Path, help="only show a results file again")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.draw:
        results = json.loads(options.draw.read_text())
    else:
        data, threads = dataset(), sorted({1, default_threads()})
        results = {"machine": machine(data, threads[-1])}
        results["steps"] = measure(data, threads, options.rounds)
        (options.out / "scale.json").write_text(json.dumps(results, indent=1))
    comparisons = compared(results["steps"])
    print(f"{constants_table(comparisons)}\n{sizes_table(comparisons)}")
    draw(comparisons, options.out)


if __name__ == "__main__":
    main()
