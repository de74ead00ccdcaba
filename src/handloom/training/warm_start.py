"""A warm start: weights and optimizer from an earlier training, and nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from handloom.errors import ModelError
from handloom.network import Sequential
from handloom.optimizers import Optimizer
from handloom.parameters import Array
from handloom.training.state import TrainingState, shapes_of


@dataclass(frozen=True)
class WarmStart:
    """What a training takes from an earlier one: the weights, and the state of the optimizer.

    Attributes
    ----------
    weights : dict of str to array
        By name: their order in memory changes where layers are frozen.
    trained : dict of str to shape
        The arrays that the optimizer updated, in their order.
    kind, moments : str, tuple of str
        The kind of the optimizer, and the names of its state vectors.
    optimizer : mapping
        Its state.
    """

    weights: Mapping[str, Array]
    trained: Mapping[str, tuple[int, ...]]
    kind: str
    moments: tuple[str, ...]
    optimizer: Mapping[str, Any]

    @classmethod
    def of(cls, earlier: TrainingState) -> Self:
        """Return what another training can take from one.

        Raises
        ------
        ModelError
            If it diverged: the optimizer's state is not to be gone on with.
        """
        if earlier.history.divergence is not None:
            raise ModelError("no warm start from a training that diverged: its optimizer is ruined")
        if earlier.optimizer.is_bound_elsewhere(earlier.parameters):
            raise ModelError("no warm start: another training has used that optimizer since")
        weights = earlier.network.parameters.weights
        return cls(
            {name: array.copy() for name, array in weights.items()},
            earlier.trained,
            earlier.optimizer.kind,
            earlier.optimizer.moments,
            earlier.optimizer.state_dict(),
        )

    def check(self, network: Sequential, optimizer: Optimizer) -> None:
        """Refuse another network, other frozen layers or another optimizer.

        Raises
        ------
        ModelError
            Naming the first difference.
        """
        theirs = {name: array.shape for name, array in self.weights.items()}
        ours = {name: array.shape for name, array in network.parameters.weights.items()}
        pairs = [("arrays", theirs, ours), ("trained arrays", self.trained, shapes_of(network))]
        for what, then, now in pairs:
            for name in dict.fromkeys([*then, *now]):
                if then.get(name) != now.get(name):
                    raise ModelError(
                        f"no warm start: among the {what}, {name} is {then.get(name)} there, "
                        f"{now.get(name)} here"
                    )
        there, here = _told(self.kind, self.moments), _told(optimizer.kind, optimizer.moments)
        if there != here:
            raise ModelError(f"no warm start: the optimizer is {there} there, {here} here")


def _told(kind: str, vectors: Iterable[str]) -> str:
    """Return the kind of an optimizer and the vectors of its state, in words."""
    return f"{kind} with {', '.join(vectors) or 'no state'}"
