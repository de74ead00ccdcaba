"""The public names, by the room that they live in.

A room is a module with public names: those of its ``__all__``, or else those that it defines. What
`handloom` itself exports is documented under that shorter name, and nothing twice.
"""

import inspect
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import handloom

DERIVATIONS = Path(__file__).parents[1] / "derivations"
ROOMS = {
    "handloom.layers": "Layers",
    "handloom.layers.building": "Building layers",
    "handloom.losses": "Losses",
    "handloom.optimizers": "Optimizers",
    "handloom.schedules": "Schedules",
    "handloom.initializers": "Initializers",
    "handloom.parameters": "Parameters",
    "handloom.network": "Networks",
    "handloom.model": "Models",
    "handloom.data": "Data",
    "handloom.data.augment": "Augmentation",
    "handloom.data.test_time_augmentation": "Views of an image",
    "handloom.data.photos.prediction": "Predictions of photos",
    "handloom.training.callbacks": "Callbacks",  # before the room that exports them too
    "handloom.training": "Training",
    "handloom.training.triggers": "Checkpoint triggers",
    "handloom.metrics": "Metrics",
    "handloom.estimators": "Estimators",
    "handloom.gradcheck": "Gradient check",
    "handloom.testing": "Contracts of layers and losses",
    "handloom.plots": "Pictures",
    "handloom.interop.torch": "PyTorch",
    "handloom.walkthroughs": "Walkthroughs",
    "handloom.reporting": "Reports",
    "handloom.interop.numpy": "Export as plain NumPy",
    "handloom.errors": "Errors",
}


@dataclass(frozen=True)
class Entry:
    """A public name: where it is documented, and what it stands for."""

    room: str
    module: str
    name: str
    value: object

    @property
    def full_name(self) -> str:
        """The name to import, dots included."""
        return f"{self.module}.{self.name}"

    @property
    def is_class(self) -> bool:
        """Whether it has a page of its own."""
        return inspect.isclass(self.value)

    @property
    def derivation(self) -> str | None:
        """The name of the class's derivation, if there is one.

        A derivation is called after the ``kind`` of a class, or after the module that defines it.
        """
        if not inspect.isclass(self.value):
            return None
        kind = str(getattr(self.value, "kind", ""))
        for name in (kind, self.value.__module__.rpartition(".")[2]):
            page = name.replace("_", "-")
            if (DERIVATIONS / f"{page}.md").is_file():
                return page
        return None


@cache
def rooms() -> dict[str, list[Entry]]:
    """Return the public names of each room, each where it comes first."""
    names: dict[str, list[Entry]] = {}
    known: set[int] = set()
    for room in ROOMS:
        module = import_module(room)
        names[room] = []
        for name in public_names(module):
            value = getattr(module, name)
            if id(value) not in known:
                known.add(id(value))
                exported = name in dir(handloom) and getattr(handloom, name) is value
                names[room].append(Entry(room, "handloom" if exported else room, name, value))
        names[room].sort(key=lambda entry: entry.name.casefold())
    housed = {entry.full_name for room in names.values() for entry in room}
    if homeless := {f"handloom.{name}" for name in handloom.__all__} - housed:
        raise LookupError(f"no room of the reference has {homeless}")
    return names


def public_names(module: ModuleType) -> list[str]:
    """Return the names in a module's ``__all__``, or else of what it or a file below it defines."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and f"{getattr(value, '__module__', None)}.".startswith(f"{module.__name__}.")
    ]


@cache
def entries() -> dict[str, Entry]:
    """Return all public names, by their last part, which a docstring uses."""
    return {entry.name: entry for names in rooms().values() for entry in names}
