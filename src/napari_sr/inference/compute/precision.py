"""How far half precision is from float32, for one network: measured, not supposed."""

from __future__ import annotations

import copy
from math import inf, log10
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from napari_sr.inference.compute.device import ieee_float32
from napari_sr.samples import SAMPLES, load_sample
from napari_sr.zoo.card import Card

Half = Literal["float16", "bfloat16"]

#: Side of the pieces of the sample images that go through.
SIDE = 64


def measure_precision(
    network: nn.Module,
    card: Card,
    device: torch.device | str = "cpu",
    precisions: tuple[Half, ...] = ("float16", "bfloat16"),
) -> dict[Half, float]:
    """Measure a network's half-precision results against those in float32.

    Parameters
    ----------
    network : nn.Module
        The model's network; it is copied, not touched.
    card : Card
        Of the model: its channels and its ranges.
    device : torch.device or str
        Where to compute.
    precisions : tuple of str
        Which half precisions.

    Returns
    -------
    dict of str to float
        PSNR in decibel, peak 1 for the width of the output range, over the middles of the package's sample images,
        which hold real microscopy; -inf where half precision gave something that is no number.
    """
    low, high = card.intensity_range
    pieces = [low + (high - low) * piece for piece in _pieces(card.channels)]
    exact = [_through(network, piece, device, torch.float32) for piece in pieces]
    width = card.output_range[1] - card.output_range[0]
    found: dict[Half, float] = {}
    for name in precisions:
        errors = [
            (_through(network, piece, device, getattr(torch, name)) - truth) / width
            for piece, truth in zip(pieces, exact, strict=True)
        ]
        square = float(torch.stack([error.square().mean() for error in errors]).mean())
        found[name] = round(_decibel(square), 1)
    return found


_COSTS: WeakKeyDictionary[nn.Module, dict[str, float]] = WeakKeyDictionary()


def cost_of_float16(network: nn.Module, card: Card, device: torch.device) -> float:
    """`measure_precision` in float16 on a device, found out once for a network and remembered as long as it lives."""
    costs = _COSTS.setdefault(network, {})
    if device.type not in costs:
        costs[device.type] = measure_precision(network, card, device, ("float16",))["float16"]
    return costs[device.type]


def _decibel(square: float) -> float:
    if not np.isfinite(square):
        return -inf
    return -10 * log10(square) if square > 0 else inf


def _pieces(channels: int) -> list[Tensor]:
    """Middles of the sample images, (1, channels, SIDE, SIDE), from 0 to 1."""
    pieces = []
    for name in SAMPLES:
        image = load_sample(name).low
        top, left = ((n - SIDE) // 2 for n in image.shape)
        piece = image[max(top, 0) : max(top, 0) + SIDE, max(left, 0) : max(left, 0) + SIDE].astype(np.float32)
        piece = (piece - piece.min()) / max(float(np.ptp(piece)), 1.0)
        pieces.append(torch.from_numpy(piece)[None, None].repeat(1, channels, 1, 1))
    return pieces


@torch.inference_mode()
def _through(network: nn.Module, piece: Tensor, device: torch.device | str, dtype: torch.dtype) -> Tensor:
    """One piece through a copy of the network, float32 on the CPU."""
    ready = copy.deepcopy(network).to(device, dtype).eval()
    with ieee_float32():
        result: Tensor = ready(piece.to(device, dtype)).float().cpu()
    return result
