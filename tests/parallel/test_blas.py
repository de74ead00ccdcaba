"""BLAS has one thread during a training, whichever thread it runs in, and its own number after."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from tests.helpers.processes import running
from tests.helpers.training import DATA, At, features, network, short_trainer
from threadpoolctl import ThreadpoolController

from handloom import SGD, Dense, Model, Sequential, Trainer, evaluate
from handloom.layers import ReLU
from handloom.parallel.threads import Threads
from handloom.parameters import Array

ROWS = DATA.train

TWO_THREADS = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}


def blas_threads() -> set[int]:
    blas = ThreadpoolController().select(user_api="blas")
    return {library["num_threads"] for library in blas.info()}


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    """Give BLAS two threads, and see that it has them in the end."""
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.skip("BLAS has no second thread here")
        yield
        assert blas_threads() == {2}


@contextmanager
def in_another_thread(call: Callable[[], object]) -> Iterator[None]:
    """Make a call in another thread, which has ended with the block."""
    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(call)
        try:
            yield
        finally:
            future.result(timeout=60)


class Pause(ReLU):
    """A ReLU that stops in its first training pass until `go_on` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go_on = threading.Event(), threading.Event()
        self.passes = 0

    def forward(self, x: Array, *, training: bool = False, rng: object = None) -> Array:
        self.passes += 1
        if not self.reached.is_set():
            self.reached.set()
            assert self.go_on.wait(30)
        return super().forward(x, training=training)


def train(pause: Pause | None = None) -> Array:
    """Return the weights after a training, in which products round differently on two threads."""
    middle = pause or ReLU()
    made = Sequential([Dense(64), middle, Dense(64), ReLU(), Dense(10)]).build((784,), seed=3)
    Trainer(made, SGD(), 0.1, epochs=2, batch_size=500, backend="numpy", threads=1).fit(ROWS)
    return made.parameters.vector.copy()


def test_two_threads_of_blas_round_these_products_differently() -> None:
    made = network(ROWS, units=64)
    inputs = np.asarray(ROWS.inputs[:500].reshape(500, -1), np.float32)
    two = made.predict(inputs)
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        one = made.predict(inputs)
    if np.array_equal(one, two):
        pytest.skip("this BLAS rounds them the same; the other tests here prove less")


def test_a_training_in_another_thread_than_the_one_that_set_a_limit_has_one_thread() -> None:
    expected, seen = train(), set[int]()
    with ThreadPoolExecutor(1) as executor:
        with ThreadpoolController().limit(limits=2, user_api="blas"):
            weights = executor.submit(train).result()
            with in_another_thread(lambda: seen.update(_seen_while_held())):
                pass
        assert np.array_equal(weights, expected)
        assert seen == {1}


def _seen_while_held() -> set[int]:
    with Threads(2):
        return blas_threads()


def test_a_limit_that_ends_in_the_middle_of_a_step_changes_no_bit() -> None:
    expected, pause, weights = train(), Pause(), []
    limit = ThreadpoolController().limit(limits=1, user_api="blas")
    with in_another_thread(lambda: weights.append(train(pause))):
        assert pause.reached.wait(30)
        limit.__exit__(None, None, None)
        assert blas_threads() == {2}, "the caller's limit has ended"
        pause.go_on.set()
    assert np.array_equal(weights[0], expected)


def test_a_limit_that_ends_between_two_epochs_changes_no_bit() -> None:
    def weights(*callbacks: At) -> Array:
        made = network(ROWS, units=64)
        options: dict[str, Any] = {"epochs": 3, "batch_size": 500, "callbacks": callbacks}
        Trainer(made, SGD(), 0.1, **options).fit(ROWS)
        return made.parameters.vector.copy()

    expected = weights()
    limit = ThreadpoolController().limit(limits=1, user_api="blas")
    ends_it = At(0, lambda _: limit.__exit__(None, None, None))
    assert np.array_equal(weights(ends_it), expected)


def test_an_evaluation_in_which_a_limit_ends_is_made_again() -> None:
    pause = Pause()
    made = Sequential([Dense(64), pause, Dense(10)]).build((784,), seed=3)
    pause.reached.set()
    model = _model(made)
    expected = evaluate(model, ROWS).probabilities
    before = pause.passes
    pause.reached.clear()
    limit = ThreadpoolController().limit(limits=1, user_api="blas")
    got: list[Array] = []
    with in_another_thread(lambda: got.append(evaluate(model, ROWS).probabilities)):
        assert pause.reached.wait(30)
        limit.__exit__(None, None, None)
        pause.go_on.set()
    assert np.array_equal(got[0], expected)
    assert pause.passes == 3 * before


def _model(made: Sequential) -> Model:
    trainer = Trainer(made, SGD(), 0.1, epochs=1)
    trainer.fit(ROWS)
    return trainer.model()


def test_a_number_that_other_code_keeps_setting_gets_one_warning() -> None:
    code = """
import warnings
import numpy as np
from handloom.parallel.blas import single_threaded_blas
from threadpoolctl import ThreadpoolController
blas = ThreadpoolController()
def disturb():
    blas.limit(limits=2, user_api="blas")
    return 5
with warnings.catch_warnings(record=True) as caught, single_threaded_blas() as hold:
    warnings.simplefilter("always")
    print(hold.undisturbed(disturb), hold.undisturbed(disturb, repeat=False))
print(len(caught), "changed the number of threads of BLAS" in str(caught[0].message))
"""
    assert _output(code) == "5 5\n1 True\n"


def test_blas_has_its_threads_back_when_the_last_of_several_trainings_ends() -> None:
    first, second = Threads(2), Threads(2)
    with first:
        second.__enter__()
    assert blas_threads() == {1}, "another training still runs"
    second.__exit__(None, None, None)
    assert blas_threads() == {2}


def test_blas_has_its_threads_back_after_trainings_that_overlap_in_threads() -> None:
    begun, ended = threading.Event(), threading.Event()

    def first() -> None:
        with Threads(1):
            begun.set()
            assert ended.wait(30)
        assert blas_threads() == {1}, "another training still runs"

    def second() -> None:
        assert begun.wait(30)
        with Threads(1):
            ended.set()
            one.result(timeout=30)
        assert blas_threads() == {2}

    with ThreadPoolExecutor(2) as executor:
        one = executor.submit(first)
        executor.submit(second).result(timeout=30)


def test_a_block_may_end_in_another_thread_than_it_began() -> None:
    with ThreadPoolExecutor(1) as executor:
        pool = executor.submit(Threads(1).__enter__).result()
        assert blas_threads() == {1}
        pool.__exit__(None, None, None)
        assert blas_threads() == {2}


def test_the_number_that_other_code_set_last_returns() -> None:
    """A block of the caller's, which began with two threads, ends at different times."""
    limit = ThreadpoolController().limit(limits=1, user_api="blas")
    seen: list[set[int]] = []
    end_limit = At(0, lambda _: limit.__exit__(None, None, None))
    look = At(1, lambda _: seen.append(blas_threads()))
    short_trainer(end_limit, look).fit(features())
    assert seen == [{1}]
    assert blas_threads() == {2}

    limit = ThreadpoolController().limit(limits=1, user_api="blas")
    with Threads(1):
        limit.__exit__(None, None, None)  # and no step follows
        assert blas_threads() == {2}
    assert blas_threads() == {2}


@pytest.mark.long
def test_many_trainings_and_evaluations_at_once_leave_blas_as_it_was() -> None:
    made = network(ROWS, units=8)
    model = _model(made)
    expected = evaluate(model, ROWS).probabilities

    def work(_: int) -> bool:
        Trainer(network(ROWS, units=8), SGD(), 0.1, epochs=1, batch_size=2500).fit(ROWS)
        return np.array_equal(evaluate(model, ROWS).probabilities, expected)

    with ThreadPoolExecutor(8) as executor:
        assert all(executor.map(work, range(24)))


@pytest.mark.long
def test_a_grid_search_on_threads_leaves_blas_as_it_was() -> None:
    pytest.importorskip("sklearn")
    code = """
import warnings
import numpy as np
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV
from threadpoolctl import ThreadpoolController
from handloom import MLPClassifier
warnings.simplefilter("ignore")
blas = ThreadpoolController()
rng = np.random.default_rng(0)
x, y = rng.normal(size=(60, 5)), rng.integers(0, 2, 60)
search = GridSearchCV(MLPClassifier((8,)), {"max_iter": [9, 1, 4]}, cv=4)
with parallel_config("threading", n_jobs=3):
    search.fit(x, y)
print({library["num_threads"] for library in blas.info() if library["user_api"] == "blas"})
"""
    assert _output(code, TWO_THREADS) == "{2}\n"


def test_a_blas_that_was_loaded_after_a_training_is_held_too() -> None:
    code = """
import numpy as np
from handloom.parallel.threads import Threads
with Threads(2):
    pass
import scipy.linalg
from threadpoolctl import ThreadpoolController
blas = ThreadpoolController().select(user_api="blas")
with blas.limit(limits=2), Threads(2):
    print({library["num_threads"] for library in blas.info()})
"""
    assert _output(code) == "{1}\n"


@pytest.mark.slow
def test_a_blas_that_is_loaded_during_a_training_is_held_too() -> None:
    pytest.importorskip("scipy")
    code = """
import importlib
from tests.helpers.training import At, features, short_trainer
from threadpoolctl import ThreadpoolController
def numbers(_=None):
    blas = ThreadpoolController().select(user_api="blas")
    return print(sorted(library["num_threads"] for library in blas.info()))
load = At(0, lambda _: importlib.import_module("scipy.linalg"))
short_trainer(At(0, numbers), load, At(1, numbers)).fit(features())
numbers()
"""
    assert _output(code, TWO_THREADS) == "[1]\n[1, 1]\n[2, 2]\n"


def test_blas_is_as_it_was_after_a_ctrl_c_that_came_while_helpers_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    def train() -> None:
        with Threads(2) as threads:
            threads.run([int, int])
            monkeypatch.setattr(threading.Thread, "join", interrupted)

    with pytest.raises(KeyboardInterrupt):
        train()
    assert blas_threads() == {2}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_process_forked_while_another_thread_trains_has_its_threads_and_can_train() -> None:
    begun, ended = threading.Event(), threading.Event()

    def hold() -> None:
        with Threads(1):
            begun.set()
            assert ended.wait(30)

    with in_another_thread(hold):
        assert begun.wait(30)
        if (child := os.fork()) == 0:
            works = blas_threads() == {2} and _seen_while_held() == {1} and blas_threads() == {2}
            os._exit(0 if works else 1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        ended.set()
    assert status == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_process_forked_inside_a_block_is_held_until_its_end() -> None:
    with Threads(1) as pool:
        if (child := os.fork()) == 0:
            held = blas_threads() == {1}
            pool.__exit__(None, None, None)
            os._exit(0 if held and blas_threads() == {2} else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert blas_threads() == {1}


OWN_CONTROLLER = """
import sys, threading, warnings, _ctypes
import threadpoolctl
from threadpoolctl import LibController
class Own(LibController):
    user_api, internal_api = "blas", sys.argv[1]
    filename_prefixes = ("_ctypes",)  # a library that is always loaded
    check_symbols = ("PyInit__ctypes",)
    state = threading.local()
    def get_num_threads(self): return getattr(self.state, "number", 4)
    def set_num_threads(self, number):
        if self.internal_api != "stubborn": self.state.number = number
    def get_version(self): return "1"
threadpoolctl.register(Own)
from handloom.parallel.threads import Threads
own = threadpoolctl.ThreadpoolController().select(internal_api=sys.argv[1]).lib_controllers[0]
"""


def test_a_blas_whose_threads_cannot_be_set_gets_one_warning() -> None:
    code = f"""{OWN_CONTROLLER}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(3):
        with Threads(1) as pool:
            pool.run([int])
print(len(caught), *(each.message for each in caught))
"""
    said = _output(code, None, "stubborn")
    assert said.startswith("1 the number of threads of stubborn (")
    assert "cannot be set to one" in said


def test_a_blas_that_counts_for_each_thread_is_held_in_every_thread_of_a_pool() -> None:
    code = f"""{OWN_CONTROLLER}
barrier = threading.Barrier(3)
def see():
    barrier.wait(10)
    return own.num_threads
with Threads(3) as pool:
    print(pool.run([see, see, see]))
    other = []
    thread = threading.Thread(target=lambda: other.append(own.num_threads))
    thread.start(), thread.join()
print(other, own.num_threads)
"""
    assert _output(code, None, "mkl") == "[1, 1, 1]\n[4] 4\n"  # MKL counts so


def test_evaluations_and_limited_predictions_are_the_same_for_any_number_of_threads() -> None:
    code = """
import hashlib
import numpy as np
from handloom import Dataset, Dense, ReLU, Sequential, evaluate
from handloom.data.transforms import Scale
from handloom.model import Model
from threadpoolctl import threadpool_limits
rng = np.random.default_rng(0)
net = Sequential([Dense(64), ReLU(), Dense(10)]).build((784,), seed=1)
rows = rng.integers(0, 256, (600, 28, 28), np.uint8)
names = tuple("0123456789")
model = Model(net, Scale(), names, (28, 28), "uint8")
with threadpool_limits(1, user_api="blas"):
    predicted = model.predict(rows)
evaluated = evaluate(model, Dataset(rows, rng.integers(0, 10, 600), class_names=names))
for each in predicted, evaluated.probabilities:
    print(hashlib.sha256(each.tobytes()).hexdigest())
"""
    said = {_output(code, {**os.environ, "OPENBLAS_NUM_THREADS": n}) for n in ("1", "2")}
    assert len(said) == 1


def _output(code: str, environment: dict[str, str] | None = None, *arguments: str) -> str:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment}
    with running(code, *arguments, **pipes) as process:
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return output
