"""A device that is not there: real numbers on the CPU that claim to be elsewhere, and refuse to be mixed with others.

Torch sees tensors of its device "meta", whose gradients and guards every installation has. All calls of the program see
the device whose name was given. It computes on the CPU. What it finds is a tensor in the wrong place, a number format
that the device lacks, and a copy that is not waited for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

aten = torch.ops.aten
#: Calls that take tensors of two devices; those of indices take indices of the CPU.
_COPIES = {aten._to_copy.default, aten.copy_.default}
_INDEXED = {aten.index.Tensor, aten.index_put_.default, aten._index_put_impl_.default}
#: Kinds without 64-bit numbers.
_WITHOUT_DOUBLE = ("mps",)
_META = torch.device("meta")
#: Attributes of tensors that are true on one kind of device.
_FLAGS = {Tensor.is_meta: "meta", Tensor.is_cuda: "cuda", Tensor.is_mps: "mps", Tensor.is_cpu: "cpu"}


class Far(Tensor):
    """A tensor elsewhere, in front of one of the CPU."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, near: Tensor) -> Far:
        far: Far = Tensor._make_wrapper_subclass(
            cls,
            near.size(),
            strides=near.stride(),
            storage_offset=near.storage_offset(),
            dtype=near.dtype,
            device=_META,
        )
        far.near = near
        return far

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        raise RuntimeError(f"{function} of a tensor elsewhere after the end of its device")

    def __reduce_ex__(self, protocol):
        return self.near.__reduce_ex__(protocol)

    def __repr__(self):
        return f"Far({tuple(self.shape)}, {self.dtype})"


class Computation(TorchDispatchMode):
    """All that torch computes, with the tensors elsewhere.

    Parameters
    ----------
    device : torch.device
        The device that is pretended.

    Attributes
    ----------
    calls : Counter
        Number of the calls with tensors elsewhere, by their function.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device = device
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        far = [value for value in tensors if isinstance(value, Far)]
        there = kwargs.get("device")
        self._refuse_mixed(function, args, tensors, far)
        waits = not (kwargs.get("non_blocking") or (function is aten.copy_.default and True in args[2:]))
        if function in _COPIES and (far or there is not None) and not waits:
            raise RuntimeError(f"{function}: a copy from or to {self.device} that is not waited for")
        stays = isinstance(args[0], Far) if function is aten.copy_.default else bool(far)
        elsewhere = stays if there is None else there.type == _META.type
        if far or elsewhere:
            self.calls[str(function)] += 1
        if there is not None:
            kwargs["device"] = torch.device("cpu")
        known = {id(value.near): value for value in far}
        result = function(*tree_map(_near, args), **tree_map(_near, kwargs))

        def placed(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            if not elsewhere:
                # A copy to the CPU is not the memory elsewhere.
                return value.clone() if id(value) in known else value
            if id(value) in known:
                return known[id(value)]
            if self.device.type in _WITHOUT_DOUBLE and value.dtype in (torch.float64, torch.complex128):
                raise TypeError(f"{function}: {self.device} has no {value.dtype}")
            return Far(value)

        return tree_map(placed, result)

    def _refuse_mixed(self, function: Any, args: tuple[Any, ...], tensors: list[Tensor], far: list[Far]) -> None:
        if not far or function in _COPIES:
            return
        indices = {id(value) for value in args[1] if value is not None} if function in _INDEXED else set()
        near = [value for value in tensors if not isinstance(value, Far) and value.dim() and id(value) not in indices]
        if near:
            shapes = ", ".join(str(tuple(value.shape)) for value in near)
            raise RuntimeError(f"{function}: tensors on {self.device}, and on the CPU with the shape {shapes}")


class Names(TorchFunctionMode):
    """The name of the device, in place of that of torch's device whose kernels are used."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device = device

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is torch.device:
            return function(*args, **kwargs)
        flag = getattr(function, "__self__", None)
        if flag in _FLAGS and isinstance(args[0], Far):
            return _FLAGS[flag] == self.device.type
        if function is Tensor.tolist and isinstance(args[0], Far):
            # The method reads the memory.
            return args[0].cpu().tolist()
        if function in (Tensor.numpy, Tensor.__array__) and isinstance(args[0], Far):
            raise TypeError(f"A tensor on {self.device} cannot become an array of numpy: copy it to the CPU first.")
        result = function(*tree_map(self._hidden, args), **tree_map(self._hidden, kwargs))
        if flag is Tensor.data and isinstance(args[0], Far) and len(args) == 2:
            # Modules exchange the memory of their weights so.
            args[0].near = args[1].near
        return self.device if isinstance(result, torch.device) and result.type == _META.type else result

    def _hidden(self, value: Any) -> Any:
        named = isinstance(value, torch.device) or (
            isinstance(value, str) and value in (self.device.type, str(self.device))
        )
        return _META if named and torch.device(value).type == self.device.type else value


def _near(value: Any) -> Any:
    return value.near if isinstance(value, Far) else value


@contextmanager
def elsewhere(name: str, monkeypatch: Any) -> Iterator[Computation]:
    """Pretend that there is a device.

    Parameters
    ----------
    name : str
        Such as "cuda:0" or "mps".
    monkeypatch : pytest.MonkeyPatch
        By which the program's questions to the driver are answered within the context.

    Yields
    ------
    Computation
        What the device computes.
    """
    device = torch.device(name)
    answers: dict[str, Any] = {
        "napari_sr.inference.compute.device.unavailable": lambda kind: (
            None if kind == device.type else "it is not there"
        ),
        "napari_sr.inference.compute.device.device_count": lambda kind: int(kind == device.type),
        "napari_sr.inference.compute.memory.free_memory": lambda device: 10**9,
        "napari_sr.inference.compute.exact.release_memory": lambda device: None,
        "napari_sr.inference.run.run_region.release_memory": lambda device: None,
        "napari_sr.inference.compute.transfer.has_streams": lambda device: False,
        # Fabric has its own ways to CUDA and MPS, that ask the driver.
        "napari_sr.training.loop.precision.ACCELERATOR_REGISTRY": ("cpu",),
    }
    with monkeypatch.context() as patched, Computation(device) as computation, Names(device):
        # In torch's inference mode a function that is made of others is not divided into these.
        patched.setattr(torch, "inference_mode", lambda mode=True: torch.no_grad() if mode else nullcontext())
        for place, answer in answers.items():
            import_module(place.rpartition(".")[0])
            patched.setattr(place, answer)
        yield computation
