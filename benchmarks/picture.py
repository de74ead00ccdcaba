"""Pictures of a benchmark: each job's time relative to ours."""

from pathlib import Path
from typing import Any

from handloom import plots
from handloom.plots.figure import COLORS, MARKERS, drawing, new_figure

LABELS = {
    "handloom": "Handloom, NumPy backend",
    "torch": "PyTorch",
    "torch, best": "PyTorch, best",
    "torch, compiled": "PyTorch, compiled",
    "torch, bfloat16": "PyTorch, bfloat16",
    "jax": "JAX",
}
"""Names in the legend for contestants whose own would not explain themselves."""


def draw(results: dict[str, Any], folder: Path) -> None:
    """Draw how long peers take beside us, job by job, as factors of our time."""
    jobs = {
        job: timings
        for part in ("full batch", "mini-batch", "tenth epoch", "prediction")
        for job, timings in results.get(part, {}).items()
    }
    if not jobs:
        return
    contestants = sorted({name for timings in jobs.values() for name in timings})
    contestants = [name for name in contestants if name != "handloom[fast]"]
    with drawing():
        figure = new_figure(11, 1.5 + 0.7 * len(jobs), "Seconds relative to Handloom's")
        panel = figure.subplots()
        for index, name in enumerate(contestants):
            points = [
                (timings[name]["median"] / _ours(timings)["median"], -row)
                for row, timings in enumerate(jobs.values())
                if name in timings and timings[name] is not _ours(timings)
            ]
            if points:
                panel.plot(
                    [x for x, _ in points],
                    [y for _, y in points],
                    MARKERS[(index + index // len(COLORS)) % len(MARKERS)],  # none like another
                    color=COLORS[index % len(COLORS)],
                    markersize=10,
                    label=LABELS.get(name, name),
                )
        panel.axvline(1.0, color="#222222", linewidth=1.5)
        panel.set_xscale("log")
        ticks = [0.5, 1, 2, 3, 5, 10, 20]
        panel.set_xticks(ticks, [f"{tick:g}x" for tick in ticks])
        panel.set_yticks([-row for row in range(len(jobs))], list(jobs))
        panel.set_xlabel("left of the line: faster than Handloom with its fused backend")
        panel.grid(visible=True, axis="both", color="#DDDDDD")
        panel.set_axisbelow(True)
        figure.legend(loc="outside lower center", ncols=3)
    plots.save(figure, folder / "ratios.png")


def _ours(timings: dict[str, Any]) -> Any:
    return timings.get("handloom[fast]", timings.get("handloom"))
