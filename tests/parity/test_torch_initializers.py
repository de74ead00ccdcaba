"""Initial weights beside those of ``torch.nn.init``: dense weights and kernels, one variance."""

from typing import Any

import numpy as np
import pytest

from handloom.initializers import Glorot, He, Initializer, ScaledNormal

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

STARTS = [
    pytest.param(He(), torch.nn.init.kaiming_normal_, {"nonlinearity": "relu"}, id="he"),
    pytest.param(Glorot(), torch.nn.init.xavier_uniform_, {}, id="glorot"),
    pytest.param(ScaledNormal(0.02), torch.nn.init.normal_, {"std": 0.02}, id="scaled_normal"),
]


@pytest.mark.parametrize("shape", [(400, 300), (5, 5, 40, 120), (1, 1, 300, 400), (3, 1, 90, 200)])
@pytest.mark.parametrize(("start", "theirs", "options"), STARTS)
def test_initial_weights_have_the_variance_of_pytorch(
    start: Initializer, theirs: Any, options: dict[str, Any], shape: tuple[int, ...]
) -> None:
    drawn = start(shape, np.random.default_rng(0))
    # PyTorch has the outputs first: (h, d) and (f, c, k, k)
    tensor = torch.empty(drawn.transpose(*range(len(shape))[::-1]).shape, dtype=torch.float64)
    theirs(tensor, generator=torch.Generator().manual_seed(0), **options)
    assert drawn.std() == pytest.approx(float(tensor.std()), rel=0.015)
    # the fourth moment tells a normal from a uniform distribution: 3 and 1.8
    shapes = [float((each**4).mean() / (each**2).mean() ** 2) for each in (drawn, tensor.numpy())]
    assert shapes[0] == pytest.approx(shapes[1], rel=0.03)
