"""The tables and the picture of `benchmarks.ranks`: measured beside modeled times."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.ranks.model import (
    FLOAT,
    Host,
    Link,
    Measured,
    Network,
    Step,
    Training,
    moved,
    ring,
    step,
    traffic,
)
from handloom import plots
from handloom.parallel.partition import MOST_LANES
from handloom.plots.figure import COLORS, DARK, LIGHT, LINES, MARKERS, SMALL, drawing, new_figure

NETWORKS = (Network("10 Gbit/s", 30e-6, 1.25e9), Network("100 Gbit/s", 2e-6, 12.5e9))
"""TCP over Ethernet and InfiniBand; the sources of the latencies are in ``docs/scaling.md``."""

RANKS = (2, 4, 8, 16, 32, 64)
QUIET = 0.85
"""The least part of a core that a thread keeps busy, if nothing else runs on the machine."""

SUM_LANES = 4
"""The lanes of the sums that are measured."""

SHARED = ((4, 2), (4, 4), (16, 2), (16, 16), (64, 2), (64, 16), (64, 64))
"""Lanes and ranks whose traffic is compared with that of a ring."""


class Case(NamedTuple):
    """A training whose speed-up is predicted.

    Attributes
    ----------
    name : str
    training : Training
    lanes : callable
        From the number of ranks to that of lanes.
    alone : float
        The seconds of a step of one rank with as many threads.
    threads : int
        Those of each rank.
    """

    name: str
    training: Training
    lanes: Callable[[int], int]
    alone: float
    threads: int = 1

    def steps(self, host: Host, network: Network) -> dict[int, Step]:
        """Return the predicted steps by number of ranks, as far as there are lanes."""
        split = {ranks: self.lanes(ranks) for ranks in RANKS}
        return {
            ranks: step(
                self.training,
                host,
                (network, network),
                ranks=ranks,
                lanes=lanes,
                threads=self.threads,
            )
            for ranks, lanes in split.items()
            if lanes <= MOST_LANES
        }


def host_of(results: dict[str, Any]) -> Host:
    """Return the measured times of this machine."""
    sums, agreement = results["sums"]["2"], results["messages"]["2"]["agreement"]["0"]
    sizes = [moved(int(weights), SUM_LANES, 2) for weights in sums]
    times = [one["sum"]["median"] - one["messages"] for one in sums.values()]
    return Host(Measured(sizes, times), agreement["median"])


def links_of(results: dict[str, Any]) -> tuple[Link, Link]:
    """Return the measured messages of two ranks."""
    first, second = (results["messages"]["2"][kind] for kind in ("first", "second"))
    return _measured(first), _measured(second)


def _measured(timings: dict[str, Any]) -> Measured:
    return Measured(
        [float(size) for size in timings], [each["median"] for each in timings.values()]
    )


def training_of(parts: list[dict[str, Any]], batch: int) -> Training:
    """Return a training from the measured parts of its steps, of lanes of some numbers of rows."""
    lane = Measured([part["rows"] for part in parts], [part["lane"] for part in parts])
    last = parts[-1]
    return Training(last["weights"], batch, lane, last["update"], last["statistics"])


def cases(results: dict[str, Any]) -> list[Case]:
    """Return the trainings whose speed-up is predicted."""
    costs, host = results["costs"]["1"], host_of(results)
    wide, many = training_of(costs["wide"], 8192), training_of(costs["cnn"], 4096)
    cnn, flash = training_of(costs["cnn"], 128), training_of(costs["mlp-flash"], 256)

    def alone(training: Training, lanes: int, threads: int = 1) -> float:
        links = links_of(results)
        return step(training, host, links, ranks=1, lanes=lanes, threads=threads).seconds

    threaded = alone(wide, 8, threads=8)
    compiled = results["trainings"]["2"]["mlp-flash"]["fused"]["1 thread"]["median"]
    whole = flash._replace(lane=Measured([256.0], [compiled]), update=0.0)
    return [
        Case("wide, 64 lanes", wide, lambda _: 64, alone(wide, 1)),
        Case("wide, a lane for each rank", wide, lambda ranks: ranks, alone(wide, 1)),
        Case("wide, 8 lanes and threads a rank", wide, lambda ranks: 8 * ranks, threaded, 8),
        Case("cnn with batches of 4,096, 64 lanes", many, lambda _: 64, alone(many, 64)),
        Case("cnn as it is: 2 lanes", cnn, lambda _: 2, alone(cnn, 2)),
        Case("mlp-flash, a lane for each rank", flash, lambda ranks: ranks, compiled),
        Case("mlp-flash as it is: 1 lane", whole, lambda _: 1, compiled),
    ]


def tables(results: dict[str, Any]) -> dict[str, str]:
    """Return the tables by name, in Markdown."""
    made = (messages_table, crowded_table, sums_table, trainings_table, model_table)
    predicted = (predictions_table, traffic_table)
    return {each.__name__.removesuffix("_table"): each(results) for each in (*made, *predicted)} | {
        "measured on": machine_line(results)
    }


def machine_line(results: dict[str, Any]) -> str:
    """Return the environment that the figures depend on."""
    on = results["machine"]
    names = [f"{name} {on[name]}" for name in ("numpy", "numba", "mpi4py", "mpich") if name in on]
    line = f"Measured on {on['cores']} cores ({on['processor']}), {on['blas']}, "
    line += f"Python {on['python']}, {', '.join(names)}."
    changed = ", ".join(f"{name}={value}" for name, value in on["set"].items())
    line += f" Set in the environment: {changed}." if changed else ""
    busy = min(runs["1 thread"]["cores"] for _, _, runs in _trainings(results))
    return line if busy >= QUIET else f"{line} **Other work ran on the machine: measure again.**"


def messages_table(results: dict[str, Any]) -> str:
    """Return the messages between two ranks, with their spread."""
    timed = results["messages"]["2"]
    rows = []
    for size, second in timed["second"].items():
        spreads = [_spread(timed[kind][size]) for kind in ("one way", "first", "second")]
        rows.append([_size(int(size)), *spreads, f"{2e-9 * int(size) / second['median']:.2g}"])
    rows.append(["an agreement", _spread(timed["agreement"]["0"]), "", "", ""])
    head = ["bytes to the other rank", "one way, µs", "first message, µs", "second, µs"]
    return _table([*head, "second, GB/s both ways"], rows)


def crowded_table(results: dict[str, Any]) -> str:
    """Return the messages of more ranks than this machine has cores, and of two."""
    head = ["ranks", "bytes to each other rank", "first message, µs", "second, µs"]
    rows = []
    for ranks, timed in results["messages"].items():
        for size in ("1024", "1048576"):
            spreads = [_spread(timed[kind][size]) for kind in ("first", "second")]
            rows.append([ranks, _size(int(size)), *spreads, _spread(timed["agreement"]["0"])])
    return _table([*head, "an agreement, µs"], rows)


def sums_table(results: dict[str, Any]) -> str:
    """Return the sum of four lanes on two ranks, and the time of its messages."""
    rows = []
    for size, one in results["sums"]["2"].items():
        total, inside = one["sum"]["median"], one["messages"]
        cells = [f"{int(size):,}", _spread(one["sum"]), _micro(inside), _micro(total - inside)]
        rows.append([*cells, _share(1.0 - inside / total)])
    head = ["weights", "sum, µs", "its messages", "packing, adding, Python", "share of that"]
    return _table(head, rows)


def trainings_table(results: dict[str, Any]) -> str:
    """Return two ranks beside two threads, and where the time of the ranks goes.

    Raises
    ------
    RuntimeError
        If weights differ between ranks and threads.
    """
    rows = []
    for name, backend, runs in _trainings(results):
        shared = [runs[each] for each in ("1 thread", "2 threads", "2 ranks", "2 ranks, meeting")]
        if len({run["digest"] for run in shared}) > 1:
            raise RuntimeError(f"{name}, {backend}: ranks and threads do not give the same bits")
        one, two, ranks, meeting = shared
        default = runs.get("2 threads, default")
        cells = [name, backend, f"{ranks['lanes']}"]
        cells += [_milli(run["median"]) for run in (one, two, ranks)]
        cells += [_milli(default["median"]) if default else "the same"]
        cells += [f"{two['median'] / ranks['median']:.2f}"]
        cells += [_share(ranks["communication"] / ranks["median"])]
        parts = (meeting["communication"], meeting["waiting"])
        cells += [_share(part / meeting["median"]) for part in parts]
        rows.append([*cells, f"`{ranks['digest'][:8]}`"])
    head = ["network", "backend", "lanes", "1 thread, ms", "2 threads", "2 ranks"]
    head += ["2 threads with defaults", "2 threads / 2 ranks", "communication"]
    return _table([*head, "of it messages", "waiting", "digest of all"], rows)


def model_table(results: dict[str, Any]) -> str:
    """Return predicted steps beside the measured ones."""
    host, links, rows = host_of(results), links_of(results), []
    for name, backend, runs in _trainings(results):
        if "parts" not in runs:
            continue
        parts, lanes = runs["parts"], runs["2 ranks"]["lanes"]
        training = training_of([parts], round(parts["rows"] * lanes))
        cells = [name, backend]
        for ranks, measured in ((1, "1 thread"), (2, "2 ranks")):
            predicted = step(training, host, links, ranks=ranks, lanes=lanes)
            seconds = runs[measured]["median"]
            cells += [_milli(predicted.seconds), _milli(seconds)]
            cells += [f"{100 * (predicted.seconds / seconds - 1):+.0f} %"]
        rows.append([*cells, _share(predicted.communication)])
    head = ["network", "backend", "1 rank, predicted, ms", "measured", "error"]
    head += ["2 ranks, predicted, ms", "measured", "error", "communication, predicted"]
    return _table(head, rows)


def predictions_table(results: dict[str, Any]) -> str:
    """Return the predicted speed-ups."""
    host, rows = host_of(results), []
    for case in cases(results):
        for network in NETWORKS:
            steps = case.steps(host, network)
            gains = [
                f"{case.alone / steps[ranks].seconds:.3g}" if ranks in steps else ""
                for ranks in RANKS
            ]
            rows.append([case.name, network.name, _milli(case.alone), *gains])
    head = ["training", "network", "1 rank, ms", *(f"{ranks} ranks" for ranks in RANKS)]
    return _table(head, rows)


def traffic_table(results: dict[str, Any]) -> str:
    """Return the bytes of the busiest rank in gradients, beside those of a ring allreduce."""
    wide = training_of(results["costs"]["1"]["wide"], 8192).weights
    rows = []
    for lanes, ranks in SHARED:
        sent, whole = traffic(wide, lanes, ranks), FLOAT * wide
        once, bound = sum(sent), ring(wide, ranks)
        cells = [f"{lanes}", f"{ranks}", *(f"{part / whole:.2f}" for part in sent)]
        cells += [f"{bound / whole:.2f}", f"{once / bound:.3g}"]
        rows.append([*cells, *(f"{1e3 * once / network.bandwidth:,.0f}" for network in NETWORKS)])
    head = ["lanes", "ranks", "first message", "second", "ring", "ours / ring"]
    return _table([*head, *(f"wide, ms at {network.name}" for network in NETWORKS)], rows)


def with_tables(page: str, made: dict[str, str]) -> str:
    """Return a page with new tables between its marks.

    Raises
    ------
    ValueError
        If the page has no marks for a table.
    """
    for name, table in made.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        marks = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if not marks.search(page):
            raise ValueError(f"the page has no marks {begin.strip()} and {end}")
        between = f"{begin}\n{table}\n\n{end}"
        page = marks.sub(lambda _, between=between: between, page)  # type: ignore[misc]
    return page


def draw(results: dict[str, Any], folder: Path) -> None:
    """Draw the predicted speed-ups, a panel for each network."""
    host = host_of(results)
    with drawing():
        figure = new_figure(13, 8.2, "Predicted speed-up of a step, one rank per host")
        axes = figure.subplots(1, len(NETWORKS), sharey=True)
        for panel, network in zip(axes, NETWORKS, strict=True):
            panel.plot(RANKS, RANKS, color=DARK, linewidth=1, label="as many times as ranks")
            for index, case in enumerate(cases(results)):
                steps = case.steps(host, network)
                panel.plot(
                    list(steps),
                    [case.alone / each.seconds for each in steps.values()],
                    linestyle=LINES[index % len(LINES)],
                    marker=MARKERS[index],
                    markersize=9,
                    color=COLORS[index],
                    label=case.name,
                )
            latency = f"{1e6 * network.latency:.0f} µs latency"
            panel.set_title(f"{network.name}, {latency}", fontsize=SMALL)
            panel.set(xscale="log", yscale="log", xlabel="ranks")
            panel.minorticks_off()
            panel.set_xticks(RANKS, [str(ranks) for ranks in RANKS])
            panel.grid(visible=True, color=LIGHT)
            panel.set_axisbelow(True)
        ticks = (0.01, 0.03, 0.1, 0.3, 1, *RANKS)
        low, high = axes[0].get_ylim()
        shown = [tick for tick in ticks if low <= tick <= high]
        axes[0].set_yticks(shown, [f"{tick:g}" for tick in shown])
        axes[0].set_ylabel("times as fast as one rank")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
    plots.save(figure, folder / "ranks.png")


def _trainings(results: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, backends in results["trainings"]["2"].items():
        for backend, runs in backends.items():
            yield name, backend, runs


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _size(nbytes: int) -> str:
    megabytes, kilobytes = nbytes >> 20, nbytes >> 10
    return f"{megabytes} MB" if megabytes else f"{kilobytes} KB"


def _spread(timing: dict[str, Any]) -> str:
    low, high = (_micro(timing[end]) for end in ("low", "high"))
    return f"{_micro(timing['median'])} ({low} to {high})"


def _micro(seconds: float) -> str:
    return f"{1e6 * seconds:,.0f}" if seconds > 1e-5 else f"{1e6 * seconds:.1f}"


def _milli(seconds: float) -> str:
    return f"{1e3 * seconds:,.3g}" if seconds < 1 else f"{1e3 * seconds:,.0f}"


def _share(part: float) -> str:
    return f"{100 * part:.0f} %"
