"""TrainerOptions: the options of a training, with its callbacks and checkpoints."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from handloom.errors import require_instance
from handloom.training.callbacks.base import Callback, check_callbacks
from handloom.training.checkpoints import Checkpoints
from handloom.training.docstrings import describes_options_of
from handloom.training.options import NOTED_AT_RESUME, OnResume, TrainingOptions


@describes_options_of(TrainingOptions)
@dataclass(frozen=True, eq=False)
class TrainerOptions(TrainingOptions):
    """The options of a trainer: those of a training, callbacks and checkpoints.

    Parameters
    ----------
    callbacks : sequence of Callback
        The callbacks, called in this order.
    checkpoints : Checkpoints, optional
        The checkpoints of the training, from which it can be resumed.
    """

    _: KW_ONLY
    callbacks: Sequence[Callback] = ()
    checkpoints: Checkpoints | None = field(default=None, metadata=NOTED_AT_RESUME)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "callbacks", check_callbacks(self.callbacks))
        if self.checkpoints is not None:
            require_instance("checkpoints", self.checkpoints, Checkpoints)

    def describe(self) -> dict[str, Any]:
        """Return every option by name.

        ``watchers`` has the callbacks with ``changes_results = False``, ``callbacks`` the others.
        """
        options = super().describe()
        watch = [not each.get("changes_results", True) for each in options["callbacks"]]
        both = list(zip(options["callbacks"], watch, strict=True))
        return {
            **options,
            "callbacks": [each for each, watches in both if not watches],
            "watchers": [each["kind"] for each, watches in both if watches],
        }

    @classmethod
    def on_resume(cls, name: str) -> OnResume:
        """Return the rule for an option at a resume; ``watchers`` may always change."""
        return OnResume.NOTED if name == "watchers" else super().on_resume(name)
