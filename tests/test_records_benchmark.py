"""The protocol of the records: choices before looks, looks once, a log that only grows."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("scipy")

from benchmarks.goals import ACCURACIES
from benchmarks.records import protocol, runs
from benchmarks.records.__main__ import DATA, LOG, PAGE, main
from benchmarks.records.candidates import CURRENT, VARIANTS, candidates
from benchmarks.records.log import Log
from benchmarks.records.page import (
    NO_CHOICE_YET,
    NOTHING_YET,
    between,
    choices_table,
    earlier_table,
    looks_table,
    row,
)
from benchmarks.records.protocol import Protocol, ProtocolError, shown
from benchmarks.records.runs import Run, checkpoints_of, once, trained, validated
from benchmarks.records.settings import digest, settings_of
from benchmarks.statistics import Interval

from handloom import Dataset, Model, Sequential, silhouettes
from handloom.recipes.recipe import Recipe, RecipeSettings
from handloom.recipes.registry import RECIPES
from handloom.training import Callback, Checkpoints, EpochRecord, Trainer, TrainingState

ROOT = Path(__file__).parents[1]
SHORT = replace(RECIPES["mlp-flash"], epochs=1)
LONG = replace(SHORT, epochs=2)
BOTH = {CURRENT: SHORT, "two epochs": LONG}


@pytest.fixture
def few(tmp_path: Path) -> Protocol:
    return Protocol(silhouettes(60, test_rows=20), Log(tmp_path / "log.jsonl"), tmp_path / "runs")


@pytest.fixture
def better(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Make more epochs better, by a little more or less from seed to seed; list the runs."""
    ran: list[tuple[int, int]] = []

    def run(recipe: Recipe, train: Dataset, seed: int, checkpoints: Path) -> Run:
        ran.append((recipe.epochs, seed))
        accuracy = 0.7 + 0.01 * (seed % 3) + recipe.epochs * (0.01 + 0.001 * (seed % 2))
        return Run(1.0, 2, accuracy)

    monkeypatch.setattr(protocol, "validated", run)
    return ran


def test_a_choice_is_written_down_with_its_figures(
    few: Protocol, better: list[tuple[int, int]]
) -> None:
    entry = few.choose("mlp-flash", BOTH)
    assert entry["chosen"] == "two epochs"
    assert entry["digest"] == digest(settings_of(LONG))
    mean, low, high = entry["differences"]["two epochs"]
    assert 0 < low < mean < high
    assert len(entry["candidates"][CURRENT]["accuracies"]) == 5
    assert list(few.log)[-1] == json.loads(json.dumps(entry))
    assert better[:3] == [(1, 1000), (2, 1000), (1, 1001)]  # pairs, one after the other


def test_equal_differences_choose_no_candidate(
    few: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their interval has no width, which says nothing of other seeds."""

    def run(recipe: Recipe, train: Dataset, seed: int, checkpoints: Path) -> Run:
        return Run(1.0, 2, 0.5 + 0.1 * recipe.epochs)

    monkeypatch.setattr(protocol, "validated", run)
    assert few.choose("mlp-flash", BOTH)["chosen"] == CURRENT


def test_a_choice_goes_on_where_it_was_and_is_written_once(
    few: Protocol, better: list[tuple[int, int]]
) -> None:
    few.choose("mlp-flash", BOTH)
    assert few.choose("mlp-flash", BOTH) == few.log.last("choice")
    assert [entry["kind"] for entry in few.log] == ["run"] * 10 + ["choice"]
    assert len(better) == 10
    few.choose("mlp-flash", BOTH, seeds=6)
    assert better[10:] == [(1, 1005), (2, 1005)]


def test_runs_of_a_choice_that_are_in_the_log_are_not_repeated(
    few: Protocol, better: list[tuple[int, int]], tmp_path: Path
) -> None:
    run = few.validate(LONG, 1000)
    logged = few.log.last("run", recipe="mlp-flash", seed=1000)
    assert logged is not None
    assert logged["digest"] == digest(settings_of(LONG))
    assert logged["accuracy"] == run.accuracy
    elsewhere = replace(few, folder=tmp_path / "another machine")
    entry = elsewhere.choose("mlp-flash", BOTH)
    assert entry["candidates"]["two epochs"]["accuracies"][0] == run.accuracy
    assert better.count((2, 1000)) == 1
    with pytest.raises(ProtocolError, match="seeds from 1000, got 3"):
        few.validate(LONG, 3)


def test_processes_that_log_at_once_wait_for_each_other(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: log.append("note", number=number), range(40)))
    assert sorted(entry["number"] for entry in log) == list(range(40))


def test_a_difference_within_noise_changes_nothing() -> None:
    noise = {CURRENT: [0.90, 0.91, 0.90, 0.92, 0.91], "other": [0.91, 0.90, 0.92, 0.91, 0.92]}
    differences = protocol._differences(noise)
    assert differences["other"].has_zero
    assert protocol._choice(noise, differences)[0] == CURRENT


def test_several_candidates_have_wider_intervals() -> None:
    def width(labels: list[str]) -> float:
        steady, other = [0.90, 0.91, 0.90, 0.92, 0.91], [0.92, 0.93, 0.91, 0.93, 0.92]
        each: Interval = protocol._differences({CURRENT: steady, **dict.fromkeys(labels, other)})[
            "a"
        ]
        return each.high - each.low

    assert width(["a", "b", "c"]) > 1.2 * width(["a"])


def test_another_choice_needs_a_reason(few: Protocol, better: list[tuple[int, int]]) -> None:
    with pytest.raises(ProtocolError, match="with a reason"):
        few.choose("mlp-flash", BOTH, chosen=CURRENT)
    entry = few.choose("mlp-flash", BOTH, chosen=CURRENT, because="half of the time")
    assert entry["chosen"] == CURRENT
    assert entry["reason"].startswith("half of the time (")


@pytest.mark.parametrize(("seeds", "named"), [(4, BOTH), (5, {CURRENT: SHORT})])
def test_a_choice_has_five_seeds_and_two_candidates(
    few: Protocol, seeds: int, named: dict[str, Recipe]
) -> None:
    with pytest.raises(ProtocolError, match="at least 5 seeds and two candidates"):
        few.choose("mlp-flash", named, seeds)


def test_the_test_set_is_looked_at_once(few: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProtocolError, match="nothing was chosen"):
        few.look(SHORT, 2)
    few.keep("mlp-flash", SHORT, "a test")
    with pytest.raises(ProtocolError, match="differ in epochs"):
        few.look(LONG, 2)
    look = few.look(SHORT, 2)
    assert len(look["accuracies"]) == 2
    assert {"time", "commit", "digest", "seeds", "seconds"} <= set(look)
    with pytest.raises(ProtocolError, match="--again REASON"):
        few.look(SHORT, 2)
    again = few.look(SHORT, 2, again="to see that it is the same")
    assert again["accuracies"] == look["accuracies"]
    assert again["again"] == "to see that it is the same"
    assert "2 seeds" in protocol.shown(look)
    seen = few.keep("mlp-flash", LONG, "a test of what was seen")["test_figures_seen_before"]
    assert [each["accuracies"] for each in seen] == [look["accuracies"], again["accuracies"]]


def test_no_test_row_is_seen_before_the_last_seed(
    few: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []

    def run(recipe: Recipe, train: Dataset, seed: int, folder: Path, checkpoints: Path) -> Run:
        ran.append(seed)
        if len(ran) == 2:
            raise KeyboardInterrupt
        return trained(recipe, train, seed, folder, checkpoints)

    def evaluated(*_: object) -> None:
        raise AssertionError("a model was evaluated")

    few.keep("mlp-flash", SHORT, "a test")
    monkeypatch.setattr(protocol, "trained", run)
    with monkeypatch.context() as patch:
        patch.setattr(protocol, "evaluate", evaluated)
        with pytest.raises(KeyboardInterrupt):
            few.look(SHORT, 2)
    few.look(SHORT, 2)
    assert ran == [0, 1, 1]  # the first seed is not trained again


def test_a_stopped_training_goes_on_from_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[EpochRecord] = []

    class InterruptedOnce(Callback):
        def on_epoch_end(self, state: TrainingState, record: EpochRecord) -> None:
            done.append(record)
            if len(done) == 2:
                signal.raise_signal(signal.SIGINT)

    def with_interruption(
        self: RecipeSettings,
        network: Sequential,
        steps: int,
        checkpoints: Checkpoints | None = None,
    ) -> Trainer:
        return trainer_of(self, network, steps, [InterruptedOnce()], checkpoints)

    trainer_of = RecipeSettings.trainer
    train = silhouettes(1280, test_rows=20).train
    recipe = replace(SHORT, epochs=4, batch_size=256)
    path = tmp_path / "seed-0.json"
    run = partial(trained, recipe, train, 0, tmp_path / "seed-0", checkpoints_of(path))
    with monkeypatch.context() as patch:
        patch.setattr(RecipeSettings, "trainer", with_interruption)
        with pytest.warns(UserWarning, match="SIGINT"), pytest.raises(KeyboardInterrupt):
            once(path, run)
        assert not path.exists()
        figures = once(path, run)
    assert [record.epoch for record in done] == [0, 1, 2, 3]  # none twice
    assert figures.seconds == pytest.approx(sum(record.seconds for record in done))
    assert len(figures.processes) == 2
    assert once(path, run) == figures
    assert not checkpoints_of(path).exists()
    trained(recipe, train, 0, tmp_path / "whole", tmp_path / "other")
    ours, whole = (Model.load(tmp_path / name) for name in ("seed-0", "whole"))
    np.testing.assert_array_equal(ours.logits(train.inputs), whole.logits(train.inputs))


def test_checkpoints_of_a_finished_run_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "seed-0.json"
    checkpoints_of(path).mkdir()  # its process was killed before it could
    path.write_text('{"seconds": 1.0, "threads": 2}')
    assert once(path, lambda: Run(2.0, 2)) == Run(1.0, 2)
    assert not checkpoints_of(path).exists()


def test_candidates_have_the_same_held_out_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bytes, bytes]] = []

    def record(recipe: Recipe, rows: Dataset, seed: int, _: Path) -> tuple[object, Run]:
        seen.append((rows.inputs.tobytes(), b""))
        return object(), Run(1.0, 1)

    class Figures:
        accuracy = 0.5

    monkeypatch.setattr(runs, "_trained", record)
    monkeypatch.setattr(runs, "evaluate", lambda model, rows: Figures)
    data = silhouettes(60, test_rows=20).train
    for recipe, seed in ((SHORT, 0), (LONG, 0), (SHORT, 1)):
        assert validated(recipe, data, seed, Path()).accuracy == 0.5
    assert seen[0] == seen[1] != seen[2]


def test_a_log_that_was_edited_is_refused(few: Protocol) -> None:
    for reason in ("first", "second", "third"):
        few.log.append("note", reason=reason)
    lines = few.log.path.read_text().splitlines(keepends=True)
    for edited in ([lines[0].replace("first", "fast"), *lines[1:]], [lines[0], lines[2]]):
        few.log.path.write_text("".join(edited))
        with pytest.raises(ValueError, match=":2 does not follow"):
            list(few.log)


def test_a_digest_is_that_of_everything_that_changes_a_training() -> None:
    recipe = RECIPES["cnn"]
    changed = [
        replace(recipe, epochs=3),
        replace(recipe, augment=recipe.augment[:1]),
        replace(recipe, rate=RECIPES["cnn-flash"].rate),
        replace(recipe, optimizer=RECIPES["mlp"].optimizer),
        replace(recipe, layers=RECIPES["cnn-flash"].layers),
        replace(recipe, average=0.99),
    ]
    marks = {digest(settings_of(each)) for each in [recipe, *changed]}
    assert len(marks) == 1 + len(changed)
    assert digest(settings_of(replace(recipe, summary="", results=()))) in marks


@pytest.mark.parametrize("name", list(RECIPES))
def test_every_recipe_has_candidates_that_differ(name: str) -> None:
    known = candidates(name)
    assert next(iter(known)) == CURRENT
    assert len({digest(settings_of(each)) for each in known.values()}) == len(known) > 1


def test_a_candidate_stays_itself_when_the_recipe_takes_its_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, label = "cnn-record", "50 epochs, half erased, averaged"
    before = candidates(name)[label]
    monkeypatch.setattr(
        "benchmarks.records.candidates.RECIPES",
        {name: replace(RECIPES[name], **VARIANTS[name][label])},
    )
    assert digest(settings_of(candidates(name)[CURRENT])) == digest(settings_of(before))


def test_the_commands_run_on_a_few_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--trial", "--out", str(tmp_path)]
    with pytest.raises(SystemExit, match="choose first"):
        main([*common, "look", "mlp-flash"])
    with pytest.raises(SystemExit, match=r"unknown candidate '88 units'.*Did you mean '80 units'"):
        main([*common, "validate", "mlp-flash", "--candidate", "88 units", "--seed", "1000"])
    main([*common, "validate", "mlp-flash", "--candidate", "80 units", "--seed", "1000"])
    assert "80 units, seed 1000: 0." in capsys.readouterr().out
    main([*common, "keep", "mlp-flash", "--because", "a test"])
    main([*common, "look", "mlp-flash", "--seeds", "2"])
    assert "binomial standard error" in capsys.readouterr().out


def test_recipes_have_the_accuracies_of_their_newest_looks() -> None:
    looks = [each for each in Log(LOG) if each["kind"] == "look" and each["data"] == DATA]
    for name, newest in {each["recipe"]: each["accuracies"] for each in looks}.items():
        assert [f"{each:.4f}" for each in newest] == [
            f"{each:.4f}" for each in RECIPES[name].results[0].accuracies
        ]


def test_the_page_has_the_tables_of_the_log_and_of_the_results() -> None:
    text = PAGE.read_text()
    results = json.loads((ROOT / "docs/records/recipes.json").read_text())["results"]
    assert between(text, "choices") == choices_table(Log(LOG), DATA)
    assert between(text, "protocol") == looks_table(Log(LOG), DATA)
    assert between(text, "before") == earlier_table(results)


def test_a_row_has_deviation_interval_and_binomial_error() -> None:
    text = row("mlp", [0.90, 0.91, 0.92], 52.8, [0.91, 0.91, 0.91])
    assert "**91.00 % ± 1.00** | 3 | 88.52 to 93.48 | 0.29 | 52.8 | +0.00 (-2.48 to +2.48)" in text
    assert looks_table([], DATA) == NOTHING_YET
    look = {"kind": "look", "data": DATA, "recipe": "mlp", "torch": None, "test_rows": 100}
    table = looks_table([{**look, "accuracies": [0.9, 0.92], "seconds": [1.0, 2.0]}], DATA)
    assert f"| `mlp` | {ACCURACIES['mlp']} % | **91.00 % ± 1.41** | 2 |" in table
    assert table.endswith("| 2.86 | 1.5 | not run |")
    single = row("mlp", [0.90], 52.8, [0.91])
    assert "**90.00 % ± ?** | 1 | unknown | 0.30 | 52.8 | -1.00 (1 seed)" in single
    one = {**look, "accuracies": [0.9], "torch": {"accuracies": [0.91]}}
    assert shown(one) == "mlp: 90.00 %; binomial standard error 3.00"


def test_the_newest_choice_of_a_recipe_is_told_with_its_differences() -> None:
    choice = {"kind": "choice", "data": DATA, "recipe": "mlp", "seeds": [1, 2, 3, 4, 5]}
    compared = {**choice, "chosen": "wide", "differences": {"wide": [0.002, 0.001, 0.003]}}
    kept = {**choice, "chosen": None, "reason": "kept without a comparison: no time"}
    line = "| `mlp` | wide | 5 | +0.20 (+0.10 to +0.30) | wide |"
    assert choices_table([kept, compared], DATA).endswith(f"|\n{line}")
    assert "| `mlp` | nothing | - | - | as it is: kept" in choices_table([compared, kept], DATA)
    assert choices_table([compared], "other data") == NO_CHOICE_YET
