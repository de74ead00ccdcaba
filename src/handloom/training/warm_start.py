"""Warm start: initial weights and optimizer state from an earlier training."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from handloom.errors import ModelError
from handloom.in_use import unused
from handloom.network import Sequential
from handloom.optimizers import Optimizer
from handloom.parameters import Array, check_arrays
from handloom.training.state import TrainingState, shapes_of


@dataclass(frozen=True)
class WarmStart:
    """The weights and the optimizer's state of an earlier training.

    Attributes
    ----------
    weights : dict of str to array
        The weights by name: their order in memory depends on frozen layers.
    trained_shapes : dict of str to shape
        The shapes of the arrays that the optimizer updated by name, in the order of the vector.
    kind, state_names : str, tuple of str
        The kind of the optimizer, and the names of its state vectors.
    optimizer : mapping
        Its state.
    """

    weights: Mapping[str, Array]
    trained_shapes: Mapping[str, tuple[int, ...]]
    kind: str
    state_names: tuple[str, ...]
    optimizer: Mapping[str, Any]

    @classmethod
    def of(cls, earlier: TrainingState) -> Self:
        """Return the warm start from an earlier training.

        Raises
        ------
        ModelError
            If it diverged, or another training has used its optimizer since.
        """
        if earlier.history.divergence is not None:
            raise ModelError(
                "no warm start from a training that diverged: its optimizer's state is invalid"
            )
        if "optimizer" in earlier.parts_used_since():
            raise ModelError("no warm start: another training has used that optimizer since")
        network, optimizer = earlier.network.parameters, earlier.optimizer
        parts = [("the network", network.values), ("the optimizer", optimizer)]
        with unused(parts, remedy="no warm start before that one has ended"):
            return cls(
                {name: array.copy() for name, array in network.weights.items()},
                earlier.trained_shapes,
                optimizer.kind,
                optimizer.state_names,
                optimizer.state_dict(),
            )

    def check(self, network: Sequential, optimizer: Optimizer) -> None:
        """Refuse another network, other frozen layers, another dtype or another optimizer.

        Raises
        ------
        ModelError
            With the first difference.
        """
        earlier = {name: array.shape for name, array in self.weights.items()}
        current = {name: array.shape for name, array in network.parameters.weights.items()}
        pairs = [
            ("arrays", earlier, current),
            ("trained arrays", self.trained_shapes, shapes_of(network)),
        ]
        for group, before, now in pairs:
            for name in dict.fromkeys([*before, *now]):
                if before.get(name) != now.get(name):
                    raise ModelError(
                        f"no warm start: among the {group}, {name} is {now.get(name)}, "
                        f"the earlier training has {before.get(name)}"
                    )
        check_arrays(self.weights, network.parameters.specs, network.parameters.dtype)
        before_optimizer, optimizer_now = (
            _description(self.kind, self.state_names),
            _description(optimizer.kind, optimizer.state_names),
        )
        if before_optimizer != optimizer_now:
            raise ModelError(
                f"no warm start: the optimizer is {optimizer_now}, "
                f"the earlier training has {before_optimizer}"
            )


def _description(kind: str, vectors: Iterable[str]) -> str:
    """Return the kind of an optimizer and the vectors of its state, as text."""
    return f"{kind} with {', '.join(vectors) or 'no state'}"
