"""The protocol: a choice on validation rows is written down, then one look at the test set."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.records.log import Entry, Log
from benchmarks.records.runs import (
    FRACTION,
    Run,
    checkpoints_of,
    differing,
    fingerprint,
    once,
    peer,
    trained,
    validated,
)
from benchmarks.records.settings import digest, settings_of
from benchmarks.statistics import CONFIDENCE, Interval, binomial_error, deviation, interval, paired
from handloom.data.dataset import Splits
from handloom.model import Model
from handloom.recipes.recipe import Recipe
from handloom.training import evaluate

FEWEST_SEEDS = 5
FIRST_VALIDATION_SEED = 1000
"""Choices have other seeds than looks, which begin with 0."""


class ProtocolError(Exception):
    """A call is against the protocol."""


@dataclass(frozen=True)
class Protocol:
    """The protocol on a dataset.

    Parameters
    ----------
    splits : Splits
    log : Log
    folder : path
        Where runs are kept, seed by seed.
    """

    splits: Splits
    log: Log
    folder: Path

    @property
    def data(self) -> str:
        """The digest of the dataset."""
        return fingerprint(self.splits)

    def choose(
        self,
        recipe: str,
        candidates: Mapping[str, Recipe],
        seeds: int = FEWEST_SEEDS,
        chosen: str | None = None,
        because: str | None = None,
    ) -> Entry:
        """Compare configurations on paired seeds and write the choice down.

        The first candidate stays unless the interval of another one's difference lies above zero;
        of several such ones that with the highest mean is chosen. The intervals hold together
        (Bonferroni: each has its share of the 5 %). The 5 % are those of one choice: they do not
        hold if more seeds or other candidates are added because of its figures, and the log, which
        has every choice, shows that.

        Parameters
        ----------
        recipe : str
        candidates : mapping
            Recipes by label; the first one is the recipe as it is.
        seeds : int
            At least five.
        chosen, because : str, optional
            Another choice than that, with its reason, which is logged.

        Raises
        ------
        ProtocolError
            If there are fewer than five seeds, a single candidate, or no reason.
        """
        if chosen is not None and (chosen not in candidates or not because):
            raise ProtocolError(
                f"a choice of one's own is one of {', '.join(map(repr, candidates))}, with a reason"
            )
        if seeds < FEWEST_SEEDS or len(candidates) < 2:
            raise ProtocolError(
                f"a choice needs at least {FEWEST_SEEDS} seeds and two candidates, got {seeds} "
                f"and {len(candidates)}"
            )
        data, runs = self.data, self._validated(candidates, seeds)
        accuracies = {label: [run.accuracy or 0.0 for run in runs[label]] for label in candidates}
        differences = _differences(accuracies)
        label, reason = _choice(accuracies, differences)
        if chosen is not None:
            label, reason = chosen, f"{because} ({reason})"
        settings = settings_of(candidates[label])
        return self._append_choice(
            recipe=recipe,
            data=data,
            digest=digest(settings),
            settings=settings,
            chosen=label,
            reason=reason,
            seeds=[FIRST_VALIDATION_SEED + index for index in range(seeds)],
            validation_fraction=FRACTION,
            candidates={
                label: {
                    "digest": digest(settings_of(candidates[label])),
                    "accuracies": accuracies[label],
                    "seconds": [run.seconds for run in runs[label]],
                }
                for label in candidates
            },
            differences={label: list(each) for label, each in differences.items()},
        )

    def keep(self, recipe: str, current: Recipe, because: str) -> Entry:
        """Write down that a recipe stays as it is, without a comparison.

        Raises
        ------
        ProtocolError
            Without a reason.
        """
        if not because:
            raise ProtocolError("a recipe that is kept without a comparison needs a reason")
        settings = settings_of(current)
        return self._append_choice(
            recipe=recipe,
            data=self.data,
            digest=digest(settings),
            settings=settings,
            chosen=None,
            reason=f"kept without a comparison: {because}",
        )

    def look(
        self,
        current: Recipe,
        seeds: int = FEWEST_SEEDS,
        *,
        again: str | None = None,
        torch: bool = False,
    ) -> Entry:
        """Train the chosen recipe on all training rows, then look at the test set once.

        No model of ours sees a row of the test set before the last seed is trained. PyTorch's
        accuracies are measured seed by seed, and written with its runs, but not shown before.

        Parameters
        ----------
        current : Recipe
            Its settings must be those of its last choice.
        seeds : int
        again : str, optional
            The reason for a second look with the same settings.
        torch : bool
            Whether PyTorch trains each seed too.

        Raises
        ------
        ProtocolError
            If nothing was chosen, the settings are not those of the choice, or the test set was
            looked at before with these settings.
        """
        data, settings = self.data, settings_of(current)
        name, marks = current.name, digest(settings)
        choice = self.log.last("choice", recipe=name, data=data)
        if choice is None:
            raise ProtocolError(f"nothing was chosen for {name} yet: choose first")
        if choice["digest"] != marks:
            names = ", ".join(differing(choice["settings"], settings))
            raise ProtocolError(
                f"the settings of {name} are not those of the choice of {choice['time']}, they "
                f"differ in {names}: choose again, or change the recipe"
            )
        earlier = [
            look
            for look in self.log
            if look["kind"] == "look" and (look["data"], look["digest"]) == (data, marks)
        ]
        if earlier and not again:
            raise ProtocolError(
                f"the test set was looked at with these settings of {name} on "
                f"{earlier[-1]['time']}; a second look needs --again REASON"
            )
        folder = self._folder(current) / f"look-{len(earlier) + 1}"
        ours, theirs = [], []
        for seed in range(seeds):
            path, model = folder / f"seed-{seed}.json", folder / f"seed-{seed}"
            run = partial(trained, current, self.splits.train, seed, model, checkpoints_of(path))
            ours.append(once(path, run))
            print(f"{name}, seed {seed}: trained in {ours[-1].seconds:.2f} s", flush=True)
            if torch:
                other = partial(peer, current, self.splits, seed)
                theirs.append(once(folder / f"torch-seed-{seed}.json", other))
        models = [Model.load(folder / f"seed-{seed}") for seed in range(seeds)]
        accuracies = [evaluate(model, self.splits.test).accuracy for model in models]
        return self.log.append(
            "look",
            recipe=name,
            data=data,
            digest=marks,
            choice=choice["time"],
            again=again,
            seeds=list(range(seeds)),
            test_rows=len(self.splits.test),
            **_figures(accuracies, ours),
            torch=_figures([run.accuracy or 0.0 for run in theirs], theirs) if torch else None,
        )

    def validate(self, recipe: Recipe, seed: int) -> Run:
        """Train on a validation split and log the run at once; a run in the log is not repeated.

        So the runs of a choice may be spread over days, and over processes that share the log,
        which has those too whose choice was never made.

        Raises
        ------
        ProtocolError
            If the seed is below 1000: no choice has it.
        """
        if seed < FIRST_VALIDATION_SEED:
            raise ProtocolError(f"choices have the seeds from {FIRST_VALIDATION_SEED}, got {seed}")
        which = {
            "recipe": recipe.name,
            "data": self.data,
            "digest": digest(settings_of(recipe)),
            "seed": seed,
            "validation_fraction": FRACTION,
        }
        logged = self.log.last("run", **which)
        if logged is None:
            path = self._folder(recipe) / "validation" / f"seed-{seed}.json"
            train = partial(validated, recipe, self.splits.train, seed, checkpoints_of(path))
            logged = self.log.append("run", **which, **asdict(once(path, train)))
        return Run(**{field.name: logged[field.name] for field in fields(Run)})

    def _validated(self, candidates: Mapping[str, Recipe], seeds: int) -> dict[str, list[Run]]:
        """Return the runs of each candidate; everyone has a seed before anyone has the next."""
        runs: dict[str, list[Run]] = {label: [] for label in candidates}
        for seed in range(FIRST_VALIDATION_SEED, FIRST_VALIDATION_SEED + seeds):
            for label, recipe in candidates.items():
                runs[label].append(self.validate(recipe, seed))
                shown = f"{runs[label][-1].accuracy:.4f}"
                print(f"{recipe.name}, {label}, seed {seed}: {shown}", flush=True)
        return runs

    def _folder(self, recipe: Recipe) -> Path:
        return self.folder / self.data / recipe.name / digest(settings_of(recipe))

    def _append_choice(self, **values: Any) -> Entry:
        """Append a choice, unless it is the last one, with the looks that came before it."""
        recipe, data = values["recipe"], values["data"]
        last = self.log.last("choice", recipe=recipe, data=data)
        same = json.loads(json.dumps(values))
        if last is not None and {name: last.get(name) for name in same} == same:
            return last
        seen = [
            {"time": look["time"], "digest": look["digest"], "accuracies": look["accuracies"]}
            for look in self.log
            if look["kind"] == "look" and (look["recipe"], look["data"]) == (recipe, data)
        ]
        return self.log.append("choice", **values, test_figures_seen_before=seen)


def _differences(accuracies: Mapping[str, list[float]]) -> dict[str, Interval]:
    """Return each candidate's difference to the first, with intervals that hold together."""
    current, *others = accuracies
    confidence = 1.0 - (1.0 - CONFIDENCE) / len(others)
    return {
        label: paired(accuracies[label], accuracies[current], FRACTION, confidence)
        for label in others
    }


def _choice(
    accuracies: Mapping[str, list[float]], differences: Mapping[str, Interval]
) -> tuple[str, str]:
    """Return the chosen candidate and the reason; equal differences tell nothing of others."""
    better = {label: each for label, each in differences.items() if each.high > each.low > 0.0}
    if not better:
        return next(iter(accuracies)), "no candidate's interval lies above zero"
    label = max(better, key=lambda label: better[label].mean)
    return label, "of the candidates whose intervals lie above zero, the highest mean"


def _figures(accuracies: list[float], runs: list[Run]) -> dict[str, Any]:
    return {
        "accuracies": accuracies,
        "seconds": [run.seconds for run in runs],
        "threads": [run.threads for run in runs],
        "processes": [run.processes for run in runs],
    }


def shown(look: Entry) -> str:
    """Return the figures of a look in words."""
    accuracies = look["accuracies"]
    mean, low, high = interval(accuracies)
    error = binomial_error(mean, look["test_rows"])
    text = f"{look['recipe']}: {100 * mean:.2f} %"
    if len(accuracies) > 1:
        text += (
            f" ± {100 * deviation(accuracies):.2f} over {len(accuracies)} seeds; 95 % interval of "
            f"the mean {100 * low:.2f} to {100 * high:.2f}"
        )
    text += f"; binomial standard error {100 * error:.2f}"
    if look["torch"] and len(accuracies) > 1:
        difference = [100 * each for each in paired(accuracies, look["torch"]["accuracies"])]
        text += "; minus PyTorch's {:+.2f} ({:+.2f} to {:+.2f})".format(*difference)
    return text
