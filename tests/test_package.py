"""The package as its users get it: a light import, a wheel that runs, memory that stays bounded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from release.distributions import build
from release.environments import empty_environment

ROOT = Path(__file__).parent.parent


def python(code: str, *, executable: str = sys.executable) -> str:
    done = subprocess.run(
        [executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_handloom_imports_numpy_alone() -> None:
    code = """
import sys
import numpy.random
before = set(sys.modules)
import handloom
roots = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(roots - set(sys.stdlib_module_names) - {"handloom", "numpy"}))
"""
    assert python(code).strip() == "[]"


def test_importing_handloom_draws_no_random_number_and_warns_of_nothing() -> None:
    code = """
import numpy as np, warnings
np.random.seed(0)
before = np.random.get_state()[1].tolist()
warnings.simplefilter("error")
import handloom
assert np.random.get_state()[1].tolist() == before
"""
    python(code)


def test_every_public_name_is_there_and_documented() -> None:
    import handloom

    for name in vars(handloom)["__all__"]:
        assert getattr(handloom, name).__doc__


def test_a_star_imports_all_names_but_the_module_and_those_that_need_an_extra() -> None:
    code = """
import sys
import handloom
from handloom import *
names = set(globals())
print(*sorted(each for each in dir(handloom) if each in handloom._HOMES and each not in names))
assert "sklearn" not in sys.modules and "matplotlib" not in sys.modules
"""
    left_out = python(code).split()
    assert [name for name in left_out if name not in ("__version__", "plots")] == [
        *("MLPClassifier", "MLPRegressor", "NetworkClassifier", "NetworkRegressor"),
    ]


def test_a_public_name_is_loaded_when_it_is_first_used() -> None:
    code = """
import sys
import handloom
assert "Dense" in dir(handloom) and "MLPClassifier" in dir(handloom)
assert "handloom.layers" not in sys.modules
assert handloom.Dense is sys.modules["handloom.layers"].Dense
assert "MLPClassifier" not in handloom.__all__
print(handloom.__version__)
"""
    import handloom

    assert python(code).strip() == handloom.__version__
    with pytest.raises(AttributeError, match="no attribute 'Dens'"):
        handloom.Dens  # type: ignore[attr-defined]  # noqa: B018


def test_plots_are_there_without_an_import_of_their_own() -> None:
    code = """
import sys
import handloom
assert "handloom.plots" not in sys.modules and "plots" in dir(handloom)
handloom.plots.comparison
assert "matplotlib" not in sys.modules
"""
    python(code)


@pytest.mark.slow
def test_a_full_batch_run_over_60_000_rows_stays_below_700_mb() -> None:
    code = """
from benchmarks.measure import peak_memory
import numpy as np
from handloom import SGD, Dataset, Dense, ReLU, Sequential, Trainer
generator = np.random.default_rng(0)
inputs = generator.integers(0, 256, (60_000, 28, 28), dtype=np.uint8)
data = Dataset(inputs, generator.integers(0, 10, 60_000), tuple("0123456789"))
network = Sequential([Dense(128), ReLU(), Dense(128), ReLU(), Dense(10)]).build((784,))
Trainer(network, SGD(), 0.1, epochs=2).fit(data)
print(int(peak_memory()))
"""
    assert int(python(code)) < 700


@pytest.mark.long
def test_a_wheel_installs_into_an_empty_environment_and_runs(tmp_path: Path) -> None:
    def run(*command: str | Path) -> str:
        done = subprocess.run(
            [str(word) for word in command],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    wheel = build(empty_environment(tmp_path / "build"), tmp_path / "dist").wheel
    environment = empty_environment(tmp_path / "bare")
    environment.install(str(wheel))
    bare, handloom = environment.commands / "python", environment.commands / "handloom"
    code = """
from handloom import *
data = silhouettes(rows=200, test_rows=50)
network = Sequential([Dense(16), ReLU(), Dense(10)]).build((784,))
trainer = Trainer(network, Adam(), 1e-3, epochs=2, batch_size=20)
trainer.fit(data.train, 0.2)
trainer.model().save("model")
print(Model.load("model").predict(data.test.inputs).shape)
"""
    assert run(bare, "-c", code).strip() == "(50, 10)"
    missing = subprocess.run([handloom, "--help"], capture_output=True, text=True, check=False)
    assert missing.returncode == 1
    assert "the extra 'cli'" in missing.stderr
    environment.install(f"{wheel}[cli]")
    folder = tmp_path / "run"
    run(handloom, "train", "--data", "silhouettes", "--epochs", "1", "--out", folder)
    assert (folder / "results.json").exists()
