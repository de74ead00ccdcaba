"""PyTorch: models as modules of PyTorch, and weights that come from there."""

from handloom.interop.torch.export import to_torch as to_torch
from handloom.interop.torch.importing import from_torch as from_torch
from handloom.interop.torch.modules import to_module as to_module
from handloom.interop.torch.sources import ModuleSource as ModuleSource

__all__ = ["ModuleSource", "from_torch", "to_module", "to_torch"]
