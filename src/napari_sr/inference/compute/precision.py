"""The error of half precision against float32 as measured for one network, and the number format that follows."""

from __future__ import annotations

import copy
from math import inf, log10
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_sr.inference.compute.conditions import conditioned
from napari_sr.networks.conditioning import NoiseLevels
from napari_sr.samples import SAMPLES, sample_crop
from napari_sr.settings import JobSettings, Precision
from napari_sr.torch_state import ieee_float32
from napari_sr.zoo.card import Card
from napari_sr.zoo.model import Model

Half = Literal["float16", "bfloat16"]

#: Least PSNR against float32, in decibel, with which precision "auto" uses half precision.
SUFFICIENT_PSNR = 65.0
#: Side of the crops of the sample images that are measured, in pixels.
SIDE = 64
#: Variance of the noise that networks are given with them, as a fraction of the squared range.
_NOISE = 1e-4


def measure_precision(
    network: nn.Module,
    card: Card,
    device: torch.device | str = "cpu",
    precisions: tuple[Half, ...] = ("float16", "bfloat16"),
) -> dict[Half, float]:
    """Measure the results of a network in half precision against those in float32.

    Parameters
    ----------
    network : nn.Module
        The network of the model, as a network of one input; it is copied, not changed.
    card : Card
        The card of the model: its channels and ranges.
    device : torch.device or str, default "cpu"
        Device that computes.
    precisions : tuple of {"float16", "bfloat16"}, default ("float16", "bfloat16")
        Formats to measure.

    Returns
    -------
    dict of str to float
        PSNR in decibel, with the width of the output range as peak, over the centers of the sample images of the
        package, which are real micrographs; -inf where half precision overflowed.
    """
    low, high = card.intensity_range
    samples = [torch.from_numpy(sample_crop(name, SIDE)) for name in SAMPLES]
    crops = [low + (high - low) * sample[None, None].repeat(1, card.channels, 1, 1) for sample in samples]
    exact = [_apply(network, crop, device, torch.float32) for crop in crops]
    width = card.output_range[1] - card.output_range[0]
    psnr: dict[Half, float] = {}
    for name in precisions:
        errors = [
            (_apply(network, crop, device, getattr(torch, name)) - reference) / width
            for crop, reference in zip(crops, exact, strict=True)
        ]
        mean_square = float(torch.stack([error.square().mean() for error in errors]).mean())
        psnr[name] = round(_decibel(mean_square), 1)
    return psnr


_FLOAT16_PSNR: WeakKeyDictionary[nn.Module, dict[str, float]] = WeakKeyDictionary()


def float16_psnr(model: Model, device: torch.device) -> float:
    """Measure float16 as `measure_precision` does, once for a network and type of device.

    Parameters
    ----------
    model : Model
        The model. A network that takes noise and blur is given weak noise and no blur.
    device : torch.device
        Device that computes.

    Returns
    -------
    float
        PSNR in decibel.
    """
    known = _FLOAT16_PSNR.setdefault(model.network, {})
    if device.type not in known:
        network = conditioned(model, JobSettings(), NoiseLevels((_NOISE,)))
        known[device.type] = measure_precision(network, model.card, device, ("float16",))["float16"]
    return known[device.type]


def number_format(model: Model, name: Precision, device: torch.device, image: npt.DTypeLike) -> torch.dtype:
    """Choose the number format of a computation.

    Parameters
    ----------
    model : Model
        The model.
    name : {"auto", "float32", "bfloat16", "float16"}
        The precision. "auto" is float16 on a GPU for 8-bit images if its PSNR is at least `SUFFICIENT_PSNR`, and
        float32 otherwise. The PSNR is measured if the card of the model does not have it.
    device : torch.device
        Device that computes.
    image : dtype
        Data type of the image.

    Returns
    -------
    torch.dtype
        float32, bfloat16 or float16.
    """
    if name != "auto":
        dtype: torch.dtype = getattr(torch, name)
        return dtype
    if device.type == "cpu" or np.dtype(image).itemsize != 1:
        return torch.float32
    psnr = model.card.precision.get("float16")
    if psnr is None:
        psnr = float16_psnr(model, device)
    return torch.float16 if psnr >= SUFFICIENT_PSNR else torch.float32


def _decibel(mean_square: float) -> float:
    if not np.isfinite(mean_square):
        return -inf
    return -10 * log10(mean_square) if mean_square > 0 else inf


@torch.inference_mode()
def _apply(network: nn.Module, image: Tensor, device: torch.device | str, dtype: torch.dtype) -> Tensor:
    """Apply a copy of the network to an image; return float32 on the CPU."""
    copied = copy.deepcopy(network).to(device, dtype).eval()
    with ieee_float32():
        result: Tensor = copied(image.to(device, dtype)).float().cpu()
    return result
