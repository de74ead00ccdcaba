"""The optimizers of the recipes in PyTorch: functions that take one step at a rate.

Muon is written out, because PyTorch's own takes no kernels of convolutions.
"""

from collections.abc import Callable, Sequence
from typing import Any

from handloom.optimizers import Adam, Muon, Optimizer
from handloom.optimizers.muon import COEFFICIENTS, spectral_scale

Step = Callable[[float], None]


def translated_optimizer(ours: Optimizer, network: Any) -> Step:
    """Return a function that steps a network of PyTorch's as one of our optimizers would.

    Raises
    ------
    TypeError
        If there is no translation.
    """
    weights = [*network.parameters()]
    if isinstance(ours, Adam) and ours.config() == Adam(beta2=ours.beta2).config():
        return adam(weights, ours)
    if isinstance(ours, Muon):
        chosen = Muon(adam_rate=ours.adam_rate, adam_for=ours.adam_for)
        if ours.config() == chosen.config():
            return muon_and_adam(weights, ours)
    raise TypeError(f"no translation of {ours.config()} yet")


def muon_and_adam(weights: Sequence[Any], ours: Muon) -> Step:
    """Return a step of Muon for all matrices but the last, which gives the logits."""
    *matrices, _ = [w for w in weights if w.ndim > 1]
    rest = [w for w in weights if all(w is not matrix for matrix in matrices)]
    step_matrices, step_rest = muon(matrices, ours), adam(rest, ours)

    def step(rate: float) -> None:
        step_matrices(rate)
        step_rest(ours.adam_rate * rate)

    return step


def adam(weights: Sequence[Any], ours: Adam | Muon) -> Step:
    """Return a step of PyTorch's fused Adam."""
    import torch

    betas = (ours.beta1, ours.beta2)
    optimizer = torch.optim.Adam(weights, betas=betas, eps=ours.epsilon, fused=True)

    def step(rate: float) -> None:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()

    return step


def muon(matrices: Sequence[Any], ours: Muon) -> Step:
    """Return a step of Muon; a kernel (f, c, k, k) is the matrix (f, c k k)."""
    import torch

    means = [torch.zeros_like(w) for w in matrices]

    def step(rate: float) -> None:
        with torch.no_grad():
            for w, mean in zip(matrices, means, strict=True):
                mean.lerp_(w.grad, 1.0 - ours.momentum)
                ahead = w.grad.lerp(mean, ours.momentum).flatten(1)
                outputs, inputs = ahead.shape
                direction = orthogonal(ahead, ours.iterations).view(w.shape)
                w.sub_(direction, alpha=rate * spectral_scale(inputs, outputs))

    return step


def orthogonal(g: Any, iterations: int) -> Any:
    """Return a matrix with all singular values made alike, by Newton's and Schulz's iteration."""
    import torch

    a, b, c = COEFFICIENTS
    tall = g.shape[0] > g.shape[1]
    x = g.T if tall else g
    x = x / x.norm().clamp_min(1e-30)
    for _ in range(iterations):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
