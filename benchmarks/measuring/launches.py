"""Counts of the kernels that are launched on an accelerator, and of the times that the CPU waits for it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

#: Operations that only describe values which are there, or reserve memory.
_NO_KERNEL = frozenset(
    "alias as_strided detach empty empty_like empty_strided expand new_empty permute reshape select slice squeeze "
    "transpose unsqueeze view _has_compatible_shallow_copy_type".split()
)
#: Operations whose result the CPU reads.
_READS = {"_local_scalar_dense", "is_nonzero", "item", "equal", "nonzero", "masked_select"}


class Launches(TorchDispatchMode):
    """Counts operations on an accelerator, while its context lasts.

    Parameters
    ----------
    device : torch.device
        The accelerator.

    Attributes
    ----------
    kernels : Counter of str
        Operations that launch kernels or copy values, by name. An operation may launch more than one kernel.
    waits : Counter of str
        Operations for whose result the CPU waits: copies to it, and values that it reads.
    uploads : int
        Copies of values from the CPU.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._kind = device.type
        self.kernels: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()
        self.uploads = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        before = [x for x in tree_leaves((args, kwargs or {})) if isinstance(x, Tensor)]
        after = [x for x in tree_leaves(out) if isinstance(x, Tensor)]
        there = [x.device.type == self._kind for x in before]
        if any(there) or any(x.device.type == self._kind for x in after):
            if name not in _NO_KERNEL:
                self.kernels[name] += 1
            if any(there) and (name in _READS or any(x.device.type == "cpu" for x in after)):
                self.waits[name] += 1
            if name in ("to", "_to_copy", "copy_") and not all(there):
                self.uploads += any(x.device.type == self._kind for x in after)
        return out
