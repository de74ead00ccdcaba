"""Which array of a state dict is which array of a network: by name or, if names differ, by order.

A state dict of `handloom.to_torch`, and of any ``nn.Sequential`` with a module for each layer, has
the names that are expected here, perhaps with a path in front of them. Any other one is taken
module by module, in the order in which its names come, and every shape is compared.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from handloom.errors import ModelError, unknown_name
from handloom.interop.torch.arrays import Slot, slots_of, slots_of_chain
from handloom.layers.chain import Chain
from handloom.parameters import Array
from handloom.text import listed

Modules = dict[str, dict[str, Any]]
"""The arrays of each module, or their placeholders, by their names in it."""


def arrays_from(
    state: Mapping[str, Array],
    chain: Chain,
    shapes: Mapping[str, tuple[int, ...]],
    order: Sequence[str] | None = None,
) -> dict[str, Array]:
    """Return the arrays of a network, by our names and in our order of axes.

    Parameters
    ----------
    state : mapping of str to array
        As `handloom.interop.torch.reading.read_state` returns it.
    chain : Chain
        The layers.
    shapes : mapping of str to tuple of int
        The shape of each array of the network.
    order : sequence of str, optional
        The modules of the state dict in the order of the layers.

    Raises
    ------
    ModelError
        If an array is missing, unknown or of another shape, a layer is not one of Handloom's, or
        the order of modules does not follow from their names.
    """
    slots = slots_of_chain(chain)
    _require_known(chain, shapes, {slot.ours for slot in slots})
    matched = None if order else _by_name(state, slots)
    if matched is None:
        matched = _by_order(state, slots, order)
    return {slot.ours: _checked(slot, *matched[slot.theirs], shapes[slot.ours]) for slot in slots}


def arrays_at(
    paths: Sequence[str],
    state: Mapping[str, Array],
    chain: Chain,
    shapes: Mapping[str, tuple[int, ...]],
) -> dict[str, Array]:
    """Return the arrays of a network of layers whose modules' paths are known.

    Parameters
    ----------
    paths : sequence of str
        The path of the module of each layer, ``"2.0"``.
    state, chain, shapes
        As in `arrays_from`.
    """
    arrays = {}
    for path, (layer_name, layer) in zip(paths, chain.named, strict=True):
        for slot in slots_of(layer):
            name, ours = f"{path}.{slot.theirs}", f"{layer_name}.{slot.ours}"
            arrays[ours] = _checked(slot, name, state.get(name), shapes[ours])
    return arrays


def _require_known(chain: Chain, shapes: Mapping[str, object], known: set[str]) -> None:
    """Refuse a layer whose arrays have no counterpart."""
    for name in shapes:
        if name not in known:
            index = int(name.partition(".")[0])
            layer = chain.named[index][0]
            raise ModelError(
                f"layer {layer}: the array {name!r} has no counterpart in PyTorch: its class is "
                "not one of Handloom's. Set it by network.set_weights"
            )


def _by_name(
    state: Mapping[str, Array], slots: Iterable[Slot]
) -> dict[str, tuple[str, Array | None]] | None:
    """Return name and array for each expected name; None if the names are others."""
    expected = {slot.theirs: slot for slot in slots}
    first = next(iter(state), "")
    for end in [0, *(match.end() for match in re.finditer(r"\.", first))]:
        prefix = first[:end]
        own = {name.removeprefix(prefix): name for name in state if name.startswith(prefix)}
        missing = [slot for name, slot in expected.items() if name not in own]
        whole = len(own) == len(state) and own.keys() <= expected.keys()
        if whole and all(slot.absent is not None for slot in missing):
            return {
                name: (f"{prefix}{name}", state[own[name]] if name in own else None)
                for name in expected
            }
    return None


def _by_order(
    state: Mapping[str, Array], slots: Iterable[Slot], order: Sequence[str] | None
) -> dict[str, tuple[str, Array | None]]:
    """Return name and array for each expected name, module by module."""
    theirs = _modules((name, array) for name, array in state.items())
    ours = _modules((slot.theirs, slot) for slot in slots)
    paths = _ordered(state, theirs) if order is None else _in_order(theirs, order)
    if len(paths) != len(ours):
        raise ModelError(
            f"the state dict must have arrays of {len(ours)} modules, one for each of "
            f"{listed(map(repr, ours))} of the network, got {len(paths)}"
            f"{': ' * bool(paths)}{listed(map(repr, paths))}"
        )
    matched: dict[str, tuple[str, Array | None]] = {}
    for path, expected in zip(paths, ours.values(), strict=True):
        prefix = f"{path}." if path else ""
        for name in theirs[path]:
            if name not in expected:
                known = [f"{prefix}{each}" for each in expected]
                raise ModelError(unknown_name("array", f"{prefix}{name}", known))
        for name, slot in expected.items():
            matched[slot.theirs] = (f"{prefix}{name}", theirs[path].get(name))
    return matched


def _modules(named: Iterable[tuple[str, Any]]) -> Modules:
    """Return named values by the path of their module, and their name in it."""
    modules: Modules = {}
    for name, value in named:
        path, _, own = name.rpartition(".")
        modules.setdefault(path, {})[own] = value
    return modules


def _in_order(modules: Modules, order: Sequence[str]) -> list[str]:
    """Return the paths of modules in the order that was asked for."""
    paths = [str(path) for path in order]
    for path in paths:
        if path not in modules:
            raise ModelError(unknown_name("module in order", path, modules))
    if sorted(paths) != sorted(modules):
        missing = [path for path in modules if path not in paths]
        raise ModelError(
            f"order must name each module of the state dict once, got {paths}"
            + (f"; {listed(map(repr, missing))} missing" if missing else "")
        )
    return paths


def _ordered(state: Mapping[str, Array], modules: Modules) -> list[str]:
    """Return the paths of modules in the order of their layers.

    A state dict of PyTorch has them in order. A file has not; there numbers in names say it.

    Raises
    ------
    ModelError
        If two modules with arrays of the same shapes could be either way round.
    """
    declared = _as_declared(list(state))
    paths = list(modules) if declared else sorted(modules, key=_pieces)
    for index, path in enumerate(paths):
        for other in paths[:index]:
            if _shapes(modules[path]) != _shapes(modules[other]):
                continue
            numbered = _numbered(path, other)
            if numbered and _pieces(other) > _pieces(path) if declared else not numbered:
                raise ModelError(
                    f"the order of the modules {other!r} and {path!r}, whose arrays have the same "
                    "shapes, does not follow from the state dict: pass order=[...] with the names "
                    "of all its modules in the order of the layers"
                )
    return paths


def _as_declared(names: Sequence[str]) -> bool:
    """Return whether the order of names is that in which PyTorch declares arrays.

    Each module's are together, the weight before the bias: sorted names are not, and those of a
    file, in any order, hardly ever.
    """
    pairs = [name.rpartition(".")[::2] for name in names]
    paths = [path for path, _ in pairs]
    together = sum(a != b for a, b in pairwise(paths)) < len({*paths})
    biased = [path for path in {*paths} if {(path, "weight"), (path, "bias")} <= {*pairs}]
    first = (pairs.index((path, "weight")) < pairs.index((path, "bias")) for path in biased)
    return together and bool(biased) and all(first)


def _pieces(path: str) -> list[str | int]:
    """Return texts and numbers of a path in turn: ``"layers.10"`` is "layers.", 10, ""."""
    return [
        int(piece) if index % 2 else piece
        for index, piece in enumerate(re.split(r"(\d{1,9})", path, flags=re.ASCII))
    ]


def _numbered(path: str, other: str) -> bool:
    """Return whether two paths first differ in a number."""
    pairs = zip(_pieces(path), _pieces(other), strict=False)
    return isinstance(next((a for a, b in pairs if a != b), ""), int)


def _shapes(arrays: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in arrays.items()}


def _checked(slot: Slot, name: str, array: Array | None, shape: tuple[int, ...]) -> Array:
    """Return an array of a state dict as ours, after a check of its shape.

    Raises
    ------
    ModelError
        If it is missing, or has another shape.
    """
    expected = slot.shape(shape)
    if array is None:
        if slot.absent is None:
            raise ModelError(f"array {name!r} is missing, expected shape {expected}")
        return np.full(shape, slot.absent)
    if array.shape != expected:
        raise ModelError(
            f"array {name!r} must have shape {expected} for {slot.ours!r} of the network, got "
            f"shape {array.shape}"
        )
    return slot.to_ours(array)
