"""Ours beside the quickest of the others and beside the products alone, on one core and on all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.goals import FLOAT32, FLOOR, FUSED
from handloom import plots
from handloom.plots.figure import COLORS, DARK, LIGHT, MARKERS, SMALL, drawing, new_figure

PARTS = {"full batch": "all cores", "mini-batch": "all cores", "one core": "one core"}
"""The parts of the results that have epochs of jobs, and the cores of each."""

DRAWN = {
    FUSED: "Handloom, fused backend",
    "jax": "JAX",
    "torch, best": "PyTorch, best",
    "torch, compiled": "PyTorch, compiled",
    "torch, bfloat16": "PyTorch, bfloat16",
    "scikit-learn": "scikit-learn",
}


class Anchor(NamedTuple):
    """One job on some cores: medians in seconds."""

    job: str
    cores: str
    ours: float
    quickest: str
    theirs: float
    floor: float | None

    def row(self) -> str:
        """Return a row of the table."""
        floor = ("", "") if self.floor is None else (f"{self.floor:.3f}", self._ratio(self.floor))
        cells = (self.job, self.cores, f"{self.ours:.3f}", self.quickest, f"{self.theirs:.3f}")
        return f"| {' | '.join((*cells, self._ratio(self.theirs), *floor))} |"

    def _ratio(self, seconds: float) -> str:
        return f"{self.ours / seconds:.2f}"


def anchors(results: dict[str, Any]) -> Iterator[Anchor]:
    """Yield the anchors in the results, job by job."""
    for part, cores in PARTS.items():
        for job, timings in results.get(part, {}).items():
            seconds = {name: timing["median"] for name, timing in timings.items()}
            others = [name for name in FLOAT32 if name in seconds]
            if FUSED in seconds and others:
                quickest = min(others, key=seconds.__getitem__)
                floor = seconds.get(FLOOR[0])
                yield Anchor(job, cores, seconds[FUSED], quickest, seconds[quickest], floor)


def table(results: dict[str, Any]) -> str:
    """Return a Markdown table: the quickest in float32, the products alone, and our ratios."""
    lines = [
        "| job | on | Handloom, s | quickest in float32 | s | ours / quickest "
        "| products alone, s | ours / products |",
        "|---|---|---:|---|---:|---:|---:|---:|",
        *(anchor.row() for anchor in anchors(results)),
    ]
    return "\n".join(lines) + "\n"


def draw(results: dict[str, Any], folder: Path) -> None:
    """Draw the seconds of everybody relative to the products alone: a panel for one core and all.

    Contestants differ by marker as well as by color; the line is the products alone.
    """
    panels: dict[str, dict[str, dict[str, Any]]] = {}
    for part, cores in PARTS.items():
        for job, timings in results.get(part, {}).items():
            if FLOOR[0] in timings:
                panels.setdefault(cores, {})[job] = timings
    if not panels:
        return
    jobs = list(dict.fromkeys(job for drawn in panels.values() for job in drawn))
    with drawing():
        title = "An epoch, relative to its matrix products alone"
        figure = new_figure(13, 2.2 + 0.6 * len(jobs), title)
        axes = figure.subplots(1, len(panels), sharey=True, sharex=True, squeeze=False)[0]
        for panel, (cores, drawn) in zip(axes, sorted(panels.items(), reverse=True), strict=True):
            for index, (name, label) in enumerate(DRAWN.items()):
                points = [
                    (timings[name]["median"] / timings[FLOOR[0]]["median"], -jobs.index(job))
                    for job, timings in drawn.items()
                    if name in timings
                ]
                panel.plot(
                    [x for x, _ in points],
                    [y for _, y in points],
                    MARKERS[index],
                    color=COLORS[index],
                    markersize=13 if name == FUSED else 9,
                    label=label,
                )
            panel.axvline(1.0, color=DARK, linewidth=1.5)
            panel.set_xscale("log")
            ticks = [0.3, 0.5, 1, 2, 3, 5, 10, 20]
            panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            panel.minorticks_off()
            panel.set_yticks([-row for row in range(len(jobs))], jobs)
            panel.set_title(cores, fontsize=SMALL)
            panel.set_xlabel("seconds / seconds of the products alone")
            panel.grid(visible=True, color=LIGHT)
            panel.set_axisbelow(True)
        axes[0].set_ylabel("job")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
    plots.save(figure, folder / "anchors.png")
