"""Device, memory layout and number format of a training, as lightning-fabric takes them."""

from __future__ import annotations

import platform
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.accelerators import ACCELERATOR_REGISTRY
from lightning_fabric.accelerators.accelerator import Accelerator
from lightning_fabric.plugins.precision import MixedPrecision, Precision
from lightning_fabric.strategies.single_device import SingleDeviceStrategy
from lightning_fabric.strategies.strategy import Strategy
from torch import nn

from napari_sr.accelerators import emulates_bfloat16, fast_bfloat16, training_layout
from napari_sr.errors import InputError
from napari_sr.networks.srcnn import SRCNN
from napari_sr.training.loop.other_accelerators import OtherAccelerator, check_gradients

#: Number formats as Fabric names them.
_FABRIC_NAMES = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}


def choose_training_precision(name: str, device: torch.device, network: nn.Module, begun: str | None = None) -> str:
    """Resolve "auto" to a number format, and check that the device can train in it.

    Parameters
    ----------
    name : {"auto", "float32", "bfloat16", "float16"}
        Precision of the recipe. "auto" is bfloat16 where the device computes fast in it, and float32 elsewhere and for
        SRCNN on a CPU. "bfloat16" is float32 where the device has no instructions for bfloat16 and only emulates it.
    device : torch.device
        Device that computes.
    network : nn.Module
        Network that is trained.
    begun : str, optional
        Number format until the checkpoint from which the training continues, from `begun_precision`. "auto" and
        "bfloat16" keep it, also on a device on which they would be another one, unless the device emulates it.

    Raises
    ------
    InputError
        If float16 is requested on a CPU.
    """
    if name in ("auto", "bfloat16"):
        if begun == _FABRIC_NAMES["float32"]:
            return "float32"
        if begun == _FABRIC_NAMES["bfloat16"]:
            return "float32" if _emulates_bfloat16(device) else "bfloat16"
    if name == "auto":
        # SRCNN's large kernels on one channel are slower in bfloat16 on a CPU (docs/training.md).
        slow = isinstance(network, SRCNN) and device.type == "cpu"
        return "bfloat16" if _fast_bfloat16(device) and not slow else "float32"
    if name == "float16" and device.type == "cpu":
        raise InputError("Training in float16 needs a GPU: choose bfloat16 or float32 as precision in the recipe.")
    if name == "bfloat16" and _emulates_bfloat16(device):
        return "float32"
    return name


def replaced_precision(recipe: str, fabric: Fabric, begun: str | None = None) -> tuple[str, ...]:
    """Describe the replacement of bfloat16 on a device that only emulates it.

    Parameters
    ----------
    recipe : {"auto", "float32", "bfloat16", "float16"}
        Precision of the recipe.
    fabric : Fabric
        Fabric of the training.
    begun : str, optional
        Number format until the checkpoint from which the training continues, from `begun_precision`.

    Returns
    -------
    tuple of str
        One sentence if the recipe trains in bfloat16, or the training began in it, and the fabric computes in float32;
        otherwise empty.
    """
    if str(fabric.strategy.precision.precision) != _FABRIC_NAMES["float32"]:
        return ()
    if begun == _FABRIC_NAMES["bfloat16"]:
        return ("This device has no instructions for bfloat16, in which the training began: it continues in float32.",)
    if recipe == "bfloat16" and begun is not None:
        return ("This training of a recipe in bfloat16 began in float32, in which it continues.",)
    if recipe == "bfloat16":
        return ("This device has no instructions for bfloat16, in which the recipe trains: float32 is used instead.",)
    return ()


def _fast_bfloat16(device: torch.device) -> bool:
    return _avx512_bfloat16() if device.type == "cpu" else fast_bfloat16(device)


def _emulates_bfloat16(device: torch.device) -> bool:
    # On x86 processors without its instructions a convolution of 64 channels took 16 times as long as in float32
    # (docs/training.md). On other architectures the recipe decides.
    if device.type == "cpu":
        return platform.machine().lower() in ("x86_64", "amd64") and not _avx512_bfloat16()
    return emulates_bfloat16(device)


def _avx512_bfloat16() -> bool:
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported is not None and supported())


def placed(network: nn.Module, device: torch.device) -> nn.Module:
    """Move a network to a device in place, in the fastest memory layout, and return it."""
    moved: nn.Module = network.to(device).to(memory_format=training_layout(device))  # type: ignore[call-overload]
    return moved


class StepPrecision(MixedPrecision):
    """Mixed precision for steps with several optimizers, whose gradients of float16 have one scale.

    Fabric's own updates the scale after each optimizer, so that the gradients of the next one, computed with the scale
    before, would be divided by another number.
    """

    def optimizer_step(self, optimizer: Any, **kwargs: Any) -> Any:
        """Take the step of an optimizer; one whose gradients overflowed is left out."""
        return optimizer.step(**kwargs) if self.scaler is None else self.scaler.step(optimizer, **kwargs)

    def end_step(self) -> None:
        """Update the scale of float16, after the steps of all optimizers."""
        if self.scaler is not None:
            self.scaler.update()


def fabric_for(device: torch.device, precision: str, processes: int = 1, nodes: int = 1) -> Fabric:
    """Make the fabric of a training, which is not launched yet.

    Parameters
    ----------
    device : torch.device
        Kind of the device; the number of a GPU is used by a single process only.
    precision : {"float32", "bfloat16", "float16"}
        Number format, from `choose_training_precision`.
    processes : int, default 1
        Number of processes, one for each device, which `Fabric.launch` starts. They communicate by NCCL on GPUs and by
        gloo elsewhere.
    nodes : int, default 1
        Number of machines, each with so many processes. On several the processes are started from outside.

    Raises
    ------
    InputError
        If there are several processes on a kind of accelerator whose processes cannot communicate, or a device that
        Fabric does not have cannot compute gradients in this process.
    """
    devices: int | list[int] = processes
    accelerator: str | Accelerator = device.type
    strategy: str | Strategy = "ddp" if nodes > 1 else "auto" if processes == 1 else "ddp_spawn"
    if device.type != "cpu" and processes == nodes == 1:
        devices = [device.index or 0]
    if device.type not in ACCELERATOR_REGISTRY:
        if processes * nodes > 1:
            raise InputError(
                f"Several processes cannot train on {device.type}: leave out their number, or choose another device."
            )
        check_gradients(device)
        accelerator = OtherAccelerator(device)
        # Fabric would compute on the CPU: it chooses the device of "auto" by its own kinds.
        strategy = SingleDeviceStrategy(torch.device(device.type, device.index or 0))
    if precision == "float32":
        plugin = Precision()
    else:
        plugin = StepPrecision(precision=cast("Any", _FABRIC_NAMES[precision]), device=device.type)
    return Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes, strategy=strategy, plugins=[plugin])
