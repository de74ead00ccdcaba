"""A module that is passed to from_torch runs, and is refused if it computes something else."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.random_networks import random_model

from handloom import BatchNorm, Dense, LayerNorm, LeakyReLU, ModelError, ReLU, Sequential, Softmax
from handloom.interop.torch import from_torch, to_torch

torch = pytest.importorskip("torch")
nn = torch.nn
pytestmark = pytest.mark.parity


class Code(torch.nn.Module):  # type: ignore[name-defined, misc]
    """Modules in the order of their declaration, and a forward of its own."""

    def __init__(self, forward: Any, **modules: Any) -> None:
        super().__init__()
        self.code = forward
        for name, each in modules.items():
            self.add_module(name, each)

    def forward(self, x: Any) -> Any:
        return self.code(self, x)


def two(forward: Any) -> Any:
    torch.manual_seed(0)
    return Code(forward, first=nn.Linear(4, 4), second=nn.Linear(4, 4))


def in_turn(net: Any, x: Any) -> Any:
    return net.second(torch.relu(net.first(x)))


def options() -> list[tuple[Any, Any]]:
    torch.manual_seed(0)
    return [
        (nn.LeakyReLU(0.2), LeakyReLU),
        (nn.BatchNorm1d(4, eps=1e-3), BatchNorm),
        (nn.LayerNorm(4, eps=1e-3), LayerNorm),
        (nn.GELU(), lambda: "gelu"),
    ]


@pytest.mark.parametrize("case", range(4))
def test_an_option_that_the_weights_do_not_say_is_refused(case: int) -> None:
    module, layer = options()[case]
    theirs = nn.Sequential(nn.Linear(4, 4), module, nn.Linear(4, 2))
    network = Sequential([Dense(4), layer(), Dense(2)]).build((4,), seed=1)
    before = network.get_weights()
    with pytest.raises(ModelError, match=r"differ by up to [\d.e-]+\. Check .*epsilon.*slope"):
        from_torch(theirs, network)
    after = network.get_weights()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    from_torch(theirs.state_dict(), network)  # the arrays alone say nothing


def test_the_right_options_are_taken() -> None:
    theirs = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, eps=1e-3), nn.LeakyReLU(0.2))
    from_torch(theirs, [Dense(4), BatchNorm(epsilon=1e-3), LeakyReLU(0.2)], input_shape=4)


def test_another_order_of_use_is_refused_and_order_mends_it() -> None:
    module = two(lambda net, x: net.first(torch.relu(net.second(x))))
    layers = ["dense", "relu", "dense"]
    with pytest.raises(ModelError, match=r"order=\[\.\.\.\]"):
        from_torch(module, [Dense(4), ReLU(), Dense(4)], input_shape=4)
    network = from_torch(
        module, [Dense(4), ReLU(), Dense(4)], input_shape=4, order=["second", "first"]
    )
    assert [layer.kind for layer in network] == layers


@pytest.mark.parametrize("end", ["softmax", "log_softmax", "sigmoid"])
def test_an_activation_at_the_end_may_be_missing(end: str) -> None:
    functions = {
        "softmax": lambda z: z.softmax(dim=1),
        "log_softmax": lambda z: z.log_softmax(dim=1),
        "sigmoid": torch.sigmoid,
    }
    module = two(lambda net, x: functions[end](in_turn(net, x)))
    from_torch(module, [Dense(4), ReLU(), Dense(4)], input_shape=4)


def test_a_softmax_at_the_end_of_the_network_may_be_missing_in_the_module() -> None:
    from_torch(two(in_turn), [Dense(4), ReLU(), Dense(4), Softmax()], input_shape=4)


@pytest.mark.parametrize(
    "forward",
    [lambda net, x, mask: x, lambda net, x: (x, x), lambda net, x: net.second(x.float())],
    ids=["arguments", "tuple", "dtype"],
)
def test_a_module_that_does_not_run_gets_a_warning(forward: Any) -> None:
    with pytest.warns(UserWarning, match=r"Code are not compared .* \(\w+Error: "):
        from_torch(two(forward), [Dense(4), ReLU(), Dense(4)], input_shape=4)


def test_other_shapes_of_outputs_are_refused() -> None:
    module = two(lambda net, x: in_turn(net, x)[:, :2])
    with pytest.raises(ModelError, match=r"returns shape \(8, 2\) .* the network \(8, 4\)"):
        from_torch(module, [Dense(4), ReLU(), Dense(4)], input_shape=4)


def test_the_module_does_not_change() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)).half().float()
    module[1].eval()
    before, drawn = {k: v.clone() for k, v in module.state_dict().items()}, torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from_torch(module)
    assert [each.training for each in module.modules()] == [True, True, False, True]
    assert all(torch.equal(before[name], each) for name, each in module.state_dict().items())
    assert torch.equal(drawn, torch.get_rng_state())


@pytest.mark.parametrize("shape", [None, 4])
@pytest.mark.parametrize("make", [nn.Sequential, lambda: nn.Sequential(nn.Identity())])
def test_a_sequential_without_layers_is_refused(make: Any, shape: int | None) -> None:
    with pytest.raises(ModelError, match="at least one module that is a layer"):
        from_torch(make(), input_shape=shape)


def test_the_network_of_a_written_file_says_where_its_layers_are(tmp_path: Path) -> None:
    model = random_model((4,), [Dense(3), ReLU()], np.random.default_rng(0))
    path = to_torch(model, tmp_path / "net").path
    names: dict[str, Any] = {"__name__": "net", "__file__": str(path)}
    exec(compile(path.read_text(), str(path), "exec"), names)
    with pytest.raises(ModelError, match=r"from_torch\(network\.layers\)"):
        from_torch(names["load"]())
    assert [layer.kind for layer in from_torch(names["load"]().layers)] == ["dense", "relu"]
