"""Own parts: records of the functions and objects of a training that are not the library's.

A part of the library is compared at a resume by its ``config``. A part of the user's own may have
none, so it is recorded by its name, its code, and its attributes. Attributes that change while the
training runs are its running state, and are not compared.
"""

from collections.abc import Iterator, Mapping
from functools import _lru_cache_wrapper, partial
from inspect import signature
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np

from handloom.errors import ModelError
from handloom.layers.chain import Chain
from handloom.training.code import (
    LIBRARY,
    Code,
    class_functions,
    is_installed,
    is_library,
    set_by_library,
)
from handloom.training.configuration import describe
from handloom.training.simple_values import is_simple, simple_text, split

Record = dict[str, Any]
"""A part: ``kind``, its name; ``code``, a checksum; ``attributes`` and ``globals``, values by name;
``running``, the names of attributes that training changes."""

OBSERVES = "if no result depends on it, write changes_results = False in its class"
"""Advice about a callback that only observes a training."""

SAME = "make it with the same value; a value that no result depends on does not belong in it"
"""Advice about an attribute of another part, such as the time at which it was made."""

DEEPEST, MOST = 6, 1000
"""The largest number of attributes that lead to a recorded object, and of records."""


def own_parts(
    parts: Mapping[str, object], only: Mapping[str, Record] | None = None
) -> dict[str, Record]:
    """Return a record of each function and object that is not the library's, by its path.

    Parameters
    ----------
    parts : mapping of str to object
        The parts of a training by name. Those of the library are searched for others in the
        arguments of their constructors, and own ones in their attributes.
    only : mapping of str to dict, optional
        Earlier records: parts with other paths, such as those that a training collects, are not
        recorded.

    Returns
    -------
    dict of str to dict
        JSON values. A dot in a path comes before the attribute of an own part.
    """
    collected = _Records(only)
    for name, part in parts.items():
        collected.add(name, part)
    return collected.records


def constant_parts(at_begin: Mapping[str, Record], now: Mapping[str, Record]) -> dict[str, Record]:
    """Return the records from the beginning, without attributes, globals and parts changed since.

    The names of attributes that have changed or are new are in ``running``.
    """
    constant = {}
    for path, record in at_begin.items():
        if path not in now or now[path]["kind"] != record["kind"]:
            continue
        attributes = _common(record["attributes"], now[path]["attributes"])
        running = {*record["running"], *record["attributes"], *now[path]["attributes"]}
        constant[path] = {
            **record,
            "attributes": attributes,
            "globals": _common(record["globals"], now[path]["globals"]),
            "running": sorted(running.difference(attributes)),
        }
    return constant


def resumed_parts(saved: Mapping[str, Record], now: Mapping[str, Record]) -> dict[str, Record]:
    """Return the records now, without those that are running state in the checkpoint."""
    return {
        path: {
            **record,
            "attributes": _common(record["attributes"], saved[path]["attributes"]),
            "running": saved[path]["running"],
        }
        for path, record in now.items()
        if path in saved
    }


def _common(values: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """Return the values that are the same in both."""
    return {name: value for name, value in values.items() if others.get(name) == value}


def changed_code(saved: Mapping[str, Record], now: Mapping[str, Record]) -> Iterator[str]:
    """Yield a sentence for each part with other code, but the same name and attributes.

    Raises
    ------
    ModelError
        If a part has another name or another attribute, which the message names.
    """
    for path in dict.fromkeys([*saved, *now]):
        before, after = saved.get(path), now.get(path)
        if before is None and "." in path:
            continue  # an attribute from a training in this process
        if before is None or after is None or not _same_kind(before["kind"], after["kind"]):
            was, is_ = (each["kind"] if each else "the library's" for each in (before, after))
            if "." in path:
                is_ = after["kind"] if after else "missing"
            raise ModelError(f"cannot resume: {path} is {is_}, the checkpoint has {was}")
        for name, old in before["attributes"].items():
            if (new := after["attributes"].get(name, "missing")) != old:
                way_out = OBSERVES if path.startswith("callbacks") else SAME
                raise ModelError(
                    f"cannot resume: {path}.{name} is {new}, the checkpoint has {old}: {way_out}"
                )
    for path, before in saved.items():
        old_code, new_code = before["code"], now[path]["code"]
        pythons = {each.partition(" ")[0] for each in (old_code, new_code) if each}
        if len(pythons) > 1:
            yield f"the code of {path} was not compared: it was compiled by another Python"
        elif old_code != new_code:
            yield (
                f"the code of {path} ({now[path]['kind']}) has changed since the checkpoint: the "
                f"training goes on with the new code"
            )
        after = now[path]["attributes"]
        for name in sorted({*after}.difference(before["attributes"], before["running"])):
            yield (
                f"{path}.{name} is {after[name]}, and the checkpoint has no such attribute: the "
                f"training goes on with it"
            )
        for name, old in before["globals"].items():
            new = now[path]["globals"].get(name, "missing")
            if new != old:
                yield (
                    f"{name}, which the code of {path} uses, is {new}, and was {old}: the "
                    f"training goes on with the new value"
                )


def _same_kind(before: str, after: str) -> bool:
    """Return whether two names are the same; a script may be run or imported."""
    modules, names = zip(*(each.split(":") for each in (before, after)), strict=True)
    return names[0] == names[1] and (modules[0] == modules[1] or "__main__" in modules)


class _Records:
    """Collects the records of parts."""

    def __init__(self, only: Mapping[str, Record] | None) -> None:
        self.records: dict[str, Record] = {}
        self._only = None if only is None else {part for path in only for part in _prefixes(path)}
        self._outer: list[object] = []  # the objects that lead to the current one
        self._code: dict[type, Code] = {}

    def add(self, path: str, value: object) -> None:
        """Record a part if it is an own one, and the own parts in it."""
        unwanted = self._only is not None and path not in self._only
        deep = path.count(".") > DEEPEST or len(self.records) >= MOST
        if unwanted or deep or is_simple(value) or any(value is each for each in self._outer):
            return
        self._outer.append(value)
        self._add(path, value)
        self._outer.pop()

    def _add(self, path: str, value: object) -> None:
        if isinstance(value, Chain):  # in a layer of the library, which has no config
            self.add(f"{path} layers", value.layers)
        elif isinstance(value, list | tuple | dict):
            entries = value.items() if isinstance(value, dict) else enumerate(value)
            for key, each in list(entries):
                self.add(f"{path} {key}", each)
        elif isinstance(value, partial):
            named = {str(index): each for index, each in enumerate(value.args)}
            self._record(path, "functools:partial", Code(), {**named, **value.keywords})
            self.add(f"{path}.func", value.func)
        elif isinstance(value, MethodType):
            self.add(f"{path}.method", value.__func__)
            self.add(f"{path}.object", value.__self__)
        elif is_library(value):
            self._add_of_library(path, value)
        elif isinstance(value, FunctionType):
            code = Code([(value.__name__, value)])
            self._record(path, _name_of(value), code, {**vars(value), **code.bound})
        elif isinstance(value, type):
            code = Code() if is_installed(value) else self._code_of(value)
            self._record(path, _name_of(value), code, {})
        elif isinstance(value, BuiltinFunctionType | np.ufunc):
            self._record(path, f"{type(value).__name__}:{value.__name__}", Code(), {})
        elif isinstance(value, _lru_cache_wrapper):
            self.add(f"{path}.function", value.__wrapped__)
        elif "." not in path or not is_installed(type(value)):
            code = self._code_of(type(value))
            attributes = {**code.bound, **_attributes(value)}
            self._record(path, _name_of(type(value)), code, attributes)

    def _code_of(self, class_: type) -> Code:
        if class_ not in self._code:
            self._code[class_] = Code(class_functions(class_))
        return self._code[class_]

    def _record(self, path: str, kind: str, code: Code, attributes: Mapping[str, object]) -> None:
        simple, others = split(attributes)
        self._store(path, kind, simple, code)
        for name, each in others.items():
            self.add(f"{path}.{name}", each)

    def _store(self, path: str, kind: str, attributes: Mapping[str, str], code: Code) -> None:
        self.records[path] = {
            "kind": kind,
            "code": code.digest,
            "attributes": dict(attributes),
            "globals": code.globals,
            "running": [],
        }

    def _add_of_library(self, path: str, value: object) -> None:
        """Record the own arguments of a part of the library; its config too, if an own part has it.

        The configs of all others are in the configuration of the training.
        """
        if isinstance(value, FunctionType | type):
            if "." in path:
                self._store(path, _name_of(value), {}, Code())
            return
        frozen = getattr(getattr(value, "__dataclass_params__", None), "frozen", False)
        if "." in path and (frozen or callable(getattr(value, "config", None))):
            described = describe(value)
            texts = {str(name): simple_text(each) for name, each in described.items()}
            simple = {name: text for name, text in texts.items() if text is not None}
            kind = f"{LIBRARY}:{type(value).__qualname__}"
            self._store(path, kind, simple, Code())
        for name in signature(type(value).__init__).parameters:
            self.add(f"{path} {name}", getattr(value, "__dict__", {}).get(name))
        for name, each in getattr(value, "__dict__", {}).items():
            if callable(each) and callable(getattr(type(value), name, None)):
                self.add(f"{path} {name}", each)  # in place of a method


def _prefixes(path: str) -> Iterator[str]:
    """Yield a path, and the paths that lead to it."""
    yield path
    yield from (path[:index] for index, letter in enumerate(path) if letter in ". ")


def _name_of(value: Any) -> str:
    return f"{value.__module__}:{value.__qualname__}"


def _attributes(value: object) -> dict[str, object]:
    """Return the attributes of an own object and of its own classes.

    Methods are left out, and the running state of the library's base classes.
    """
    attributes: dict[str, object] = {}
    for base in reversed(type(value).__mro__):
        slots = vars(base).get("__slots__", ())
        if not is_library(base):
            attributes.update(vars(base))
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name):
                attributes[name] = getattr(value, name)
    methods = {name for name, _ in class_functions(type(value))}
    attributes = {n: a for n, a in attributes.items() if n not in methods}
    attributes.update(getattr(value, "__dict__", {}))
    running = set_by_library(type(value))
    return {
        name: each
        for name, each in attributes.items()
        if name not in running and not (name.startswith("__") and name.endswith("__"))
    }
