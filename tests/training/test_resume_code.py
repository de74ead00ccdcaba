"""Changed code is told at a resume; unchanged code is not, in any process."""

import os
from pathlib import Path
from subprocess import PIPE

import pytest
from tests.helpers.processes import running

SCRIPT = '''
import sys
from handloom import Callback, Checkpoints, Dense, ReLU, Sequential, Trainer, SGD, StopReason
from handloom import SoftmaxCrossEntropy, silhouettes

GAIN = 1.0
COSTS = {"a": 1.0, "b": (2.0, 3.0)}

def helper(x):
    return x * 1.0  # MARK helper

class Mine(SoftmaxCrossEntropy):
    """A loss."""  # MARK doc
    factor = 1.0
    # MARK comment

    def row_losses(self, predictions, targets, gradient):
        """Return losses."""
        losses = super().row_losses(predictions, targets, gradient)
        if "b" in {"a", "b", "c", "d", "e"} and COSTS["a"]:
            gradient *= helper(1.0) * GAIN  # MARK body
        return losses

    @property
    def gain(self):
        return [each for each in range(3) if each in (1, 2)]

class Stop(Callback):
    changes_results = False

    def on_step_end(self, *, state, measured):
        if state.progress.steps == 3 and sys.argv[2] == "stop":
            state.stop(StopReason.INTERRUPTED)

data = silhouettes(rows=100, test_rows=10).train
network = Sequential([Dense(4), ReLU(), Dense(10)]).build((784,), seed=0)
options = {"epochs": 2, "batch_size": 20, "loss": Mine(), "backend": "numpy"}
checkpoints = None if sys.argv[1] == "none" else Checkpoints(sys.argv[1])
trainer = Trainer(network, SGD(), 0.1, checkpoints=checkpoints, callbacks=[Stop()], **options)
trainer.fit(data, resume=sys.argv[2] == "resume")
print(network.parameters.vector.tobytes().hex())
'''


def run(script: str, folder: Path | str, mode: str, seed: int) -> tuple[str, str]:
    """Run the script in a process with another order of sets; return its output and warnings."""
    environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONWARNINGS": "default"}
    with running(script, folder, mode, stdout=PIPE, stderr=PIPE, env=environment) as process:
        printed, warned = process.communicate(timeout=60)
        assert process.returncode == 0, warned
    return printed, warned


@pytest.mark.slow
def test_a_script_with_other_comments_is_resumed_without_a_warning_in_another_process(
    tmp_path: Path,
) -> None:
    whole, _ = run(SCRIPT, "none", "whole", 0)
    run(SCRIPT, tmp_path, "stop", 1)
    edited = SCRIPT.replace("# MARK", "# Another remark:\n    #", 1).replace(
        '"""A loss."""', '"""Another docstring."""\n'
    )
    edited = edited.replace('"""Return losses."""', '"""Return the losses of rows."""\n\n')
    resumed, warned = run(edited, tmp_path, "resume", 2)
    assert resumed == whole
    assert "UserWarning" not in warned


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        ("helper(1.0) * GAIN", "helper(2.0) * GAIN", r"the code of loss \(__main__:Mine\)"),
        ("x * 1.0", "x * 2.0", r"the code of loss \(__main__:Mine\)"),
        ('"b" in {"a"', '"b" not in {"a"', r"the code of loss"),
        ("GAIN = 1.0", "GAIN = 2.0", r"GAIN, which the code of loss uses, is 2\.0, and was 1\.0"),
    ],
)
@pytest.mark.long
def test_a_script_with_other_code_gets_a_warning_and_goes_on(
    tmp_path: Path, old: str, new: str, warning: str
) -> None:
    run(SCRIPT, tmp_path, "stop", 1)
    _, warned = run(SCRIPT.replace(old, new), tmp_path, "resume", 2)
    assert warning.replace("\\", "") in warned
