"""Agreement: decisions that the ranks of a training share between two calls of the runner.

Rank 0 alone runs callbacks, writes checkpoints, and looks at the clock. Before each call it tells
the other ranks its decision, why training stops if it does, and changes by callbacks. The
others tell whether they have received a signal.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import numpy as np

from handloom.parallel.ranks import ONE, Ranks
from handloom.parameters import Array
from handloom.training.history import History, StopReason
from handloom.training.part_options import options_of, set_options
from handloom.training.state import TrainingState

Decision = TypeVar("Decision")


class Agreement:
    """Has the ranks of a training follow rank 0.

    Parameters
    ----------
    state : TrainingState
    ranks : Ranks
    signals : list of int, optional
        The signals that this process has received; on rank 0 those of all are added.
    alike : bool
        Whether all ranks compute the same bits; else rank 0 sends its weights in every epoch.
    """

    def __init__(
        self,
        state: TrainingState,
        ranks: Ranks = ONE,
        signals: list[int] | None = None,
        *,
        alike: bool = True,
    ) -> None:
        self._state, self._ranks, self._alike = state, ranks, alike
        self._signals = [] if signals is None else signals
        self._changed = True  # the weights that training begins with are those of rank 0
        self._seconds = ranks.seconds

    @property
    def leads(self) -> bool:
        """Whether this rank decides: it runs callbacks, prints and writes."""
        return self._ranks.leads

    def decide(self, decision: Decision) -> Decision:
        """Return the decision of rank 0; every rank makes this call.

        The other ranks also get the stop reason and the changes of rank 0. A signal that one of
        them has received stops the training at the next decision.

        Raises
        ------
        RankError
            If another rank has failed.
        """
        if self.leads and self._signals:
            self._state.stop(StopReason.INTERRUPTED)
        if self._ranks.size == 1:
            return decision
        history, own = self._state.history, None
        if self.leads:
            changes = self._followed() if self._changed else None
            own = decision, history.stop_reason, changes
            self._changed = False
        told: list[Any] = self._ranks.gather(own if self.leads else tuple(self._signals))
        decided, reason, changes = cast(tuple[Decision, StopReason | None, Any], told[0])
        if not self.leads:
            history.stop_reason = reason
            if changes is not None:
                self._follow(changes)
        elif received := [number for signals in told[1:] for number in signals]:
            self._signals += [n for n in dict.fromkeys(received) if n not in self._signals]
        return decided

    def begin_epoch(self) -> None:
        """Have rank 0 send its weights at the next decision, if ranks do not compute alike."""
        self._changed |= not self._alike

    def finish(self) -> None:
        """Give every rank the history and the weights of rank 0, at the end of the training."""
        if self._ranks.size == 1:
            return
        self._state.history.communication_seconds = self._ranks.seconds - self._seconds
        self._changed = len(set(self._ranks.gather(self._digest()))) > 1  # by on_train_end
        self.decide(None)
        values = self._ranks.send(self._state.history.to_json() if self.leads else None)
        if not self.leads:
            self._state.history = History.from_json(cast(dict[str, Any], values))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Find out whether a block on rank 0 changes weights or options, for the other ranks."""
        if self._ranks.size == 1 or not self.leads:
            yield
            return
        before = self._digest()
        yield
        self._changed |= self._digest() != before

    def _arrays(self) -> list[Array]:
        """Return the arrays that an update writes."""
        average = self._state.average
        averaged = [] if average is None else [average.values]
        return [
            self._state.network.parameters.values,
            *self._state.optimizer.state.values(),
            *averaged,
        ]

    def _counted(self) -> list[Any]:
        """Return the parts that count steps."""
        optimizer, average = self._state.optimizer, self._state.average
        return [optimizer] if average is None else [optimizer, average]

    def _parts(self) -> list[Any]:
        """Return the parts whose options a step reads."""
        state = self._state
        return [*state.parts_with_options(), *state.options.augment, state.model.transform]

    def _digest(self) -> str:
        steps = [part.steps for part in self._counted()]
        options = [options_of(part) for part in self._parts()]
        digest = hashlib.blake2b(repr((options, steps)).encode())
        for array in self._arrays():
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def _followed(self) -> dict[str, Any]:
        steps = [part.steps for part in self._counted()]
        options = [options_of(part) for part in self._parts()]
        return {"arrays": self._arrays(), "options": options, "steps": steps}

    def _follow(self, changes: dict[str, Any]) -> None:
        for own, array in zip(self._arrays(), changes["arrays"], strict=True):
            np.copyto(own, array)
        for part, steps in zip(self._counted(), changes["steps"], strict=True):
            part.steps = steps
        for part, options in zip(self._parts(), changes["options"], strict=True):
            set_options(part, options)
