"""The device and the numbers that a training computes in, as lightning-fabric takes them."""

from __future__ import annotations

from typing import Any, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision, Precision
from torch import nn

from napari_sr.errors import InputError
from napari_sr.networks.srcnn import SRCNN

_MIXED = {"bfloat16": "bf16-mixed", "float16": "16-mixed"}


def choose_training_precision(name: str, device: torch.device, network: nn.Module) -> str:
    """Settle "auto": bfloat16 where the processor computes it fast, else float32.

    Parameters
    ----------
    name : {"auto", "float32", "bfloat16", "float16"}
        Of the recipe.
    device : torch.device
        Where.
    network : nn.Module
        What is trained.

    Raises
    ------
    InputError
        If float16 is asked for without a GPU: it needs one's kernels and a loss scaler.
    """
    if name == "auto":
        # SRCNN's large kernels on one channel are slower in bfloat16 on a CPU (docs/training.md).
        slow = isinstance(network, SRCNN) and device.type == "cpu"
        return "bfloat16" if _fast_bfloat16(device) and not slow else "float32"
    if name == "float16" and device.type == "cpu":
        raise InputError("A processor does not train in float16: choose bfloat16 or float32 as precision.")
    return name


def _fast_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
        return bool(supported is not None and supported())
    return False


def fabric_for(device: torch.device, precision: str, processes: int = 1) -> Fabric:
    """Make the fabric of a training.

    Parameters
    ----------
    device : torch.device
        Its kind, and of one GPU its number.
    precision : {"float32", "bfloat16", "float16"}
        Settled by `choose_precision`.
    processes : int
        One a device, launched by `Fabric.launch`; they talk by NCCL on GPUs and by gloo elsewhere.
    """
    devices: int | list[int] = processes
    if device.type == "cuda" and processes == 1:
        devices = [device.index or 0]
    if precision == "float32":
        numbers = Precision()
    else:
        numbers = MixedPrecision(precision=cast("Any", _MIXED[precision]), device=device.type)
    strategy = "auto" if processes == 1 else "ddp_spawn"
    return Fabric(accelerator=device.type, devices=devices, strategy=strategy, plugins=[numbers])
