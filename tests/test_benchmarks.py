"""Recipes over seeds: earlier runs are reused, and missing ones are run."""

from benchmarks.recipes import Curve, Run, described, in_turn, runs_of


def curve(seed: int) -> Curve:
    return [(1.0, 0.5), (2.0 + seed, 0.5 + seed / 10)]


def test_everyone_has_a_seed_before_anyone_has_the_next() -> None:
    ran: list[tuple[str, int]] = []

    def run(name: str, seed: int) -> Curve:
        ran.append((name, seed))
        return curve(seed)

    contestants = {"us": lambda seed: run("us", seed), "them": lambda seed: run("them", seed)}
    after_each = list(in_turn("x", contestants, 2, {}))
    assert ran == [("us", 0), ("them", 0), ("us", 1), ("them", 1)]
    assert [results["us"]["seeds"] for results in after_each] == [[0], [0, 1]]
    assert after_each[-1]["us"]["accuracies"] == [0.5, 0.6]
    assert after_each[-1]["us"]["seconds"] == 2.5


def test_more_seeds_are_added_to_those_that_are_there() -> None:
    *_, before = in_turn("x", {"us": curve, "them": curve}, 1, {})
    ran: list[int] = []

    def run(seed: int) -> Curve:
        ran.append(seed)
        return curve(seed)

    *_, results = in_turn("x", {"us": run}, 3, before)
    assert ran == [1, 2]
    assert results["us"]["seeds"] == [0, 1, 2]
    assert results["us"]["curves"] == [curve(0), curve(1), curve(2)]
    assert results["them"] == before["them"]


def test_time_is_that_of_the_runs_with_the_most_threads() -> None:
    runs = {0: Run(curve(0), threads=2), 1: Run(curve(1), threads=1)}
    results = described(runs)
    assert results["seconds"] == 2.0
    assert results["mean"] == 0.55
    assert runs_of(results) == runs
