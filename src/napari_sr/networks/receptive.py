"""The receptive radius of a chain of layers, in pixels of the input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from napari_sr.imaging.resize import Kernel, reach_of


@dataclass(frozen=True)
class ConvolutionReach:
    """Convolutions at one resolution.

    Parameters
    ----------
    radius : int
        Radius of the kernel in pixels.
    count : int, default 1
        Number of such convolutions.
    """

    radius: int
    count: int = 1


@dataclass(frozen=True)
class UpsamplingReach:
    """Upsampling with an interpolation kernel.

    Parameters
    ----------
    factor : int
        Upsampling factor.
    kernel : {"nearest", "bilinear", "bicubic", "lanczos3"}, default "nearest"
        Interpolation kernel; a pixel shuffle depends on the same pixels as "nearest".
    """

    factor: int
    kernel: Kernel = "nearest"


@dataclass(frozen=True)
class UnshufflingReach:
    """A pixel unshuffle: `factor` x `factor` pixels become the channels of one pixel.

    Parameters
    ----------
    factor : int
        Downsampling factor.
    """

    factor: int


LayerReach = ConvolutionReach | UpsamplingReach | UnshufflingReach


def receptive_radius(layers: Sequence[LayerReach]) -> int:
    """Return the radius, in pixels of the input, on which one pixel of the output depends.

    Parameters
    ----------
    layers : sequence of ConvolutionReach, UpsamplingReach or UnshufflingReach
        The longest path from the input to the output, in the order of the computation.

    Returns
    -------
    int
        Over all phases of the output grid, the largest distance between the input pixel below an output pixel and the
        farthest input pixel on which it depends.
    """
    upsampling = prod(layer.factor for layer in layers if isinstance(layer, UpsamplingReach))
    downsampling = prod(layer.factor for layer in layers if isinstance(layer, UnshufflingReach))
    radius = 0
    for output in range(upsampling * downsampling):
        low = high = output
        for layer in reversed(layers):
            if isinstance(layer, ConvolutionReach):
                low, high = low - layer.radius * layer.count, high + layer.radius * layer.count
            elif isinstance(layer, UpsamplingReach):
                low, high = reach_of(layer.kernel, layer.factor, low, high)
            else:
                low, high = low * layer.factor, high * layer.factor + layer.factor - 1
        below = output * downsampling // upsampling
        radius = max(radius, below - low, high - below)
    return radius
