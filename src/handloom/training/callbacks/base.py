"""Callback base class: hooks at the beginning and end of training, epoch, step and validation."""

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from handloom.arguments import as_call
from handloom.compilation import watching
from handloom.errors import ConfigurationError, require_known
from handloom.training.history import EpochRecord
from handloom.training.objective import Measurement
from handloom.training.state import Stateful, TrainingState


class Callback:
    """Base class of callbacks: a subclass overrides hooks, which are called during training.

    The hooks of the base class do nothing. All their arguments are passed by keyword.

    A method named ``on_...`` that is not a hook is an error when its class is defined. A class that
    calls additional hooks declares them: ``class Mine(Callback, hooks=["on_new_best"])``.

    An exception in a hook ends training: a checkpoint of the latest step is written if training has
    checkpoints, and `on_train_end` of the callbacks that have begun runs.

    Attributes
    ----------
    changes_results : bool
        Whether this callback can affect results: the weights, the end of training, or a metric that
        another callback monitors. If so, a resume without it, or with another `config`, is refused.
        A class that only observes training sets it to False.

    Raises
    ------
    ConfigurationError
        If a subclass defines an unknown hook.
    """

    changes_results: ClassVar[bool] = True

    _hooks: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls, *, hooks: Iterable[str] = (), **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._hooks = tuple(hooks)
        known = [hook for base in cls.__mro__ for hook in vars(base).get("_hooks", ())]
        for name in dir(cls):
            if name.startswith("on_") and callable(getattr(cls, name)):
                require_known(f"hook of {cls.__name__}", name, known)
                if hasattr(Callback, name):
                    _check_signature(cls, name)

    @property
    def writes_to(self) -> Path | None:
        """The file or folder that this callback replaces, which no other callback may.

        Not even one of another training, as long as this one runs in the same process.
        """
        return None

    def __repr__(self) -> str:
        return as_call(self)

    def check(self, *, state: TrainingState) -> None:
        """Raise an error if the training is unsuitable, before any callback begins."""

    def on_compile_begin(self, *, state: TrainingState) -> None:
        """Run before code is compiled for a training, before `on_train_begin`.

        Only if it has to be: compiled code is kept, so this is the first time for a kind of network
        on a machine.
        """

    def on_compile_end(self, *, state: TrainingState) -> None:
        """Run when the code is compiled, or could not be; only after `on_compile_begin`."""

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Run before the first epoch, and before the first one after a resume."""

    def on_epoch_begin(self, *, state: TrainingState) -> None:
        """Run before the first step of each epoch; ``state.progress.epoch`` counts them from 0.

        A resume in the middle of an epoch does not run it again.
        """

    def on_step_begin(self, *, state: TrainingState) -> None:
        """Run before each step.

        Without a callback that has a step hook, the trainer makes many steps in one call.
        """

    def on_step_end(self, *, state: TrainingState, measured: Measurement) -> None:
        """Run after each step, with its loss and gradient before the update."""

    def on_validation_begin(self, *, state: TrainingState) -> None:
        """Run before validation; the network has the weights that are validated."""

    def on_validation_end(self, *, state: TrainingState, measured: Measurement) -> None:
        """Run after validation, with the same weights.

        Record a custom metric here: ``state.record("top5", value)``.
        """

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Run after each epoch; ``state.stop(reason)`` ends training with it."""

    def on_train_end(self, *, state: TrainingState) -> None:
        """Run when training ends, for any reason."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint: arrays and JSON values.

        Runs after `on_train_begin`.
        """
        return {}

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments as JSON; a state is loaded only where they agree.

        With checkpoints, a callback that changes results must return all of them.
        """
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load the state that `state_dict` returned; runs after `on_train_begin`."""


Callback._hooks = tuple(name for name in vars(Callback) if name.startswith("on_"))


def _check_signature(kind: type[Callback], hook: str) -> None:
    """Refuse a hook that cannot take the arguments it is called with."""
    _, *expected = inspect.signature(getattr(Callback, hook)).parameters
    unbound = not isinstance(inspect.getattr_static(kind, hook), staticmethod | classmethod)
    try:
        signature = inspect.signature(getattr(kind, hook))
        signature.bind(*([None] if unbound else []), **dict.fromkeys(expected))
    except TypeError as error:
        raise ConfigurationError(
            f"{kind.__name__}.{hook} is called with {', '.join(expected)} by keyword: {error}"
        ) from None
    except ValueError:  # some callables have no signature
        return


def stateful(callbacks: Iterable[Callback]) -> dict[str, Stateful]:
    """Return the callbacks that have a state, by class name, numbered if a class has several."""
    named: dict[str, Stateful] = {}
    for callback in callbacks:
        if type(callback).state_dict is not Callback.state_dict:
            kind = type(callback).__name__
            count = sum(name.partition(" ")[0] == kind for name in named)
            named[f"{kind} {count + 1}" if count else kind] = callback
    return named


class Hooks:
    """Calls the hooks of several callbacks, in their order.

    Attributes
    ----------
    has_step_hooks : bool
        Whether a callback overrides a step hook.
    """

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._callbacks = callbacks
        self.has_step_hooks = any(
            _overrides(callback, hook)
            for callback in callbacks
            for hook in ("on_step_begin", "on_step_end")
        )

    def may_change_results(self, hook: str) -> bool:
        """Return whether a callback that is not a mere observer overrides a hook."""
        changing = [each for each in self._callbacks if each.changes_results is not False]
        return any(_overrides(callback, hook) for callback in changing)

    def check(self, state: TrainingState) -> None:
        """Run the check of every callback."""
        for callback in self._callbacks:
            callback.check(state=state)

    def call(self, hook: str, **arguments: object) -> None:
        """Call a hook of every callback, even if one raises; then raise the first error.

        A resume does not repeat these calls, except for a step or a validation that broke off.
        """
        _call(self._callbacks, hook, arguments)

    def compiling(self, state: TrainingState) -> AbstractContextManager[None]:
        """Return a block, and run the hooks of compilation where it has to compile code."""
        begin = partial(self.call, "on_compile_begin", state=state)
        return watching(begin, partial(self.call, "on_compile_end", state=state))

    @contextmanager
    def training(self, state: TrainingState) -> Iterator[None]:
        """Run `on_train_begin`, and at the end of the block `on_train_end` of those that began.

        All of them end, even if one raises. An error of the block is raised again, with their
        errors as notes.
        """
        begun_callbacks: list[Callback] = []
        try:
            for callback in self._callbacks:
                _call([callback], "on_train_begin", {"state": state})
                begun_callbacks.append(callback)
            yield
        except BaseException as error:
            try:
                _call(begun_callbacks, "on_train_end", {"state": state})
            except BaseException as another:
                error.add_note(f"then on_train_end raised {another!r}")
            raise
        _call(begun_callbacks, "on_train_end", {"state": state})


def _call(callbacks: Sequence[Callback], hook: str, arguments: Mapping[str, Any]) -> None:
    """Call a hook of every callback; then raise the first error, an interrupt before all others."""
    errors: list[BaseException] = []
    state: TrainingState = arguments["state"]
    for callback in callbacks:
        state.recorder = callback
        try:
            getattr(callback, hook)(**arguments)
        except BaseException as error:
            errors.append(error)
        finally:
            state.recorder = None
    errors.sort(key=lambda error: isinstance(error, Exception))
    for other in errors[1:]:
        errors[0].add_note(f"another {hook} raised {other!r}")
    if errors:
        raise errors[0]


def check_callbacks(callbacks: object) -> tuple[Callback, ...]:
    """Return callbacks as a tuple.

    Raises
    ------
    ConfigurationError
        If one is not a `Callback`, or appears twice, or two write to the same path.
    """
    checked: list[Callback] = []
    if not isinstance(callbacks, Iterable):
        raise ConfigurationError(
            f"callbacks must be a sequence of Callback objects, got {callbacks!r}: pass "
            "callbacks=[...]"
        )
    for callback in callbacks:
        if not isinstance(callback, Callback):
            raise ConfigurationError(
                f"callbacks must be instances of subclasses of handloom.Callback, got {callback!r}"
            )
        if any(callback is other for other in checked):
            raise ConfigurationError(
                f"callbacks must be different objects, got the same {type(callback).__name__} twice"
            )
        path = callback.writes_to
        if path is not None and any(path == other.writes_to for other in checked):
            raise ConfigurationError(f"callbacks must write to different paths, got {path} twice")
        checked.append(callback)
    return tuple(checked)


def _overrides(callback: Callback, hook: str) -> bool:
    """Return whether a callback, or its class, overrides a hook."""
    own = getattr(getattr(callback, hook), "__func__", None)
    return own is not getattr(Callback, hook)
